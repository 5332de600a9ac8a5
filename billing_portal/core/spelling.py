"""Texts that people copy and type, compared without what differs between two spellings of the same text.

A bank prints ``RF18 5390 0754 7034``, a spreadsheet holds ``rf18539007547034``, a web page puts no-break spaces in
between. Uniqueness of such a text compares it without spaces and in capitals; what is stored stays as it was written,
but for what no keyboard writes (`typed`).
"""

from typing import Any
from unicodedata import category, normalize

from django.db.models import CharField, Func

# What separates or is not seen: spaces of every width, line ends, joiners, the soft hyphen, the byte order mark.
SPACES = "".join(map(chr, [0x20, 0x09, 0x0A, 0x0D, 0xA0, 0xAD, *range(0x2000, 0x2010), 0x202F, 0x2060, 0x3000, 0xFEFF]))
WITHOUT = str.maketrans("", "", SPACES)
# Hyphens, dashes and the minus of word processors and web pages.
HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")


def compact_sql(sql: str, vendor: str) -> str:
    """The same as `Compact` around a piece of SQL: exactly the same, or an index on it is not used."""
    if vendor == "postgresql":
        return f"UPPER(TRANSLATE({sql}, '{SPACES}', ''))"
    return f"COMPACT({sql})"  # SQLite's parser takes no deep nest of its own functions


class Compact(Func):
    """A text column without spaces and in capitals, for constraints and filters."""

    arity = 1
    output_field = CharField()

    def as_sql(self, compiler: Any, *_args: Any, **_kwargs: Any) -> tuple[str, Any]:
        sql, params = compiler.compile(self.source_expressions[0])
        return compact_sql(sql, compiler.connection.vendor), params


def compact(text: str) -> str:
    """The same for a text in memory."""
    return text.translate(WITHOUT).upper()


def typed(text: str) -> str:
    """A text as a keyboard writes it, for texts of which two that look alike are one: without marks that nobody sees,
    such as those that copying from a PDF file adds, with plain hyphens, and letters and digits of ordinary width."""
    plain = normalize("NFKC", text).translate(HYPHENS)
    return "".join(sign for sign in plain if category(sign) != "Cf").strip()


def teach_sqlite(connection: Any, **_signal: Any) -> None:
    """Gives a new connection to SQLite the function that `compact_sql` names."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("COMPACT", 1, lambda text: text and compact(text), deterministic=True)

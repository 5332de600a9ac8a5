"""Texts that people copy and type, compared without what differs between two spellings of the same text.

A bank prints ``RF18 5390 0754 7034``, a spreadsheet holds ``rf18539007547034``, a web page puts no-break spaces in
between. Uniqueness of such a text compares it without spaces and in capitals; what is stored stays as it was written.
"""

from typing import Any

from django.db.models import CharField, Func

# What separates or is not seen: spaces of every width, line ends, joiners, the soft hyphen, the byte order mark.
SPACES = "".join(map(chr, [0x20, 0x09, 0x0A, 0x0D, 0xA0, 0xAD, *range(0x2000, 0x2010), 0x202F, 0x2060, 0x3000, 0xFEFF]))
WITHOUT = str.maketrans("", "", SPACES)


class Compact(Func):
    """A text column without spaces and in capitals, for constraints and filters."""

    arity = 1
    output_field = CharField()

    def as_sql(self, compiler: Any, *_args: Any, **_kwargs: Any) -> tuple[str, Any]:
        sql, params = compiler.compile(self.source_expressions[0])
        for space in SPACES:
            sql = f"REPLACE({sql}, '{space}', '')"
        return f"UPPER({sql})", params

    def as_postgresql(self, compiler: Any, *_args: Any, **_kwargs: Any) -> tuple[str, Any]:
        sql, params = compiler.compile(self.source_expressions[0])
        return f"UPPER(TRANSLATE({sql}, '{SPACES}', ''))", params


def compact(text: str) -> str:
    """The same for a text in memory."""
    return text.translate(WITHOUT).upper()

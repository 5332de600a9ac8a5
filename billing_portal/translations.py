"""Catalogues of texts, with Babel alone and no gettext tools. Django turns templates into calls like Python's."""

import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

# Documents are in more languages than pages: what these say is in the catalogues of locale/documents as well.
DOCUMENTS = (
    "invoices/documents", "payments/documents", "invoices/units.py", "invoices/documents/einvoice/terms.py",
    "invoices/operations/document_archive.py", "invoices/operations/usage.py",
)  # fmt: skip
NOT_PRINTED = ("invoices/documents/typesetting.py",)
PACKAGES = ("billing_portal", "accounts", "invoices", "payments")
DOMAIN = "django"
# What a call looks like: the positions of the text, of its plural, and of its context.
CALLS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    **dict.fromkeys(("_", "_now", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}


def catalogue_paths(locale: Path) -> list[Path]:
    """The catalogues of our own texts; ``packages/`` beside them has better words for texts of installed packages, and
    ``documents/`` the further languages of documents."""
    return sorted(locale.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def compile_catalogues(locale: Path) -> list[Path]:
    """Writes the ``.mo`` of each ``.po`` that is newer than its own. Returns those written."""
    written = []
    for source in sorted(locale.rglob(f"LC_MESSAGES/{DOMAIN}.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as file:
            catalogue = read_po(file)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        # Another process may be reading it, or compiling it too: the name changes hands at once.
        fresh = target.with_suffix(".mo.new")
        fresh.write_bytes(compiled.getvalue())
        fresh.replace(target)
        written.append(target)
    return written


def collect(base: Path) -> Catalog:
    catalogue = Catalog(project="Billing portal", charset="utf-8")
    for file, source in _sources(base):
        name, python = file.relative_to(base).as_posix(), io.BytesIO(source.encode())
        for line, text, comments, context in extract("python", python, CALLS, comment_tags=("Translators:",),
                                                     strip_comment_tags=True):  # fmt: skip
            catalogue.add(text, None, [(name, line)], auto_comments=comments, context=context)
    return catalogue


def of_documents(collected: Catalog) -> Catalog:
    """The texts that invoices, credit notes, receipts and statements may print."""
    catalogue = Catalog(project="Billing portal", charset="utf-8")
    for message in collected:
        places = [place for place in message.locations if _is_printed(place[0])]
        if message.id and places:
            catalogue.add(message.id, None, places, auto_comments=message.auto_comments, context=message.context)
    return catalogue


def _is_printed(name: str) -> bool:
    return (name in DOCUMENTS or name.rpartition("/")[0] in DOCUMENTS) and name not in NOT_PRINTED


def update(locale: Path, collected: Catalog) -> list[Path]:
    """Brings each catalogue up to date with the source: new texts empty, gone texts gone, no guesses."""
    for path in catalogue_paths(locale):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=path.parent.parent.name)
        made_at = catalogue.creation_date
        catalogue.update(collected, no_fuzzy_matching=True, update_header_comment=False)
        catalogue.creation_date = made_at  # so that nothing changes in the file when no text did
        catalogue.obsolete.clear()
        with path.open("wb") as file:
            write_po(file, catalogue, width=100, sort_by_file=True, ignore_obsolete=True, include_lineno=False)
    return catalogue_paths(locale)


def _sources(base: Path) -> Iterator[tuple[Path, str]]:
    """Python files as they are, templates as Python that calls gettext for each of their texts."""
    for package in PACKAGES:
        for file in sorted((base / package).rglob("*.py")):
            if "migrations" not in file.parts:
                yield file, file.read_text()
    inner = (sorted((base / package).rglob("templates")) for package in PACKAGES)
    for folder in (base / "templates", *chain.from_iterable(inner)):
        for file in sorted([*folder.rglob("*.html"), *folder.rglob("*.txt")]):
            calls = templatize(file.read_text(), origin=str(file))
            # A template's indentation means nothing, but Python's would.
            yield file, "\n".join(line.strip() for line in calls.splitlines())

"""Paging of rows that are only ever added, newest first: their ids are their order, so the edge of a page is one id.

``o12`` asks for what lies after row 12 (older), ``n12`` for what lies before it (newer). A word that means nothing,
or leads beyond the last row, gives page one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Model, QuerySet

PAGE_SIZE = 50
WORD = re.compile(r"([no])([0-9]{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class PageOf[Row]:
    """Rows, newest first, and the words that lead to the pages on either side; empty where there is none."""

    rows: Sequence[Row]
    newer: str = ""
    older: str = ""


def page_by_id[Row: Model](rows: QuerySet[Row], word: str = "", *, size: int = PAGE_SIZE) -> PageOf[Row]:
    """One page, by one query."""
    match = WORD.fullmatch(word)
    if match is None:
        found = list(rows.order_by("-pk")[: size + 1])
        return _page(found[:size], newer=False, older=len(found) > size)
    edge = int(match[2])
    if match[1] == "o":
        found = list(rows.filter(pk__lt=edge).order_by("-pk")[: size + 1])
        if not found:
            return page_by_id(rows, size=size)
        return _page(found[:size], newer=True, older=len(found) > size)
    found = list(rows.filter(pk__gt=edge).order_by("pk")[: size + 1])
    if len(found) < size:  # less than a page lies before: page one shows it, and what follows
        return page_by_id(rows, size=size)
    return _page(found[:size][::-1], newer=len(found) > size, older=True)


def _page[Row: Model](rows: Sequence[Row], *, newer: bool, older: bool) -> PageOf[Row]:
    if not rows:
        return PageOf(rows)
    return PageOf(rows, f"n{rows[0].pk}" if newer else "", f"o{rows[-1].pk}" if older else "")

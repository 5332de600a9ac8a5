"""Fingerprints of issued documents: a SHA-256 of what an invoice or a credit note says, and of the fingerprint of the
document before it in its series of numbers.

Each is written once, at issue, and `check_books` makes all of them again. So a document that was changed, added or
taken out of its series by hand is found, and hiding that takes a change of every later document and of the series. An
invoice that keeps the number of another system is in no series; its fingerprint is of itself alone.

What happens to an invoice after its issue (payments, credits, reminders, a void) is no part of it: the ledger proves
that.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from hashlib import sha256
from itertools import batched, groupby
from operator import itemgetter
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from billing_portal.core.exact_decimals import text_sql
from invoices.models import CreditNote, CreditNoteLine, Invoice, NumberSeries

INVOICE_COLUMNS = (
    "id", "number", "profile_id", "kind", "currency", "issued_on", "due_on", "period_start_on", "period_end_on",
    "po_number", "source_reference", "source_digest", "is_numbered_elsewhere", "seller", "buyer", "payment_terms_days",
    "payment_reference", "pays_by_wire", "remittance", "replaces_id", "charges_minor", "tax_minor", "total_minor",
    "seller_tax_minor", "exchange", "paid_before_minor", "paid_before_on",
)  # fmt: skip
NOTE_COLUMNS = (
    "number", "invoice_id", "profile_id", "currency", "issued_on", "reason", "seller", "buyer", "charges_minor",
    "tax_minor", "total_minor", "applied_minor", "given_back_minor", "credit_id", "voids_invoice",
    "seller_tax_minor",
)  # fmt: skip
AT_ONCE = 500
DOCUMENTS = "documents"
# A line as one text, made by the database, which is much faster than reading each column.
LINES = """
SELECT invoice_id, position || '{sep}' || COALESCE(CAST(section_id AS text), '') || '{sep}' || section_name || '{sep}'
|| {quantity} || '{sep}' || description || '{sep}' || {unit_price} || '{sep}' || unit || '{sep}' || tax_category
|| '{sep}' || {tax_rate} || '{sep}' || exemption_reason || '{sep}' || exemption_code || '{sep}'
|| COALESCE(CAST(happened_on AS text), '') || '{sep}' || CASE WHEN is_creditable THEN 1 ELSE 0 END || '{sep}'
|| CASE WHEN is_allowance THEN 1 ELSE 0 END || '{sep}'
|| amount_minor
FROM invoices_invoiceline WHERE invoice_id IN ({marks}) ORDER BY invoice_id, position, id
"""
SEPARATOR = "\x1f"
ENCODER = json.JSONEncoder(sort_keys=True, default=str)


def chain(prefix: str, documents: Sequence[Invoice], lines: Mapping[int, str]) -> None:
    """Sets the fingerprint of invoices with new numbers of a series, in the order of these, and keeps the last with the
    series, which the caller has locked (`take_numbers`). ``lines`` are those of `of_lines`. Saves no invoice."""
    last = NumberSeries.objects.filter(prefix=prefix.upper())
    digest = last.values_list("last_digest", flat=True).get()
    for invoice in documents:
        digest = invoice.digest = of_invoice(invoice.__dict__, lines.get(invoice.pk, ""), digest)
    last.update(last_digest=digest)


def chain_note(prefix: str, note: CreditNote, lines: Iterable[CreditNoteLine]) -> None:
    """The same for a credit note, which is not stored yet."""
    last = NumberSeries.objects.filter(prefix=prefix.upper())
    note.digest = of_note(note.__dict__, map(_note_line, lines), last.values_list("last_digest", flat=True).get())
    last.update(last_digest=note.digest)


def of_invoice(values: Mapping[str, Any], lines: str, before: str) -> str:
    return _digest([before, *(values[name] for name in INVOICE_COLUMNS), lines])


def of_note(values: Mapping[str, Any], lines: Iterable[Sequence[int]], before: str) -> str:
    return _digest([before, *(values[name] for name in NOTE_COLUMNS), *lines])


def of_lines(invoice_ids: Sequence[int]) -> dict[int, str]:
    """A digest of the stored lines of each invoice that has any. One query for some hundred invoices."""
    digests: dict[int, str] = {}
    for some in batched(invoice_ids, AT_ONCE):
        for pk, rows in groupby(_line_texts(some), key=itemgetter(0)):
            digest = sha256()
            for _pk, text in rows:
                digest.update(f"{text}\n".encode())
            digests[pk] = digest.hexdigest()
    return digests


def _line_texts(invoice_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
    vendor = connection.vendor
    decimals = {column: text_sql(column, vendor) for column in ("quantity", "unit_price")}
    decimals["tax_rate"] = "tax_rate" if vendor == "postgresql" else "printf('%%.3f', tax_rate)"
    marks = ", ".join(["%s"] * len(invoice_ids))
    with connection.cursor() as cursor:
        cursor.execute(LINES.format(sep=SEPARATOR, marks=marks, **decimals), list(invoice_ids))
        while rows := cursor.fetchmany(2000):
            yield from rows


def _note_line(line: CreditNoteLine) -> list[int]:
    return [line.position, line.line_id, line.amount_minor]


def _digest(values: list[Any]) -> str:
    """Of values as JSON; a day stands in it as 2026-10-26."""
    return sha256(ENCODER.encode(values).encode()).hexdigest()


def wrong_documents(
    *, since: date | None = None, progress: Callable[[str, int, int], object] = lambda _step, _done, _whole: None
) -> Iterator[str]:
    """A sentence for each document that is not what was issued, and for each number that no document or no series has.
    In memory are some hundred documents at a time.

    With ``since``, only of documents issued since that day, each series from the first of them on; numbers are not
    counted. ``progress`` is told the step, how many documents are done, and of how many.
    """
    given = done = 0
    all_series = list(NumberSeries.objects.order_by("pk"))
    whole = sum(series.next_number - 1 for series in all_series)
    for series in all_series:
        given += series.next_number - 1
        first = 1 if since is None else _first_since(series, since)
        for problems, number in _wrong_in_series(series, first):
            yield from problems
            progress(DOCUMENTS, done + number, whole)
        done += series.next_number - 1
    elsewhere = Invoice.objects.filter(is_numbered_elsewhere=True).order_by("pk").values("digest", *INVOICE_COLUMNS)
    if since is not None:
        elsewhere = elsewhere.filter(issued_on__gte=since)
    for rows in batched(elsewhere.iterator(AT_ONCE), AT_ONCE):
        lines = of_lines([row["id"] for row in rows])
        for row in rows:
            if row["digest"] != of_invoice(row, lines.get(row["id"], ""), ""):
                yield f"Invoice {row['number']}: it is not what was issued."
    if since is None:
        issued = Invoice.objects.filter(number__isnull=False, is_numbered_elsewhere=False).count()
        notes = CreditNote.objects.count()
        if issued + notes != given:
            yield f"{given} numbers were given, {issued} invoices and {notes} credit notes carry one."


def _first_since(series: NumberSeries, since: date) -> int:
    """The lowest figure of a series under which a document was issued since a day; one more than the last without."""
    found = [series.next_number]
    rows: list[QuerySet[Any]] = [Invoice.objects.filter(is_numbered_elsewhere=False), CreditNote.objects.all()]
    for numbers in rows:
        # Another series may begin with the same letters, and a number has more digits after the 999,999th.
        issued = numbers.filter(issued_on__gte=since, number__startswith=series.prefix).values_list("number", flat=True)
        for number in issued.order_by().iterator():
            figure = number.removeprefix(series.prefix)
            found[0] = min(found[0], int(figure)) if figure.isdecimal() else found[0]
    return found[0]


def _wrong_in_series(series: NumberSeries, first: int = 1) -> Iterator[tuple[list[str], int]]:
    """What is wrong from a figure of the series on, some hundred documents at a time, and the last of them."""
    before = "" if first == 1 else _digest_of(f"{series.prefix}{first - 1:06d}")
    for some in batched(range(first, series.next_number), AT_ONCE):
        problems = []
        numbers = [f"{series.prefix}{number:06d}" for number in some]
        documents = _documents(numbers)
        for number in numbers:
            if number not in documents:
                problems.append(f"Series {series.prefix}: no document carries {number}.")
                continue
            name, digest, fingerprint = documents[number]
            if digest != fingerprint(before):
                problems.append(f"{name} {number}: it is not what was issued.")
            before = digest
        yield problems, some[-1]
    if before != series.last_digest:
        yield (
            [f"Series {series.prefix}: its last document is another than the last one issued."],
            series.next_number - 1,
        )


def _digest_of(number: str) -> str:
    for documents in (Invoice, CreditNote):
        for digest in documents._default_manager.filter(number=number).values_list("digest", flat=True):
            return str(digest)
    return ""


def _documents(numbers: Sequence[str]) -> dict[str, Any]:
    """By number: what it is, the fingerprint it carries, and the one it should carry after a given one."""
    invoices = list(Invoice.objects.filter(number__in=numbers).values("digest", *INVOICE_COLUMNS))
    notes = list(CreditNote.objects.filter(number__in=numbers).values("pk", "digest", *NOTE_COLUMNS))
    rows = CreditNoteLine.objects.filter(note__in=[note["pk"] for note in notes]).order_by("note", "position", "pk")
    lines = of_lines([invoice["id"] for invoice in invoices])
    of_notes = {pk: list(some) for pk, some in groupby(rows.iterator(), key=lambda row: row.note_id)} if notes else {}
    documents: dict[str, Any] = {}
    for row in invoices:
        documents[row["number"]] = (
            "Invoice", row["digest"],
            lambda before, row=row: of_invoice(row, lines.get(row["id"], ""), before),
        )  # fmt: skip
    for row in notes:
        documents[row["number"]] = (
            "Credit note", row["digest"],
            lambda before, row=row: of_note(row, map(_note_line, of_notes.get(row["pk"], [])), before),
        )  # fmt: skip
    return documents

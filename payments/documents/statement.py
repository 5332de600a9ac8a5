"""The statement of account as a document, in the language of its billing profile's documents."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from billing_portal.core.postal_addresses import address_lines
from invoices.documents.figures import day, figure
from invoices.documents.letterhead import frame, language
from invoices.documents.typesetting import typeset
from invoices.models import PeriodClosing
from invoices.money import Money
from invoices.operations.document_archive import File
from payments.statements import Heading, Line, Statement, heading_of

TEMPLATE = Path(__file__).with_name("statement.typ")


def statement_file(statement: Statement, *, at: datetime) -> File:
    """Never call it inside a transaction. Raises MissingGlyphs."""
    heading = heading_of(statement, at=at)
    # A profile that owed nothing may have been given another currency since.
    statement = replace(statement, opening=Money(statement.opening.minor, heading.currency))
    with override(heading.language):
        name = _("statement-%(start)s-%(end)s.pdf") % {"start": statement.first_on, "end": statement.last_on}
        content = typeset(TEMPLATE, statement_data(statement, heading), at=heading.made_at)
    return File(name, content, "application/pdf")


def statement_data(statement: Statement, heading: Heading) -> dict[str, Any]:
    """What the template prints, in the active language."""
    today = heading.made_on
    closing = _("Closing balance") if heading.is_final else _("Balance so far")
    period = _("%(start)s to %(end)s") % {"start": day(statement.first_on), "end": day(statement.last_on)}
    title = _("Statement of account %(period)s") % {"period": period}
    status = {"text": statement.currency, "tone": "plain"}
    return {
        **frame(
            title, kind=_("Statement of account"), number=period, seller=heading.seller, buyer=heading.bill_to,
            status=status,
        ),
        "parties": [{"label": _("Bill to"), "lines": address_lines(heading.bill_to, language())}],
        "amount": {
            "label": closing,
            "value": statement.closing.format(),
            "note": _("On %(day)s") % {"day": day(min(statement.last_on, today))},
        },
        "summary": {
            "title": _("Summary"),
            "rows": [
                (_("Billing profile"), heading.name),
                (_("Opening balance"), statement.opening.format()),
                (_("Added"), statement.charged.format()),
                (_("Settled"), statement.settled.format()),
                (closing, statement.closing.format()),
                (_("Made on"), day(today)),
            ],
        },
        "lines": {
            "title": _("What changed"),
            "note": _("Amounts in %(currency)s.") % {"currency": statement.currency},
            "head": [_("Date"), _("Description"), _("Invoice"), _("Reference"), _("Amount"), _("Balance")],
            "opening": [_("Opening balance"), figure(statement.opening)],
            "rows": [_row(line) for line in statement.lines],
            "closing": [closing, figure(statement.closing)],
        },
        "note": " ".join(
            [
                _("The balance is what is still due on all invoices. Unused credits are not part of it."),
                *map(_carried, statement.carried),
            ]
        ),
    }  # fmt: skip


def _carried(closing: PeriodClosing) -> str:
    text = _("%(amount)s from %(start)s to %(end)s is carried to the next invoice and is not part of it either.")
    if closing.outcome == PeriodClosing.Outcome.CREDITED:
        text = _("%(amount)s from %(start)s to %(end)s became a credit and is not part of it either.")
    period = {"start": day(closing.carried_from_on), "end": day(closing.last_on)}
    return text % {"amount": closing.carried.format(), **period}


def _row(line: Line) -> list[str]:
    return [day(line.on), str(line.kind.label), line.number, line.reference, figure(line.amount), figure(line.balance)]

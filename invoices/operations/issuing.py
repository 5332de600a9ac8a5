"""Issue: from a draft to a numbered document that never changes again."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access
from accounts.models import BillingProfile
from invoices.models import Invoice, InvoiceLine
from invoices.money import percent_of, rounded_minor
from invoices.numbering import creditor_reference, take_numbers
from invoices.operations.crediting import apply_at_issue
from invoices.plans import next_reminder
from invoices.remittances import Remittances
from invoices.states import InvoiceStatus, check_move

# Of the names of countries in an issued invoice, which stays as it was whoever issued it and whoever reads it.
DOCUMENT_LANGUAGE = "en"
PLANS = ("announce_on", "autopay_on", "next_reminder_on")
# An invoice that is older than this when it is written down is history: nobody is told that it has come.
NEWS_FOR = timedelta(days=7)


class CannotIssue(Exception):
    """The draft cannot be issued. The message may be shown to staff."""


def line_sums(quantity: Decimal, unit_price: Decimal, tax_rate: Decimal, currency: str) -> tuple[int, int]:
    """The amount and the tax of a line in minor units, rounded half-up once each. Raises ValueError when one is too
    large for its currency."""
    amount_minor = rounded_minor(quantity * unit_price, currency)
    return amount_minor, percent_of(amount_minor, tax_rate)


def compute_lines(lines: Iterable[InvoiceLine], currency: str) -> None:
    """Sets each line's amount and tax. Saves nothing."""
    for line in lines:
        line.amount_minor, line.tax_minor = line_sums(line.quantity, line.unit_price, line.tax_rate, currency)
        line.section_name = line.section.name if line.section is not None else ""


def total_of(charges_minor: int, tax_minor: int) -> int:
    """Raises CannotIssue when it is negative."""
    total = charges_minor + tax_minor
    if total < 0:
        raise CannotIssue(_("The total is negative. Give the customer a credit instead."))
    return total


def parties_of(profile: BillingProfile) -> dict[str, dict[str, Any]]:
    """Seller and buyer as they are today, for an invoice to keep. ``profile`` needs ``account`` and its ``tax_ids``."""
    return {
        "seller": dict(settings.SELLER),
        "buyer": {
            "agreement_type": profile.account.agreement_type,
            "profile": profile.name,
            "sold_to": profile.account.address_in(DOCUMENT_LANGUAGE),
            "bill_to": profile.address_in(DOCUMENT_LANGUAGE),
            "tax_ids": [tax_id.value for tax_id in profile.account.tax_ids.all()],
        },
    }


def plans_at_issue(*, profile: BillingProfile, issued_on: date, due_on: date, at: datetime) -> dict[str, date | None]:
    """When people are told of an invoice, when it is charged and its payer reminded, by column. ``profile`` needs
    ``account``.

    An invoice whose day of charging lies in the past (history that is imported) is never charged by itself, nobody is
    told of it as if it were new, and nobody is reminded for a day that has gone.
    """
    day = profile.day_of(at)
    by_card = profile.charges_automatically and not profile.pays_by_wire and profile.account.can_pay_by_card
    charged_on = issued_on + timedelta(days=settings.AUTOPAY_DELAY_DAYS)
    return {
        "announce_on": day if profile.mails_invoices and issued_on >= day - NEWS_FOR else None,
        "autopay_on": charged_on if by_card and charged_on >= day else None,
        "next_reminder_on": next_reminder(due_on, from_on=day),
    }


def values_at_issue(
    *,
    profile: BillingProfile,
    number: str,
    today: date,
    at: datetime,
    po_number: str,
    charges_minor: int,
    tax_minor: int,
    due_on: date | None = None,
    remittances: Remittances | None = None,
) -> dict[str, Any]:
    """What an issued invoice holds besides its parties, by column: number, dates, terms, sums, plans and where to send
    the money.

    ``today`` is the invoice date, ``at`` the moment; the due date follows from the profile's terms unless it is given.
    An invoice of zero has nothing to pay and is settled at once. ``remittances`` are our accounts, for a caller with
    many invoices; without it they are read. Raises CannotIssue when the sums are negative.
    """
    total = total_of(charges_minor, tax_minor)
    due_on = due_on or today + timedelta(days=profile.payment_terms_days)
    plans = plans_at_issue(profile=profile, issued_on=today, due_on=due_on, at=at) if total else dict.fromkeys(PLANS)
    return {
        **plans,
        "number": number,
        "status": InvoiceStatus.OPEN if total else InvoiceStatus.PAID,
        "issued_on": today,
        "due_on": due_on,
        "payment_terms_days": (due_on - today).days,
        "payment_reference": creditor_reference(number),
        "po_number": po_number or profile.po_number,
        "pays_by_wire": profile.pays_by_wire,
        "remittance": (remittances or Remittances()).copy_for(profile.currency, today),
        "charges_minor": charges_minor,
        "tax_minor": tax_minor,
        "total_minor": total,
    }


@transaction.atomic
def issue(*, access: Access, invoice_id: int, today: date, at: datetime) -> Invoice:
    """Gives a draft its number and freezes it, and applies the profile's credits. ``today`` is the invoice date.

    Returns the issued invoice. Raises CannotIssue for a draft without lines or with a negative total, WrongState for
    an invoice that is no draft. Rights are the caller's: staff, import and billing run.
    """
    invoice = Invoice.objects.locked().get(pk=invoice_id)
    check_move(invoice.status, InvoiceStatus.OPEN)
    profile = BillingProfile.objects.select_related("account").get(pk=invoice.profile_id)
    lines = list(invoice.lines.select_related("section").order_by("position", "pk"))
    if not lines:
        raise CannotIssue(_("Add at least one line before you issue the invoice."))
    compute_lines(lines, invoice.currency)
    InvoiceLine.objects.bulk_update(lines, ["amount_minor", "tax_minor", "section_name"])
    number = take_numbers(settings.INVOICE_NUMBER_PREFIX)[0]
    values = values_at_issue(
        profile=profile,
        number=number,
        today=today,
        at=at,
        po_number=invoice.po_number,
        charges_minor=sum(line.amount_minor for line in lines),
        tax_minor=sum(line.tax_minor for line in lines),
    )
    for name, value in (values | parties_of(profile)).items():
        setattr(invoice, name, value)
    invoice.save()
    audit.record(
        access=access, at=at, action="invoice.issued", subject=number, profile=profile, total=invoice.total_minor
    )
    apply_at_issue(access=access, invoice_ids=[invoice.pk], today=today, at=at)
    invoice.refresh_from_db()
    return invoice

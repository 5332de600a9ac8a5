"""The last period of a billing profile that staff close: all that is on no invoice is settled at once.

What the customer owes becomes an invoice, however little it is. What is the customer's, because returns outweigh the
charges, becomes a credit. An invoice cannot be negative, so the closing of the period is the note of that, and each of
the charges names the closing that settled it. Charges of later days, and what earlier periods carried, are part of
either.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access
from accounts.models import BillingProfile
from accounts.operations.profiles import CannotChangeProfile
from billing_portal.core.time_zones import seller_day
from invoices.bulk import reserve_ids
from invoices.documents.figures import day
from invoices.ledger import REVENUE, tax_account
from invoices.models import Charge, Credit, Invoice, InvoiceLine, PeriodClosing, Transfer
from invoices.models.charges import UNBILLED
from invoices.money import Money
from invoices.operations.closing import (
    UNFIT,
    bill_for_good,
    carried_into,
    mark_charges,
    move_profiles,
    total_of,
    unbilled_taxes,
    write_lines,
)
from invoices.operations.credits import add_credit
from invoices.operations.issuing import stored_taxes
from invoices.periods import DAY, Period, current_period, period_after
from invoices.tax import Tax


def waiting(profile: BillingProfile) -> str:
    """For staff: what charges wait for the next invoice, and what of it was carried; empty for none."""
    taxes = unbilled_taxes(profile)
    if not taxes:
        return ""
    total = Money(total_of(taxes), profile.currency)
    last = PeriodClosing.objects.filter(profile=profile).order_by("start_on").last()
    if last is None or last.outcome != PeriodClosing.Outcome.CARRIED:
        return str(total)
    carried = {"start": day(last.carried_from_on), "end": day(last.last_on), "carried": last.carried, "total": total}
    return _("%(total)s, with %(carried)s carried from %(start)s to %(end)s") % carried


def foretold(profile: BillingProfile) -> str:
    """For staff: what `settle` would do now; empty for nothing."""
    taxes = unbilled_taxes(profile)
    if not taxes:
        return ""
    total = Money(total_of(taxes), profile.currency)
    if total.minor < 0:
        return _("What is not invoiced yet comes to %(amount)s. It becomes a credit of the billing profile.") % {
            "amount": total
        }
    return _("What is not invoiced yet comes to %(amount)s. It is invoiced now.") % {"amount": total}


def settle(profile: BillingProfile, *, access: Access, at: datetime) -> None:
    """Settles what waits of a locked profile that is about to be closed; nothing is written when nothing waits. Raises
    CannotChangeProfile. Transaction and rights are the caller's."""
    unbilled = Charge.objects.filter(UNBILLED, profile=profile)
    if not unbilled.exists():
        return
    start_on = current_period(profile).start_on
    period = Period(start_on, max(profile.day_of(at), start_on) + DAY)
    # Marked before they are added up, as in every closing, on an invoice that may not be written.
    (invoice_id,) = reserve_ids(Invoice, 1)
    mark_charges([(profile.pk, date.max, invoice_id)])
    write_lines([(profile.currency, invoice_id)])
    taxes = stored_taxes([invoice_id])[invoice_id]
    InvoiceLine.objects.filter(invoice_id=invoice_id).delete()
    marked = Charge.objects.filter(invoice_id=invoice_id)
    if total_of(taxes) < 0:
        closing = PeriodClosing(profile=profile, start_on=period.start_on, end_on=period.end_on)
        (closing.pk,) = reserve_ids(PeriodClosing, 1)
        marked.update(invoice=None, settled_by_id=closing.pk)
        _make_a_credit(closing, taxes, access=access, at=at)
        after = period_after(period, profile.invoice_day)
        move_profiles([(profile.pk, after.start_on, after.end_on)])
        return
    marked.update(invoice=None)
    try:
        bill_for_good(profile, period, access=access, at=at)
    except UNFIT as problem:
        raise CannotChangeProfile(_("What is not invoiced yet cannot be invoiced: %s") % problem) from problem


def _make_a_credit(closing: PeriodClosing, taxes: Sequence[Tax], *, access: Access, at: datetime) -> None:
    """Books the returns, by account, as a credit that never expires, and writes the closing that is the note of it."""
    profile, before = closing.profile, carried_into({closing.profile: Period(closing.start_on, closing.end_on)})
    if profile.pk in before:
        closing.brought_minor = before[profile.pk].carried_minor
        closing.brought_from_on = before[profile.pk].carried_from_on
    total, parts = Money(total_of(taxes), profile.currency), Counter[str]()
    for tax in taxes:
        parts[REVENUE] -= tax.taxable_minor
        parts[tax_account(*tax.treatment)] -= tax.tax_minor
    credit = add_credit(
        profile=profile, amount=-total, description=f"{closing.carried_from_on} – {closing.last_on}", at=at,
        source=Credit.Source.RETURNS, actor=access.user,
        kind=Transfer.Kind.RETURNS, key=f"closing:{closing.pk}", parts=parts,
    )  # fmt: skip
    closing.outcome, closing.credit, closing.carried_minor = PeriodClosing.Outcome.CREDITED, credit, total.minor
    closing.closed_at, closing.booked_on, closing.currency = at, seller_day(at), total.currency
    closing.save(force_insert=True)
    audit.record(
        access=access, at=at, action="credit.granted", subject=credit.description[:120], profile=profile,
        credit=credit.pk, source=credit.source, amount_minor=credit.amount_minor, currency=credit.currency,
    )  # fmt: skip

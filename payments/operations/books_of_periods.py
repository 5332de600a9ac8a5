"""The part of the books that is about billing periods: charges, invoices and closed periods say the same."""

from collections.abc import Iterator

from django.db.models import Exists, F, Max, OuterRef

from invoices.models import Charge, Invoice, PeriodClosing
from payments.operations.sums import SHOWN, sum_of


def charges_against_invoices() -> Iterator[str]:
    """An invoice that closed a period holds what its charges come to, and no other invoice has charges. Profile and
    period of the three are the same."""
    charges = Charge.objects.order_by()
    rows = Invoice.objects.filter(closing__isnull=False).annotate(
        recorded=sum_of(charges, "invoice", "amount_minor"), taxed=sum_of(charges, "invoice", "tax_minor")
    )
    for invoice in rows.exclude(charges_minor=F("recorded"), tax_minor=F("taxed"))[:SHOWN]:
        sums = invoice.recorded + invoice.taxed  # type: ignore[attr-defined]
        yield f"Invoice {invoice}: its charges come to {sums}, its total is {invoice.total_minor}."
    stray = charges.filter(invoice__isnull=False, invoice__closing=None).select_related("invoice")
    for charge in stray[:SHOWN]:
        yield f"Invoice {charge.invoice}: charge {charge.pk} is on it, but it closed no period."
    foreign = charges.filter(invoice__isnull=False).exclude(invoice__profile=F("profile")).select_related("invoice")
    for charge in foreign[:SHOWN]:
        yield f"Invoice {charge.invoice}: charge {charge.pk} is of another billing profile."
    closings = PeriodClosing.objects.filter(invoice__isnull=False).select_related("invoice")
    for closing in closings.exclude(invoice__profile=F("profile"), invoice__period_start_on=F("start_on"))[:SHOWN]:
        yield f"Invoice {closing.invoice}: it closed a period of another billing profile, or another period."


def periods_without_gaps() -> Iterator[str]:
    """Each period of a profile begins where another ended, but for its first; the last ends where the profile says."""
    before = PeriodClosing.objects.filter(profile=OuterRef("profile"), end_on=OuterRef("start_on"))
    earlier = PeriodClosing.objects.filter(profile=OuterRef("profile"), start_on__lt=OuterRef("start_on"))
    closings = PeriodClosing.objects.select_related("profile")
    for closing in closings.filter(Exists(earlier), ~Exists(before))[:SHOWN]:
        yield f"Billing profile {closing.profile.code}: nothing was closed up to {closing.start_on}."
    ends = PeriodClosing.objects.order_by().values("profile__code", "profile__billed_until_on")
    for row in ends.annotate(end=Max("end_on")).exclude(end=F("profile__billed_until_on"))[:SHOWN]:
        yield (
            f"Billing profile {row['profile__code']}: closed up to {row['end']}, but invoiced up to "
            f"{row['profile__billed_until_on']}."
        )


CHECKS_OF_PERIODS = [charges_against_invoices, periods_without_gaps]

"""Proofs of closed periods without an invoice: what they carried to the next one, and what became a credit."""

from collections.abc import Iterator
from typing import Any

from django.db.models import BigIntegerField, F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from invoices.models import Charge, Credit, PeriodClosing
from invoices.operations.closing import settled_taxes, total_of

Outcome = PeriodClosing.Outcome
CLOSINGS, SETTLED = PeriodClosing.objects.all(), Charge.objects.filter(settled_by__isnull=False)


def _one(rows: QuerySet[Any], column: str) -> Coalesce:
    return Coalesce(Subquery(rows.values(column)[:1], output_field=BigIntegerField()), Value(0))


period_before = CLOSINGS.filter(profile=OuterRef("profile"), end_on=OuterRef("start_on"), outcome=Outcome.CARRIED)
closing_of_credit = CLOSINGS.filter(credit=OuterRef("pk"), profile=OuterRef("profile"), currency=OuterRef("currency"))

# A sentence about a wrong row, with its columns in braces, and the rows that are wrong.
CARRIED: dict[str, QuerySet[Any]] = {
    "Billing profile {profile__code}: {brought_minor} was brought to the period from {start_on},"
    " the one before carried {before}.": CLOSINGS.annotate(before=_one(period_before, "carried_minor")).exclude(
        brought_minor=F("before")
    ),
    "Billing profile {profile__code}: charge {pk} became a credit of another closing.": SETTLED.exclude(
        settled_by__profile=F("profile"), settled_by__outcome=Outcome.CREDITED
    ),
    "Credit {pk}: it is {amount_minor}, the returns that it was made of come to {returned}.": Credit.objects.filter(
        source=Credit.Source.RETURNS
    )
    .annotate(returned=_one(closing_of_credit, "carried_minor"))
    .exclude(amount_minor=-F("returned")),
}


def wrong_settlements(closings: QuerySet[PeriodClosing]) -> Iterator[str]:
    """The charges that became a credit come to what their closing says."""
    for closing in closings.filter(outcome=Outcome.CREDITED).select_related("profile").order_by("pk").iterator():
        total = total_of(settled_taxes(closing))
        if total != closing.carried_minor:
            yield (
                f"Billing profile {closing.profile.code}: the charges from {closing.start_on} that became a credit come"
                f" to {total}, its closing says {closing.carried_minor}."
            )

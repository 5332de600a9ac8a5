"""How the books are proven: table by table, in slices of primary keys. All that is proven of some thousand rows is
asked before the next ones are looked at, so that memory stays flat, no query sorts or joins a whole table, and what the
database has read once is still at hand.

A proof of what changed since a day takes the invoices, credits and payments about which something was booked or begun
since then, with the rows that belong to them, instead of all rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from itertools import batched, islice
from string import Formatter
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Exists, Model, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import BillingProfile
from invoices.models import (
    Charge,
    Credit,
    CreditEntry,
    CreditNote,
    CreditNoteTax,
    Invoice,
    InvoiceLine,
    KeptStatement,
    PeriodClosing,
    Transfer,
)
from payments.models import (
    AutomaticCharge,
    Dispute,
    DisputeAllocation,
    Payment,
    PaymentAllocation,
    Payout,
    Refund,
    RefundAllocation,
)

MAX_SHOWN = 20
ROWS_AT_ONCE, KEYS_AT_ONCE = 10_000, 1000
# Where the rows of a table belong: they are proven with the row that this leads to.
PARENTS: dict[type[Model], tuple[type[Model], str]] = {
    InvoiceLine: (Invoice, "invoice"),
    Charge: (Invoice, "invoice"),
    CreditNote: (Invoice, "invoice"),
    CreditNoteTax: (Invoice, "note__invoice"),
    PeriodClosing: (Invoice, "invoice"),
    AutomaticCharge: (Invoice, "invoice"),
    CreditEntry: (Credit, "credit"),
    PaymentAllocation: (Payment, "payment"),
    Refund: (Payment, "payment"),
    Dispute: (Payment, "payment"),
    RefundAllocation: (Payment, "refund__payment"),
    DisputeAllocation: (Payment, "dispute__payment"),
}
# What is worked on, how much of it is done, and of how much.
Progress = Callable[[str, int, int], object]


class Proof(NamedTuple):
    """What is proven of the rows of a table: ``wrong`` yields a sentence for each wrong one of those that a condition
    selects."""

    model: type[Model]
    wrong: Callable[[Q], Iterable[str]]


def of_sentence(sentence: str, wrong: QuerySet[Any]) -> Proof:
    """A sentence with columns in braces, and the rows about which it is said."""
    columns = dict.fromkeys(name for _text, name, _format, _conversion in Formatter().parse(sentence) if name)

    def find(part: Q) -> Iterator[str]:
        # Neither an order nor DISTINCT: for these PostgreSQL would read the whole index of a column in its order, in
        # the hope that the first rows of it are wrong ones of this slice.
        rows = wrong.filter(part).order_by().values(*columns)[: 10 * MAX_SHOWN]
        yield from dict.fromkeys(sentence.format(**row) for row in rows)

    return Proof(wrong.model, find)


def of_rows(model: type[Model], wrong: Callable[[QuerySet[Any]], Iterable[str]]) -> Proof:
    """A function that looks at rows by itself."""
    rows = model._default_manager.all()
    return Proof(model, lambda part: wrong(rows.filter(part)))


def subquery_sum(rows: QuerySet[Any], by: str, column: Any) -> Coalesce:
    """The sum of a column of the rows that belong to the outer one."""
    sums = rows.filter(**{by: OuterRef("pk")}).order_by().values(by).annotate(sum=Sum(column)).values("sum")
    return Coalesce(Subquery(sums, output_field=BigIntegerField()), Value(0))


def prove(proofs: Sequence[Proof], *, since: date | None, progress: Progress) -> list[str]:
    """What is wrong, in the order of the proofs: at most 20 sentences for each."""
    found: list[dict[str, None]] = [{} for _proof in proofs]
    by_model: dict[type[Model], list[int]] = {}
    for number, proof in enumerate(proofs):
        by_model.setdefault(proof.model, []).append(number)
    for part, models in _whole(by_model, progress) if since is None else _changed(by_model, since, progress):
        for model, condition in models.items():
            for number in by_model[model]:
                left = MAX_SHOWN - len(found[number])
                if left:
                    found[number] |= dict.fromkeys(islice(proofs[number].wrong(condition), left))
        progress(*part)
    return [sentence for sentences in found for sentence in sentences]


Parts = Iterator[tuple[tuple[str, int, int], Mapping[type[Model], Q]]]


def _whole(models: Iterable[type[Model]], progress: Progress) -> Parts:
    """Every row of every table, in the order of primary keys."""
    for model in models:
        rows, step = model._default_manager.order_by("pk"), str(model._meta.verbose_name_plural)
        whole = rows.count()
        progress(step, 0, whole)
        condition = Q()
        for done in range(ROWS_AT_ONCE, whole, ROWS_AT_ONCE):
            last = rows.filter(condition).values_list("pk", flat=True)[ROWS_AT_ONCE - 1]
            yield (step, done, whole), {model: condition & Q(pk__lte=last)}
            condition = Q(pk__gt=last)
        if whole:
            yield (step, whole, whole), {model: condition}


def _changed(models: Iterable[type[Model]], since: date, progress: Progress) -> Parts:
    """The rows about which something happened since a day, with the rows that belong to them."""
    wanted = set(models)
    for owner, sources in _touched(since).items():
        step, done = str(owner._meta.verbose_name_plural), 0
        progress(step, 0, 0)
        children = {model: path for model, (parent, path) in PARENTS.items() if parent is owner and model in wanted}
        for source in sources:
            for keys in batched(source.order_by().distinct().iterator(KEYS_AT_ONCE), KEYS_AT_ONCE):
                done += len(keys)
                conditions = {model: Q(**{f"{path}__in": keys}) for model, path in children.items()}
                yield (step, done, 0), conditions | ({owner: Q(pk__in=keys)} if owner in wanted else {})


def _touched(since: date) -> dict[type[Model], list[QuerySet[Any, Any]]]:
    """Keys of what something happened to since a day: several lists, which may overlap."""
    start = datetime.combine(since, time(), timezone.get_default_timezone())
    booked = Transfer.objects.filter(booked_on__gte=since)
    of_invoices, of_credits = (
        PaymentAllocation.objects.filter(Exists(booked.filter(**{name: OuterRef(column)})))
        for name, column in (("invoice", "invoice"), ("lot", "credit"))
    )

    def keys(rows: QuerySet[Any], name: str = "pk", **condition: Any) -> QuerySet[Any, Any]:
        return rows.filter(**condition).values_list(name, flat=True)

    def begun(model: type[Model], name: str, *moments: str) -> list[QuerySet[Any, Any]]:
        return [keys(model._default_manager.all(), name, **{f"{moment}__gte": start}) for moment in moments]

    return {
        Transfer: [keys(booked)],
        Invoice: [
            keys(booked, "invoice", invoice__isnull=False),
            keys(Invoice.objects.all(), issued_on__gte=since),
            *begun(Invoice, "pk", "payment_started_at"),
        ],
        Credit: [keys(booked, "lot", lot__isnull=False)],
        Payment: [
            keys(of_invoices, "payment"),
            keys(of_credits, "payment"),
            *begun(Payment, "pk", "started_at", "finished_at"),
            *begun(Refund, "payment", "started_at", "finished_at"),
            *begun(Dispute, "payment", "opened_at", "closed_at"),
        ],
        Payout: begun(Payout, "pk", "created_at"),
        KeptStatement: begun(KeptStatement, "pk", "created_at"),
        BillingProfile: [keys(booked, "profile")],
    }

"""What the accountant's own system needs of the ledger: the journal, the trial balance, and receivables by age.

All of them are sums of transfers, so for a day that has ended they say the same whenever they are asked.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q, QuerySet, Sum

from billing_portal.core.time_zones import seller_day
from invoices.ledger import BANK, FEES, RECEIVABLE
from invoices.models import LedgerAccount, Transfer
from invoices.models.ledger import PAYOUTS
from invoices.money import Money

# A run that began before midnight books on the day it began, and may take that long to commit.
UNTIL_BOOKED = timedelta(hours=6)
CLEARING = "clearing:"
# The last day of each column of the ageing list but the last, in days after the due date.
AGES = (0, 30, 60, 90)


def last_closed_day(at: datetime) -> date:
    """The last day to which nothing can be booked any more."""
    return seller_day(at - UNTIL_BOOKED) - timedelta(days=1)


def account_codes() -> dict[str, str]:
    """The code of each account of ours in the accountant's system."""
    return dict(LedgerAccount.objects.values_list("account", "code"))


def journal(first_on: date, last_on: date) -> QuerySet[Transfer]:
    """The transfers of some days, in the order in which they were booked."""
    rows = Transfer.objects.filter(booked_on__range=(first_on, last_on)).order_by("booked_on", "pk")
    return rows.select_related("invoice", "profile")


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account received and gave up to a day."""

    account: str
    debit: Money
    credit: Money

    @property
    def balance(self) -> Money:
        return self.debit - self.credit


def trial_balance(on: date) -> list[Balance]:
    """Every account and currency up to and including a day. Debits and credits of a currency come to the same."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for side, column in enumerate(("debit", "credit")):
        rows = Transfer.objects.filter(booked_on__lte=on).order_by().values_list("currency", column)
        for currency, account, minor in rows.annotate(Sum("amount_minor")):
            sums[currency, account][side] += int(minor)
    return [
        Balance(account, Money(debit, currency), Money(credit, currency))
        for (currency, account), (debit, credit) in sorted(sums.items())
    ]


@dataclass(frozen=True, slots=True)
class Ageing:
    """What a billing profile owed at the end of a day: not due yet, 1 to 30 days late, 31 to 60, 61 to 90, longer."""

    profile: str
    name: str
    parts: list[Money]

    @property
    def total(self) -> Money:
        return Money.total(self.parts, self.parts[0].currency)


def receivables_by_age(on: date) -> Iterator[Ageing]:
    """Of every profile that owed something at the end of a day, however long ago that is. Two queries."""
    received = Sum("amount_minor", filter=Q(debit=RECEIVABLE), default=0)
    given = Sum("amount_minor", filter=Q(credit=RECEIVABLE), default=0)
    rows = Transfer.objects.filter(booked_on__lte=on).of_account(RECEIVABLE).order_by()
    by_invoice = rows.values_list("profile__code", "profile__name", "currency", "invoice__due_on", "invoice")
    owed: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0] * (len(AGES) + 1))
    for code, name, currency, due_on, _invoice, minor in by_invoice.annotate(minor=received - given).exclude(minor=0):
        late = (on - due_on).days
        owed[code, name, currency][sum(late > days for days in AGES)] += int(minor)
    for (code, name, currency), parts in sorted(owed.items(), key=lambda item: (item[0][2], item[0][1])):
        yield Ageing(code, name, [Money(minor, currency) for minor in parts])


@dataclass(frozen=True, slots=True)
class Clearing:
    """What a payment provider held of ours at the end of a day: what payments brought less what went back, less what it
    paid out to our bank and what it kept for itself."""

    provider: str
    booked: Money
    paid_out: Money
    fees: Money

    @property
    def held(self) -> Money:
        return self.booked - self.paid_out - self.fees


def held_by_providers(on: date) -> list[Clearing]:
    """Of each provider and currency with which anything was booked up to and including a day."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for column, other, sign in (("debit", "credit", 1), ("credit", "debit", -1)):
        rows = Transfer.objects.filter(booked_on__lte=on, **{f"{column}__startswith": CLEARING}).order_by()
        parts = rows.values_list(column, "currency", "kind", other).annotate(Sum("amount_minor"))
        for account, currency, kind, other_side, minor in parts:
            column_of = {BANK: 1, FEES: 2} if kind in PAYOUTS else {}
            part = column_of.get(other_side, 0)
            sums[account.removeprefix(CLEARING), currency][part] += (-sign if part else sign) * int(minor)
    return [
        Clearing(provider, *(Money(minor, currency) for minor in parts))
        for (provider, currency), parts in sorted(sums.items())
    ]

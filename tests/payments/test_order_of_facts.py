"""Promise 10: whatever a provider, a bank and staff make of one payment, and in whatever order it is heard of, the
ledger, the invoice, the credits and the statement say the same.

A history is drawn at random: the card payment succeeds, at once or late, refunds are made at the provider and fail or
arrive, the payer's bank disputes it, takes the money and returns it, wires pay it again and bounce, a credit note takes
something off, staff write off what is found nowhere and what little is left to pay. A sum that knows nothing of order
says what must come out.

`make histories` lives through 20,000 of them on each database.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from datetime import timedelta
from itertools import permutations
from random import Random
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models import Sum

from invoices.models import Credit, Invoice, Transfer
from invoices.money import Money
from invoices.operations.credit_notes import CannotCorrect, credit_note
from invoices.operations.write_offs import CannotWriteOff, write_off_rest
from payments.gateways import base
from payments.gateways.base import Outcome, Result
from payments.models import Dispute, Payment, PaymentEvent, Refund
from payments.operations.disputes import book_dispute
from payments.operations.integrity import check_books
from payments.operations.manual_payments import record_bounce, record_payment, write_off
from payments.operations.refunds import adopt_refund, settle_refund
from payments.operations.settlement import settle
from payments.statements import statement_of
from tests.factories import NOW, issued
from tests.payments.acts import card, press_pay, staff

pytestmark = pytest.mark.django_db

WEBHOOK = PaymentEvent.Source.WEBHOOK
AMOUNT = 12000
# What may come before the card's money.
WITHOUT_THE_CARD = {"succeed", "wire", "bounce", "note", "forgive"}
HISTORIES = int(os.environ.get("HISTORIES", "60"))
AT_ONCE = 250  # in one test, so that many tests share the work


class History:
    """One invoice of 120.00, a card payment of it that is on its way, and what is heard of it."""

    def __init__(self, profile, payer) -> None:
        self.profile, self.staff, self.day = profile, staff(), 0
        self.invoice = issued(profile)
        self.payment = press_pay(payer, self.invoice, card(profile, "3184"))
        # What the facts come to, whatever their order: taken from the card and the bank, taken off by credit notes.
        self.has_succeeded = False
        self.claims: Counter[str] = Counter()
        self.wired = self.noted = self.forgiven = 0

    def once_more(self) -> "History":
        """Another history of the same payment, of which nothing was heard yet."""
        other = copy(self)
        other.claims = Counter()
        return other

    @property
    def at(self):
        return NOW + timedelta(days=self.day)

    def hear(self, fact: str) -> None:
        """``refund:1:5000``: what happened, to which one, of how much."""
        self.day += 1
        what, name, minor = (*fact.split(":"), "0", "0")[:3]
        getattr(self, what)(name, Money(int(minor), "EUR"))

    def succeed(self, _name, _amount):
        outcome = Outcome(Result.SUCCEEDED, amount=Money(AMOUNT, "EUR"), gateway_id=self.payment.gateway_id)
        settle(payment_id=self.payment.pk, outcome=outcome, source=WEBHOOK, at=self.at)
        self.has_succeeded = True

    def refund(self, name, amount):
        outcome = Outcome(Result.SUCCEEDED, amount=amount, gateway_id=f"re_{name}")
        adopt_refund(payment_id=self.payment.pk, gateway_id=f"re_{name}", outcome=outcome, at=self.at)
        self.claims[f"re_{name}"] = amount.minor

    def refund_arrives(self, name, _amount):
        row = self.payment.refunds.get(gateway_id=f"re_{name}")
        settle_refund(refund_id=row.pk, outcome=Outcome(Result.SUCCEEDED, amount=row.amount), at=self.at)

    def refund_fails(self, name, _amount):
        row = self.payment.refunds.get(gateway_id=f"re_{name}")
        settle_refund(refund_id=row.pk, outcome=Outcome(Result.DECLINED), at=self.at)
        del self.claims[f"re_{name}"]

    def dispute(self, name, amount, status="open"):
        facts = base.Dispute(f"dp_{name}", self.payment.gateway_id, amount, base.DisputeStatus(status), "fraudulent")
        book_dispute(payment_id=self.payment.pk, facts=facts, source=WEBHOOK, at=self.at)

    def lost(self, name, amount):
        self.dispute(name, amount, "lost")
        self.claims[f"dp_{name}"] = amount.minor

    def won(self, name, amount):
        self.dispute(name, amount, "won")
        del self.claims[f"dp_{name}"]

    def wire(self, name, amount):
        record_payment(
            access=self.staff, invoice_id=self.invoice.pk, amount=amount, channel="wire", bank_reference=f"WIRE {name}",
            received_on=NOW.date(), attempt_key=uuid4(), at=self.at,
        )  # fmt: skip
        self.wired += amount.minor

    def bounce(self, name, amount):
        payment = Payment.objects.get(bank_reference=f"WIRE {name}")
        record_bounce(access=self.staff, payment_id=payment.pk, reason="Recalled", at=self.at)
        self.wired -= amount.minor

    def write_off(self, _name, _amount):
        """Staff take for lost whatever the ledger cannot match at that moment."""
        for claim in [*self.payment.refunds.all(), *self.payment.disputes.all()]:
            if claim.unmatched:
                write_off(access=self.staff, claim=claim, shown=claim.unmatched, reason="No use", at=self.at)

    def forgive(self, _name, _amount):
        """Staff write off what is left of the invoice, if it is little; refused otherwise."""
        due = Invoice.objects.get(pk=self.invoice.pk).amount_due
        with suppress(CannotWriteOff):
            rest = write_off_rest(access=self.staff, invoice_id=self.invoice.pk, shown=due, reason="No use", at=self.at)
            self.forgiven += rest.minor

    def note(self, _name, amount):
        """Refused while a payment is on its way or disputed; then nothing of it is booked."""
        line, due = self.invoice.lines.get().pk, Invoice.objects.get(pk=self.invoice.pk).amount_due_minor
        with suppress(CannotCorrect):
            credit_note(
                access=self.staff, invoice_id=self.invoice.pk, amounts={line: amount.minor}, reason="Billed too much",
                today=NOW.date(), at=self.at,
            )  # fmt: skip
            self.noted += amount.minor
            # What was forgiven is not owed, as far as the note goes beyond what is due.
            self.forgiven -= min(self.forgiven, max(0, amount.minor - due))

    def check(self, *, books: bool = True) -> None:
        claimed = sum(self.claims.values())
        card_money = AMOUNT if self.has_succeeded else 0
        taken = min(card_money, claimed)
        owed = AMOUNT - self.noted - self.forgiven - self.wired - (card_money - taken)
        invoice = Invoice.objects.get(pk=self.invoice.pk)
        kept = Credit.objects.aggregate(kept=Sum("remaining_minor", default=0))["kept"]
        transfers = Transfer.objects.filter(profile=self.profile)
        assert invoice.amount_due_minor - kept == owed
        if not self.noted and not self.forgiven and not Payment.objects.filter(channel="wire").exists():
            assert min(invoice.amount_due_minor, kept) == 0
        assert transfers.balance("unmatched") + transfers.balance("write_off") == claimed - taken + self.forgiven
        claims = [*Refund.objects.exclude(status="failed"), *Dispute.objects.filter(status="lost")]
        assert transfers.balance("unmatched") == sum(claim.unmatched.minor for claim in claims)
        assert transfers.balance("write_off") == sum(claim.written_off_minor for claim in claims) + self.forgiven
        assert invoice.written_off_minor == self.forgiven
        assert transfers.balance("clearing:sandbox") == card_money - claimed
        assert transfers.balance("bank") == self.wired
        assert transfers.balance("receivable") == invoice.amount_due_minor
        assert transfers.balance("customer_credit") == -kept
        assert statement_of(self.profile, NOW.date(), self.at.date()).closing.minor == invoice.amount_due_minor
        assert not books or check_books() == []


def draw(chance: Random) -> list[str]:
    """A history in an order in which a provider can tell it: the card's money comes before it goes back."""
    chains = [["succeed"]]
    for name in range(chance.randint(0, 2)):
        chain = [f"refund:{name}:{chance.choice([300, 2000, 5000, 12000])}"]
        chain += chance.choice([[], [f"refund_arrives:{name}"], [f"refund_fails:{name}"]])
        if chain[1:] == [f"refund_arrives:{name}"] and chance.random() < 0.3:
            chain.append(f"refund_fails:{name}")
        chains.append(chain)
    for name in range(chance.randint(0, 2)):
        minor = chance.choice([4000, 12000])
        words = chance.choice(
            [["dispute"], ["dispute", "lost"], ["lost", "won"], ["dispute", "lost", "won", "lost"], ["won"]]
        )
        chains.append([f"{word}:{name}:{minor}" for word in words])
    for name in range(chance.randint(0, 2)):
        minor = chance.choice([3000, 11700, 12000])
        chains.append([f"wire:{name}:{minor}", *chance.choice([[], [f"bounce:{name}:{minor}"]])])
    if chance.random() < 0.3:
        chains.append([f"note:0:{chance.choice([100, 1000, 11800, 12000])}"])
    if chance.random() < 0.5:
        chains.append(["forgive"] * chance.randint(1, 3))
    if chance.random() < 0.4:
        chains.append(["write_off"] * chance.randint(1, 2))
    history: list[str] = []
    while any(chains):
        ready = [
            chain for chain in chains
            if chain and ("succeed" in history or chain[0].partition(":")[0] in WITHOUT_THE_CARD)
        ]  # fmt: skip
        history.append(chance.choice(ready).pop(0))
    return history


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside never happened. A savepoint of our own, because operations refuse to run inside `atomic`."""
    savepoint = transaction.savepoint_create()
    yield
    transaction.savepoint_rollback(savepoint)


@pytest.mark.parametrize("first", range(0, HISTORIES, AT_ONCE))
def test_whatever_happens_to_a_payment_the_books_and_pages_agree(profile, payer, first):
    begun = History(profile, payer)
    for seed in range(first, min(first + AT_ONCE, HISTORIES)):
        facts, history = draw(Random(seed)), begun.once_more()
        with undone():
            try:
                for fact in facts:
                    history.hear(fact)
                history.check(books=seed % 10 == 0)  # which takes longer than all the rest
            except Exception as wrong:
                raise AssertionError(f"{seed}: {' '.join(facts)}: {wrong}") from wrong


def test_most_histories_are_told_in_an_order_of_their_own(capsys):
    met = {tuple(draw(Random(seed))) for seed in range(HISTORIES)}
    if "HISTORIES" in os.environ:
        with capsys.disabled():
            sys.stdout.write(f"{len(met)} distinct histories among {HISTORIES}\n")
    assert len(met) > HISTORIES / 2


@pytest.mark.parametrize("minor", [12000, 5000])
def test_a_refund_that_fails_after_the_bank_took_the_money_leaves_it_due(profile, payer, minor):
    """The bank has it: what the failed refund leaves is what the dispute had not found."""
    history = History(profile, payer)
    for fact in ("succeed", f"refund:1:{minor}", "dispute:1:12000", "lost:1:12000", "refund_fails:1"):
        history.hear(fact)
    assert Invoice.objects.get().amount_due_minor == 12000
    history.check()


def test_what_came_back_is_booked_as_come_back(profile, payer):
    history = History(profile, payer)
    for fact in ("succeed", "refund:1:12000", "lost:1:12000", "won:1:12000", "refund:2:3000", "refund_fails:2"):
        history.hear(fact)
    rows = Transfer.objects.exclude(kind__in=("invoice", "payment")).order_by("pk")
    assert list(rows.values_list("kind", "debit", "credit", "amount_minor")) == [
        ("refund", "receivable", "clearing:sandbox", 12000),
        ("chargeback", "unmatched", "clearing:sandbox", 12000),
        ("chargeback_undone", "clearing:sandbox", "unmatched", 12000),
        ("refund", "unmatched", "clearing:sandbox", 3000),
        ("refund_failed", "clearing:sandbox", "unmatched", 3000),
    ]


def test_every_order_of_a_refund_a_dispute_and_a_failure_ends_the_same(profile, payer):
    facts = ("refund:1:5000", "lost:1:12000", "refund_fails:1", "refund:2:4000", "won:1:12000")
    chains = [("refund:1:5000", "refund_fails:1"), ("lost:1:12000", "won:1:12000")]
    ends = set()
    for order in permutations(facts):
        if all(order.index(first) < order.index(second) for first, second in chains):
            with undone():
                history = History(profile, payer)
                for fact in ("succeed", *order):
                    history.hear(fact)
                history.check()
                second = history.payment.refunds.get(gateway_id="re_2")
                ends.add((Invoice.objects.get().amount_due_minor, second.missing))
    assert ends == {(4000, Money(0, "EUR"))}

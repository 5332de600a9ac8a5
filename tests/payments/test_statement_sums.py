"""Whatever happens on a profile, its statement of account ends with what is due."""

from contextlib import suppress
from datetime import date, datetime, timedelta
from random import Random

import pytest

from accounts.access import system_access
from invoices.models import Invoice
from invoices.operations.voiding import void
from payments.models import PaymentEvent
from payments.operations import CannotRefund
from payments.operations.disputing import book_dispute
from payments.statements import statement_of
from tests.factories import NOW, issued
from tests.payments.acts import books_are_clean, card, messages, press_pay
from tests.payments.test_disputes import told
from tests.payments.test_statements import due, give_back, wire

pytestmark = pytest.mark.django_db

ACTS = ["issue", "issue", "card", "card", "wire", "refund", "lose", "win", "void"]


class Story:
    """Random acts on one profile."""

    def __init__(self, profile, payer, seed):
        self.profile, self.payer, self.chance = profile, payer, Random(seed)
        self.card, self.payments = card(profile), []

    def go_on(self, at: datetime) -> None:
        opened = list(Invoice.objects.filter(profile=self.profile, status="open").order_by("pk"))
        act = self.chance.choice(ACTS)
        if act == "issue" or not opened:
            amount = f"{self.chance.randint(1, 300)}.00"
            issued(self.profile, amount, today=self.profile.day_of(at))
        elif act in ("refund", "lose", "win"):
            self.move_back(act, at)
        else:
            self.settle(act, self.chance.choice(opened), at)

    def settle(self, act, invoice, at):
        if act == "card":
            self.payments.append(press_pay(self.payer, invoice, self.card, at=at))
            messages()
        elif act == "wire":
            wire(invoice, self.chance.randint(1, 30000), at=at)
        elif not invoice.paid_minor:
            void(access=system_access(), invoice_id=invoice.pk, reason="Test", at=at)

    def move_back(self, act, at):
        if not self.payments:
            return
        payment = self.chance.choice(self.payments)
        payment.refresh_from_db()
        if act == "refund":
            with suppress(CannotRefund):  # nothing is left of it
                give_back(payment, self.chance.randint(1, payment.rest.minor or 1), at=at)
        else:
            word = "lost" if act == "lose" else "won"
            dispute = told(payment, word, dispute_id=f"dp_{payment.reference}", minor=payment.amount_minor)
            book_dispute(payment_id=payment.pk, told=dispute, source=PaymentEvent.Source.WEBHOOK, at=at)


@pytest.mark.parametrize("seed", range(4))
def test_the_closing_balance_is_what_is_due(profile, payer, seed):
    """Forty acts, a day apart; and cut anywhere, the second half begins with what the first ended with."""
    story = Story(profile, payer, seed)
    for day in range(40):
        story.go_on(NOW + timedelta(days=day))
    assert books_are_clean()
    end = profile.day_of(NOW + timedelta(days=40))
    whole = statement_of(profile, date(2026, 1, 1), end)
    assert (whole.opening_minor, whole.closing_minor) == (0, due(profile))
    cut = profile.day_of(NOW + timedelta(days=story.chance.randint(0, 39)))
    before, after = statement_of(profile, date(2026, 1, 1), cut), statement_of(profile, cut + timedelta(days=1), end)
    assert before.closing_minor == after.opening_minor
    assert [line.amount_minor for line in (*before.lines, *after.lines)] == [line.amount_minor for line in whole.lines]

"""A refund and somebody else at the same credit, on PostgreSQL."""

from threading import Event, Thread
from time import sleep
from uuid import uuid4

import pytest
from django.db import connection, transaction

from invoices.models import Credit
from invoices.money import Money
from invoices.operations.credits import change_credit
from payments.gateways.base import Outcome, Result
from payments.operations import record_payment, refund
from payments.operations.refunding import settle_refund
from tests.factories import NOW, issued
from tests.payments.acts import card, press_pay, run_reconciler, sandbox, staff

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def refund_of_a_credit(profile, payer):
    """A card payment came after a wire had paid the invoice, so it became a credit of 120.00; ten of it are on their
    way back."""
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "3184"))
    fields = {"attempt_key": uuid4(), "at": NOW}
    record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(12000, "EUR"), channel="wire", bank_reference="W-1",
        received_on=NOW.date(), **fields,
    )  # fmt: skip
    with sandbox().books.transaction() as book:
        book.change("UPDATE charges SET state = 'succeeded'")
    run_reconciler(1)
    sandbox().switches.arm("drop_before", on="refund")
    return refund(access=staff(), payment_id=payment.pk, amount=Money(1000, "EUR"), reason="Test", **fields)


def test_a_refund_that_fails_while_its_credit_is_being_used_loses_nothing(refund_of_a_credit):
    is_held = Event()

    def use():
        """Takes five euros of the credit, slowly."""
        with transaction.atomic():
            credit = Credit.objects.select_for_update().get()
            change_credit(credit, Money(-500, "EUR"), at=NOW)
            is_held.set()
            sleep(0.5)
        connection.close()

    other = Thread(target=use)
    other.start()
    assert is_held.wait(10)
    settle_refund(refund_id=refund_of_a_credit.pk, outcome=Outcome(Result.DECLINED), at=NOW)
    other.join(10)
    assert Credit.objects.get().remaining_minor == 12000 - 1000 - 500 + 1000

"""The page of credits: what we hold for a profile, and nothing of another."""

from uuid import uuid4

from django.urls import reverse

from invoices.money import Money
from payments.operations import record_payment
from tests.factories import NOW, BillingProfileFactory, issued
from tests.payments.acts import staff


def overpay(profile, surplus):
    record_payment(
        access=staff(),
        invoice_id=issued(profile, "100.00").pk,
        amount=Money(10000 + surplus, profile.currency),
        channel="wire",
        bank_reference=uuid4().hex,
        received_on=NOW.date(),
        attempt_key=uuid4(),
        at=NOW,
    )


def test_what_was_paid_too_much_is_shown_with_its_source_and_the_sum(profile, payer, client):
    overpay(profile, 1)
    overpay(profile, 250)
    client.force_login(payer)
    page = client.get(reverse("invoices:credits", args=[profile.code])).content.decode()
    assert "€2.51" in page
    assert "€2.50" in page
    assert "INV-" in page


def test_credits_of_another_profile_of_the_same_account_are_not_shown(profile, payer, client):
    overpay(BillingProfileFactory(account=profile.account), 777)
    client.force_login(payer)
    answer = client.get(reverse("invoices:credits", args=[profile.code]))
    assert "7.77" not in answer.content.decode()
    assert "No credits" in answer.content.decode()


def test_many_credits_cost_as_many_queries_as_one(profile, payer, client, django_assert_max_num_queries):
    for _more in range(4):
        overpay(profile, 5)
    client.force_login(payer)
    with django_assert_max_num_queries(8):
        client.get(reverse("invoices:credits", args=[profile.code]))

"""Where no gateway is configured, nothing offers a card: pages and mails say how to pay by wire, and staff are told."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.urls import reverse

from billing_portal.checks import check_some_gateway
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from invoices.models import Invoice
from invoices.operations.dunning import remind_due
from payments.models import AutomaticCharge, Payment
from payments.operations.autopay import charge_due
from payments.operations.notifications import announce_due, warn_of_expiring_cards
from tests.factories import NOW, issued, member
from tests.payments.acts import card, staff
from tests.payments.pages import browser, pay_url, text_of

pytestmark = pytest.mark.django_db

REASON = "We do not accept cards at the moment. Pay by wire transfer."


@pytest.fixture(autouse=True)
def _no_gateway(settings):
    settings.PAYMENT_GATEWAYS = {}


@pytest.fixture
def invoice(profile):
    return issued(profile)


@pytest.fixture
def client(payer):
    return browser(payer)


def test_the_payment_page_gives_the_reason_and_says_where_to_send_the_money(client, invoice):
    response = client.get(pay_url(invoice))
    text = text_of(response)
    assert REASON in text
    assert "NL53 EXAM 0000 0000 00" in text
    assert "Select a payment method" not in text
    assert "Pay now" not in text


def test_the_list_and_the_invoice_have_no_pay_now_and_promise_no_charge(client, invoice):
    assert invoice.autopay_on is not None
    for name, args in (("invoices:list", [invoice.profile.code]), ("invoices:detail", [invoice.profile.code, invoice])):
        text = text_of(client.get(reverse(name, args=args)))
        assert REASON in text
        assert "Pay now" not in text
        assert "Automatic charge" not in text


def test_a_post_of_an_old_page_charges_nothing_and_says_why(client, profile, invoice):
    data = {
        "attempt": "5f0f4c9e-4a36-4b0c-8d4b-3d1c2a7d9a11",
        "amount": 12000,
        "currency": "EUR",
        "method": card(profile).pk,
    }
    response = client.post(pay_url(invoice), data)
    assert response.status_code == 422
    assert REASON in text_of(response)
    assert not Payment.objects.exists()


@pytest.mark.parametrize("role", ["invoice_manager", "profile_owner"])
def test_the_payment_methods_keep_the_cards_and_add_none(profile, role):
    card(profile, is_default=True)
    person = browser(member(profile, role))
    text = text_of(person.get(reverse("payments:methods", args=[profile.code])))
    assert "We do not accept cards at the moment" in text
    assert "Visa •••• 4242" in text
    for offer in ("Add a card", "Replace", "Charged automatically", "Automatic charges"):
        assert offer not in text


def test_mails_speak_of_a_wire_transfer_alone(profile, payer, invoice):
    announce_due(at=NOW, limit=10)
    Invoice.objects.update(autopay_on=None)
    remind_due(at=datetime(2026, 11, 27, 11, tzinfo=UTC), limit=10)
    send_due(at=NOW + timedelta(days=60))
    assert [message.subject.split(" ")[0] for message in mail.outbox] == ["Invoice", "€120.00"]
    for message in mail.outbox:
        assert "NL53 EXAM 0000 0000 00" in message.body
        for offer in ("card", "Pay now", "charged"):
            assert offer not in message.body


def test_nobody_is_told_that_a_card_expires(profile, payer):
    card(profile, is_default=True, expiry_year=2026, expiry_month=10)
    assert warn_of_expiring_cards(at=NOW, limit=10) == 0
    assert not OutgoingMail.objects.exists()


def test_what_was_planned_ends_without_blaming_a_card(profile, payer, invoice):
    charge_due(at=NOW + timedelta(days=4), limit=10)
    assert AutomaticCharge.objects.get().stopped_because == AutomaticCharge.Stop.CONFIG
    assert not OutgoingMail.objects.filter(template="charge_stopped").exists()


def test_staff_are_told():
    person = staff().user
    person.is_superuser = True
    person.save()
    text = text_of(browser(person).get(reverse("admin:index")))
    assert "no payment gateway is configured, so nobody can pay by card" in text
    assert [message.id for message in check_some_gateway()] == ["billing_portal.W008"]

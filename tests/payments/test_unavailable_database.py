"""A database that is absent, read-only or full: people read that nothing was charged, or that it is being checked."""

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments.models import Payment
from payments.operations import attempts
from payments.operations.reconciliation import reconcile
from tests.databases import read_only
from tests.factories import issued, member
from tests.payments.acts import books_are_clean, card, charges, press_pay, state
from tests.payments.pages import BLADE, browser, filled_in, page_of, pay_url, text_of

pytestmark = pytest.mark.django_db
BUSY = "The portal is busy. Nothing was charged. Try again in a minute."
FAULT = "The fault is ours"


@pytest.fixture
def invoice(profile):
    return issued(profile)


@pytest.fixture
def client(payer):
    client = browser(payer)
    client.raise_request_exception = False
    return client


def absent(*_query):
    raise OperationalError("server closed the connection unexpectedly")


def test_paying_on_a_read_only_database_says_that_nothing_was_charged(client, profile, invoice):
    card(profile)
    with read_only():
        response = client.post(pay_url(invoice), filled_in(invoice))
    assert (response.status_code, response["Retry-After"]) == (503, "60")
    assert BUSY in text_of(response)
    assert FAULT not in text_of(response)
    assert charges(invoice) == []
    assert not Payment.objects.exists()


def test_adding_a_card_on_a_read_only_database_says_that_none_was_added(profile):
    client = browser(member(profile, "profile_owner"))
    form = {"attempt": "0d1b4d3a-7a53-4a37-b2b6-6a54a5a2c5b1", "card_token": "tok_4242_x"}
    with read_only():
        response = client.post(reverse("payments:add_method", args=[profile.code]), form)
    assert (response.status_code, response["Retry-After"]) == (503, "60")
    assert "The portal is busy. No card was added. Try again in a minute." in text_of(response)


@pytest.mark.parametrize("address", ["pay", "list", "sign-in"])
def test_a_page_without_its_database_says_that_it_is_busy(client, invoice, address):
    if address == "sign-in":
        client = Client(raise_request_exception=False)
    path = {
        "pay": pay_url(invoice),
        "list": reverse("invoices:list", args=[invoice.profile.code]),
        "sign-in": reverse("account_login"),
    }[address]
    with connection.execute_wrapper(absent):
        response = client.post(path, {**filled_in(invoice), "login": "a@example.com", "password": "guess-at-it"})
        response = response if address != "list" else client.get(path)
    assert (response.status_code, response["Retry-After"]) == (503, "60")
    assert BUSY in text_of(response)
    assert FAULT not in text_of(response)


def test_pages_can_be_read_on_a_read_only_database(client, invoice):
    """Where a person was last is noted with each page, and is not worth a page."""
    path = reverse("invoices:list", args=[invoice.profile.code])
    with read_only():
        assert client.get(path).status_code == 200


def test_in_the_blade_the_page_is_drawn_in_the_blade(client, invoice):
    path = pay_url(invoice)
    with connection.execute_wrapper(absent):
        response = client.get(path, headers=BLADE)
    assert response.status_code == 503
    assert "<html" not in response.text
    assert 'id="blade-title"' in response.text


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_an_outcome_that_is_not_written_down_is_being_checked(client, invoice, monkeypatch, error):
    """psycopg2 says InterfaceError of a connection that broke before."""

    def gone(**_arguments):
        raise error("connection already closed")

    with monkeypatch.context() as patch:
        patch.setattr(attempts, "settle", gone)
        response = client.post(pay_url(invoice), filled_in(invoice), follow=True)
    payment = Payment.objects.get()
    assert response.redirect_chain == [(page_of(payment), 303)]
    text = text_of(response)
    assert "We are asking your bank" in text
    assert "Being confirmed" in text
    assert "do not pay this invoice in another way" in text
    assert "Nothing was charged" not in text
    reconcile(at=timezone.now() + timedelta(minutes=2))
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_page_that_fails_after_the_gateway_was_asked_promises_nothing(client, invoice, monkeypatch):
    """The money has moved, and then the database is gone for the page too."""
    settle = attempts.settle

    def gone_from_here(**arguments):
        connection.execute_wrappers.append(absent)
        return settle(**arguments)

    monkeypatch.setattr(attempts, "settle", gone_from_here)
    monkeypatch.setattr("payments.views.pay.next_page", lambda *_arguments: absent())
    try:
        response = client.post(pay_url(invoice), filled_in(invoice))
    finally:
        connection.execute_wrappers.remove(absent)
    assert response.status_code == 503
    assert "Nothing was charged" not in text_of(response)
    assert "do not pay again yet" in text_of(response)
    assert charges(invoice) == [12000]


def test_coming_back_from_the_bank_promises_nothing(client, payer, invoice):
    payment = press_pay(payer, invoice, token="tok_3155_x")
    back = reverse("payments:return", args=[invoice.profile.code, payment.reference])
    with read_only():
        response = client.get(back)
    assert response.status_code == 503
    assert "Nothing was charged" not in text_of(response)


def test_a_missing_table_is_our_fault(client, invoice):
    def missing(*_query):
        raise OperationalError("no such table: invoices_invoice")

    path = pay_url(invoice)
    with connection.execute_wrapper(missing):
        response = client.get(path)
    assert response.status_code == 500
    assert FAULT in text_of(response)

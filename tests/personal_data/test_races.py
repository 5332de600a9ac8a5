"""Somebody is erased while they act: either the act comes first and stops the erasure, or it is refused."""

from threading import Event, Thread

import pytest
from django.db import connections, transaction

from accounts.access import NotAllowed, system_access
from accounts.models import AuditEntry, BillingProfile, User, WireRequest
from accounts.operations.wire import request_wire
from billing_portal.personal_data.erasure import CannotErase, erase_person
from payments.models import Payment
from tests.factories import NOW, UserFactory, access_for, issued, member
from tests.payments.acts import at_once, books_are_clean, card, press_pay
from tests.waiting import PATIENCE, until_blocked

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]

FACTS = {
    "legal_name": "Example Trading B.V.",
    "registration_number": "00000000",
    "monthly_amount": "EUR 2,500",
    "contact_name": "Finance Person",
    "contact_email": "finance@example.com",
    "contact_phone": "",
    "reason": "Policy",
}


def erase(user):
    return erase_person(access=system_access(), user_id=user.pk, reason="By letter", at=NOW)


def while_erasing(user, act):
    """Begins ``act`` in another thread once everything is erased, and commits the erasure when it waits. Returns what
    the act returned or raised."""
    erased, results = Event(), []

    def other():
        erased.wait(PATIENCE)
        try:
            results.append(act())
        except Exception as problem:
            results.append(problem)
        finally:
            connections.close_all()

    thread = Thread(target=other)
    thread.start()
    with transaction.atomic():
        erase(user)
        erased.set()
        until_blocked(thread)
        assert results == [], "the act did not wait"
    thread.join(PATIENCE)
    return results[0]


def test_a_payment_pressed_while_its_payer_is_erased_is_refused(profile, payer):
    invoice, visa = issued(profile), card(profile)
    access = access_for(payer, profile)
    assert isinstance(while_erasing(payer, lambda: press_pay(payer, invoice, visa, access=access)), NotAllowed)
    assert not Payment.objects.exists()
    assert books_are_clean()


@pytest.mark.parametrize("scope", ["profile", "account"])
def test_a_request_sent_while_its_sender_is_erased_leaves_no_trace_of_them(profile, scope):
    """Also by somebody whose role is on the account, when the request locks the profile."""
    sender = member(profile, "invoice_manager") if scope == "profile" else member(profile.account, "account_reader")
    access = access_for(sender, profile)
    request = while_erasing(sender, lambda: request_wire(access=access, profile_id=profile.pk, facts=FACTS, at=NOW))
    assert isinstance(request, (NotAllowed, BillingProfile.DoesNotExist))
    assert not WireRequest.objects.exists()


def test_an_erasure_waits_for_a_payment_that_is_being_begun_and_is_then_refused(profile, payer):
    """The attempt is written and not committed yet: the erasure sees it all the same."""
    invoice = issued(profile)
    written, results = Event(), []

    def other():
        written.wait(PATIENCE)
        try:
            results.append(erase(payer))
        except CannotErase as refusal:
            results.append(refusal)
        finally:
            connections.close_all()

    thread = Thread(target=other)
    thread.start()
    with transaction.atomic():
        list(type(invoice).objects.filter(pk=invoice.pk).locked())
        payment = Payment.objects.create(
            profile=profile, amount_minor=12000, currency="EUR", started_at=NOW, started_by=payer, gateway="sandbox"
        )
        written.set()
        until_blocked(thread)
        assert results == []
    thread.join(PATIENCE)
    assert payment.reference in str(results[0])
    assert not User.objects.get(pk=payer.pk).is_erased


def test_whatever_comes_first_no_payment_is_left_open_by_somebody_erased(profile):
    for _round in range(4):
        payer, invoice, visa = member(profile, "invoice_manager"), issued(profile), card(profile)
        access = access_for(payer, profile)
        at_once(
            lambda payer=payer, invoice=invoice, visa=visa, access=access: press_pay(
                payer, invoice, visa, access=access
            ),
            lambda payer=payer: erase(payer),
        )
        payer.refresh_from_db()
        assert not (payer.is_erased and Payment.objects.filter(started_by=payer, allocations__is_open=True).exists())
    assert books_are_clean()


def test_two_who_erase_the_same_person_do_it_once(transactional_db):
    """Without a role that both would have to remove first."""
    user = UserFactory()
    assert isinstance(while_erasing(user, lambda: erase(user)), CannotErase)
    assert AuditEntry.objects.filter(action="person.erased").count() == 1

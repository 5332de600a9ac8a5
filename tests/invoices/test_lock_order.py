"""Who locks a profile and its credits locks the profile first, or two of them would wait for each other."""

from threading import Event, Thread

import pytest
from django.db import connections, transaction

from accounts.models import BillingProfile
from invoices.models import Credit, Invoice
from invoices.operations.credits import apply_credits
from invoices.operations.voiding import void
from tests.factories import NOW, TODAY, granted, issued
from tests.payments.acts import books_are_clean, staff
from tests.waiting import PATIENCE, until_blocked

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def late(profile):
    """An invoice that has its profile warned; credits paid for a part of it, and more of them wait."""
    granted(profile, 5000)
    BillingProfile.objects.filter(pk=profile.pk).update(payment_terms_days=0)
    invoice = issued(profile, today=TODAY.replace(day=1))
    granted(profile, 7000)
    BillingProfile.objects.filter(pk=profile.pk).update(status="warned")
    return invoice


def in_a_closing_run(profile, act):
    """Runs ``act`` in another thread while this one, like a run that closes periods, has the profile and then takes its
    credits. Returns what the act raised."""
    holds, problems = Event(), []

    def other():
        holds.wait(PATIENCE)
        try:
            act()
        except Exception as problem:
            problems.append(problem)
        finally:
            connections.close_all()

    thread = Thread(target=other)
    thread.start()
    with transaction.atomic():
        BillingProfile.objects.filter(pk=profile.pk).select_for_update(no_key=True).get()
        holds.set()
        until_blocked(thread)
        list(Credit.objects.filter(profile=profile).locked())
    thread.join(PATIENCE)
    return problems


def test_a_void_waits_for_the_profile_before_it_takes_the_credits(profile, late):
    access = staff()
    problems = in_a_closing_run(profile, lambda: void(access=access, invoice_id=late.pk, reason="Sent twice", at=NOW))
    profile.refresh_from_db()
    assert (problems, Invoice.objects.get().status, profile.status) == ([], "void", "active")
    assert books_are_clean()


def test_so_does_who_applies_credits(profile, late):
    access = staff()
    problems = in_a_closing_run(profile, lambda: apply_credits(access=access, invoice_id=late.pk, at=NOW))
    profile.refresh_from_db()
    assert (problems, Invoice.objects.get().status, profile.status) == ([], "paid", "active")
    assert books_are_clean()

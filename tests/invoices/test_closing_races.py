"""Several billing runs at once, on PostgreSQL. Each guard is also shown to do alone what it is there for."""

from contextlib import contextmanager
from datetime import date
from itertools import count
from threading import Barrier, Event, Thread

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from accounts.access import system_access
from accounts.models import BillingProfile
from accounts.querysets import BillingProfileQuerySet
from invoices.models import Charge, Invoice, NumberSeries, PeriodClosing
from invoices.operations import closing
from invoices.operations.charges import CannotCharge, remove_charge
from invoices.operations.closing import close_periods
from tests.factories import NOW, UserFactory
from tests.invoices.billing_runs import billed_profile, charged, noon, run, section_of
from tests.payments.acts import at_once
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]
AT = noon(2026, 11, 5)


@pytest.fixture
def profiles():
    found = [billed_profile() for _number in range(20)]
    for profile in found:
        charged(profile, on=date(2026, 10, 6))
    return found


def worker():
    return sum(closed.billed for closed in close_periods(access=system_access(), at=AT, chunk=3))


@contextmanager
def held_after_marking(monkeypatch):
    """The first chunk waits, its charges marked, while the block runs; then it goes on. Yields its thread."""
    real, marked, go_on = closing.mark_charges, Event(), Event()

    def slowly(rows):
        count = real(rows)
        if not marked.is_set():
            marked.set()
            assert go_on.wait(30)
        return count

    def in_thread():
        try:
            run(AT)
        finally:
            connections.close_all()

    monkeypatch.setattr(closing, "mark_charges", slowly)
    thread = Thread(target=in_thread)
    thread.start()
    assert marked.wait(30)
    try:
        yield
    finally:
        go_on.set()
        thread.join(60)


def test_four_workers_at_once_share_one_run(profiles):
    counts = at_once(*[worker] * 4)
    # Whoever finds the rest locked leaves it to those who hold it.
    assert sum(counts) == 20
    assert sorted(Invoice.objects.values_list("profile", flat=True)) == [profile.pk for profile in profiles]
    assert PeriodClosing.objects.count() == 20
    assert sorted(Invoice.objects.values_list("number", flat=True)) == [f"INV-{n:06d}" for n in range(1, 21)]
    assert NumberSeries.objects.get().next_number == 21


def test_what_another_worker_holds_is_passed_over_and_not_waited_for(profiles):
    with transaction.atomic():
        held = list(BillingProfile.objects.filter(pk__in=[one.pk for one in profiles[:5]]).select_for_update())
        (billed,) = at_once(worker)
    assert (len(held), billed) == (5, 15)
    assert run(AT).billed == 5


def without_locks(monkeypatch):
    monkeypatch.setattr(BillingProfileQuerySet, "select_for_update", lambda self, **_how: self, raising=False)


def both_begin(monkeypatch):
    """Two workers choose their profiles before either has written anything."""
    real, barrier, calls = closing.mark_charges, Barrier(2, timeout=PATIENCE), count(1)

    def together(rows):
        if next(calls) <= 2:  # a worker that failed begins again alone
            barrier.wait()
        return real(rows)

    monkeypatch.setattr(closing, "mark_charges", together)


def whole_chunk():
    return sum(closed.billed for closed in close_periods(access=system_access(), at=AT))


def test_with_the_constraint_alone_a_period_is_closed_once(profiles, monkeypatch):
    without_locks(monkeypatch)
    both_begin(monkeypatch)
    at_once(whole_chunk, whole_chunk)
    assert PeriodClosing.objects.count() == 20
    assert Invoice.objects.count() == 20
    assert sorted(Invoice.objects.values_list("number", flat=True)) == [f"INV-{n:06d}" for n in range(1, 21)]


def test_with_neither_lock_nor_constraint_a_period_is_closed_twice(profiles, monkeypatch):
    """The negative control: this load does find a missing guard."""
    without_locks(monkeypatch)
    both_begin(monkeypatch)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE invoices_periodclosing DROP CONSTRAINT period_closed_once")
    try:
        at_once(whole_chunk, whole_chunk)
        assert PeriodClosing.objects.count() > 20
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE invoices_periodclosing, invoices_charge")  # which triggers do not refuse
            cursor.execute(
                "ALTER TABLE invoices_periodclosing ADD CONSTRAINT period_closed_once UNIQUE (profile_id, start_on)"
            )


def test_with_the_lock_alone_a_period_is_closed_once(profiles):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE invoices_periodclosing DROP CONSTRAINT period_closed_once")
    try:
        at_once(*[worker] * 4)
        assert PeriodClosing.objects.count() == 20
    finally:
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE invoices_periodclosing ADD CONSTRAINT period_closed_once UNIQUE (profile_id, start_on)"
            )


def test_a_charge_recorded_while_its_period_closes_is_on_the_next_invoice(monkeypatch):
    profile = billed_profile()
    section = section_of(profile)
    charged(profile, "1", on=date(2026, 10, 6))
    with held_after_marking(monkeypatch):
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")  # recording must not wait for the run
        late = charged(profile, "2", on=date(2026, 10, 7), section=section.name)
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")
    late.refresh_from_db()
    assert late.invoice_id is None
    assert Invoice.objects.get().total_minor == 100
    run(noon(2026, 12, 5))
    assert sorted(Invoice.objects.values_list("total_minor", flat=True)) == [100, 200]


def test_a_charge_that_is_being_billed_cannot_be_removed(monkeypatch):
    profile = billed_profile()
    charge = charged(profile, on=date(2026, 10, 6))

    def remove():
        remove_charge(access=system_access(), charge_id=charge.pk, at=NOW)

    results = []
    with held_after_marking(monkeypatch):
        thread = Thread(target=lambda: results.extend(at_once(remove)))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()  # it waits
    thread.join(30)
    assert isinstance(results[0], CannotCharge)
    assert Invoice.objects.get().lines.count() == 1
    assert Charge.objects.get().invoice_id is not None


def test_two_senders_of_one_reference_record_one_charge():
    profile = billed_profile()
    section_of(profile)
    at_once(*[lambda: charged(profile, on=date(2026, 10, 6), source_reference="A-1")] * 6)
    assert Charge.objects.count() == 1


def test_staff_who_change_a_profile_lock_it_first(client):
    """The admin saves the whole row. Read before a run and saved after it, it would set the invoice day back."""
    profile = billed_profile()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    with CaptureQueriesContext(connection) as captured:
        client.post(f"/admin/accounts/billingprofile/{profile.pk}/change/", {})
    assert any(query["sql"].endswith("FOR NO KEY UPDATE") for query in captured)


def test_profiles_are_locked_in_order_and_those_of_others_passed_over(profiles):
    with CaptureQueriesContext(connection) as captured:
        run(AT)
    locks = [
        query["sql"] for query in captured if "accounts_billingprofile" in query["sql"] and " FOR " in query["sql"]
    ]
    assert all("FOR NO KEY UPDATE OF" in lock and lock.endswith("SKIP LOCKED") for lock in locks)
    assert all('ORDER BY "accounts_billingprofile"."next_invoice_on" ASC' in lock for lock in locks)
    assert locks

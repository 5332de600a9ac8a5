"""Billing runs that are killed, really killed, and started again."""

import os
import random
import signal
from datetime import date
from functools import partial

import pytest
from django.db import connection

from accounts.access import system_access
from invoices.models import Charge, Invoice, InvoiceLine, NumberSeries, PeriodClosing
from invoices.operations import closing, issuing
from invoices.operations.closing import close_periods
from payments.operations.integrity import check_books
from tests.invoices.billing_runs import billed_profile, charged, noon, run
from tests.payments.test_crashes import die, in_another_process

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]
AT = noon(2026, 11, 5)


@pytest.fixture
def profiles():
    """Twelve, each with two charges of 10.00 in a period that ended."""
    found = [billed_profile() for _number in range(12)]
    for profile in found:
        charged(profile, on=date(2026, 10, 6))
        charged(profile, on=date(2026, 11, 4), description="Storage")
    return found


def everything_was_billed_once(profiles) -> bool:
    invoices = list(Invoice.objects.all())
    assert sorted(invoice.profile_id for invoice in invoices) == [profile.pk for profile in profiles]
    assert {invoice.total_minor for invoice in invoices} == {2000}
    assert {invoice.lines.count() for invoice in invoices} == {2}
    assert InvoiceLine.objects.count() == 24
    assert PeriodClosing.objects.count() == 12
    assert not Charge.objects.filter(invoice=None).exists()
    numbers = [f"INV-{number:06d}" for number in range(1, 13)]
    assert sorted(invoice.number for invoice in invoices) == numbers
    assert NumberSeries.objects.get().next_number == 13
    assert check_books() == []
    return True


def killed(act) -> None:
    _pid, status = os.waitpid(in_another_process(act), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_killed_between_chunks_it_goes_on_where_it_was(profiles):
    def act():
        for number, _closed in enumerate(close_periods(access=system_access(), at=AT, chunk=5)):
            if number == 1:
                die()

    killed(act)
    assert Invoice.objects.count() == 10
    assert run(AT).billed == 2
    assert everything_was_billed_once(profiles)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (closing, "mark_charges"),
        (closing, "stored_taxes"),
        (closing, "write_lines"),
        (issuing, "take_numbers"),
        (issuing, "apply_at_issue"),
        (closing, "move_profiles"),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_within_a_chunk_nothing_of_it_stays(profiles, module, name, when):
    def act():
        real, calls = getattr(module, name), []

        def deadly(*arguments, **named):
            calls.append(1)
            if len(calls) == 2 and when == "before":
                die()
            found = real(*arguments, **named)
            if len(calls) == 2:
                die()
            return found

        setattr(module, name, deadly)
        for _closed in close_periods(access=system_access(), at=AT, chunk=5):
            pass

    killed(act)
    assert Invoice.objects.count() == 5
    assert PeriodClosing.objects.count() == 5
    assert Charge.objects.filter(invoice=None).count() == 14
    run(AT)
    assert everything_was_billed_once(profiles)


def test_workers_killed_at_random_statements_bill_everything_once(profiles):
    """Three at once, each at another statement; one that has nothing left to do ends before its own comes."""
    randomness, killed = random.Random(20261105), 0

    def act(left):
        def count_down(execute, *statement):
            nonlocal left
            left -= 1
            return execute(*statement) if left else die()

        with connection.execute_wrapper(count_down):
            for _closed in close_periods(access=system_access(), at=AT, chunk=2):
                pass

    for _round in range(4):
        children = [in_another_process(partial(act, randomness.randint(1, 60))) for _worker in range(3)]
        ends = [os.waitpid(child, 0)[1] for child in children]
        killed += sum(map(os.WIFSIGNALED, ends))
    assert killed
    run(AT)
    assert everything_was_billed_once(profiles)

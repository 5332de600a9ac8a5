"""A year in the life of profiles of every habit, with the clock's passes killed at random moments and begun twice.

The clock is looked at once a week only, so that everything is due late and together. Each time a pass begins and is
killed somewhere; then two begin at once. Cards are charged, some are refused, some have backups, some get credits, some
pay by wire and late. In the end each profile has one invoice for each of its periods, nothing was charged twice, every
mail was sent once, the books add up, and each statement says what it said when its month ended.
"""

import os
import random
from calendar import monthrange
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from email import message_from_bytes
from typing import Any

import pytest
from django.db.models import Count

from accounts.models import BillingProfile
from billing_portal.core.jobs import run_due_jobs
from billing_portal.core.letters import fault
from billing_portal.core.mail import MAX_UNSURE
from billing_portal.core.models import JobRun, OutgoingMail
from billing_portal.core.time_zones import has_come
from billing_portal.jobs import jobs
from invoices.models import Charge, Invoice, PeriodClosing
from payments.gateways.sandbox.models import CardPayment
from payments.models import Payment, PaymentAllocation
from tests.factories import exchange_rate, tax_rate
from tests.payments.acts import books_are_clean, sandbox
from tests.payments.processes import ended_well, in_another_process, kill_after
from tests.payments.year import FIRST, live, morning, move_in, statements, turn_back, use

pytestmark = [pytest.mark.long, pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]

DAYS = 367
# Fewer in the suite than in `make year`, where it takes as long as all the others together.
PROFILES = int(os.environ.get("YEAR_PROFILES", "6"))
MONTHS = round(DAYS / 30.6)


@pytest.fixture
def mails(settings, tmp_path):
    """A mail server that both the killed and the others reach: a folder."""
    folder = tmp_path / "mail"
    backend = "django.core.mail.backends.filebased.EmailBackend"
    settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": {"file_path": str(folder)}}}
    return folder


@pytest.fixture(autouse=True)
def _sandbox_alone(settings):
    """Nobody answers for another provider here: each pass would ask again and again, and wait in between."""
    settings.PAYMENT_GATEWAYS = {"sandbox": settings.PAYMENT_GATEWAYS["sandbox"]}


def one_pass(day: date):
    """All jobs but those that speak to the sandbox over the network: its messages are lost, and look-ups find out."""
    todo = [job for job in jobs() if job.name not in {"gateways", "webhooks"}]
    return lambda: run_due_jobs(todo, at=morning(day), origin="command")


def live_through(day: date, chance: random.Random) -> None:
    """A day's passes: one is killed somewhere, two begin at once and end."""
    kill_after(in_another_process(one_pass(day)), chance.uniform(0.01, 0.4))
    assert all([ended_well(child) for child in [in_another_process(one_pass(day)) for _twice in range(2)]])  # noqa: C419


def test_a_year_of_passes_that_are_killed_and_begun_twice(mails):
    chance = random.Random(2027)
    rates = [
        tax_rate("21", name="High"),
        tax_rate("9", name="Low"),
        tax_rate(name="Exempt", tax_category="E", exemption_reason="Article 132"),
    ]
    customers = [move_in(number) for number in range(PROFILES)]
    # Read here once, time zones and fonts are there in each of the 159 processes.
    has_come("created_at", zone="time_zone", at=morning(FIRST))
    assert not fault("Größe")
    printed: dict[str, Any] = {}
    for day in (FIRST + timedelta(days=days) for days in range(DAYS)):
        for customer in customers:
            use(customer, day, rates, chance)
        sandbox().operator.advance_clock(24 * 3600)
        if day.weekday() == 0 or day == FIRST + timedelta(days=DAYS - 1):
            exchange_rate("JPY", "162.5", on=day)
            live(customers, day, chance)
            turn_back(customers, day, chance)
            live_through(day, chance)
            if day.day <= 7:
                printed |= statements(customers, day, morning(day))
    one_pass(FIRST + timedelta(days=DAYS))()  # what those that were killed at the very end had taken up
    assert books_are_clean()
    each_period_was_closed_once()
    nothing_was_charged_twice()
    every_mail_was_sent_once(mails)
    later = morning(FIRST + timedelta(days=2 * DAYS))
    again = [statements(customers, FIRST + timedelta(days=31 * month), later) for month in range(13)]
    assert {name: text for month in again for name, text in month.items() if name in printed} == printed
    assert len(printed) == 13 * PROFILES
    assert not JobRun.objects.exclude(failed={}).values_list("failed", flat=True)


def each_period_was_closed_once() -> None:
    for profile in BillingProfile.objects.all():
        periods = list(PeriodClosing.objects.filter(profile=profile).order_by("start_on"))
        assert len(periods) in {MONTHS, MONTHS + 1}, profile
        assert periods[0].start_on <= FIRST + timedelta(days=1)
        assert [one.end_on for one in periods[:-1]] == [one.start_on for one in periods[1:]]
        last_days = [monthrange(one.end_on.year, one.end_on.month)[1] for one in periods]
        assert [one.end_on.day for one in periods] == [min(profile.invoice_day, last) for last in last_days]
    twice = Invoice.objects.values("profile", "period_start_on").annotate(count=Count("pk")).filter(count__gt=1)
    assert not twice
    assert Invoice.objects.count() == PeriodClosing.objects.filter(outcome="billed").count() > MONTHS * PROFILES * 2 / 3
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == [f"INV-{number:06}" for number in range(1, len(numbers) + 1)]
    every_charge_is_billed_or_waits_for_its_period()


def every_charge_is_billed_or_waits_for_its_period() -> None:
    """What was recorded after its period had closed comes with the next one; what returns outweigh waits with them, and
    what is less than half a cent waits for more."""
    last = {closing.profile_id: closing for closing in PeriodClosing.objects.order_by("profile", "end_on")}
    for charge in Charge.objects.filter(invoice=None):
        closing, exact = last[charge.profile_id], abs(charge.quantity * charge.unit_price)
        is_late = charge.happened_on < closing.end_on and charge.created_at >= closing.closed_at
        waits = closing.outcome == "carried" or (closing.outcome == "nothing" and exact <= Decimal("0.005"))
        why = f"{exact} should be on an invoice, and the period was closed as {closing.outcome}"
        assert charge.happened_on >= closing.end_on or is_late or waits, why


def nothing_was_charged_twice() -> None:
    taken = Counter()
    for charge in CardPayment.objects.filter(state="succeeded"):
        taken[charge.reference] += charge.amount_minor
    paid = Payment.objects.filter(channel="card", status="succeeded")
    assert taken == {payment.reference: payment.amount_minor for payment in paid}
    assert len(taken) > MONTHS * PROFILES / 5
    booked = PaymentAllocation.objects.filter(payment__status="succeeded", payment__channel="card")
    assert not booked.values("invoice").annotate(count=Count("pk")).filter(count__gt=1)
    assert not booked.filter(invoice=None).exists(), "money that fitted nowhere"
    outcomes = set(Payment.objects.filter(is_automatic=True).values_list("status", flat=True))
    assert {"succeeded", "declined"} <= outcomes


def every_mail_was_sent_once(folder) -> None:
    sent = Counter()
    for file in folder.iterdir():
        for part in file.read_bytes().split(b"\n" + b"-" * 79 + b"\n"):
            if part.strip():
                sent[message_from_bytes(part.lstrip())["Message-ID"]] += 1
    asked = OutgoingMail.objects.count()
    # Killed between the mail server's answer and the commit, a mail is sent again with the same Message-ID. After two
    # kills in the same mail nobody knows whether it arrived: no third copy is sent, and the mail waits for staff.
    unknown = OutgoingMail.objects.filter(sent_at=None)
    assert all(mail.unsure == MAX_UNSURE and mail.last_error.startswith("MayHaveArrived") for mail in unknown)
    assert len(unknown) < asked / 20
    assert asked - len(unknown) <= len(sent) <= asked > MONTHS * PROFILES
    assert sum(sent.values()) - len(sent) < asked / 20

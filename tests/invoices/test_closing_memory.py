"""A long billing run: memory follows the chunk, and the work is done in bulk."""

from datetime import date

import pytest
from django.db import connection, reset_queries

from accounts.access import system_access
from accounts.models import BillingProfile, InvoiceSection
from invoices.models import Charge, Invoice, InvoiceLine
from invoices.operations import closing
from invoices.operations.closing import close_periods
from tests.factories import NOW, BillingAccountFactory, tax_rate
from tests.invoices.billing_runs import noon, run
from tests.memory import peak_of

pytestmark = pytest.mark.django_db
AT = noon(2026, 11, 5)


def profiles_with_charges(count: int, charges_each: int = 2) -> None:
    account = BillingAccountFactory()
    profiles = BillingProfile.objects.bulk_create(
        BillingProfile(
            account=account,
            name=f"Operations {number}",
            currency="EUR",
            company="Example Trading B.V.",
            country="NL",
            billed_until_on=date(2026, 10, 5),
            next_invoice_on=date(2026, 11, 5),
        )
        for number in range(count)
    )
    sections = InvoiceSection.objects.bulk_create(InvoiceSection(profile=one, name="Web shop") for one in profiles)
    rate = tax_rate()
    Charge.objects.bulk_create(
        Charge(
            profile_id=section.profile_id,
            section=section,
            description="Hosting",
            unit_price=10 + number,
            tax_rate=rate,
            tax_category="Z",
            happened_on=date(2026, 10, 6),
            created_at=NOW,
        )
        for section in sections
        for number in range(charges_each)
    )


def peak() -> int:
    """Of a run over all that is due."""
    return peak_of(lambda: run(AT, chunk=25))


def test_six_times_as_many_profiles_need_no_more_memory():
    profiles_with_charges(50)
    run(AT, chunk=25)
    profiles_with_charges(75)
    short = peak()
    profiles_with_charges(450)
    long = peak()
    assert Invoice.objects.count() == 575
    assert long - short < 1_000_000, f"{short:,} bytes for 75 profiles, {long:,} for 450"


def test_ten_times_as_many_charges_need_no_more_memory():
    """Charges stay in the database."""
    profiles_with_charges(25)
    run(AT, chunk=25)
    profiles_with_charges(25, charges_each=4)
    short = peak()
    profiles_with_charges(25, charges_each=40)
    long = peak()
    assert InvoiceLine.objects.count() == 25 * (2 + 4 + 40)
    assert long - short < 200_000, f"{short:,} bytes for 100 charges, {long:,} for 1,000"


def test_statements_follow_chunks_not_profiles(settings, monkeypatch):
    settings.DEBUG = True  # with which Django keeps every query; here those of one chunk at most
    profiles_with_charges(60)
    found = []
    monkeypatch.setattr(closing, "reset_queries", lambda: (found.append(len(connection.queries)), reset_queries()))
    reset_queries()
    for _closed in close_periods(access=system_access(), at=AT, chunk=30):
        pass
    reset_queries()
    assert len(found) == 2
    assert max(found) < 40


def test_a_chunk_that_held_many_charges_is_followed_by_a_smaller_one(monkeypatch):
    monkeypatch.setattr(closing, "FIRST_CHUNK", 8)
    monkeypatch.setattr(closing, "MANY_CHARGES", 40)
    profiles_with_charges(32, charges_each=20)
    sizes = [closed.profiles for closed in close_periods(access=system_access(), at=AT) if closed.profiles]
    assert sizes == [8, *[2] * 12]

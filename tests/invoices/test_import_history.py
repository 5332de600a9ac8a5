"""Importing history: settled invoices, the numbers they have, what follows, and nothing that hits customers at once."""

from datetime import date, datetime, timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import AuditEntry, BillingProfile
from billing_portal.core.mail import send_due
from billing_portal.core.time_zones import seller_day
from invoices.models import Invoice, NumberSeries
from invoices.numbering import named
from invoices.operations.dunning import remind_due, update_profile_statuses
from payments.statements import statement_of
from tests.factories import BillingProfileFactory, granted, issued, member
from tests.invoices.test_import import file, run
from tests.invoices.test_import_refusals import refusal
from tests.payments.acts import books_are_clean

pytestmark = pytest.mark.django_db
__all__ = ["file"]
HEADING = "profile,invoice,number,issue_date,due_date,paid_on,paid_amount,description,unit_price,tax_category\n"


def row(profile, name="A-1", *, number="", issued_on="2025-01-10", due="2025-02-10", paid_on="", paid="", price="100"):
    return f"{profile.code},{name},{number},{issued_on},{due},{paid_on},{paid},Hosting,{price},Z\n"


@pytest.fixture(autouse=True)
def _days(settings):
    settings.WARN_AFTER_DAYS, settings.DISABLE_AFTER_DAYS = 7, 30


def test_an_invoice_that_was_paid_before_is_settled_and_nothing_follows(profile, file):
    member(profile, "profile_owner")
    run(file(HEADING + row(profile, paid_on="2025-02-01")))
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.paid_minor, invoice.amount_due_minor) == ("paid", 10000, 0)
    assert (invoice.paid_before_minor, invoice.paid_before_on) == (10000, date(2025, 2, 1))
    assert timezone.localdate(invoice.paid_at) == date(2025, 2, 1)
    assert invoice.paid_with_label == "Before this portal"
    assert (invoice.announce_on, invoice.autopay_on, invoice.next_reminder_on) == (None, None, None)
    assert AuditEntry.objects.get().detail["paid_before"] == 10000
    assert books_are_clean()


def test_a_part_that_was_paid_before_leaves_the_rest_due(profile, file):
    run(file(HEADING + row(profile, paid_on="2025-02-01", paid="40")))
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.paid_minor, invoice.amount_due_minor) == ("open", 4000, 6000)
    assert books_are_clean()


def test_the_statement_shows_it_on_the_day_of_the_import(profile, file):
    """No month that has ended gets a further line."""
    run(file(HEADING + row(profile, paid_on="2025-02-01", paid="40")))
    assert statement_of(profile, date(2025, 1, 1), date(2025, 3, 1)).lines == []
    today = seller_day(timezone.now())
    statement = statement_of(profile, today - timedelta(days=1), today)
    assert [(line.kind, line.amount.minor, line.balance.minor) for line in statement.lines] == [
        ("invoice", 10000, 10000),
        ("payment", -4000, 6000),
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"paid": "40"}, "paid_amount needs the day, paid_on."),
        ({"paid_on": "2025-02-01", "paid": "100.01"}, "paid_amount is not more than zero and at most the total, 100"),
        ({"paid_on": "2025-02-01", "paid": "0"}, "paid_amount is not more than zero"),
        ({"paid_on": "2025-02-01", "paid": "40.001"}, "paid_amount: "),
        ({"paid_on": "2099-01-01"}, "paid_on 2099-01-01 is in the future."),
        ({"number": "INV-000009"}, "could be one of our own series"),
        ({"number": "inv 9"}, "could be one of our own series"),
        ({"number": "CN-1"}, "could be one of our own series"),
        ({"number": "2025/17"}, "Write '-' for '/'"),
        ({"number": "2.025E+11"}, "may hold letters, digits"),
    ],
)
def test_what_cannot_be(profile, file, fields, reason):
    said = refusal(file(HEADING + row(profile, **fields)))
    assert said.startswith("Line 2: ")
    assert reason in said


def test_an_imported_invoice_keeps_its_number_and_takes_none_of_ours(profile, file):
    said = run(file(HEADING + row(profile, number="f2025-0017") + row(profile, "A-2")))
    first, second = Invoice.objects.order_by("pk")
    assert (first.number, first.payment_reference) == ("F2025-0017", "RF17F20250017")
    assert second.number == "INV-000001"
    assert "Numbers INV-000001 to INV-000001." in said
    assert NumberSeries.objects.get().next_number == 2
    assert issued(profile).number == "INV-000002"
    assert "imported before: 2" in run(file(HEADING + row(profile, number="f2025-0017") + row(profile, "A-2")))
    assert books_are_clean()


@pytest.mark.parametrize("written", ["F2025-0017", "f2025-0017", "RF17F20250017", "rf17 f202 5001 7"])
def test_it_is_found_by_its_number_and_by_its_payment_reference(profile, file, written):
    run(file(HEADING + row(profile, number="F2025-0017")))
    assert Invoice.objects.get(named(written)).source_reference == "A-1"


def test_a_number_is_given_once_and_so_is_its_payment_reference(profile, file):
    """Money that comes in with a reference must be for one invoice."""
    run(file(HEADING + row(profile, number="F2025-0017")))
    other = BillingProfileFactory()
    for number in ("F2025-0017", "f20250017"):
        assert "is taken, or gives the payment reference" in refusal(file(HEADING + row(other, number=number)))
    rows = row(other, "B-1", number="G-1") + row(other, "B-2", number="G1")
    assert refusal(file(HEADING + rows)).startswith("Line 3: number G1 stands on line 2 already")
    copies = Invoice.objects.filter(pk=issued(other).pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        copies.update(payment_reference="RF17F20250017", is_numbered_elsewhere=True)


def test_a_draft_has_neither_a_number_nor_payments(profile, file):
    text = HEADING + row(profile, number="F-1", issued_on="", due="", paid_on="2025-02-01")
    assert "a draft has no number, paid_on" in refusal(file(text), "--drafts")


def at_noon(days: int) -> datetime:
    return timezone.now().replace(hour=11, minute=0) + timedelta(days=days)


def test_history_that_is_past_due_disables_nobody_at_the_next_pass(profile, file):
    """The days count from the import: 1,365 of 2,000 profiles were disabled within a minute."""
    member(profile, "profile_owner")
    run(file(HEADING + row(profile)))
    statuses = []
    for days in (0, 6, 8, 20, 31):
        update_profile_statuses(at=at_noon(days), limit=100)
        remind_due(at=at_noon(days), limit=100)
        statuses.append(BillingProfile.objects.get().status)
    assert statuses == ["active", "active", "warned", "warned", "disabled"]
    send_due(at=at_noon(31), limit=100)
    assert [message.subject.split(" ·")[0] for message in mail.outbox] == [
        "Your billing profile is about to be disabled",
        "Billing profile disabled",
    ]


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_the_result_says_what_will_follow(profile, file, options):
    late = BillingProfileFactory()
    today, later = timezone.localdate(), timezone.localdate() + timedelta(days=30)
    said = run(
        file(
            HEADING
            + row(profile, paid_on="2025-02-01")
            + row(profile, "A-2", issued_on=today, due=later, price="50")
            + row(late, "B-1", paid_on="2025-02-01", paid="25")
            + row(late, "B-2")
        ),
        *options,
    ).splitlines()
    assert "Settled already: 1. Due: 3, EUR 225.00." in said
    assert (
        "Of those due: past due 2, EUR 175.00, announced by mail 1, charged automatically 1, with a reminder planned 1."
        in said
    )
    warned_on, disabled_on = (today + timedelta(days=days) for days in (7, 30))
    assert (
        "Billing profiles with past due invoices: 1. These invoices change no status today. If they are not paid, "
        f"their profiles are warned by mail on {warned_on} and disabled on {disabled_on}." in said
    )


def test_the_result_counts_what_credits_pay_and_nobody_below_the_floor(profile, file, settings):
    settings.DUNNING_FLOORS = {"EUR": "5.00"}
    small = BillingProfileFactory()
    granted(profile, 15000)
    said = run(file(HEADING + row(profile) + row(profile, "A-2") + row(small, "B-1", price="4.99"))).splitlines()
    assert "Settled already: 1. Due: 2, EUR 54.99." in said
    assert any(line.startswith("Billing profiles with past due invoices: 1.") for line in said)


def test_an_invoice_of_nothing_is_imported_whether_it_says_paid_or_not(profile, file):
    run(file(HEADING + row(profile, paid_on="2025-02-01", price="0") + row(profile, "A-2", price="0")))
    assert list(Invoice.objects.values_list("status", "paid_minor")) == [("paid", 0)] * 2
    assert books_are_clean()


@pytest.mark.parametrize("options", [[], ["--issue-date", "2099-01-01"]])
def test_no_invoice_is_dated_in_the_future(profile, file, options):
    """It could be paid today, and its number would come before those of the days until then."""
    issued_on = "" if options else "2099-01-01"
    said = refusal(file(HEADING + row(profile, issued_on=issued_on, due="2099-02-01")), *options)
    assert "Line 2: issue_date 2099-01-01 is in the future." in said


def test_invoices_dated_before_the_last_of_their_series_are_counted_and_named(profile, file):
    """The last of our series is of 26 October; a number of another system is in none."""
    issued(profile)
    days = [("2026-10-25", ""), ("2026-10-26", ""), ("2026-10-27", ""), ("2026-10-26", ""), ("2026-01-01", "X-1")]
    rows = "".join(
        row(profile, f"A-{index}", number=number, issued_on=day, due="2026-12-01")
        for index, (day, number) in enumerate(days)
    )
    some = "INV-000002 of 2026-10-25, INV-000005 of 2026-10-26"
    text = f"Warning: dated before the last invoice of their series: 2 ({some})."
    assert text in run(file(HEADING + rows), "--dry-run")
    assert text in run(file(HEADING + rows))
    assert "Warning" not in run(file(HEADING + rows))  # imported before


def test_of_many_the_first_few_are_named(profile, file):
    rows = "".join(row(profile, f"A-{day}", issued_on=f"2025-01-{day}") for day in range(28, 20, -1))
    said = run(file(HEADING + rows))
    assert "series: 7 (INV-000002 of 2025-01-27, INV-000003 of 2025-01-26" in said
    assert "INV-000006 of 2025-01-23, and 2 more)." in said

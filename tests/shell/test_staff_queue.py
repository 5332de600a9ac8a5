"""The first staff page says what waits for a person, and leads to it; to each only what they may see."""

from datetime import date, timedelta
from html import unescape
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.models import BillingProfile, WireRequest
from billing_portal.core.jobs import run_due_jobs
from billing_portal.core.models import JobRun, OutgoingMail
from billing_portal.staff_queue import KINDS, what_waits
from invoices.models import Delivery, Invoice
from payments.models import CardHold, Dispute, Payment, Refund, WebhookDelivery
from tests.factories import NOW, UserFactory, issued, tax_rate
from tests.invoices.billing_runs import billed_profile, charged, noon, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss():
    return UserFactory(is_staff=True, is_superuser=True)


def payment(profile) -> Payment:
    return Payment.objects.create(
        profile=profile, amount_minor=100, currency="EUR", started_at=NOW, status="mismatch", needs_staff=True
    )


def waiting_payment(profile):
    return payment(profile)


def waiting_refund(profile):
    paid = payment(profile)
    Payment.objects.update(needs_staff=False)
    return Refund.objects.create(payment=paid, amount_minor=100, currency="EUR", started_at=NOW, needs_staff=True)


def waiting_dispute(profile):
    paid = payment(profile)
    Payment.objects.update(needs_staff=False)
    return Dispute.objects.create(
        payment=paid, gateway="sandbox", gateway_id="dp_1", status="open", amount_minor=100, currency="EUR",
        opened_at=NOW, needs_staff=True,
    )  # fmt: skip


def wire_request(profile):
    return WireRequest.objects.create(
        profile=profile, legal_name="Example B.V.", registration_number="0", monthly_amount="100", contact_name="AP",
        contact_email="ap@example.com", reason="Policy", requested_at=NOW, requested_by=UserFactory(),
    )  # fmt: skip


def failed_message(_profile):
    return WebhookDelivery.objects.create(
        gateway="sandbox", event_id="evt_1", kind="payment", type="paid", status="failed", received_at=NOW
    )


def held_person(_profile):
    return hold(person=UserFactory())


def held_profile(profile):
    return hold(profile=profile)


def hold(**whose):
    now = timezone.now()
    return CardHold.objects.create(reason="failed", tries=10, since=now, until=now + timedelta(minutes=5), **whose)


def unsent_mail(_profile):
    return OutgoingMail.objects.create(
        key="fact", to="a@example.com", language="en", template="payment_failed", created_at=NOW, tries=8
    )


def failed_delivery(profile):
    return Delivery.objects.create(
        invoice=issued(profile),
        channel="mail",
        status="failed",
        recipient="1",
        message_id=uuid4(),
        created_at=NOW,
        needs_staff=True,
    )


def failed_run(_profile):
    return JobRun.objects.create(started_at=NOW, finished_at=NOW, origin="worker", failed={"mail": "no"})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (waiting_payment, "1 payment needs staff"),
        (waiting_refund, "1 refund needs staff"),
        (waiting_dispute, "1 dispute needs staff"),
        (wire_request, "1 request to pay by check or wire"),
        (held_person, "1 person held for trying too many cards"),
        (held_profile, "1 billing profile held for trying too many cards"),
        (failed_message, "1 message of a provider failed"),
        (unsent_mail, "1 mail could not be sent"),
        (failed_delivery, "1 delivery of a document needs staff"),
        (failed_run, "the last run of the jobs failed"),
    ],
)
def test_each_kind_is_told_and_its_list_holds_the_row(client, boss, profile, make, text):
    client.force_login(boss)
    assert "Nothing waits for staff." in client.get("/admin/").text
    row = make(profile)
    assert [one.text for one in what_waits(boss)] == [text]
    [one] = what_waits(boss)
    assert one.url in unescape(client.get("/admin/").text)
    assert f"/{row.pk}/change/" in client.get(one.url).text


def test_all_filters_of_a_list_that_the_first_page_leads_to_can_be_cleared(client, boss, profile):
    """Clearing them shows every row, also those that do not wait."""
    waits, sent = failed_delivery(profile), failed_delivery(profile)
    Delivery.objects.filter(pk=sent.pk).update(status="sent", needs_staff=False)
    client.force_login(boss)
    [one] = what_waits(boss)
    page = client.get(one.url)
    assert [row.pk for row in page.context["cl"].result_list] == [waits.pk]
    cleared = page.context["cl"].clear_all_filters_qs
    assert f'href="{cleared}"' in unescape(page.text)
    shown = client.get(f"/admin/invoices/delivery/{cleared}").context["cl"].result_list
    assert {row.pk for row in shown} == {waits.pk, sent.pk}


def test_a_failed_run_is_over_once_a_pass_ends_well_that_is_written_over_an_earlier_one(boss, profile):
    run_due_jobs([], at=NOW - timedelta(minutes=1), origin="worker")
    failed_run(profile)
    assert [one.text for one in what_waits(boss)] == ["the last run of the jobs failed"]
    run_due_jobs([], at=NOW + timedelta(minutes=1), origin="worker")
    assert what_waits(boss) == []


def test_what_is_over_does_not_wait(boss, profile):
    failed_run(profile)
    JobRun.objects.create(started_at=NOW, finished_at=NOW, origin="worker")
    OutgoingMail.objects.create(
        key="sent", to="a@example.com", language="en", template="payment_failed", created_at=NOW, sent_at=NOW
    )
    OutgoingMail.objects.create(
        key="later", to="a@example.com", language="en", template="payment_failed", created_at=NOW, next_try_at=NOW
    )
    CardHold.objects.create(
        person=boss, reason="failed", tries=10, since=NOW - timedelta(hours=2), until=NOW - timedelta(hours=1)
    )
    released = {"released_at": timezone.now(), "released_by": UserFactory(), "release_reason": "Own cards"}
    CardHold.objects.filter(pk=held_profile(profile).pk).update(**released)
    assert what_waits(boss) == []


def test_a_person_who_is_held_twice_is_one_person(boss, profile):
    person = UserFactory()
    hold(person=person)
    CardHold.objects.filter(pk=hold(person=person).pk).update(reason="new_cards")
    assert [one.text for one in what_waits(boss)] == ["1 person held for trying too many cards"]


def test_a_clerk_is_told_only_what_they_may_see(profile):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_payment"))
    payment(profile)
    failed_message(profile)
    assert [one.text for one in what_waits(clerk)] == ["1 payment needs staff"]


def test_it_asks_one_question_for_each_kind(boss, profile, django_assert_num_queries):
    # And one of billed profiles, and one of sellers, who are few: whether one is complete is told in Python.
    with django_assert_num_queries(len(KINDS) + 2):
        what_waits(boss)


def test_profiles_in_a_currency_that_was_withdrawn_are_named(boss, client, profile):
    assert what_waits(boss) == []
    BillingProfile.objects.update(currency="BGN")
    [waiting] = what_waits(boss)
    assert waiting.text.endswith("no longer in use: BGN")
    client.force_login(boss)
    assert profile.code in client.get(waiting.url).text
    assert what_waits(UserFactory(is_staff=True)) == []
    BillingProfile.objects.update(status="closed")
    assert what_waits(boss) == []


def test_a_profile_whose_e_invoice_lacks_something_holds_up_nobody_and_staff_are_told_why(boss, client):
    """Its period is tried again with each run, until what is missing was added."""
    good, bad = (billed_profile(since=date(2025, 10, 5), next_on=date(2025, 11, 5)) for _which in ("good", "bad"))
    rate = tax_rate("21")
    for profile in (good, bad):
        charged(profile, "100.00", on=date(2025, 10, 31), tax_rate=rate)
    BillingProfile.objects.filter(pk=bad.pk).update(invoice_format="xrechnung", buyer_reference="04011000-12345-03")
    closed = run(noon(2025, 11, 5))
    assert (closed.billed, list(closed.failed)) == (1, [bad.code])
    assert [invoice.profile for invoice in Invoice.objects.all()] == [good]
    BillingProfile.objects.filter(pk=good.pk).update(next_invoice_on=timezone.localdate())
    [waiting] = what_waits(boss)
    assert waiting.text == "1 billing profile could not be invoiced"
    client.force_login(boss)
    page = client.get(waiting.url).text
    assert bad.code in page
    assert good.code not in page
    assert "The buyer&#x27;s endpoint id is missing." in client.get(
        f"/admin/accounts/billingprofile/{bad.pk}/change/"
    ).text  # fmt: skip
    BillingProfile.objects.filter(pk=bad.pk).update(invoice_format="pdf")
    assert run(noon(2025, 11, 6)).billed == 1
    assert {invoice.number for invoice in Invoice.objects.all()} == {"INV-000001", "INV-000002"}

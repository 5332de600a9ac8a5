"""The books against the provider's own list: what was missed is looked up, and what still differs waits for staff."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from accounts.access import NotAllowed, access_of
from accounts.models import AuditEntry
from invoices.money import Money
from payments.gateways.sandbox.models import CardPayment, Clock
from payments.gateways.sandbox.models import Dispute as SandboxDispute
from payments.gateways.sandbox.models import Refund as SandboxRefund
from payments.models import Dispute, GatewayComparison, GatewayDifference, Payment, Refund
from payments.operations.comparison import compare_due, compare_gateway, end_difference
from payments.operations.manual_payments import CannotRecord, resolve_mismatch
from payments.operations.refunds import refund
from tests.factories import NOW, UserFactory, issued
from tests.payments.acts import books_are_clean, card, deliver, messages, press_pay, sandbox, staff, state
from tests.payments.test_charged_again import charge_again, paid

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sandbox_alone(settings):
    """Nobody answers for another provider here: it would be asked again and again, with pauses."""
    settings.PAYMENT_GATEWAYS = {"sandbox": settings.PAYMENT_GATEWAYS["sandbox"]}


def compare(at=NOW):
    return compare_gateway(gateway_slug="sandbox", since=NOW - timedelta(days=7), at=at)


def open_differences():
    return list(GatewayDifference.objects.filter(ended_at=None).values_list("kind", "theirs", "ours"))


def foreign_charge(**fields):
    """A charge that somebody made at the provider without us."""
    row = CardPayment(
        id=f"ch_{uuid4().hex}", profile="BP-OTHER", description="", amount_minor=5000, currency="EUR",
        expiry_month=1, expiry_year=2030, return_url="", in_page=False, method="", save_method=False, **fields
    )  # fmt: skip
    row.move("succeeded", at=now())
    return row


def test_books_that_agree_leave_nothing_for_staff(payer, profile):
    _invoice, payment = paid(payer, profile)
    refund(access=staff(), payment_id=payment.pk, amount=payment.amount, reason="Test", attempt_key=uuid4(), at=NOW)
    second = paid(payer, profile)[1]
    sandbox().operator.dispute(second.gateway_id)
    compare()

    assert compare() == []
    assert open_differences() == []


def test_what_every_message_told_and_none_arrived_is_looked_up(payer, profile):
    """A payment, a charge made once more, a refund and a dispute in the provider's dashboard: all messages are lost."""
    invoice = issued(profile)
    second, third = paid(payer, profile), paid(payer, profile)
    sandbox().faults.arm("drop_after")
    first = press_pay(payer, invoice, card(profile))
    charge_again(first)
    sandbox().operator.refund(second[1].gateway_id, 4000)
    sandbox().operator.decide(sandbox().operator.dispute(third[1].gateway_id, 2000), "lost")
    messages()

    assert compare() == []

    assert state(invoice)[:2] == ("paid", 12000)
    assert sorted(Payment.objects.values_list("status", flat=True)) == ["succeeded"] * 4
    assert Payment.objects.filter(needs_staff=True, events__result="charged_again").exists()
    assert Refund.objects.get().amount_minor == 4000
    assert Dispute.objects.get().status == "lost"
    taken = sum(Payment.objects.values_list("amount_minor", flat=True))
    back = sum(Payment.objects.values_list("refunded_minor", flat=True))
    assert sandbox().operator.totals() == {"EUR": taken - back}
    assert books_are_clean()


def test_a_charge_that_only_the_provider_knows_waits_for_staff(profile):
    charge = foreign_charge()

    [difference] = compare()

    assert (difference.gateway_id, difference.theirs, difference.ours) == (charge.pk, "50.00 EUR succeeded", "")
    assert compare() == [difference]
    assert GatewayDifference.objects.count() == 1


def test_a_charge_that_only_we_know_waits_for_staff(payer, profile):
    _invoice, payment = paid(payer, profile)
    CardPayment.objects.all().delete()

    [difference] = compare()

    assert (difference.payment, difference.theirs, difference.ours) == (payment, "not_found", "120.00 EUR succeeded")


def test_another_amount_than_is_booked_waits_for_staff(payer, profile):
    paid(payer, profile)
    CardPayment.objects.update(amount_minor=11900)

    compare()

    assert open_differences() == [("payment", "119.00 EUR succeeded", "120.00 EUR succeeded")]


def test_a_refund_that_the_provider_lost_waits_for_staff(payer, profile):
    _invoice, payment = paid(payer, profile)
    refund(access=staff(), payment_id=payment.pk, amount=payment.amount, reason="Test", attempt_key=uuid4(), at=NOW)
    SandboxRefund.objects.all().delete()

    compare()

    assert open_differences() == [("refund", "", "120.00 EUR succeeded")]


def test_a_dispute_that_the_provider_does_not_know_waits_for_staff(payer, profile):
    _invoice, payment = paid(payer, profile)
    sandbox().operator.dispute(payment.gateway_id, 2000)
    deliver()
    assert Dispute.objects.get().status == "open"
    SandboxDispute.objects.all().delete()

    compare()

    assert open_differences() == [("dispute", "", "20.00 EUR open")]


@pytest.mark.parametrize(("minor", "status"), [(2000, "won"), (3000, "open")])
def test_a_dispute_whose_message_was_lost_is_looked_up(payer, profile, minor, status):
    _invoice, payment = paid(payer, profile)
    dispute = sandbox().operator.dispute(payment.gateway_id, 2000)
    deliver()
    SandboxDispute.objects.update(amount_minor=minor)
    if status != "open":
        sandbox().operator.decide(dispute, status)
    messages()

    assert compare() == []

    assert (Dispute.objects.get().amount_minor, Dispute.objects.get().status) == (minor, status)


def test_what_agrees_again_ends_by_itself(payer, profile):
    paid(payer, profile)
    CardPayment.objects.update(amount_minor=11900)
    compare()
    CardPayment.objects.update(amount_minor=12000)

    compare()

    assert open_differences() == []
    assert GatewayDifference.objects.get().ended_by is None


def test_a_charge_that_is_on_its_way_or_waits_for_staff_is_no_difference(payer, profile):
    sandbox().faults.arm("other_amount", value=11000)
    assert press_pay(payer, issued(profile), card(profile)).status == "mismatch"

    assert compare() == []


def test_staff_end_a_difference_with_a_note_and_it_comes_back_when_it_changes(payer, profile):
    charge = foreign_charge()
    [difference] = compare()
    with pytest.raises(CannotRecord):
        end_difference(access=staff(), difference_id=difference.pk, note=" ", at=NOW)
    with pytest.raises(NotAllowed):
        end_difference(access=access_of(payer), difference_id=difference.pk, note="Mine", at=NOW)
    end_difference(access=staff(), difference_id=difference.pk, note="Another shop's", at=NOW)
    compare()
    assert open_differences() == []
    assert AuditEntry.objects.filter(action="difference.handled").count() == 1

    CardPayment.objects.filter(pk=charge.pk).update(amount_minor=6000)
    compare()

    assert open_differences() == [("payment", "60.00 EUR succeeded", "")]


def test_the_clock_compares_once_a_day_and_again_in_an_hour_when_there_was_no_list(profile):
    foreign_charge()
    sandbox().faults.arm("drop_before", on="records", times=2)
    found = [compare_due(at=NOW + timedelta(minutes=minutes), limit=10) for minutes in (0, 59, 61, 1440, 1560)]
    assert found == [0, 0, 1, 0, 1]
    assert GatewayComparison.objects.get(gateway="sandbox").compared_at == NOW + timedelta(minutes=1560)


@pytest.mark.parametrize("ahead", [timedelta(days=2), timedelta(minutes=-30)])
def test_a_clock_that_differs_by_more_than_a_minute_is_told_to_staff_until_it_is_right(ahead):
    Clock.objects.create(ahead=ahead)
    compare_due(at=NOW, limit=10)
    [(kind, _theirs, ours)] = open_differences()
    assert (kind, ours) == ("clock", "2026-10-26 08:00 UTC")
    with pytest.raises(CannotRecord):
        end_difference(access=staff(), difference_id=GatewayDifference.objects.get().pk, note="Fine", at=NOW)

    Clock.objects.update(ahead=timedelta(seconds=50))
    compare_due(at=NOW, limit=10)

    assert open_differences() == []


def test_the_command_compares_with_the_providers_when_it_is_told_to(capsys):
    charge = foreign_charge()
    call_command("check_books")
    with pytest.raises(CommandError):
        call_command("check_books", gateways=True)
    told = capsys.readouterr().err
    assert f"sandbox: payment {charge.pk} is 50.00 EUR succeeded there and nothing here." in told


def test_staff_see_both_sides_on_a_page_and_mark_the_difference_as_handled(client):
    charge = foreign_charge()
    [difference] = compare()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    listed = client.get(reverse("admin:payments_gatewaydifference_changelist"), {"ended_at__isempty": 1}).text
    assert charge.pk in listed
    assert "€50.00, Succeeded" in listed
    page = client.get(reverse("admin:payments_gatewaydifference_change", args=[difference.pk])).text
    assert "not known" in page
    address = reverse("admin:payments_gatewaydifference_handled", args=[difference.pk])
    assert address in page

    client.post(address, {"note": "Another shop's"})

    difference.refresh_from_db()
    assert (difference.note, difference.ended_at is not None) == ("Another shop's", True)
    assert open_differences() == []


def test_a_refund_of_another_amount_waits_for_staff(payer, profile):
    _invoice, payment = paid(payer, profile)
    refund(access=staff(), payment_id=payment.pk, amount=payment.amount, reason="Test", attempt_key=uuid4(), at=NOW)
    SandboxRefund.objects.update(amount_minor=11900)

    compare()

    assert open_differences() == [("refund", "119.00 EUR succeeded", "120.00 EUR succeeded")]


def test_a_refund_that_failed_on_both_sides_is_no_difference_and_one_that_failed_there_alone_is_looked_up(
    payer, profile
):
    _invoice, payment = paid(payer, profile)
    row = refund(
        access=staff(), payment_id=payment.pk, amount=payment.amount, reason="Test", attempt_key=uuid4(), at=NOW
    )
    SandboxRefund.objects.get().move("declined", at=now())
    messages()
    assert compare() == []
    row.refresh_from_db()
    assert row.status == "failed"
    assert compare() == []


@pytest.mark.parametrize("is_refunded", [False, True])
def test_money_that_staff_refused_and_paid_back_at_the_provider_is_no_difference(payer, profile, is_refunded):
    sandbox().faults.arm("other_amount", value=11000)
    payment = press_pay(payer, issued(profile), card(profile))
    resolve_mismatch(access=staff(), payment_id=payment.pk, accept=False, at=NOW)
    if is_refunded:
        sandbox().operator.refund(payment.gateway_id, 11000)
    assert compare() == []
    payment.refresh_from_db()
    assert payment.status == "declined"


def test_the_trouble_of_one_line_leaves_the_others_compared(payer, profile, monkeypatch):
    first, second = foreign_charge(), foreign_charge()
    acted = []

    def act(message, at):
        acted.append(message.object_id)
        raise RuntimeError

    monkeypatch.setattr("payments.operations.comparison.act_on", act)
    assert {difference.gateway_id for difference in compare()} == {first.pk, second.pk} == set(acted)


def test_each_comparison_begins_three_days_before_the_last(profile):
    """A clock that was two days behind hides nothing."""
    compare_due(at=now() + timedelta(days=2), limit=10)
    charge = foreign_charge()
    assert compare_due(at=now() + timedelta(days=3, minutes=1), limit=10) == 1
    assert GatewayDifference.objects.get(kind="payment").gateway_id == charge.pk


def test_a_charge_that_the_list_begins_behind_is_asked_about(payer, profile):
    """The provider made it before the day that the list begins with, by its clock."""
    _invoice, _payment = paid(payer, profile)
    CardPayment.objects.update(created_at=NOW - timedelta(days=30))
    assert compare() == []


def test_without_an_answer_nothing_is_called_a_difference(payer, profile):
    paid(payer, profile)
    CardPayment.objects.all().delete()
    sandbox().faults.arm("drop_before", on="lookup", times=5)
    assert compare() == []


def test_lines_that_agree_cost_the_same_queries_however_many_they_are(payer, profile):
    def many(count):
        for _index in range(count):
            _invoice, payment = paid(payer, profile)
            amount, key = Money(4000, "EUR"), uuid4()
            refund(access=staff(), payment_id=payment.pk, amount=amount, reason="Test", attempt_key=key, at=NOW)
        with CaptureQueriesContext(connection) as queries:
            assert compare() == []
        return len(queries)

    assert many(1) == many(4)


def refunded(payer, profile):
    payment, key = paid(payer, profile)[1], uuid4()
    return refund(access=staff(), payment_id=payment.pk, amount=payment.amount, reason="Test", attempt_key=key, at=NOW)


def test_a_refund_that_failed_here_alone_waits_for_staff(payer, profile):
    Refund.objects.filter(pk=refunded(payer, profile).pk).update(status="failed")

    compare()

    assert open_differences() == [("refund", "120.00 EUR succeeded", "120.00 EUR failed")]


def test_a_refund_that_failed_at_the_provider_before_we_knew_of_it_is_no_difference(payer, profile):
    payment = paid(payer, profile)[1]
    sandbox().operator.refund(payment.gateway_id, 4000)
    SandboxRefund.objects.update(state="declined")

    assert compare() == []


def test_a_refund_that_is_asked_about_is_no_difference(payer, profile):
    Refund.objects.filter(pk=refunded(payer, profile).pk).update(status="unknown")
    SandboxRefund.objects.update(amount_minor=11900)

    assert compare() == []


def lost(payer, profile):
    payment = paid(payer, profile)[1]
    sandbox().operator.decide(sandbox().operator.dispute(payment.gateway_id, 2000), "lost")
    deliver()


def test_a_dispute_of_another_amount_waits_for_staff(payer, profile):
    lost(payer, profile)
    SandboxDispute.objects.update(amount_minor=1900)

    compare()

    assert open_differences() == [("dispute", "19.00 EUR lost", "20.00 EUR lost")]


def test_a_dispute_that_only_we_know_waits_for_staff(payer, profile):
    lost(payer, profile)
    SandboxDispute.objects.all().delete()

    compare()

    assert open_differences() == [("dispute", "", "20.00 EUR lost")]


def test_each_comparison_begins_days_before_the_last_one():
    """What was made while a clock was wrong is on no later list otherwise."""
    compare_due(at=now(), limit=10)
    charge = foreign_charge()
    CardPayment.objects.filter(pk=charge.pk).update(created_at=now() - timedelta(days=2))
    assert compare_due(at=now() + timedelta(days=1), limit=10) == 1

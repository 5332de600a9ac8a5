"""Staff write down money that came by check or wire, and decide about money that came but not as asked."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.utils.translation import override

from accounts.access import NotAllowed, system_access
from accounts.models import AuditEntry
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from invoices.models import Credit
from invoices.money import Money
from invoices.operations.dunning import update_profile_statuses
from invoices.operations.voiding import void
from payments.models import Dispute, Payment
from payments.operations.manual_payments import (
    CannotRecord,
    mark_handled,
    record_bounce,
    record_payment,
    resolve_mismatch,
)
from tests.factories import NOW, TODAY, BillingProfileFactory, UserFactory, access_for, draft, issued, member
from tests.invoices.bookings import change_credit
from tests.payments.acts import (
    books_are_clean,
    card,
    charges,
    press_pay,
    run_reconciler,
    sandbox,
    staff,
    state,
)

pytestmark = pytest.mark.django_db


def wire(invoice, minor, *, reference="BANK-1", access=None, key=None, **fields):
    values = {
        "amount": Money(minor, invoice.currency),
        "channel": "wire",
        "received_on": date(2026, 10, 25),
        "attempt_key": key or uuid4(),
        "at": NOW,
    }
    return record_payment(
        access=access or staff(), invoice_id=invoice.pk, bank_reference=reference, **(values | fields)
    )


@pytest.mark.parametrize(
    ("minor", "after", "credit"),
    [
        (10000, ("paid", 10000, 0), []),
        (10001, ("paid", 10000, 0), [1]),
        (9999, ("open", 9999, 1), []),
        (4000, ("open", 4000, 6000), []),
    ],
)
def test_exact_too_much_and_too_little(profile, minor, after, credit):
    invoice = issued(profile, "100.00")
    payment = wire(invoice, minor)
    assert state(invoice) == after
    assert list(Credit.objects.values_list("remaining_minor", flat=True)) == credit
    assert (payment.status, payment.needs_staff) == ("succeeded", bool(credit))
    assert books_are_clean()


def test_a_part_by_wire_and_the_rest_by_card(profile, payer):
    invoice = issued(profile, "100.00")
    wire(invoice, 4000)
    assert press_pay(payer, invoice, card(profile)).amount_minor == 6000
    assert state(invoice) == ("paid", 10000, 0)
    assert charges(invoice) == [6000]
    assert books_are_clean()


def test_the_same_check_twice_is_refused_and_the_same_form_twice_is_one_payment(profile):
    invoice, key = issued(profile, "100.00"), uuid4()
    first = wire(invoice, 4000, key=key)
    assert wire(invoice, 4000, key=key).pk == first.pk
    with pytest.raises(CannotRecord, match="recorded already"):
        wire(invoice, 4000)
    assert state(invoice) == ("open", 4000, 6000)


@pytest.mark.parametrize(
    "spelling",
    [
        *(
            "RF18539007547034",
            "rf18 5390 0754 7034",
            "RF18\u00a05390\u00a00754\u00a07034",
            "RF18 5390\u202f07547034\u200b",
        ),
        *("\u202aRF18 5390 0754 7034\u202c", "RF18 5390 0754 703\uff14"),
    ],
)
def test_one_transfer_in_another_spelling_is_the_same_transfer(profile, spelling):
    invoice, other = issued(profile, "100.00"), issued(profile, "100.00")
    first = wire(invoice, 4000, reference="RF18 5390 0754 7034")
    for row in (invoice, other):
        with pytest.raises(CannotRecord, match="recorded already"):
            wire(row, 4000, reference=spelling)
    assert Payment.objects.get().bank_reference == first.bank_reference == "RF18 5390 0754 7034"
    assert state(invoice) == ("open", 4000, 6000)


@pytest.mark.parametrize("hyphen", ["\u2010", "\u2011", "\u2013", "\u2212"])
def test_a_hyphen_of_a_word_processor_makes_no_other_transfer(profile, hyphen):
    wire(issued(profile, "100.00"), 4000, reference="WIRE-1")
    with pytest.raises(CannotRecord, match="recorded already"):
        wire(issued(profile, "100.00"), 4000, reference=f"WIRE{hyphen}1")
    assert Payment.objects.get().bank_reference == "WIRE-1"


def test_a_wire_that_is_recorded_again_as_a_check_is_asked_about(profile):
    invoice, key = issued(profile, "100.00"), uuid4()
    first = wire(invoice, 4000, reference="WIRE-1")
    with pytest.raises(CannotRecord, match=f"recorded before: {first.reference}, €40.00, Wire transfer"):
        wire(invoice, 4000, reference="wire -1", channel="check", key=key)
    assert state(invoice) == ("open", 4000, 6000)
    wire(invoice, 4000, reference="wire -1", channel="check", key=key, is_other_money=True)
    assert state(invoice) == ("open", 8000, 2000)


def test_a_year_of_three_digits_is_refused(profile):
    with pytest.raises(CannotRecord, match="between 2000 and 2099"):
        wire(issued(profile), 12000, received_on=date(206, 10, 25))


@pytest.mark.parametrize("minor", [10**15 + 1, 10**19])
def test_an_amount_that_no_column_holds_is_refused(profile, minor):
    with pytest.raises(CannotRecord, match="too large"):
        wire(issued(profile), minor)


def test_the_reference_of_another_customer_is_asked_about(profile):
    invoice, key = issued(profile, "100.00"), uuid4()
    first = wire(issued(BillingProfileFactory(currency="EUR", name="Fabrikam")), 12000, reference="WIRE-1")
    with pytest.raises(CannotRecord, match=f"{first.reference}, €120.00 of Fabrikam"):
        wire(invoice, 4000, reference="wire -1", key=key)
    assert state(invoice) == ("open", 0, 10000)

    payment = wire(invoice, 4000, reference="wire -1", key=key, is_other_money=True)

    assert wire(invoice, 4000, reference="wire -1", key=key).pk == payment.pk
    assert state(invoice) == ("open", 4000, 6000)


def test_money_for_a_paid_or_void_invoice_becomes_a_credit_and_staff_are_told(profile, payer):
    paid, voided = issued(profile), issued(profile)
    press_pay(payer, paid, card(profile))
    void(access=system_access(), invoice_id=voided.pk, reason="Sent twice", at=NOW)
    for number, invoice in enumerate((paid, voided)):
        assert wire(invoice, 5000, reference=f"BANK-{number}").needs_staff
    assert sum(Credit.objects.values_list("remaining_minor", flat=True)) == 10000
    assert (state(paid)[0], state(voided)[0]) == ("paid", "void")
    assert books_are_clean()


def test_a_wire_that_arrives_while_somebody_is_at_the_bank_closes_that_attempt(profile, payer):
    invoice = issued(profile)
    waiting = press_pay(payer, invoice, card(profile, "3184"))
    wire(invoice, 12000)
    assert state(invoice) == ("paid", 12000, 0)
    assert not invoice.is_being_paid

    run_reconciler(1)

    waiting.refresh_from_db()
    assert waiting.status == "expired"
    assert charges(invoice) == []
    assert books_are_clean()


def test_a_card_charged_although_a_wire_had_come_becomes_a_credit(profile, payer):
    invoice = issued(profile)
    sandbox().faults.arm("drop_after")
    press_pay(payer, invoice, card(profile))
    wire(invoice, 12000)
    run_reconciler(1)
    assert state(invoice) == ("paid", 12000, 0)
    assert charges(invoice) == [12000]
    assert Credit.objects.get().remaining_minor == 12000
    assert books_are_clean()


def test_those_who_handle_the_invoices_are_told_of_a_wire(profile, payer):
    member(profile, "profile_reader")
    owner = member(profile, "profile_owner", language="nl")
    wire(issued(profile), 12000)
    assert set(OutgoingMail.objects.values_list("to", "language")) == {(payer.email, "en"), (owner.email, "nl")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": Money(0, "EUR")},
        {"amount": Money(-5, "EUR")},
        {"amount": Money(5, "USD")},
        {"channel": "card"},
        {"bank_reference": "  "},
        {"received_on": (NOW + timedelta(days=2)).date()},
    ],
)
def test_wrong_input_is_refused_and_nothing_is_written(profile, wrong):
    invoice = issued(profile)
    reference = wrong.pop("bank_reference", "BANK-1")
    with pytest.raises(CannotRecord):
        wire(invoice, 100, reference=reference, **wrong)
    assert not Payment.objects.exists()


def test_a_draft_takes_no_money(profile):
    with pytest.raises(CannotRecord):
        wire(draft(profile), 100)


def test_customers_cannot_record_payments(profile):
    invoice = issued(profile)
    owner = member(profile, "profile_owner")
    with pytest.raises(PermissionDenied):
        wire(invoice, 100, access=access_for(owner, profile))
    assert state(invoice) == ("open", 0, 12000)


@pytest.mark.parametrize(
    ("taken", "after", "credit"), [(11000, ("open", 11000, 1000), 0), (13000, ("paid", 12000, 0), 1000)]
)
def test_staff_accept_what_was_really_taken(profile, payer, taken, after, credit):
    invoice = issued(profile)
    sandbox().faults.arm("other_amount", value=taken)
    payment = press_pay(payer, invoice, card(profile))
    resolve_mismatch(access=staff(), payment_id=payment.pk, accept=True, at=NOW)
    assert state(invoice) == after
    assert sum(Credit.objects.values_list("remaining_minor", flat=True)) == credit
    assert books_are_clean()


def test_staff_refuse_a_mismatch_they_paid_back_by_hand(profile, payer):
    invoice = issued(profile)
    sandbox().faults.arm("other_currency", value="USD")
    payment = press_pay(payer, invoice, card(profile))
    with pytest.raises(CannotRecord, match="another currency"):
        resolve_mismatch(access=staff(), payment_id=payment.pk, accept=True, at=NOW)
    resolve_mismatch(access=staff(), payment_id=payment.pk, accept=False, at=NOW)
    assert state(invoice) == ("open", 0, 12000)
    assert not invoice.is_being_paid
    assert books_are_clean()
    with pytest.raises(CannotRecord):
        resolve_mismatch(access=staff(), payment_id=payment.pk, accept=True, at=NOW)


def test_staff_take_a_payment_out_of_their_queue_with_a_note(profile, payer):
    payment = wire(issued(profile, "100.00"), 10001)
    assert payment.needs_staff
    with pytest.raises(CannotRecord):
        mark_handled(access=staff(), payment_id=payment.pk, note="  ", at=NOW)
    with pytest.raises(PermissionDenied):
        mark_handled(access=access_for(payer, profile), payment_id=payment.pk, note="Mine", at=NOW)

    assert not mark_handled(access=staff(), payment_id=payment.pk, note="Paid back by wire", at=NOW).needs_staff

    assert payment.events.get(result="handled").detail == {"note": "Paid back by wire"}
    assert books_are_clean()
    with pytest.raises(CannotRecord):
        mark_handled(access=staff(), payment_id=payment.pk, note="Again", at=NOW)


def test_an_open_payment_stays_in_the_queue_until_it_is_decided(profile, payer):
    sandbox().faults.arm("other_amount", value=1)
    payment = press_pay(payer, issued(profile), card(profile))
    with pytest.raises(CannotRecord):
        mark_handled(access=staff(), payment_id=payment.pk, note="Ignore it", at=NOW)
    payment.refresh_from_db()
    assert payment.needs_staff


def test_an_invoice_says_what_it_was_paid_with_in_the_readers_language(profile):
    invoice = issued(profile, "100.00")
    with override("nl"):
        wire(invoice, 10000)
    invoice.refresh_from_db()
    assert invoice.paid_with == "Wire transfer"
    assert invoice.paid_with_label == "Wire transfer"
    with override("nl"):
        assert invoice.paid_with_label == "Overboeking"


def recorded(invoice, minor=12000, channel="check", **fields):
    payment = record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(minor, "EUR"), channel=channel, bank_reference="000123",
        received_on=TODAY, attempt_key=uuid4(), at=NOW,
    )  # fmt: skip
    OutgoingMail.objects.all().delete()
    return payment


def bounce(payment, *, reason="No funds", access=None):
    return record_bounce(access=access or staff(), payment_id=payment.pk, reason=reason, at=NOW)


def test_a_check_that_comes_back_leaves_the_invoice_due_and_those_who_handle_it_told(profile):
    """Scenario 46."""
    invoice = issued(profile)
    member(profile, "invoice_manager", email="manager@example.com")
    payment = bounce(recorded(invoice))
    assert state(invoice) == ("open", 0, 12000)
    assert invoice.charged_back_minor == payment.charged_back_minor == 12000
    assert invoice.next_reminder_on is not None
    entry = AuditEntry.objects.get(action="payment.returned")
    assert (entry.detail["amount_minor"], entry.detail["reason"]) == (12000, "No funds")
    send_due(at=NOW)
    (message,) = mail.outbox
    assert message.to == ["manager@example.com"]
    assert "the check bounced, or the wire was recalled" in " ".join(message.body.split())
    assert not Dispute.objects.filter(needs_staff=True).exists()
    assert books_are_clean()


def test_it_comes_back_once(profile):
    payment = recorded(issued(profile))
    bounce(payment)
    with pytest.raises(CannotRecord, match="gone back already"):
        bounce(payment)
    assert Dispute.objects.count() == 1


def test_a_credit_that_was_used_meanwhile_is_for_staff(profile):
    payment = recorded(issued(profile), 15000)
    change_credit(Credit.objects.get(), Money(-3000, "EUR"), at=NOW)
    bounce(payment)
    dispute = Dispute.objects.get()
    assert (dispute.taken_minor, dispute.missing, dispute.needs_staff) == (12000, Money(3000, "EUR"), True)


def test_a_credit_that_is_there_again_is_taken_when_it_is_recorded_once_more(profile):
    payment = recorded(issued(profile), 15000)
    other = issued(profile, "30.00")
    assert state(other) == ("paid", 0, 0)
    bounce(payment)
    with pytest.raises(CannotRecord, match="It is recorded already that it came back"):
        bounce(payment)
    void(access=staff(), invoice_id=other.pk, reason="Billed twice", at=NOW)
    assert Credit.objects.get().remaining_minor == 3000

    bounce(payment)

    dispute = Dispute.objects.get()
    assert (dispute.taken_minor, dispute.missing.minor, dispute.needs_staff) == (15000, 0, False)
    assert Credit.objects.get().remaining_minor == 0
    assert books_are_clean()


def test_only_staff_with_a_reason_and_only_for_what_staff_recorded(profile, payer):
    invoice, other = issued(profile), issued(profile)
    payment, by_card = recorded(invoice), press_pay(payer, other, card(profile))
    with pytest.raises(NotAllowed):
        bounce(payment, access=access_for(payer, profile))
    with pytest.raises(CannotRecord, match="why"):
        bounce(payment, reason=" ")
    with pytest.raises(CannotRecord, match="Only a check or wire"):
        bounce(by_card)
    assert state(invoice) == state(other) == ("paid", 12000, 0)
    assert not Dispute.objects.exists()


def test_staff_record_it_in_admin(client, profile):
    invoice = issued(profile)
    payment = recorded(invoice)
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    url = f"/admin/payments/payment/{payment.pk}/returned/"
    assert url in client.get(f"/admin/payments/payment/{payment.pk}/change/").content.decode()
    assert "€120.00" in client.get(url).content.decode()
    client.post(url, {"note": "No funds"})
    assert state(invoice) == ("open", 0, 12000)
    assert url not in client.get(f"/admin/payments/payment/{payment.pk}/change/").content.decode()


def test_what_is_late_again_warns_again(profile, settings):
    settings.WARN_AFTER_DAYS = 1
    invoice = issued(profile, due_on=TODAY.replace(day=1))
    payment = recorded(invoice)
    assert update_profile_statuses(at=NOW, limit=10) == 0
    bounce(payment)
    assert update_profile_statuses(at=NOW, limit=10) == 1

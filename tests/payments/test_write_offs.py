"""What a refund or a dispute took and nothing here gave: staff take it for lost, until it is there after all."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.access import NotAllowed
from accounts.models import AuditEntry
from invoices.models import Credit, Transfer
from invoices.money import Money
from invoices.operations.voiding import void
from payments.gateways.base import Outcome, Result
from payments.models import Dispute, PaymentEvent, Refund
from payments.operations.integrity import check_books
from payments.operations.manual_payments import CannotRecord, record_bounce, record_payment, write_off
from payments.operations.refunds import adopt_refund, settle_refund
from payments.operations.settlement import settle
from tests.factories import NOW, UserFactory, access_for, issued
from tests.payments.acts import at_once, books_are_clean, card, messages, press_pay, staff, state
from tests.payments.pages import browser, text_of
from tests.payments.test_disputes import book

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=3)


def euros(minor):
    return Money(minor, "EUR")


@pytest.fixture
def invoice(profile):
    return issued(profile)


@pytest.fixture
def payment(invoice, profile, payer):
    payment = press_pay(payer, invoice, card(profile))
    messages()
    return payment


def refunded_at_the_provider(payment, minor, name="re_1"):
    outcome = Outcome(Result.SUCCEEDED, amount=euros(minor))
    row = adopt_refund(payment_id=payment.pk, gateway_id=name, outcome=outcome, at=NOW)
    return settle_refund(refund_id=row.pk, outcome=outcome, at=NOW)


def fail(row, at=LATER):
    settle_refund(refund_id=row.pk, outcome=Outcome(Result.DECLINED), at=at)


def write_it_off(claim, *, access=None, shown=None, reason="The customer is gone", at=NOW):
    return write_off(access=access or staff(), claim=claim, shown=shown or claim.unmatched, reason=reason, at=at)


@pytest.fixture
def lost(payment):
    """The bank took 120.00, of which 50.00 had gone back before."""
    refunded_at_the_provider(payment, 5000)
    return book(payment, "lost")


def balances():
    return {name: Transfer.objects.balance(name) for name in ("clearing:sandbox", "unmatched", "write_off")}


def test_what_a_dispute_did_not_find_is_a_loss(lost, payment, invoice):
    assert balances() == {"clearing:sandbox": -5000, "unmatched": 5000, "write_off": 0}
    assert write_it_off(lost) == euros(5000)
    assert balances() == {"clearing:sandbox": -5000, "unmatched": 0, "write_off": 5000}
    lost.refresh_from_db()
    assert (lost.missing, lost.written_off, lost.unmatched) == (euros(5000), euros(5000), euros(0))
    assert not lost.needs_staff
    assert state(invoice) == ("open", 0, 12000)
    row = Transfer.objects.get(kind="write_off")
    assert (row.debit, row.credit, row.amount_minor) == ("write_off", "unmatched", 5000)
    assert row.reference == f"{payment.reference}: The customer is gone"
    event = payment.events.latest("pk")
    assert (event.result, event.detail["note"], event.detail["amount_minor"]) == (
        "written_off", "The customer is gone", 5000
    )  # fmt: skip
    entry = AuditEntry.objects.get(action="dispute.written_off")
    assert (entry.detail["amount_minor"], entry.detail["reason"]) == (5000, "The customer is gone")
    assert books_are_clean()


def test_more_than_was_paid_that_a_provider_refunded_is_a_loss(payment, invoice):
    """15.00 more than the 120.00 that came."""
    row = refunded_at_the_provider(payment, 13500)
    write_it_off(row)
    assert balances() == {"clearing:sandbox": -1500, "unmatched": 0, "write_off": 1500}
    assert AuditEntry.objects.get(action="refund.written_off").detail["amount_minor"] == 1500
    assert books_are_clean()


def test_a_dispute_that_is_won_gives_the_written_off_amount_back(lost, payment, invoice):
    write_it_off(lost)
    book(payment, "won", at=LATER)
    assert balances() == {"clearing:sandbox": 7000, "unmatched": 0, "write_off": 0}
    assert state(invoice) == ("open", 7000, 5000)
    assert books_are_clean()
    again = book(payment, "lost", at=LATER)
    assert (again.unmatched, again.written_off) == (euros(5000), euros(0))
    write_it_off(again, at=LATER)
    assert balances() == {"clearing:sandbox": -5000, "unmatched": 0, "write_off": 5000}
    assert books_are_clean()


def test_a_refund_that_fails_gives_the_written_off_amount_back(payment, invoice):
    row = refunded_at_the_provider(payment, 13500)
    write_it_off(row)
    fail(row)
    row.refresh_from_db()
    assert (row.written_off, row.unmatched) == (euros(0), euros(0))
    assert balances() == {"clearing:sandbox": 12000, "unmatched": 0, "write_off": 0}
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_what_is_found_after_all_is_no_loss_any_more(lost, payment, invoice):
    """The refund fails later: its 50.00 are what the bank had taken, as if nothing had been written off."""
    write_it_off(lost)
    fail(Refund.objects.get())
    lost.refresh_from_db()
    assert (lost.taken_minor, lost.written_off, lost.missing) == (12000, euros(0), euros(0))
    assert balances() == {"clearing:sandbox": 0, "unmatched": 0, "write_off": 0}
    assert state(invoice) == ("open", 0, 12000)
    assert books_are_clean()


def test_only_as_much_as_is_found_is_no_loss_any_more(payment):
    first, second = refunded_at_the_provider(payment, 5000), refunded_at_the_provider(payment, 2000, "re_2")
    lost = book(payment, "lost")
    write_it_off(lost)
    fail(second)
    lost.refresh_from_db()
    assert (lost.missing, lost.written_off, lost.unmatched) == (euros(5000), euros(5000), euros(0))
    assert balances() == {"clearing:sandbox": -5000, "unmatched": 0, "write_off": 5000}
    fail(first)
    assert balances() == {"clearing:sandbox": 0, "unmatched": 0, "write_off": 0}
    assert books_are_clean()


def test_a_bounced_check_whose_credit_was_used(profile):
    """135.00 came, 15.00 became a credit, which pays for another invoice; the check bounces; that invoice is void."""
    invoice = issued(profile)
    payment = record_payment(
        access=staff(), invoice_id=invoice.pk, amount=euros(13500), channel="check", bank_reference="CHECK 7",
        received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip
    other = issued(profile, "15.00")
    assert other.status == "paid"
    record_bounce(access=staff(), payment_id=payment.pk, reason="No funds", at=NOW)
    row = Dispute.objects.get()
    assert (row.unmatched, row.needs_staff) == (euros(1500), True)
    write_it_off(row)
    assert Transfer.objects.balance("write_off") == 1500
    void(access=staff(), invoice_id=other.pk, reason="Sent twice", at=LATER)  # the credit is there again
    assert books_are_clean()
    record_bounce(access=staff(), payment_id=payment.pk, reason="No funds", at=LATER)
    assert Transfer.objects.balance("write_off") == Transfer.objects.balance("unmatched") == 0
    row.refresh_from_db()
    assert (row.taken_minor, row.written_off, row.needs_staff) == (13500, euros(0), False)
    assert books_are_clean()


def test_a_credit_that_is_there_again_is_taken_first(profile, payer):
    """A wire paid before the card did, so the card's money became a credit, which pays for another invoice. The bank
    takes the card's money back, and that invoice is void: nobody may keep the credit of money that is gone."""
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "3184"))
    record_payment(
        access=staff(), invoice_id=invoice.pk, amount=euros(12000), channel="wire", bank_reference="W 1",
        received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip
    outcome = Outcome(Result.SUCCEEDED, amount=euros(12000), gateway_id=payment.gateway_id)
    settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.WEBHOOK, at=NOW)
    other = issued(profile, "50.00")
    lost = book(payment, "lost")
    assert (lost.taken_minor, lost.unmatched) == (7000, euros(5000))
    void(access=staff(), invoice_id=other.pk, reason="Sent twice", at=LATER)
    credit = Credit.objects.get()
    assert credit.remaining_minor == 5000
    assert write_it_off(lost, at=LATER) == euros(0)
    credit.refresh_from_db()
    assert credit.remaining_minor == 0
    assert balances() == {"clearing:sandbox": 0, "unmatched": 0, "write_off": 0}
    assert books_are_clean()


def test_it_is_refused_without_a_reason_twice_and_when_another_amount_is_missing(lost, payment):
    for facts, message in [({"reason": " "}, "reason"), ({"shown": euros(4000)}, "Another amount")]:
        with pytest.raises(CannotRecord, match=message):
            write_it_off(lost, **facts)
    with pytest.raises(NotAllowed):
        write_it_off(lost, access=access_for(payment.started_by, payment.profile))
    assert not Transfer.objects.filter(kind="write_off").exists()
    write_it_off(lost)
    with pytest.raises(CannotRecord, match="nothing"):
        write_it_off(lost, shown=euros(5000))
    assert Transfer.objects.filter(kind="write_off").count() == 1


def test_what_is_not_missing_or_in_another_currency_is_not_written_off(payment):
    row = book(payment, "lost", currency="USD")
    assert (row.missing, row.unmatched) == (Money(12000, "USD"), Money(0, "USD"))
    for claim in (row, refunded_at_the_provider(payment, 100)):
        with pytest.raises(CannotRecord, match="nothing"):
            write_it_off(claim)


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_two_clerks_at_once_write_it_off_once(lost):
    access, shown = staff(), lost.unmatched
    acts = [lambda: write_it_off(Dispute.objects.get(), access=access, shown=shown)] * 2
    results = at_once(*acts)
    assert sorted(type(result).__name__ for result in results) == ["CannotRecord", "Money"]
    assert Transfer.objects.filter(kind="write_off").count() == 1
    assert books_are_clean()


@pytest.mark.parametrize("minor", [-1, 5001])
def test_the_database_knows_how_much_can_be_written_off(lost, minor):
    with pytest.raises(IntegrityError), transaction.atomic():
        Dispute.objects.update(written_off_minor=minor)
    with pytest.raises(IntegrityError), transaction.atomic():
        Refund.objects.update(written_off_minor=minor)


def test_a_write_off_without_its_transfer_is_found(lost):
    Dispute.objects.update(written_off_minor=1)
    found = [problem for problem in check_books() if problem.startswith("Account ")]
    assert len(found) == 2  # unmatched, and write_off


def clerk(*permissions):
    user = UserFactory(is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    return browser(user)


def test_staff_write_it_off_on_a_page_that_asks_first(lost, payment):
    own = clerk("view_dispute", "change_dispute")
    page_url = reverse("admin:payments_dispute_change", args=[lost.pk])
    url = reverse("admin:payments_dispute_write_off", args=[lost.pk])
    assert url in own.get(page_url).content.decode()
    page = text_of(own.get(url))
    assert "Write off what is missing" in page
    assert "€50.00" in page
    assert own.post(url, {"shown": 5000, "reason": ""}).status_code == 422
    done = text_of(own.post(url, {"shown": 5000, "reason": "The customer is gone"}, follow=True))
    assert "€50.00 was written off." in done
    assert url not in own.get(page_url).content.decode()
    again = own.post(url, {"shown": 5000, "reason": "Twice"}, follow=True)
    assert "There is nothing to write off." in text_of(again)
    assert clerk("view_dispute").post(url, {"shown": 5000, "reason": "x"}).status_code == 403


def test_staff_write_off_what_a_refund_did_not_find(payment):
    row = refunded_at_the_provider(payment, 13500)
    url = reverse("admin:payments_refund_write_off", args=[row.pk])
    own = clerk("view_refund", "change_refund", "view_payment")
    assert "€15.00" in text_of(own.get(reverse("admin:payments_payment_change", args=[payment.pk])))
    assert url in own.get(reverse("admin:payments_refund_change", args=[row.pk])).content.decode()
    assert "€15.00 was written off." in text_of(own.post(url, {"shown": 1500, "reason": "Typed wrong"}, follow=True))

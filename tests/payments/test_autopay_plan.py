"""What follows from a declined automatic charge: another day, another card, or the end; and who is told."""

from datetime import date, timedelta

import pytest

from payments.models import AutomaticCharge, Payment, PaymentMethod
from payments.operations import autopay
from payments.operations.attempts import CannotPay
from payments.operations.autopay import CannotPlan, plan_again, switch_autopay
from payments.operations.methods import make_default
from payments.operations.reconciliation import reconcile
from tests.factories import access_for, issued, member
from tests.payments.acts import books_are_clean, card, charges, press_pay, sandbox, staff, state
from tests.payments.autopaying import CHARGED, mails, plan, planned_on, run, story, tried

pytestmark = pytest.mark.django_db
POOR, FAILS, STOLEN, CHECKED, SLOW_NO = "9995", "0341", "9979", "3184", "6231"


def days(number: int):
    return CHARGED + timedelta(days=number)


def with_default(profile, last_four):
    card(profile, last_four, is_default=True)
    return issued(profile)


def test_too_little_money_is_tried_on_the_planned_days_and_then_no_more(profile, payer):
    invoice = with_default(profile, POOR)
    for day, following in [(0, 3), (3, 7), (7, 14)]:
        run(days(day))
        assert planned_on(invoice) == days(following).date()
        assert run(days(following - 1)) == 0
        assert story(invoice)[0] == "planned"
    run(days(14))
    run(days(15))

    assert story(invoice) == ("stopped", "used_up", 4)
    assert tried(invoice) == [("9995", "declined")] * 4
    assert state(invoice) == ("open", 0, 12000)
    assert mails() == ["charge_failed", "charge_stopped"]
    assert mails("charge_failed") == [payer.email]
    assert books_are_clean()


def test_days_that_were_missed_are_not_made_up_for(profile):
    invoice = with_default(profile, POOR)
    run(days(0))
    run(days(8))
    assert planned_on(invoice) == date(2026, 11, 12)
    assert story(invoice)[2] == 2


def test_a_card_refused_for_good_is_not_tried_again(profile, payer):
    invoice = with_default(profile, STOLEN)
    run(days(0))
    run(days(30))
    assert story(invoice) == ("stopped", "refused", 1)
    assert mails() == ["charge_stopped"]


def test_backup_cards_follow_in_their_order_once_each(profile, payer):
    second = card(profile, POOR, backup_order=2)
    card(profile, STOLEN, backup_order=1)
    card(profile, "4444")
    invoice = with_default(profile, STOLEN)
    run(days(0))
    run(days(3))
    assert tried(invoice) == [(STOLEN, "declined"), (STOLEN, "declined"), (POOR, "declined")]
    assert story(invoice) == ("stopped", "refused", 3)
    assert mails() == ["charge_failed", "charge_stopped"]
    second.refresh_from_db()
    assert not second.is_default


def test_a_backup_card_pays_on_the_same_day_and_becomes_no_default(profile, payer):
    backup = card(profile, "4444", backup_order=1)
    invoice = with_default(profile, STOLEN)
    run()
    assert tried(invoice) == [(STOLEN, "declined"), ("4444", "succeeded")]
    assert story(invoice) == ("done", "", 2)
    assert mails() == ["charge_failed", "payment_succeeded"]
    backup.refresh_from_db()
    assert not backup.is_default


def test_a_refusal_that_may_pass_leaves_the_backup_alone(profile):
    card(profile, "4444", backup_order=1)
    invoice = with_default(profile, POOR)
    run()
    assert tried(invoice) == [(POOR, "declined")]
    assert planned_on(invoice) == date(2026, 11, 1)


def test_an_expired_backup_is_passed_over(profile):
    card(profile, "4444", backup_order=1, expiry_month=9, expiry_year=2026)
    card(profile, "0005", backup_order=2, brand="amex")
    invoice = with_default(profile, STOLEN)
    run()
    assert tried(invoice)[1:] == [("0005", "succeeded")]


def test_a_bank_that_wants_the_payer_ends_the_plan_and_the_mail_leads_to_the_payment_page(profile, payer):
    from billing_portal.core.models import OutgoingMail

    card(profile, "4444", backup_order=1)
    invoice = with_default(profile, CHECKED)
    run(days(0))
    run(days(3))
    assert story(invoice) == ("stopped", "customer_must_act", 1)
    assert tried(invoice) == [(CHECKED, "declined")]
    mail = OutgoingMail.objects.get()
    assert (mail.template, mail.to) == ("charge_must_act", payer.email)
    assert mail.context["url"] == f"http://testserver/profiles/{profile.code}/invoices/{invoice.number}/pay/"


def test_an_answer_that_comes_later_is_waited_for(profile):
    invoice = with_default(profile, SLOW_NO)
    run(days(0))
    assert story(invoice) == ("waiting", "", 1)
    assert run(days(1)) == 0

    for hours in (1, 7):
        sandbox().faults.clear()
        reconcile(at=days(0) + timedelta(hours=hours))
    assert Payment.objects.get().status in ("pending", "declined")


def test_an_answer_that_was_lost_is_waited_for_and_found(profile, payer):
    invoice = with_default(profile, "4242")
    sandbox().faults.arm("drop_after")
    run(days(0))
    assert story(invoice) == ("waiting", "", 1)
    assert run(days(0)) == 0

    reconcile(at=days(0) + timedelta(minutes=1))
    run(days(0))

    assert story(invoice) == ("done", "", 1)
    assert charges(invoice) == [12000]
    assert mails() == ["payment_succeeded"]


def test_a_provider_that_cannot_be_reached_is_asked_again_each_day_for_a_week(profile, payer):
    invoice = with_default(profile, "4242")
    for day in range(8):
        sandbox().faults.arm("refuse_connection")
        run(days(day))
        if day < 7:
            assert planned_on(invoice) == days(day + 1).date()
    assert story(invoice) == ("stopped", "no_answer", 8)
    assert charges(invoice) == []
    assert mails() == ["charge_stopped"]


def test_banks_are_asked_no_more_often_than_the_networks_allow(profile, settings, payer):
    settings.AUTOPAY_MAX_TRIES_PER_CARD = 2
    poor = card(profile, POOR, is_default=True)
    first, second, third = issued(profile), issued(profile), issued(profile)
    run(days(0))
    assert [story(invoice)[:2] for invoice in (first, second)] == [("planned", "")] * 2
    assert story(third) == ("stopped", "capped", 0)
    assert mails("charge_stopped") == [payer.email]
    assert Payment.objects.filter(method=poor).count() == 2

    later = issued(profile, today=days(28).date())
    run(days(3))
    assert {story(invoice)[:2] for invoice in (first, second)} == {("stopped", "capped")}
    run(days(31))
    assert story(later)[2] == 1


def test_what_people_tried_does_not_count(profile, payer, settings):
    settings.AUTOPAY_MAX_TRIES_PER_CARD = 1
    invoice = with_default(profile, POOR)
    poor = PaymentMethod.objects.get()
    for minutes in (0, 1, 2):
        press_pay(payer, invoice, poor, at=days(0) - timedelta(minutes=10 + minutes))
    run(days(0))
    assert story(invoice) == ("planned", "", 1)
    assert planned_on(invoice) == days(3).date()


def test_what_was_tried_automatically_leaves_people_their_own_tries(profile, payer, settings):
    settings.AUTOPAY_MAX_TRIES_PER_CARD = 20
    card(profile, POOR, is_default=True)
    invoices = [issued(profile) for _number in range(11)]
    run(days(0))
    assert Payment.objects.filter(status="declined").count() == 11
    good = card(profile, "4444")
    assert press_pay(payer, invoices[0], good, at=days(0)).status == "succeeded"


def test_a_person_who_pays_between_two_tries_ends_the_plan(profile, payer):
    invoice = with_default(profile, POOR)
    run(days(0))
    press_pay(payer, invoice, card(profile, "4444"), at=days(1))
    run(days(1))
    run(days(3))
    assert story(invoice) == ("stopped", "paid", 1)
    assert charges(invoice) == [12000]
    assert mails("charge_stopped") == []
    assert books_are_clean()


def test_a_dispute_between_two_tries_ends_the_plan(profile):
    from invoices.models import Invoice

    invoice = with_default(profile, POOR)
    run(days(0))
    Invoice.objects.update(disputed_at=days(1))
    run(days(3))
    assert story(invoice) == ("stopped", "disputed", 1)


def test_a_card_that_the_provider_forgot_is_taken_off_and_ends_the_plan(profile, payer):
    owner = member(profile, "profile_owner")
    invoice = with_default(profile, "4242")
    visa = PaymentMethod.objects.get()
    sandbox().detach(gateway_method=visa.gateway_method)
    run(days(0))
    run(days(3))
    visa.refresh_from_db()
    assert (visa.status, visa.is_default) == ("removed", False)
    assert story(invoice) == ("stopped", "refused", 1)
    assert mails("method_gone") == [owner.email]
    assert sorted(mails("charge_stopped")) == sorted([payer.email, owner.email])


def test_the_next_try_goes_to_the_new_default_and_what_has_stopped_stays_stopped(profile):
    owner = access_for(member(profile, "profile_owner"), profile)
    goes_on, over = with_default(profile, POOR), issued(profile)
    run(days(0))
    charge = plan(over)
    autopay.end(charge, AutomaticCharge.Stop.USED_UP, at=days(0))
    good = card(profile, "4444")
    make_default(access=owner, method_id=good.pk, at=days(1))
    run(days(1))
    run(days(3))
    assert tried(goes_on) == [(POOR, "declined"), ("4444", "succeeded")]
    assert tried(over) == [(POOR, "declined")]


def test_a_gateway_that_says_our_setup_is_wrong_is_for_staff(profile, payer):
    invoice = with_default(profile, POOR)
    run(days(0))
    AutomaticCharge.objects.update(status="waiting")
    plan_day_cleared(invoice)
    Payment.objects.update(decline_bucket="config_error")
    run(days(0))
    assert story(invoice) == ("stopped", "config_error", 1)
    assert Payment.objects.get().needs_staff
    assert mails("charge_stopped") == []


def plan_day_cleared(invoice):
    type(invoice).objects.filter(pk=invoice.pk).update(autopay_on=None)


def test_staff_have_it_charged_again_today_as_if_it_were_new(profile):
    invoice = with_default(profile, STOLEN)
    run(days(0))
    PaymentMethod.objects.update(last_four="4242", gateway_method="card_4242_again")

    charge = plan_again(access=staff(), invoice_id=invoice.pk, at=days(1))
    assert (charge.status, planned_on(invoice)) == ("planned", days(1).date())
    run(days(1))

    assert story(invoice) == ("done", "", 2)
    assert charges(invoice) == [12000]


def test_staff_cannot_have_charged_what_is_paid_or_being_paid(profile, payer):
    invoice = with_default(profile, "4242")
    press_pay(payer, invoice, card(profile, CHECKED))
    with pytest.raises(CannotPlan, match="in progress"):
        plan_again(access=staff(), invoice_id=invoice.pk, at=days(1))
    other = issued(profile)
    run(days(0))
    with pytest.raises(CannotPlan, match="paid"):
        plan_again(access=staff(), invoice_id=other.pk, at=days(1))
    assert planned_on(other) is None
    with pytest.raises(CannotPay):
        press_pay(payer, other, PaymentMethod.objects.get(is_default=True))


def test_switching_off_drops_what_was_planned_and_switching_on_begins_with_what_is_issued_next(profile):
    owner = access_for(member(profile, "profile_owner"), profile)
    failed, fresh = with_default(profile, POOR), issued(profile, today=days(2).date())
    run(days(0))

    switch_autopay(access=owner, on=False, at=days(1))
    assert (planned_on(failed), planned_on(fresh)) == (None, None)
    assert story(failed) == ("stopped", "switched_off", 1)
    switch_autopay(access=owner, on=True, at=days(1))
    run(days(20))

    assert len(tried(failed)) == 1
    assert planned_on(issued(profile, today=days(2).date())) == days(5).date()

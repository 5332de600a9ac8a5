"""Automatic charges at Stripe: nobody is there, and Stripe is told so."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from billing_portal.core.models import OutgoingMail
from invoices.operations.invoice_payments import plan_autopay
from payments.gateways.registry import get_gateway
from payments.models import Payment, PaymentMethod
from payments.operations.card_setups import add_card, finish_adding
from payments.operations.integrity import check_books
from payments.operations.reconciliation import reconcile
from tests.factories import access_for, issued, member
from tests.payments.acts import state
from tests.payments.autopaying import mails, planned_on, run, story
from tests.payments.stripe.asks import CHARGE, sent
from tests.payments.stripe.bench import ACCOUNT, TRIES
from tests.payments.stripe.test_charges import at_the_bank
from tests.payments.stripe.test_paying import taken

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(settings, standin):
    """The stand-in, with Stripe as the only gateway."""
    options = settings.GATEWAYS_KNOWN["stripe"]["options"] | {"api_base": standin.url}
    settings.PAYMENT_GATEWAYS = {"stripe": settings.GATEWAYS_KNOWN["stripe"] | {"options": options}}
    get_gateway.cache_clear()
    yield standin
    get_gateway.cache_clear()


@pytest.fixture
def owner(profile):
    return access_for(member(profile, "profile_owner"), profile)


def default_card(owner, shop, number: str) -> PaymentMethod:
    """Added as a person does: with the bank's check where it asks for one."""
    key = "5f0c7a52-9a3c-4a0c-8a52-0f5d8d5f3b11"
    setup = add_card(
        access=owner,
        key=key,
        card_token=shop.card(number),
        make_default=True,
        at=now(),
        return_url=lambda made: "http://testserver/back",
    )
    if setup.next_url:
        at_the_bank(setup.next_url, "approve")
        setup = finish_adding(access=owner, key=key, at=now())
    return setup.method


def due_today(profile, amount="120.00"):
    invoice = issued(profile, amount)
    plan_autopay(invoice, profile.day_of(now()))
    return invoice


def test_a_stored_card_is_charged_without_its_holder(profile, owner, shop):
    default_card(owner, shop, "4242424242424242")
    invoice = due_today(profile)

    run(now())

    [asked] = sent(shop, CHARGE)
    assert asked["off_session"] == "true"
    assert asked["metadata"]["reference"] == Payment.objects.get().reference
    assert taken(shop, invoice) == [[12000, "eur"]]
    assert story(invoice) == ("done", "", 1)
    assert check_books() == []


def test_a_bank_that_wants_the_holder_ends_the_plan_with_a_mail_to_the_payment_page(profile, owner, shop):
    default_card(owner, shop, "4000002760003184")
    invoice = due_today(profile)

    run(now())
    run(now() + timedelta(days=20))

    payment = Payment.objects.get()
    assert (payment.decline_code, payment.decline_bucket) == ("challenge_required", "customer_must_act")
    assert story(invoice) == ("stopped", "customer_must_act", 1)
    assert taken(shop, invoice) == []
    mail = OutgoingMail.objects.get()
    assert mail.template == "charge_must_act"
    assert mail.context["url"].endswith(f"/invoices/{invoice.number}/pay/")


def test_an_answer_that_is_lost_is_found_and_the_card_is_charged_once(profile, owner, shop):
    default_card(owner, shop, "4242424242424242")
    invoice = due_today(profile)
    shop("arm", name="drop_after", route=CHARGE, times=TRIES)

    run(now())
    assert story(invoice) == ("waiting", "", 1)
    reconcile(at=now() + timedelta(minutes=1))
    run(now() + timedelta(minutes=2))

    assert taken(shop, invoice) == [[12000, "eur"]]
    assert story(invoice) == ("done", "", 1)
    assert mails() == ["payment_succeeded"]


def test_a_card_that_was_detached_in_the_dashboard_is_taken_off_and_ends_the_plan(profile, owner, shop):
    visa = default_card(owner, shop, "4242424242424242")
    invoice = due_today(profile)
    shop("detach", account=ACCOUNT, method=visa.gateway_method)

    run(now())

    visa.refresh_from_db()
    assert (visa.status, visa.is_default) == ("removed", False)
    assert story(invoice) == ("stopped", "refused", 1)
    assert sorted(mails()) == ["charge_stopped", "method_gone"]


def test_more_than_stripe_charges_is_told_and_not_tried(profile, owner, shop):
    default_card(owner, shop, "4242424242424242")
    invoice = due_today(profile, "1000000.00")

    run(now())

    assert story(invoice) == ("stopped", "too_large", 0)
    assert mails() == ["charge_stopped"]


def test_less_than_stripe_charges_is_told_and_not_tried(profile, owner, shop):
    default_card(owner, shop, "4242424242424242")
    invoice = due_today(profile, "0.29")

    run(now())

    assert story(invoice) == ("stopped", "too_small", 0)
    assert state(invoice) == ("open", 0, 29)
    assert planned_on(invoice) is None
    assert mails() == ["charge_stopped"]

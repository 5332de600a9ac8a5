"""Bank approval asked for in our own page: who may open it, what is in it, and that only the gateway is believed."""

from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments.models import Payment, PaymentMethod
from payments.operations.attempts import CannotPay
from payments.operations.gateway_calls import NoAnswer, attempt_of
from payments.operations.reconciliation import challenge_of
from tests.factories import BillingProfileFactory, access_for, issued, member
from tests.payments.acts import card, charges, press_pay, sandbox, state
from tests.payments.pages import BLADE, browser, filled_in, page_of, pay_url, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(profile):
    return issued(profile)


@pytest.fixture
def waiting(payer, profile, invoice):
    """A payment that waits for a check inside the page."""
    return press_pay(payer, invoice, card(profile, "3184"), in_page="sandbox", at=timezone.now())


def url(name, payment):
    return reverse(f"payments:{name}", args=[payment.profile.code, payment.reference])


def sent(payer, invoice, **changes):
    token = f"tok_3184_{uuid4().hex[:8]}"
    data = filled_in(invoice, card_token=token, **changes)
    return browser(payer).post(pay_url(invoice), data, headers=BLADE)


def secret_of(payment):
    return sandbox().challenge(attempt_of(payment))["path"]


def test_a_browser_that_runs_the_gateways_scripts_is_led_to_the_check_in_our_page(payer, invoice):
    response = sent(payer, invoice, in_page="sandbox")
    payment = Payment.objects.get()
    assert (payment.status, payment.next_url) == ("needs_customer", "")
    assert (response.status_code, response.url) == (303, url("challenge", payment))


@pytest.mark.parametrize("said", ["", "another"])
def test_any_other_browser_is_led_to_the_banks_own_page(payer, invoice, said):
    sent(payer, invoice, in_page=said)
    assert "/gateways/sandbox/challenge/" in Payment.objects.get().next_url


def test_a_gateway_that_draws_no_check_is_never_asked_for_one(payer, profile, invoice, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr(sandbox(), "browser", replace(sandbox().browser, challenge_template=""))
    payment = press_pay(payer, invoice, card(profile, "3184"), in_page="sandbox")
    assert payment.next_url
    assert "data-in-page" not in browser(payer).get(pay_url(issued(profile))).content.decode()


def test_the_page_draws_the_check_and_may_be_kept_by_nobody(payer, waiting):
    response = browser(payer).get(url("challenge", waiting))
    assert response.status_code == 200
    assert secret_of(waiting) in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]
    assert "Nothing has been charged yet." in text_of(response)


def test_what_the_check_needs_is_written_down_nowhere(payer, waiting):
    browser(payer).get(url("challenge", waiting))
    row = Payment.objects.filter(pk=waiting.pk).values().get()
    events = list(waiting.events.values_list("detail", flat=True))
    assert secret_of(waiting) not in f"{row} {events}"


def test_passing_it_leads_back_and_the_invoice_is_paid(payer, waiting, invoice):
    client = browser(payer)
    answered = client.post(secret_of(waiting), {"answer": "approve"}, headers=BLADE)
    assert answered.url == f"http://testserver/back/{waiting.reference}"
    client.get(url("return", waiting), headers=BLADE)
    assert state(invoice) == ("paid", 12000, 0)
    assert charges(invoice) == [12000]


def test_coming_back_unasked_leaves_it_waiting_and_shows_the_way_to_the_check(payer, waiting, invoice):
    response = browser(payer).get(url("return", waiting), follow=True)
    assert url("challenge", waiting) in response.content.decode()
    assert state(invoice)[0] == "open"


def test_it_can_be_given_up(payer, waiting, invoice):
    browser(payer).post(url("cancel", waiting))
    waiting.refresh_from_db()
    assert waiting.status == "expired"
    assert state(invoice)[0] == "open"


def test_a_payment_that_does_not_wait_has_no_check(payer, profile, invoice):
    paid = press_pay(payer, invoice, card(profile))
    response = browser(payer).get(url("challenge", paid))
    assert (response.status_code, response.url) == (303, page_of(paid))
    with pytest.raises(CannotPay):
        challenge_of(access=access_for(payer, profile), reference=paid.reference)


def test_a_check_that_was_passed_a_moment_ago_leads_on_to_the_return_page(payer, waiting):
    Client().post(secret_of(waiting), {"answer": "approve"})
    response = browser(payer).get(url("challenge", waiting))
    assert (response.status_code, response.url) == (303, url("return", waiting))


def test_a_gateway_that_does_not_answer_is_tried_again_by_the_reader(payer, profile, waiting):
    sandbox().faults.arm("drop_before", on="challenge", times=2)
    response = browser(payer).get(url("challenge", waiting))
    assert response.status_code == 503
    assert "We could not reach the payment provider." in text_of(response)
    with pytest.raises(NoAnswer):
        challenge_of(access=access_for(payer, profile), reference=waiting.reference)
    assert browser(payer).get(url("challenge", waiting)).status_code == 200


def test_a_reader_is_refused_and_a_stranger_finds_nothing(profile, waiting):
    reader, stranger = member(profile, "profile_reader"), member(BillingProfileFactory(), "profile_owner")
    assert browser(reader).get(url("challenge", waiting)).status_code == 403
    assert browser(stranger).get(url("challenge", waiting)).status_code == 404
    with pytest.raises(PermissionDenied):
        challenge_of(access=access_for(reader, profile), reference=waiting.reference)


def test_a_role_that_was_taken_away_since_the_page_was_drawn_counts(payer, profile, waiting):
    access = access_for(payer, profile)
    payer.assignments.all().delete()
    with pytest.raises(PermissionDenied):
        challenge_of(access=access, reference=waiting.reference)


def test_the_page_of_a_check_has_the_scripts_of_the_cards_own_gateway(payer, waiting, settings):
    """Another gateway takes new cards now; the stored card stays with its own."""
    import copy

    from payments.gateways.registry import get_gateway

    known = copy.deepcopy(settings.PAYMENT_GATEWAYS)
    second = {"class": "bench.null_gateway.NullGateway", "options": {}}
    settings.PAYMENT_GATEWAYS = {"null": second, **known}
    get_gateway.cache_clear()
    assert "gateways/sandbox/card.js" in browser(payer).get(url("challenge", waiting)).content.decode()
    assert "gateways/sandbox/card.js" not in browser(payer).get(page_of(waiting)).content.decode()


def test_the_payer_of_earlier_cards_is_the_payer_of_a_new_one(payer, profile, invoice):
    press_pay(member(profile, "profile_owner"), issued(profile), token="tok_4242_a", save_method=True)
    PaymentMethod.objects.update(status="removed", is_default=False)
    card(BillingProfileFactory(), gateway_customer="cus_of_somebody_else")
    card(profile, gateway="another", gateway_customer="cus_elsewhere")
    payment = press_pay(payer, invoice, token="tok_4242_b")
    assert attempt_of(payment).gateway_customer == f"cus_{profile.code}"


def test_a_stored_card_is_charged_to_its_own_payer_without_a_query(payer, profile, invoice, django_assert_num_queries):
    payment = press_pay(payer, invoice, card(profile, gateway_customer="cus_own"))
    with django_assert_num_queries(0):
        assert attempt_of(payment).gateway_customer == "cus_own"
    new = press_pay(payer, issued(profile), token="tok_4242_c")
    with django_assert_num_queries(1):
        attempt_of(new)

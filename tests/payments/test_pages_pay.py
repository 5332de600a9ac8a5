"""The payment page: what it offers, what a POST does, and what nobody can do by changing the form."""

from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import BillingAccount, BillingProfile
from invoices.models import Invoice
from invoices.operations.voiding import void
from payments.models import Payment, PaymentMethod
from tests.factories import NOW, BillingProfileFactory, issued, member
from tests.payments.acts import card, charges, press_pay, staff
from tests.payments.pages import BLADE, browser, filled_in, page_of, pay_url, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(profile):
    return issued(profile, "120.00")


@pytest.fixture
def client(payer):
    return browser(payer)


def test_the_page_names_the_amount_and_offers_the_default_card_first(client, profile, invoice):
    card(profile, "4444", brand="mastercard")
    default = card(profile, is_default=True)
    response = client.get(pay_url(invoice))
    assert response.status_code == 200
    assert [choice.method.last_four for choice in response.context["choices"]] == ["4242", "4444"]
    assert response.context["checked"] == str(default.pk)
    text = text_of(response)
    assert "Pay now €120.00" in text
    assert "Visa •••• 4242 Expires 12/2030 Default" in text


def test_an_expired_card_is_shown_last_and_never_chosen_beforehand(client, profile, invoice):
    old = card(profile, "1881", expiry_year=2025, is_default=True)
    response = client.get(pay_url(invoice))
    assert "Expired 12/2025, unless your bank has renewed it" in text_of(response)
    assert f'value="{old.pk}">' in response.content.decode()
    assert response.context["checked"] == "new"


def test_a_card_that_expires_this_month_says_so(client, profile, invoice):
    today = timezone.localdate()
    card(profile, expiry_year=today.year, expiry_month=today.month)
    assert "Expires soon" in text_of(client.get(pay_url(invoice)))


def test_each_drawing_mints_a_new_attempt(client, invoice):
    first, second = client.get(pay_url(invoice)), client.get(pay_url(invoice))
    assert first.context["attempt"] != second.context["attempt"]


def test_paying_with_a_stored_card_leads_to_the_page_of_the_payment(client, profile, invoice):
    method = card(profile)
    response = client.post(pay_url(invoice), filled_in(invoice, method=method.pk, card_token=""))
    payment = Payment.objects.get()
    assert (response.status_code, response.url) == (303, page_of(payment))
    text = text_of(client.get(response.url))
    assert "Paid on" in text
    assert f"Invoice {invoice.number}" in text
    assert payment.started_by.email in text
    assert charges(invoice) == [12000]


def test_in_the_blade_the_result_brings_the_changed_row(client, profile, invoice):
    over_the_list = BLADE | {"Blade-Base": reverse("invoices:list", args=[profile.code]) + "?status=due"}
    form = filled_in(invoice, method=card(profile).pk)
    response = client.post(pay_url(invoice), form, headers=over_the_list, follow=True)
    html = response.content.decode()
    assert "<html" not in html
    assert "Invoice paid" in text_of(response)
    assert "hx-swap-oob" in html
    assert "hx-trigger" not in html
    elsewhere = client.get(page_of(Payment.objects.get()), headers=BLADE)
    assert "hx-swap-oob" not in elsewhere.content.decode()


def test_the_same_form_sent_twice_is_one_payment(client, invoice):
    form = filled_in(invoice)
    first, second = client.post(pay_url(invoice), form), client.post(pay_url(invoice), form)
    assert first.url == second.url
    assert charges(invoice) == [12000]


def test_a_decline_comes_back_with_the_reason_and_another_card(client, profile, invoice):
    other, bad = card(profile, "4444", brand="mastercard"), card(profile, "9995", is_default=True)
    response = client.post(pay_url(invoice), filled_in(invoice, method=bad.pk), follow=True)
    text = text_of(response)
    assert "Your bank declined Visa ending in 9995" in text
    assert "The reason the bank gave: not enough funds." in text
    assert "Declined today at" in text
    assert response.context["checked"] == str(other.pk)
    assert charges(invoice) == []
    assert client.post(pay_url(invoice), filled_in(invoice, method=other.pk)).url == page_of(
        Payment.objects.get(status="succeeded")
    )


def test_a_card_that_needs_a_check_goes_to_the_bank(client, invoice):
    form = filled_in(invoice, card_token="tok_3155_x")
    response = client.post(pay_url(invoice), form)
    payment = Payment.objects.get()
    assert (response.status_code, response.url) == (303, payment.next_url)
    again = client.post(pay_url(invoice), form, headers=BLADE)
    assert again["HX-Redirect"] == payment.next_url


def test_a_check_on_a_foreign_site_is_reached_by_a_link(client, invoice):
    form = filled_in(invoice, card_token="tok_3155_x")
    client.post(pay_url(invoice), form)
    Payment.objects.update(next_url="https://bank.example/check")
    response = client.post(pay_url(invoice), form, follow=True)
    assert 'href="https://bank.example/check"' in response.content.decode()


def test_an_amount_that_changed_shows_the_page_again_and_charges_nothing(client, profile, invoice):
    form = filled_in(invoice)
    Invoice.objects.filter(pk=invoice.pk).update(credited_minor=2000)
    response = client.post(pay_url(invoice), form)
    assert response.status_code == 422
    text = text_of(response)
    assert "The amount due changed to €100.00" in text
    assert "Pay now €100.00" in text
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    "forgery",
    [
        {"amount": 1},
        {"amount": "-5"},
        {"amount": "x"},
        {"amount": 10**18},
        {"currency": "USD"},
        {"currency": "???"},
        {"attempt": "not-a-key"},
        {"method": "0"},
        {"method": "999999"},
        {"method": "²"},
        {"method": ""},
        {"card_token": ""},
    ],
    ids=str,
)
def test_a_changed_form_charges_nothing(client, invoice, forgery):
    response = client.post(pay_url(invoice), filled_in(invoice, **forgery))
    assert response.status_code == 422
    assert "Nothing was charged" in text_of(response)
    assert not Payment.objects.exists()


def test_a_card_of_another_profile_charges_nothing(client, invoice):
    foreign = card(BillingProfileFactory())
    response = client.post(pay_url(invoice), filled_in(invoice, method=foreign.pk, card_token=""))
    assert response.status_code == 422
    assert not Payment.objects.exists()


def test_a_card_of_a_provider_that_was_taken_away_charges_nothing(client, profile, invoice):
    old = card(profile, gateway="former", is_default=True)
    page = client.get(pay_url(invoice))
    assert "Stored with a provider we no longer use" in text_of(page)
    assert page.context["checked"] == "new"
    assert client.post(pay_url(invoice), filled_in(invoice, method=old.pk, card_token="")).status_code == 422
    assert not Payment.objects.exists()


def test_the_attempt_of_somebody_else_shows_nothing_of_it(client, profile, invoice):
    other = member(profile, "profile_owner")
    attempt = uuid4()
    theirs = press_pay(other, issued(profile, "9.00"), card(profile), attempt_key=attempt)
    response = client.post(pay_url(invoice), filled_in(invoice, attempt=attempt))
    assert response.status_code == 422
    assert theirs.reference not in text_of(response)
    assert charges(invoice) == []


def test_an_invoice_manager_leaves_no_card_behind(client, invoice):
    assert 'name="save_method"' not in client.get(pay_url(invoice)).content.decode()
    client.post(pay_url(invoice), filled_in(invoice, save_method="on", make_default="on"))
    payment = Payment.objects.get()
    assert (payment.status, payment.save_method, payment.make_default) == ("succeeded", False, False)
    assert not PaymentMethod.objects.exists()


def test_an_owner_may_keep_the_card_as_the_default(profile, invoice):
    client = browser(member(profile, "profile_owner"))
    assert 'name="save_method"' in client.get(pay_url(invoice)).content.decode()
    client.post(pay_url(invoice), filled_in(invoice, make_default="on"))
    method = PaymentMethod.objects.get()
    assert (method.last_four, method.is_default) == ("4242", True)


def test_a_reader_is_told_why_and_who_may(profile, invoice):
    client = browser(member(profile, "profile_reader"))
    page, sent = client.get(pay_url(invoice)), client.post(pay_url(invoice), filled_in(invoice))
    assert (page.status_code, sent.status_code) == (403, 403)
    assert "Your role does not include paying." in text_of(page)
    assert not Payment.objects.exists()


def test_a_stranger_sees_nothing(invoice):
    client = browser(member(BillingProfileFactory(), "profile_owner"))
    page, sent = client.get(pay_url(invoice)), client.post(pay_url(invoice), filled_in(invoice))
    assert (page.status_code, sent.status_code) == (404, 404)
    assert not Payment.objects.exists()


def _paid(invoice):
    press_pay(member(invoice.profile, "profile_owner"), invoice, card(invoice.profile))


def _void(invoice):
    void(access=staff(), invoice_id=invoice.pk, reason="Sent twice", at=NOW)


def _in_progress(invoice):
    press_pay(member(invoice.profile, "profile_owner", name="Olga"), invoice, token="tok_3155_x")


def _enterprise(invoice):
    BillingAccount.objects.update(agreement_type=BillingAccount.AgreementType.ENTERPRISE)


def _over_the_limit(invoice):
    BillingProfile.objects.update(default_method="check_wire")


@pytest.mark.parametrize(
    ("become", "words"),
    [
        (_paid, "This invoice is paid"),
        (_void, "Sent twice"),
        (_in_progress, "by Olga"),
        (_enterprise, "Not payable by card under this agreement type"),
        (_over_the_limit, "Above the card limit of €100.00"),
    ],
)
def test_an_invoice_that_cannot_be_paid_says_why_and_has_no_form(client, invoice, settings, become, words):
    settings.CARD_LIMITS_FOR_WIRE = {"EUR": "100.00"}
    become(invoice)
    before = Payment.objects.count()
    page = client.get(pay_url(invoice))
    assert page.status_code == 200
    assert words in text_of(page)
    assert 'name="attempt"' not in page.content.decode()
    assert client.post(pay_url(invoice), filled_in(invoice, amount=12000)).status_code == 422
    assert Payment.objects.count() == before


def test_another_payer_sees_the_payment_that_is_in_progress(client, invoice):
    _in_progress(invoice)
    page = client.get(pay_url(invoice))
    assert page_of(Payment.objects.get()) in page.content.decode()


def test_a_draft_has_no_payment_page(client, profile):
    assert client.get(f"/profiles/{profile.code}/invoices/None/pay/").status_code == 404


def test_the_payment_that_is_told_about_must_be_of_this_invoice(client, profile, invoice, payer):
    other = press_pay(payer, issued(profile, "5.00"), card(profile, "0002"))
    response = client.get(pay_url(invoice), {"after": other.reference})
    assert other.status == "declined"
    assert response.context["ended"] is None

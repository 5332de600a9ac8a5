"""Somebody pays through Stripe, in a real browser, with the stand-in's Stripe.js."""

import re
from datetime import date

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from payments.models import Payment, PaymentMethod
from payments.operations.integrity import check_books
from tests.factories import issued, member
from tests.payments.acts import state

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def invoice(profile):
    return issued(profile, "120.00", due_on=date(2026, 10, 1))


@pytest.fixture
def blade(profile, invoice, page, live_server, sign_in, shop):
    """The payment page in the panel, opened by somebody who may keep cards and has none yet."""
    sign_in(member(profile, "profile_contributor"))
    page.goto(f"{live_server.url}/")
    expect(page).to_have_url(re.compile(f"/profiles/{profile.code}/invoices/"))
    page.get_by_role("link", name=re.compile("Pay now")).first.click()
    opened = page.locator("dialog#blade[open]")
    expect(opened.get_by_role("heading", name="Pay invoice")).to_be_visible()
    return opened


def type_card(blade, number):
    blade.get_by_label("Add a new card").check()
    for label, text in {"Card number": number, "Expiry month": "12", "Expiry year": "30", "CVC": "123"}.items():
        blade.get_by_label(label, exact=True).fill(text)


def press(blade):
    blade.get_by_role("button", name=re.compile(r"Pay now €120\.00")).click()


def taken(shop):
    return [shop("charged", reference=reference) for reference in Payment.objects.values_list("reference", flat=True)]


def test_a_new_card_pays_and_is_kept_when_that_is_asked(blade, invoice, shop):
    type_card(blade, "4242424242424242")
    blade.get_by_label("Save this card").check()
    press(blade)

    expect(blade.get_by_text("Invoice paid")).to_be_visible()
    assert state(invoice)[0] == "paid"
    assert taken(shop) == [[[12000, "eur"]]]
    assert PaymentMethod.objects.get().gateway_method.startswith("pm_")
    assert check_books() == []


def test_a_declined_card_is_told_in_our_words_and_another_one_pays(blade, invoice, shop):
    type_card(blade, "4000000000009995")
    press(blade)
    expect(blade.get_by_text("not enough funds")).to_be_visible()
    assert "Your card was declined" not in blade.inner_text()

    type_card(blade, "4242424242424242")
    press(blade)
    expect(blade.get_by_text("Invoice paid")).to_be_visible()
    assert taken(shop) == [[], [[12000, "eur"]]]


@pytest.mark.parametrize("number", ["", "4242424242424241"])
def test_a_number_that_is_wrong_or_missing_is_told_at_the_field_and_nothing_is_sent(blade, shop, number):
    type_card(blade, number)
    press(blade)

    expect(blade.get_by_role("alert").get_by_text("The card number is not complete, or it is wrong.")).to_be_visible()
    expect(blade.get_by_label("Card number", exact=True)).to_be_focused()
    assert Payment.objects.count() == 0
    assert shop("seen") == []


def test_the_field_has_no_barrier_in_either_theme(blade, page):
    blade.get_by_label("Add a new card").check()
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.bsTheme = '{theme}'")
        found = Axe().run(page, context="[data-card-field]")
        assert [each["id"] for each in found.response["violations"]] == []


@pytest.mark.parametrize(
    ("answer", "seen"), [("Complete authentication", "Invoice paid"), ("Fail authentication", "Nothing was charged")]
)
def test_the_banks_check_is_passed_over_the_panel(blade, page, shop, answer, seen):
    type_card(blade, "4000002760003184")
    press(blade)

    page.get_by_role("button", name=answer).click()

    expect(blade.get_by_text(seen).first).to_be_visible()
    expect(page.locator("dialog#blade:modal")).to_be_visible()
    assert taken(shop) == [[[12000, "eur"]] if answer.startswith("Complete") else []]

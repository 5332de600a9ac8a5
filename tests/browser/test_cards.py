"""Somebody adds a card, and approves it with the bank without leaving the page, in a real browser."""

import re
from datetime import date

import pytest
from playwright.sync_api import expect

from payments.models import MethodSetup, Payment, PaymentMethod
from tests.browser.accessibility import LIGHT, problems_of
from tests.browser.test_keyboard import tab_to
from tests.factories import issued, member
from tests.payments.acts import books_are_clean, card, charges, state

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def at_methods(profile, page, live_server, sign_in):
    sign_in(member(profile, "profile_owner"))
    page.goto(f"{live_server.url}/profiles/{profile.code}/methods/")
    return page


@pytest.fixture
def at_invoices(profile, page, live_server, sign_in):
    issued(profile, "120.00", due_on=date(2026, 10, 1))
    sign_in(member(profile, "profile_owner"))
    page.goto(f"{live_server.url}/profiles/{profile.code}/invoices/")
    return page


def open_blade(page):
    page.get_by_role("link", name="Add a card").first.click()
    blade = page.locator("dialog#blade[open]")
    expect(blade.get_by_role("heading", name="Add a card")).to_be_visible()
    return blade


def type_card(blade, number):
    blade.get_by_label("Card number").fill(number)
    blade.get_by_label("Expiry date").fill("12 / 30")
    blade.get_by_label("Security code").fill("123")


def expect_added(page, text):
    expect(page.get_by_role("status").get_by_text(f"{text} was added.")).to_be_visible()
    expect(page.locator("dialog#blade[open]")).to_have_count(0)
    expect(page.locator(".method-list").get_by_text(text).first).to_be_visible()


def test_a_card_is_added_in_the_blade_and_is_the_default(at_methods):
    blade = open_blade(at_methods)
    type_card(blade, "5555 5555 5555 4444")
    blade.get_by_label("Make it the default for automatic charges").check()
    blade.get_by_role("button", name="Add card").click()
    expect_added(at_methods, "Mastercard •••• 4444")
    assert PaymentMethod.objects.get().is_default


def test_two_quick_clicks_add_one_card(at_methods):
    blade = open_blade(at_methods)
    type_card(blade, "4242 4242 4242 4242")
    blade.get_by_role("button", name="Add card").dblclick()
    expect_added(at_methods, "Visa •••• 4242")
    assert MethodSetup.objects.count() == PaymentMethod.objects.count() == 1


def test_a_refused_card_and_then_a_good_one(at_methods):
    blade = open_blade(at_methods)
    type_card(blade, "4000 0000 0000 9995")
    blade.get_by_role("button", name="Add card").click()
    expect(blade.get_by_role("alert").first).to_contain_text("The reason the bank gave: not enough funds.")
    expect(blade.get_by_role("alert").first).to_be_focused()
    assert problems_of(at_methods, [LIGHT]) == []

    type_card(blade, "4242 4242 4242 4242")
    blade.get_by_role("button", name="Add card").click()
    expect_added(at_methods, "Visa •••• 4242")
    assert list(MethodSetup.objects.order_by("created_at").values_list("status", flat=True)) == [
        "declined",
        "succeeded",
    ]


def test_the_banks_check_of_a_new_card_by_keyboard_alone(at_methods):
    page = at_methods
    tab_to(page, page.get_by_role("link", name="Add a card").first)
    page.keyboard.press("Enter")
    blade = page.locator("dialog#blade[open]")
    expect(blade.get_by_label("Card number")).to_be_focused()
    page.keyboard.type("4000002760003184")
    for label, typed in (("Expiry date", "1230"), ("Security code", "123")):
        tab_to(page, blade.get_by_label(label))
        page.keyboard.type(typed)
    tab_to(page, blade.get_by_role("button", name="Add card"))
    page.keyboard.press("Enter")
    expect(blade.get_by_role("heading", name="Approve with your bank")).to_be_visible()
    expect(blade.locator("#blade-title")).to_be_focused()
    assert problems_of(page, [LIGHT]) == []

    tab_to(page, blade.get_by_role("button", name="Approve card"))
    page.keyboard.press("Enter")

    expect_added(page, "Visa •••• 3184")


def test_a_failed_check_leaves_no_card_and_says_so(at_methods):
    blade = open_blade(at_methods)
    type_card(blade, "4000 0027 6000 3184")
    blade.get_by_role("button", name="Add card").click()
    blade.get_by_role("button", name="Reject").click()
    expect(blade.get_by_role("alert").first).to_contain_text("the approval was not completed")
    assert not PaymentMethod.objects.exists()


def test_the_check_of_a_new_card_can_be_left_and_found_again_by_its_address(at_methods):
    page = at_methods
    blade = open_blade(page)
    type_card(blade, "4000 0027 6000 3184")
    blade.get_by_role("button", name="Add card").click()
    expect(blade.get_by_role("button", name="Approve card")).to_be_visible()
    expect(page).to_have_url(re.compile("/methods/adding/"))
    page.reload()
    page.get_by_role("button", name="Approve card").click()
    expect_added(page, "Visa •••• 3184")


def pay_with_check(page):
    page.get_by_role("link", name=re.compile("Pay now")).first.click()
    blade = page.locator("dialog#blade[open]")
    blade.get_by_role("button", name=re.compile("Pay now")).click()
    expect(blade.get_by_role("heading", name="Approve with your bank")).to_be_visible()
    return blade


def test_paying_with_the_check_in_the_blade(profile, at_invoices):
    card(profile, "3184", is_default=True)
    page, invoice = at_invoices, profile.invoices.get()
    beneath = page.evaluate("performance.timeOrigin")
    blade = pay_with_check(page)
    expect(page.locator("#blade-title")).to_be_focused()
    assert problems_of(page, [LIGHT]) == []
    tab_to(page, blade.get_by_role("button", name="Approve payment"))
    page.keyboard.press("Enter")
    expect(blade.get_by_role("heading", name="Invoice paid")).to_be_visible()
    expect(page.locator(f"#invoice-{invoice.pk}")).to_contain_text("Paid")
    assert page.evaluate("performance.timeOrigin") == beneath  # the page beneath was never left
    assert charges(invoice) == [12000]
    assert books_are_clean()


def test_a_failed_check_offers_another_card_in_the_same_blade(profile, at_invoices):
    card(profile, "3184", is_default=True)
    card(profile)
    blade = pay_with_check(at_invoices)
    blade.get_by_role("button", name="Reject").click()
    expect(blade.get_by_role("alert").first).to_contain_text("Nothing was charged")
    blade.get_by_role("button", name=re.compile("Pay now")).click()
    expect(blade.get_by_role("heading", name="Invoice paid")).to_be_visible()
    assert charges(profile.invoices.get()) == [12000]


def test_a_check_that_is_given_up_frees_the_invoice(profile, at_invoices):
    card(profile, "3184", is_default=True)
    blade = pay_with_check(at_invoices)
    blade.get_by_role("button", name="Cancel the payment").click()
    expect(blade.get_by_role("alert").first).to_contain_text("The payment was not completed")
    assert Payment.objects.get().status == "expired"
    assert state(profile.invoices.get()) == ("open", 0, 12000)


def test_saying_that_the_bank_was_answered_when_it_was_not_leads_back_to_the_check(profile, at_invoices):
    card(profile, "3184", is_default=True)
    page = at_invoices
    blade = pay_with_check(page)
    blade.get_by_role("link", name="I have answered my bank").click()
    blade.get_by_role("link", name="Approve with your bank").click()
    page.get_by_role("button", name="Approve payment").click()
    expect(page.get_by_text("Paid on").first).to_be_visible()
    assert charges(profile.invoices.get()) == [12000]


def test_without_javascript_a_card_is_added_at_the_banks_own_page(profile, browser, live_server):
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(member(profile, "profile_owner"))
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    page = context.new_page()
    page.goto(f"{live_server.url}/profiles/{profile.code}/methods/")
    page.get_by_role("link", name="Add a card").first.click()
    page.get_by_label("Test card").select_option(label="4000 0027 6000 3184 - Bank asks for approval, always")
    page.get_by_role("button", name="Add card").click()
    expect(page).to_have_url(re.compile("/gateways/sandbox/challenge/"))
    page.get_by_role("button", name="Approve card").click()
    expect(page.get_by_text("Visa •••• 3184 was added.").first).to_be_visible()
    context.close()

"""Paying without a mouse: everything is reached by Tab and Enter, and the focus is where one would look."""

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.factories import UserFactory, issued, member
from tests.payments.acts import card, charges

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def at_invoices(profile, page, live_server, sign_in):
    invoice = issued(profile)
    card(profile, is_default=True)
    sign_in(member(profile, "invoice_manager"))
    page.goto(f"{live_server.url}/profiles/{profile.code}/invoices/")
    return page, invoice


def tab_to(page, locator, limit=80):
    for _press in range(limit):
        if locator.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail("Tab never reached it.")


def test_the_first_tab_skips_to_the_content(at_invoices):
    page, _invoice = at_invoices
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_paying_by_keyboard_alone(at_invoices):
    page, invoice = at_invoices
    tab_to(page, page.get_by_role("link", name=re.compile("Pay now")))
    page.keyboard.press("Enter")
    blade = page.locator("dialog#blade[open]")
    expect(blade.get_by_role("radio").first).to_be_focused()
    tab_to(page, blade.get_by_role("button", name=re.compile("Pay now")))
    page.keyboard.press("Enter")
    expect(blade.get_by_role("heading", name="Invoice paid")).to_be_visible()
    expect(blade.locator("#blade-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("dialog#blade[open]")).to_have_count(0)
    expect(page.locator(f"#invoice-{invoice.pk} a").first).to_be_focused()
    assert charges(invoice) == [12000]


def test_escape_closes_and_gives_the_focus_back_to_the_row(at_invoices):
    page, _invoice = at_invoices
    link = page.get_by_role("link", name=re.compile("Pay now"))
    before = page.url
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog#blade[open]")).to_be_visible()
    expect(page).to_have_url(re.compile("/pay/"))
    page.keyboard.press("Escape")
    expect(link).to_be_focused()
    expect(page).to_have_url(before)


def test_back_closes_the_blade_and_reload_shows_the_page(at_invoices):
    page, _invoice = at_invoices
    before = page.url
    page.get_by_role("link", name=re.compile("Pay now")).click()
    expect(page.locator("dialog#blade[open]")).to_be_visible()
    page.go_back()
    expect(page.locator("dialog#blade[open]")).to_have_count(0)
    expect(page).to_have_url(before)
    page.go_forward()
    page.reload()
    expect(page.get_by_role("heading", name="Pay invoice")).to_be_visible()


def test_the_focus_goes_to_what_went_wrong(at_invoices):
    page, _invoice = at_invoices
    page.get_by_role("link", name=re.compile("Pay now")).click()
    blade = page.locator("dialog#blade[open]")
    blade.get_by_label("Add a new card").check()
    blade.get_by_role("button", name=re.compile("Pay now")).click()
    expect(blade.get_by_label("Card number")).to_be_focused()


def test_the_blade_of_a_new_card_begins_at_its_number(profile, page, live_server, sign_in):
    """The form marks no field, as that of paying does."""
    sign_in(member(profile, "profile_owner"))
    page.goto(f"{live_server.url}{reverse('payments:methods', args=[profile.code])}")
    page.get_by_role("link", name="Add a card").first.click()
    expect(page.locator("dialog#blade[open]").get_by_label("Card number")).to_be_focused()


def test_a_slash_goes_to_the_search_box_and_finds_the_page(at_invoices):
    page, _invoice = at_invoices
    page.locator("#main").focus()
    page.keyboard.press("/")
    box = page.get_by_role("searchbox", name=re.compile("Search pages"))
    expect(box).to_be_focused()
    box.fill("cost management")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main").get_by_role("link", name="Cost Management + Billing").first).to_be_visible()


FIRST = """document.activeElement === [...document.querySelectorAll(
    'main form[method=post] :is(input:not([type=hidden]), select, textarea), #content-main .form-row :is(input, select)'
)].find(field => field.checkVisibility())"""


def test_each_page_with_a_form_begins_at_its_first_field(profile, page, live_server, sign_in):
    sign_in(member(profile, "profile_owner"))
    for path in (
        reverse("accounts:wire_request", args=[profile.code]),
        reverse("accounts:contacts", args=[profile.code]),
    ):
        page.goto(live_server.url + path)
        page.wait_for_function(FIRST)
    sign_in(UserFactory(is_staff=True, is_superuser=True))
    page.goto(live_server.url + reverse("admin:accounts_billingprofile_hold", args=[profile.pk]))
    page.wait_for_function(FIRST)

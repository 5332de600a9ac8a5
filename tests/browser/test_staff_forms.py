"""What opens on the forms of staff, and what they are told and asked: as accessible as the pages themselves."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from invoices.models import Invoice
from tests.browser.accessibility import DARK, LIGHT, PHONE, problems_of, show
from tests.browser.tour import Tour
from tests.factories import UserFactory, draft, issued

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def tour(profile, page, live_server, sign_in):
    draft(profile)
    issued(profile)
    sign_in(UserFactory(is_staff=True, is_superuser=True, language="nl"))
    return Tour(page, live_server.url)


def test_the_choice_of_a_row_and_the_calendar(tour):
    page = tour.page
    page.goto(f"{tour.server}/admin/invoices/invoice/add/")
    box = page.get_by_role("combobox", name="Factureringsprofiel:")
    box.click()
    found = page.get_by_role("listbox", name="Factureringsprofiel:").get_by_role("option", name="Operations NL")
    expect(page.get_by_role("searchbox", name="Factureringsprofiel:")).to_be_focused()
    expect(found).to_be_visible()
    tour.check("the choice of a row")
    found.click()
    expect(page.get_by_role("combobox", name="Factureringsprofiel: Operations NL")).to_be_visible()
    tour.check("a row is chosen")
    page.locator("#calendarlink0").click()
    tour.check("the calendar")
    assert tour.found == {}


def test_what_staff_are_told(tour):
    tour.choose("issue_selected", "/admin/invoices/invoice/")
    tour.press(".submit-row [type=submit]", "one was issued, the other not")
    expect(tour.page.locator(".messagelist :is(.success, .error)")).to_have_count(2)
    tour.page.goto(f"{tour.server}/admin/invoices/invoice/")
    tour.page.locator("select[name=action]").select_option("void_selected")
    tour.press(".actions [type=submit]", "nothing was chosen")
    expect(tour.page.locator(".messagelist .warning")).to_have_count(1)
    assert tour.found == {}


def test_what_staff_are_asked_before_a_payment_is_recorded(tour):
    page = tour.page
    number = Invoice.objects.get(status="open").number
    page.goto(f"{tour.server}{reverse('admin:payments_payment_record')}?invoice={number}")
    fill(page, amount="0")
    tour.press(".submit-row .default", "refused")
    expect(page.locator(".errorlist")).to_have_count(1)
    fill(page, amount="150.00")
    tour.press(".submit-row .default", "asked once more")
    expect(page.locator(".readonly", has_text=number)).to_be_visible()
    assert tour.found == {}


def fill(page, **fields) -> None:
    for name, value in ({"bank_reference": "B-1", "received_on": "2026-10-26"} | fields).items():
        page.locator(f"[name={name}]").fill(value)


def test_the_switch_of_the_color_scheme(tour):
    tour.page.goto(f"{tour.server}/admin/invoices/invoice/")
    for theme in ("dark", "light"):
        tour.page.locator(".theme-toggle").click()
        assert tour.page.locator("html").get_attribute("data-theme") == theme
        assert problems_of(tour.page, [look._replace(name=f"{theme} chosen") for look in (LIGHT, DARK)]) == []


def test_a_table_below_a_form_on_a_laptop_and_on_a_phone(tour):
    """Where it is too wide it is scrolled, with the keyboard too; on a phone each cell says of which column it is."""
    show(tour.page, LIGHT._replace(width=800))
    written = Invoice.objects.filter(status="draft").latest("pk")
    tour.page.goto(f"{tour.server}{reverse('admin:invoices_invoice_change', args=[written.pk])}")
    table = tour.page.get_by_role("group", name="Factuurregels").locator(".wrapper")
    expect(table).to_have_attribute("tabindex", "0")
    show(tour.page, PHONE)
    expect(table).not_to_have_attribute("tabindex", "0")
    cell = tour.page.locator("#lines-0 .field-description")
    assert cell.evaluate("cell => getComputedStyle(cell, '::before').content") == '"Omschrijving"'


def test_rows_below_a_form_lead_to_their_own_pages(tour, profile):
    tour.page.goto(f"{tour.server}{reverse('admin:accounts_billingaccount_change', args=[profile.account_id])}")
    for look in (LIGHT, PHONE):
        show(tour.page, look)
        expect(tour.page.get_by_role("link", name="Wijzigen", exact=True)).to_be_visible()
    tour.page.get_by_role("link", name="Wijzigen", exact=True).click()
    tour.page.wait_for_url("**/accounts/billingprofile/*/change/")

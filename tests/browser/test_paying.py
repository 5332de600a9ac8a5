"""Somebody pays, in a real browser."""

import re
from datetime import date

import pytest
from playwright.sync_api import expect

from invoices.models import Invoice
from payments.models import Payment, PaymentMethod
from tests.factories import issued, member
from tests.payments.acts import books_are_clean, card, charges, press_pay, state

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def invoice(profile):
    return issued(profile, "120.00", due_on=date(2026, 10, 1))


@pytest.fixture
def at_invoices(profile, invoice, page, live_server, sign_in):
    """An invoice manager of a profile with one past-due invoice and one good card, looking at the list."""
    card(profile, is_default=True)
    sign_in(member(profile, "invoice_manager"))
    page.goto(f"{live_server.url}/")
    expect(page).to_have_url(re.compile(f"/profiles/{profile.code}/invoices/"))
    return page


def open_blade(page):
    page.get_by_role("link", name=re.compile("Pay now")).first.click()
    blade = page.locator("dialog#blade[open]")
    expect(blade.get_by_role("heading", name="Pay invoice")).to_be_visible()
    return blade


def press(blade):
    blade.get_by_role("button", name=re.compile(r"Pay now €120\.00")).click()


def type_card(blade, number):
    blade.get_by_label("Add a new card").check()
    blade.get_by_label("Card number").fill(number)
    blade.get_by_label("Expiry date").fill("12 / 30")
    blade.get_by_label("Security code").fill("123")


def expect_paid(page, invoice, blade):
    expect(blade.get_by_text("Invoice paid")).to_be_visible()
    row = page.locator(f"#invoice-{invoice.pk}")
    expect(row).to_contain_text("Paid")
    expect(row.get_by_role("link", name=re.compile("Pay now"))).to_have_count(0)
    assert charges(invoice) == [12000]
    assert books_are_clean()


def test_past_due_pay_now_stored_card_pay_now_and_the_row_says_paid(at_invoices, invoice):
    expect(at_invoices.locator(f"#invoice-{invoice.pk}")).to_contain_text("Past due")
    blade = open_blade(at_invoices)
    press(blade)
    expect_paid(at_invoices, invoice, blade)
    expect(at_invoices.locator("#invoice-tiles")).not_to_contain_text("120.00")


def test_a_new_card(at_invoices, invoice):
    blade = open_blade(at_invoices)
    type_card(blade, "4242 4242 4242 4242")
    press(blade)
    expect_paid(at_invoices, invoice, blade)
    assert PaymentMethod.objects.count() == 1


def test_a_card_whose_bank_asks_for_approval(at_invoices, invoice):
    blade = open_blade(at_invoices)
    type_card(blade, "4000 0027 6000 3184")
    press(blade)
    at_invoices.get_by_role("button", name="Approve payment").click()
    expect(at_invoices.get_by_text("Paid on").first).to_be_visible()
    assert state(invoice)[0] == "paid"
    assert charges(invoice) == [12000]


def test_approval_refused_then_another_card(at_invoices, invoice):
    blade = open_blade(at_invoices)
    type_card(blade, "4000 0027 6000 3184")
    press(blade)
    at_invoices.get_by_role("button", name="Reject").click()
    expect(at_invoices.get_by_text("Nothing was charged").first).to_be_visible()
    at_invoices.get_by_role("button", name=re.compile("Pay now")).click()
    expect(at_invoices.get_by_text("Paid on").first).to_be_visible()
    assert charges(invoice) == [12000]


def test_declined_and_then_a_good_card(at_invoices, invoice):
    blade = open_blade(at_invoices)
    type_card(blade, "4000 0000 0000 0002")
    press(blade)
    expect(blade.get_by_role("alert")).to_contain_text("declined")
    expect(blade).to_contain_text("Nothing was charged")
    assert state(invoice)[0] == "open"

    press(blade)

    expect_paid(at_invoices, invoice, blade)
    assert list(Payment.objects.order_by("started_at").values_list("status", flat=True)) == ["declined", "succeeded"]


def test_a_wrong_number_is_told_beside_the_field_and_never_leaves_the_card_field(at_invoices, invoice):
    sent = []
    at_invoices.on("request", lambda request: sent.append((request.url, request.post_data or "")))
    blade = open_blade(at_invoices)
    type_card(blade, "4111 1111 1111 1112")
    press(blade)
    number = blade.get_by_label("Card number")
    expect(number).to_have_attribute("aria-invalid", "true")
    expect(number).to_be_focused()
    assert not [url for url, body in sent if "4111" in body and "/gateways/sandbox/" not in url]
    assert not Payment.objects.exists()


def test_two_quick_clicks_are_one_payment(at_invoices, invoice):
    blade = open_blade(at_invoices)
    blade.get_by_role("button", name=re.compile("Pay now")).dblclick()
    expect_paid(at_invoices, invoice, blade)
    assert Payment.objects.count() == 1


def test_back_and_pay_again_charges_nothing_more(at_invoices, invoice):
    blade = open_blade(at_invoices)
    press(blade)
    expect_paid(at_invoices, invoice, blade)
    at_invoices.go_back()
    at_invoices.go_forward()
    at_invoices.reload()
    assert charges(invoice) == [12000]


def test_a_lost_answer_says_checking_never_failed(at_invoices, invoice):
    blade = open_blade(at_invoices)
    type_card(blade, "4000 0000 0000 6207")
    press(blade)
    expect(blade).to_contain_text("We are asking your bank")
    expect(blade).not_to_contain_text("failed", ignore_case=True)
    expect(at_invoices.locator(f"#invoice-{invoice.pk}")).to_contain_text("Payment in progress")


def test_an_owner_keeps_the_new_card(profile, invoice, page, live_server, sign_in):
    sign_in(member(profile, "profile_owner"))
    page.goto(f"{live_server.url}/profiles/{profile.code}/invoices/")
    blade = open_blade(page)
    type_card(blade, "5555 5555 5555 4444")
    blade.get_by_label("Save this card for later payments").check()
    press(blade)
    expect_paid(page, invoice, blade)
    assert PaymentMethod.objects.get().label == "Mastercard •••• 4444"


def test_a_reader_sees_the_reason_and_no_way_to_pay(profile, invoice, page, live_server, sign_in):
    sign_in(member(profile, "profile_reader"))
    page.goto(f"{live_server.url}/profiles/{profile.code}/invoices/")
    expect(page.locator(f"#invoice-{invoice.pk}")).to_contain_text("Your role does not include paying")
    expect(page.get_by_role("link", name=re.compile("Pay now"))).to_have_count(0)
    answer = page.goto(f"{live_server.url}/profiles/{profile.code}/invoices/{invoice.number}/pay/")
    assert answer.status == 403


def test_while_a_colleague_pays_the_row_says_who(profile, invoice, page, live_server, sign_in):
    from tests.payments.acts import press_pay

    colleague = member(profile, "profile_owner")
    press_pay(colleague, invoice, card(profile, "3184"))
    sign_in(member(profile, "invoice_manager"))
    page.goto(f"{live_server.url}/profiles/{profile.code}/invoices/")
    expect(page.locator(f"#invoice-{invoice.pk}")).to_contain_text(colleague.email)
    expect(page.get_by_role("link", name=re.compile("Pay now"))).to_have_count(0)


def test_without_javascript_the_same_pages_pay(profile, invoice, browser, live_server):
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(member(profile, "invoice_manager"))
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    page = context.new_page()
    page.goto(f"{live_server.url}/profiles/{profile.code}/invoices/")
    page.get_by_role("link", name=re.compile("Pay now")).click()
    expect(page).to_have_url(re.compile("/pay/$"))
    page.get_by_role("button", name=re.compile("Pay now")).click()
    expect(page.get_by_text("Paid on").first).to_be_visible()
    context.close()
    assert state(Invoice.objects.get(pk=invoice.pk))[0] == "paid"
    assert charges(invoice) == [12000]


def expect_row(page, invoice, text, *, pay_now):
    row = page.locator(f"#invoice-{invoice.pk}")
    expect(row).to_contain_text(text)
    expect(row.get_by_role("link", name=re.compile("Pay now"))).to_have_count(int(pay_now))


def close(page):
    page.keyboard.press("Escape")
    expect(page.locator("dialog#blade")).to_be_hidden()


def test_the_row_says_in_progress_when_the_blade_is_closed_while_the_bank_waits(at_invoices, invoice):
    blade = open_blade(at_invoices)
    type_card(blade, "4000 0027 6000 3184")
    press(blade)
    expect(at_invoices.get_by_role("button", name="Approve payment")).to_be_visible()
    close(at_invoices)
    expect_row(at_invoices, invoice, "Payment in progress", pay_now=False)


def test_the_row_can_be_paid_again_when_the_payment_is_cancelled(at_invoices, invoice):
    blade = open_blade(at_invoices)
    type_card(blade, "4000 0027 6000 3184")
    press(blade)
    blade.get_by_role("button", name="Cancel the payment").click()
    expect(blade.get_by_role("heading", name="Pay invoice")).to_be_visible()
    close(at_invoices)
    expect_row(at_invoices, invoice, "Past due", pay_now=True)


def test_the_row_of_an_old_tab_says_paid_once_it_was_tried(at_invoices, invoice, profile):
    press_pay(member(profile, "invoice_manager"), invoice, PaymentMethod.objects.get())
    expect_row(at_invoices, invoice, "Past due", pay_now=True)
    at_invoices.get_by_role("link", name=re.compile("Pay now")).first.click()
    expect(at_invoices.locator("dialog#blade").get_by_text("This invoice is paid")).to_be_visible()
    close(at_invoices)
    expect_row(at_invoices, invoice, "Paid", pay_now=False)


def test_the_page_of_an_invoice_offers_nothing_more_once_it_was_paid_in_the_blade(at_invoices, invoice):
    at_invoices.goto(at_invoices.url.partition("?")[0] + f"{invoice.number}/")
    blade = open_blade(at_invoices)
    press(blade)
    expect(blade.get_by_text("Invoice paid")).to_be_visible()
    close(at_invoices)
    expect(at_invoices.get_by_text("This invoice is paid")).to_be_visible()
    expect(at_invoices.get_by_role("link", name=re.compile("Pay now"))).to_have_count(0)


def test_the_first_choice_has_the_focus_and_a_new_card_is_not_kept_unasked(at_invoices, profile, sign_in):
    sign_in(member(profile, "profile_owner"))
    at_invoices.reload()
    blade = open_blade(at_invoices)
    expect(blade.get_by_role("radio").first).to_be_focused()
    type_card(blade, "4242 4242 4242 4242")
    expect(blade.get_by_label("Save this card for later payments")).not_to_be_checked()
    press(blade)
    expect(blade.get_by_text("Invoice paid")).to_be_visible()
    assert PaymentMethod.objects.count() == 1

"""Every page: no accessibility finding, no sideways scrolling, no blocked script, in both themes and on a phone."""

from datetime import date
from itertools import product
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse

from accounts.models import InvoiceSection
from invoices.money import Money
from payments.operations import record_payment, refund
from tests.factories import NOW, BillingProfileFactory, access_for, issued, member
from tests.payments.acts import card, press_pay, staff
from tests.payments.adding import add

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desk": (1280, 900), "phone": (320, 720)}
each_look = pytest.mark.parametrize("look_of", list(product(["light", "dark"], SIZES)), ids="-".join)
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}


@pytest.fixture
def rich(profile):
    """A profile with an invoice in every state, cards in every state, and an owner who also sees another profile."""
    owner = member(profile.account, "account_owner", name="Account owner")
    member(profile, "invoice_manager")
    section = InvoiceSection.objects.create(profile=profile, name="Web shop")
    default = card(profile, is_default=True)
    card(profile, expiry_month=1, expiry_year=2024)
    BillingProfileFactory(account=profile.account, name="Operations UK", currency="GBP")
    due, late, paid, waiting, parted, checked = (issued(profile, due_on=date(2026, 10, 1)) for _state in range(6))
    due.lines.update(section=section, section_name=section.name)
    payment = press_pay(owner, paid, default)
    refund(
        access=staff(), payment_id=payment.pk, amount=Money(2000, "EUR"), reason="Goodwill", attempt_key=uuid4(), at=NOW
    )
    held = press_pay(owner, waiting, card(profile, "3184"))
    declined = press_pay(owner, late, card(profile, "0002"))
    in_page = press_pay(owner, checked, card(profile, "3184"), in_page="sandbox")
    refused, half_added = (add(access_for(owner, profile), digits, in_page="sandbox") for digits in ("9995", "3184"))
    record_payment(
        access=staff(), invoice_id=parted.pk, amount=Money(5000, "EUR"), channel="wire", bank_reference="B-1",
        received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip
    invoice = reverse("invoices:detail", args=[profile.code, due.number])
    pay = reverse("payments:pay", args=[profile.code, due.number])
    again = reverse("payments:pay", args=[profile.code, late.number])
    one = {name: reverse("payments:detail", args=[profile.code, made.reference]) for name, made in
           {"paid": payment, "waiting": held, "declined": declined}.items()}  # fmt: skip
    listed = reverse("invoices:list", args=[profile.code])
    return owner, {
        "scopes": reverse("accounts:scopes"),
        "account": f"/billing-accounts/{profile.account.code}/",
        "invoices": listed,
        "no match": f"{listed}?number=NOPE",
        "invoice": invoice,
        "invoice in progress": reverse("invoices:detail", args=[profile.code, waiting.number]),
        "pay": pay,
        "pay refused": reverse("payments:pay", args=[profile.code, waiting.number]),
        "pay after a decline": f"{again}?after={declined.reference}",
        "payment": one["paid"],
        "payment waiting": one["waiting"],
        "payment declined": one["declined"],
        "bank": held.next_url,
        "check in the page": reverse("payments:check", args=[profile.code, in_page.reference]),
        "add a card": reverse("payments:add_method", args=[profile.code]),
        "card refused": f"{reverse('payments:add_method', args=[profile.code])}?after={refused.key}",
        "card checked in the page": reverse("payments:adding", args=[profile.code, half_added.key]),
        "card checked, no answer": reverse("payments:added", args=[profile.code, half_added.key]),
        "history": reverse("payments:history", args=[profile.code]),
        "methods": reverse("payments:methods", args=[profile.code]),
        "credits": reverse("invoices:credits", args=[profile.code]),
        "properties": reverse("accounts:properties", args=[profile.code]),
        "access": reverse("accounts:access", args=[profile.code]),
        "search": "/search/?q=inv",
        "not found": "/profiles/none/invoices/",
        "change password": "/account/password/change/",
        "security": "/account/2fa/",
    }


SIGNED_OUT = {"sign in": "/account/login/", "reset": "/account/password/reset/", "signed out 404": "/nowhere/"}


def problems_of(page) -> list[str]:
    found = Axe().run(page, options=WCAG).response["violations"]
    problems = [f"{item['id']}: {node['target']} {node['failureSummary']}" for item in found for node in item["nodes"]]
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow > 0:
        problems.append(f"scrolls sideways by {overflow} px")
    return problems


def look(page, url, theme) -> list[str]:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.goto(url)
    return problems_of(page)


@each_look
def test_every_page_of_a_member(rich, page, live_server, sign_in, look_of):
    owner, pages = rich
    sign_in(owner)
    theme, size = look_of
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    found = {}
    for name, path in pages.items():
        url = path.replace("http://testserver", "") if path.startswith("http") else path
        problems = look(page, live_server.url + url, theme)
        if problems:
            found[name] = problems
    assert found == {}


@each_look
def test_every_page_of_nobody(db, page, live_server, look_of):
    theme, size = look_of
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    found = {name: look(page, live_server.url + path, theme) for name, path in SIGNED_OUT.items()}
    assert [problems for problems in found.values() if problems] == []


@each_look
def test_the_blade_with_the_new_card_open(rich, page, live_server, sign_in, look_of):
    owner, pages = rich
    sign_in(owner)
    theme, size = look_of
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.goto(live_server.url + pages["invoices"])
    page.get_by_role("link", name="Pay now").first.click()
    page.locator("dialog#blade[open]").get_by_label("Add a new card").check()
    assert problems_of(page) == []


def test_every_page_in_dutch_on_a_phone(rich, page, live_server, sign_in):
    owner, pages = rich
    owner.language = "nl"
    owner.save()
    sign_in(owner)
    page.set_viewport_size({"width": 320, "height": 720})
    found = {}
    for name, path in pages.items():
        problems = look(page, live_server.url + path.replace("http://testserver", ""), "light")
        if name not in {"bank"} and page.locator("html").get_attribute("lang") != "nl":
            problems.append("is not in Dutch")
        if problems:
            found[name] = problems
    assert found == {}

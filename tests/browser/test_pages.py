"""Every page: no accessibility finding, no sideways scrolling, no blocked script, in both themes and on a phone."""

from datetime import date
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry, BillingContact, BillingProfile, InvoiceSection, WireRequest
from accounts.operations.addresses import CONFIRM, email_change_key, request_email_change
from invoices.money import Money
from payments.operations.manual_payments import record_payment
from payments.operations.refunds import refund
from tests.browser.accessibility import DARK, LIGHT, PHONE_DARK, PHONE_LIGHT, bring_axe, problems_of, show
from tests.factories import NOW, BillingProfileFactory, UserFactory, access_for, issued, member
from tests.payments.acts import card, press_pay, staff
from tests.payments.adding import add

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# A page is loaded once and changes its colors and width where it stands, by its style sheets. The pages in Dutch are
# also opened on a phone.
DESK, ON_A_PHONE = [LIGHT, DARK], [PHONE_DARK, PHONE_LIGHT]


@pytest.fixture
def rich(profile):
    """A profile with an invoice in every state, cards in every state, and an owner who also sees another profile."""
    owner = member(profile.account, "account_owner", name="Account owner")
    member(profile, "invoice_manager")
    section = InvoiceSection.objects.create(profile=profile, name="Web shop")
    default = card(profile, is_default=True)
    card(profile, expiry_month=1, expiry_year=2024)
    other = BillingProfileFactory(account=profile.account, name="Operations UK", currency="GBP")
    WireRequest.objects.create(profile=other, requested_at=NOW, requested_by=owner, legal_name="Example UK Ltd")
    BillingContact.objects.create(profile=profile, name="Payable", email="accounts-payable@example.com")
    BillingProfile.objects.filter(pk=profile.pk).update(status="warned")
    around_the_account_of(owner)
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
    change = request_email_change(
        access=access_for(owner), user_id=owner.pk, email="new-address@example.com", at=timezone.now()
    )
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
        "challenge in the page": reverse("payments:challenge", args=[profile.code, in_page.reference]),
        "add a card": reverse("payments:add_method", args=[profile.code]),
        "card refused": f"{reverse('payments:add_method', args=[profile.code])}?after={refused.key}",
        "card checked in the page": reverse("payments:adding", args=[profile.code, half_added.key]),
        "card checked, no answer": reverse("payments:added", args=[profile.code, half_added.key]),
        "history": reverse("payments:history", args=[profile.code]),
        "methods": reverse("payments:methods", args=[profile.code]),
        "credits": reverse("invoices:credits", args=[profile.code]),
        "properties": reverse("accounts:properties", args=[profile.code]),
        "mail and contacts": reverse("accounts:contacts", args=[profile.code]),
        "asking to pay by wire": reverse("accounts:wire_request", args=[profile.code]),
        "asked to pay by wire": reverse("accounts:wire_request", args=[other.code]),
        "statement": f"{reverse('payments:statement', args=[profile.code])}?from=2026-01-01&to=2026-12-31",
        "access": reverse("accounts:access", args=[profile.code]),
        "search": "/search/?q=inv",
        "not found": "/profiles/none/invoices/",
        "change password": "/account/password/change/",
        "email address": "/account/email/",
        "confirm the new address": reverse("account_confirm_email", args=[email_change_key(change.pk, CONFIRM)]),
        "confirm with a dead link": "/account/confirm-email/dead/",
        "security": "/account/2fa/",
        "own data": "/account/data/",
        "security activity": "/account/security/",
        "no security activity": "/account/security/?kind=addresses",
    }


def around_the_account_of(person):
    """What the person did, what somebody tried, and what staff changed."""
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/1 Safari/604.1"
    where = {"at": NOW, "subject": person.email, "person": person, "browser": agent, "ip_address": "2001:db8::8a2e:370"}
    AuditEntry.objects.create(
        action="sign_in.succeeded", actor=person, detail={"methods": ["password", "totp"]}, **where
    )
    AuditEntry.objects.create(action="second_factor.blocked", **where)
    AuditEntry.objects.create(
        action="user.changed", actor=UserFactory(is_staff=True),
        detail={"before": {"is_staff": False}, "after": {"is_staff": True}}, **where,
    )  # fmt: skip


SIGNED_OUT = {
    "sign in": "/account/login/",
    "reset": "/account/password/reset/",
    "a reset link that is dead": "/account/password/reset/key/1-dead/",
    "a stop link that is dead": "/account/cancel-email/dead/",
    "not confirmed yet": "/account/confirm-email/",
    "signed out 404": "/nowhere/",
}


@pytest.fixture
def page(page):
    bring_axe(page)
    return page


def look(page, url, looks=DESK + ON_A_PHONE) -> list[str]:
    show(page, looks[0])
    page.goto(url)
    return problems_of(page, looks)


def test_every_page_of_a_member(rich, page, live_server, sign_in):
    owner, pages = rich
    sign_in(owner)
    found = {}
    for name, path in pages.items():
        problems = look(page, live_server.url + path.replace("http://testserver", ""))
        if problems:
            found[name] = problems
    assert found == {}


def test_every_page_of_nobody(db, page, live_server):
    found = {name: look(page, live_server.url + path) for name, path in SIGNED_OUT.items()}
    assert [problems for problems in found.values() if problems] == []


@pytest.mark.parametrize("looks", [DESK, ON_A_PHONE], ids=["desk", "phone"])
def test_the_blade_with_the_new_card_open(rich, page, live_server, sign_in, looks):
    owner, pages = rich
    sign_in(owner)
    show(page, looks[0])
    page.goto(live_server.url + pages["invoices"])
    page.get_by_role("link", name="Pay now").first.click()
    page.locator("dialog#blade[open]").get_by_label("Add a new card").check()
    assert problems_of(page, looks) == []


def test_every_page_in_dutch_on_a_phone(rich, page, live_server, sign_in):
    owner, pages = rich
    owner.language = "nl"
    owner.save()
    sign_in(owner)
    found = {}
    for name, path in pages.items():
        problems = look(page, live_server.url + path.replace("http://testserver", ""), [PHONE_LIGHT])
        if name not in {"bank"} and page.locator("html").get_attribute("lang") != "nl":
            problems.append("is not in Dutch")
        if problems:
            found[name] = problems
    assert found == {}

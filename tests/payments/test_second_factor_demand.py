"""Where a second factor is demanded, nobody without one pays or touches a card: what pages say, what a POST gets."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.access import NeedsSecondFactor, NotAllowed
from accounts.models import AuditEntry, BillingAccount
from invoices.payability import NotPayableReason, reason_not_payable
from payments.models import MethodSetup, Payment, PaymentMethod
from payments.operations.autopay import switch_autopay
from payments.operations.methods import make_default, may_save_card
from tests.factories import PaymentMethodFactory, access_for, issued, member, with_second_factor
from tests.payments.acts import card, press_pay
from tests.payments.autopaying import run
from tests.payments.pages import BLADE, browser, filled_in, pay_url, text_of
from tests.test_query_counts import queries_of, statements_of_a_payment

pytestmark = pytest.mark.django_db
PAYING = "Your organization requires a second factor for paying. Set it up under Account > Two-factor authentication."
MANAGING = (
    "Your organization requires a second factor for managing payment methods. Set it up under Account > "
    "Two-factor authentication."
)
SET_UP = reverse("mfa_index")
PAYERS = ["profile_owner", "profile_contributor", "invoice_manager", "account_owner"]


@pytest.fixture
def demanding(profile):
    BillingAccount.objects.update(requires_second_factor=True)
    profile.account.refresh_from_db()
    return profile


def payer_of(profile, role):
    return member(profile.account if role.startswith("account") else profile, role)


def traces():
    """What a refused request must leave as it was."""
    return [
        list(Payment.objects.values_list("pk", "status")),
        list(PaymentMethod.objects.order_by("pk").values_list("pk", "status", "is_default", "backup_order")),
        list(BillingAccount.objects.values_list("pk", "profiles__charges_automatically", "profiles__default_method")),
        MethodSetup.objects.count(),
        AuditEntry.objects.count(),
    ]


# Paying --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", PAYERS)
def test_nobody_pays_without_one(demanding, role):
    user, invoice = payer_of(demanding, role), issued(demanding)
    before = traces()
    response = browser(user).post(pay_url(invoice), filled_in(invoice))
    assert response.status_code == 403
    assert PAYING.replace(">", "&gt;") in response.text
    assert traces() == before
    with pytest.raises(NeedsSecondFactor, match="requires a second factor for paying"):
        press_pay(user, invoice, card(demanding))
    assert not Payment.objects.exists()


@pytest.mark.parametrize("kind", ["totp", "webauthn"])
@pytest.mark.parametrize("role", PAYERS)
def test_whoever_has_one_pays(demanding, role, kind):
    user, invoice = with_second_factor(payer_of(demanding, role), kind), issued(demanding)
    assert press_pay(user, invoice, card(demanding)).status == "succeeded"


def test_a_demand_that_came_after_the_page_was_drawn_is_heeded(profile, payer):
    invoice, method, access = issued(profile), card(profile), access_for(payer, profile)
    BillingAccount.objects.update(requires_second_factor=True)
    with pytest.raises(NeedsSecondFactor):
        press_pay(payer, invoice, method, access=access)
    assert not Payment.objects.exists()


def test_a_second_factor_that_went_after_the_page_was_drawn_is_missed(demanding, payer):
    with_second_factor(payer)
    invoice, method, access = issued(demanding), card(demanding), access_for(payer, demanding)
    payer.authenticator_set.all().delete()
    with pytest.raises(NeedsSecondFactor):
        press_pay(payer, invoice, method, access=access)
    assert not Payment.objects.exists()


def test_no_longer_demanded_they_pay_again(demanding, payer):
    BillingAccount.objects.update(requires_second_factor=False)
    assert press_pay(payer, issued(demanding), card(demanding)).status == "succeeded"


def test_a_payment_costs_no_more_queries_with_the_demand(demanding, payer):
    assert len(queries_of(statements_of_a_payment(demanding, with_second_factor(payer)))) == 16


def test_automatic_charges_go_on(demanding):
    card(demanding, is_default=True)
    invoice = issued(demanding)
    run()
    invoice.refresh_from_db()
    assert invoice.status == "paid"


# What the pages say --------------------------------------------------------------------------------------------------


def test_the_reason_is_its_own_and_comes_after_those_of_the_invoice(demanding, payer):
    invoice = issued(demanding)
    reason = reason_not_payable(invoice, access_for(payer, demanding))
    assert (reason.code, reason.text) == (NotPayableReason.SECOND_FACTOR, PAYING)
    reader = access_for(member(demanding, "profile_reader"), demanding)
    assert reason_not_payable(invoice, reader).code == NotPayableReason.ROLE
    invoice.status = "void"
    assert reason_not_payable(invoice, access_for(payer, demanding)).code == NotPayableReason.VOID
    invoice.status = "open"
    assert reason_not_payable(invoice, access_for(with_second_factor(payer), demanding)) is None


def test_list_row_detail_and_pay_page_lead_to_where_it_is_set_up(demanding, payer):
    invoice, client = issued(demanding), browser(payer)
    listing = client.get(reverse("invoices:list", args=[demanding.code]))
    row = listing.text.partition(f'<tr id="invoice-{invoice.pk}"')[2].partition("</tr>")[0]
    assert "Set up two-factor authentication to pay" in row
    assert f'href="{SET_UP}?next=%2Fprofiles%2F' in row
    assert pay_url(invoice) not in listing.text
    assert PAYING in text_of(listing).replace("&gt;", ">")
    detail = client.get(reverse("invoices:detail", args=[demanding.code, invoice.number]))
    pay = client.get(pay_url(invoice))
    in_blade = client.get(pay_url(invoice), headers=BLADE)
    assert (detail.status_code, pay.status_code, in_blade.status_code) == (200, 403, 403)
    for page in (detail, pay, in_blade):
        assert PAYING in text_of(page).replace("&gt;", ">")
        assert f'href="{SET_UP}?next=%2Fprofiles%2F' in page.text
        assert "Roles are given by our staff" not in page.text


def test_a_reader_is_told_about_the_role_as_ever(demanding):
    client = browser(member(demanding, "profile_reader"))
    page = client.get(reverse("invoices:list", args=[demanding.code]))
    issued(demanding)
    assert "Your role does not include paying" in page.text
    assert SET_UP + "?next" not in page.text


def test_set_up_leads_back_to_the_invoice(demanding, payer):
    invoice, client = issued(demanding), browser(payer)
    page = client.get(f"{SET_UP}?next={pay_url(invoice)}")
    assert "Your organization requires a second factor for what you wanted to do." in page.text
    assert client.get(reverse("second_factor_back")).url == pay_url(invoice)


# Cards ---------------------------------------------------------------------------------------------------------------


def test_the_page_of_methods_explains(demanding):
    owner = member(demanding, "profile_owner")
    PaymentMethodFactory(profile=demanding)
    page = browser(owner).get(reverse("payments:methods", args=[demanding.code]))
    assert MANAGING in text_of(page).replace("&gt;", ">")
    assert f'href="{SET_UP}?next=%2Fprofiles%2F' in page.text
    assert reverse("payments:add_method", args=[demanding.code]) not in page.text
    reader = browser(member(demanding, "profile_reader")).get(reverse("payments:methods", args=[demanding.code]))
    assert "Your role does not include" in reader.text


@pytest.mark.parametrize("role", ["profile_owner", "profile_contributor", "account_owner", "account_contributor"])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("add_method", {}),
        ("make_default", {}),
        ("remove_method", {}),
        ("backup", {"act": "add"}),
        ("autopay", {"on": "0"}),
        ("set_default_method", {"method": "check_wire"}),
    ],
)
def test_nobody_manages_cards_without_one(demanding, role, name, data):
    method = PaymentMethodFactory(profile=demanding)
    args = [demanding.code, method.pk] if name in ("make_default", "remove_method", "backup") else [demanding.code]
    before = traces()
    response = browser(payer_of(demanding, role)).post(reverse(f"payments:{name}", args=args), data)
    assert response.status_code == 403
    assert MANAGING.replace(">", "&gt;") in response.text
    assert traces() == before


def test_the_operations_refuse_by_themselves(demanding):
    owner, method = member(demanding, "profile_owner"), PaymentMethodFactory(profile=demanding)
    access = access_for(owner, demanding)
    with pytest.raises(NotAllowed, match="requires a second factor for managing payment methods"):
        make_default(access=access, method_id=method.pk, at=timezone.now())
    with pytest.raises(NotAllowed, match="requires a second factor for managing payment methods"):
        switch_autopay(access=access, on=False, at=timezone.now())
    assert not AuditEntry.objects.exists()


def test_whoever_has_one_manages_them(demanding):
    owner, method = with_second_factor(member(demanding, "profile_owner")), PaymentMethodFactory(profile=demanding)
    response = browser(owner).post(reverse("payments:make_default", args=[demanding.code, method.pk]))
    assert response.status_code == 302
    method.refresh_from_db()
    assert method.is_default


def test_a_card_is_not_kept_for_who_has_none_when_the_bank_approves_it(demanding):
    owner = member(demanding, "profile_owner")
    assert not may_save_card(owner, demanding)
    assert may_save_card(with_second_factor(owner), demanding)

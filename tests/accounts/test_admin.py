"""The staff pages of accounts: what they refuse, and that they refuse it in words."""

import re
import threading

import pytest
from django.contrib.auth.models import Permission as DjangoPermission
from django.db import connections, transaction
from django.db.models import BaseConstraint, UniqueConstraint
from django.urls import reverse

from accounts import audit
from accounts.access import system_access
from accounts.models import (
    AuditEntry,
    BillingAccount,
    BillingContact,
    BillingProfile,
    InvoiceSection,
    RoleAssignment,
    TaxId,
    User,
)
from accounts.operations.roles import grant_role
from accounts.roles import Role
from billing_portal.core.models import OutgoingMail
from invoices.models import Charge, Credit, ExchangeRate, Invoice, InvoiceLine, RemittanceAccount, TaxRate
from payments.models import MethodSetup, Payment
from tests.factories import NOW, PaymentMethodFactory, UserFactory, draft, issued, member
from tests.waiting import PATIENCE, until_blocked

ADDRESS = {"company": "Example Trading B.V.", "country": "NL"}


@pytest.fixture
def admin(client, db):
    client.force_login(UserFactory(is_staff=True, is_superuser=True, email="admin@example.com"))
    return client


def messages(response):
    return [str(message) for message in response.context["messages"]]


def change(model, obj):
    return reverse(f"admin:accounts_{model}_change", args=[obj.pk])


def person_form(user, **fields):
    return {"email": user.email, "name": user.name, "language": "", "is_active": "on", **fields} | {
        "assignments-TOTAL_FORMS": 0,
        "assignments-INITIAL_FORMS": 0,
    }


@pytest.mark.parametrize(
    "model",
    [
        *(f"accounts_{name}" for name in ("user", "billingaccount", "billingprofile", "invoicesection")),
        *("accounts_roleassignment", "accounts_auditentry", "core_outgoingmail"),
    ],
)
def test_every_list_opens_and_searches(admin, model, profile):
    member(profile, "profile_owner")
    url = reverse(f"admin:{model}_changelist")
    assert admin.get(url).status_code == 200
    assert admin.get(url, {"q": "operations"}).status_code == 200


@pytest.mark.parametrize("model", ["user", "billingaccount", "billingprofile", "invoicesection", "roleassignment"])
def test_every_form_opens_empty(admin, model):
    assert admin.get(reverse(f"admin:accounts_{model}_add")).status_code == 200


def test_the_pages_of_an_account_and_a_profile_link_to_each_other(admin, profile):
    member(profile, "profile_owner", email="owner@example.com")
    account_page = admin.get(change("billingaccount", profile.account)).content.decode()
    assert change("billingprofile", profile) in account_page
    page = admin.get(change("billingprofile", profile)).content.decode()
    assert "owner@example.com" in page
    assert f"{reverse('admin:accounts_roleassignment_add')}?profile={profile.pk}" in page


def test_no_page_of_staff_needs_inline_script_or_style(admin, profile):
    for url in (reverse("admin:index"), change("billingprofile", profile), reverse("admin:accounts_user_changelist")):
        page = admin.get(url).content.decode()
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page
        assert page.count("<script") == page.count(" src=") - page.count("<img src=")


def test_the_currency_is_fixed_once_there_are_invoices(admin, profile):
    assert b'name="currency"' in admin.get(change("billingprofile", profile)).content
    issued(profile)
    assert b'name="currency"' not in admin.get(change("billingprofile", profile)).content


@pytest.mark.parametrize(
    "make",
    [
        draft,
        PaymentMethodFactory.create,
        lambda profile: Payment.objects.create(profile=profile, amount_minor=1, currency="EUR", started_at=NOW),
        lambda profile: MethodSetup.objects.create(
            profile=profile, gateway="sandbox", created_at=NOW, created_by=UserFactory()
        ),
        lambda profile: Credit.objects.create(
            profile=profile, currency="EUR", amount_minor=5, remaining_minor=5, description="Gift", created_at=NOW
        ),
    ],
    ids=["draft", "card", "payment", "card being added", "credit"],
)
def test_the_currency_is_fixed_with_the_first_amount_or_card(admin, profile, make):
    make(profile=profile)
    assert b'name="currency"' not in admin.get(change("billingprofile", profile)).content
    admin.post(change("billingprofile", profile), profile_form(currency="GBP"))
    profile.refresh_from_db()
    assert profile.currency == "EUR"


@pytest.mark.parametrize("model", ["billingaccount", "billingprofile"])
def test_no_code_is_shown_before_it_is_saved(admin, model):
    page = admin.get(reverse(f"admin:accounts_{model}_add")).content.decode()
    assert "field-code" not in page
    assert "field-created_at" not in page


def test_every_constraint_that_a_form_of_staff_reaches_has_a_sentence(db):
    """Django's own words would name the constraint."""
    written = {BillingAccount, TaxId, BillingProfile, InvoiceSection, BillingContact, User, RoleAssignment}
    written |= {Invoice, InvoiceLine, Charge, TaxRate, Credit, RemittanceAccount, ExchangeRate}
    silent = [
        constraint.name
        for model in written
        for constraint in model._meta.constraints
        if constraint.violation_error_message == BaseConstraint.default_violation_error_message
        and not (isinstance(constraint, UniqueConstraint) and constraint.fields and constraint.condition is None)
        and all(model._meta.get_field(name).editable for name in names_in(constraint, model))
    ]
    silent.remove("credit_remaining_within_amount")  # neither amount is a field of the form
    assert silent == []


def names_in(constraint, model):
    text = str(constraint.deconstruct()[2])
    return [field.name for field in model._meta.fields if re.search(rf"['(\"]{field.name}(__|[')\"])", text)]


def test_what_only_names_the_profile_leaves_its_currency_open(admin, profile):
    member(profile, "profile_owner")
    InvoiceSection.objects.create(profile=profile, name="Marketing")
    assert not profile.has_amounts()


@pytest.mark.parametrize(
    ("field", "code", "refusal"),
    [
        ("currency", "EUE", "EUE is not a currency in use."),
        ("currency", "BGN", "BGN is not a currency in use."),
        ("currency", "XAU", "XAU is not a currency in use."),
        ("country", "ZZ", "ZZ is not a country."),
    ],
)
def test_a_code_that_is_no_currency_or_country_of_today_is_refused(admin, profile, field, code, refusal):
    response = admin.post(change("billingprofile", profile), profile_form(**{field: code}))
    assert response.status_code == 200
    assert refusal in response.content.decode()
    profile.refresh_from_db()
    assert getattr(profile, field) != code


def profile_form(**fields):
    return {
        **ADDRESS, "name": "Operations NL", "currency": "EUR", "invoice_day": 5,
        "payment_terms_days": 14, "default_method": "card", "time_zone": "Europe/Amsterdam",
        "mails_invoices": "on", "document_language": "en", "invoice_format": "pdf",
        "contacts-TOTAL_FORMS": 0, "contacts-INITIAL_FORMS": 0,
        "sections-TOTAL_FORMS": 0, "sections-INITIAL_FORMS": 0,
        "assignments-TOTAL_FORMS": 0, "assignments-INITIAL_FORMS": 0, **fields,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"payment_terms_days": 366}, "Ensure this value is less than or equal to 365."),
        (
            {"sections-TOTAL_FORMS": 1, "sections-0-name": "web  SHOP"},
            "This billing profile has an invoice section of that name already.",
        ),
        (
            {"contacts-TOTAL_FORMS": 1, "contacts-0-email": "AP@example.com", "contacts-0-language": "en"},
            "This address is a contact of the billing profile already.",
        ),
    ],
)
def test_what_a_constraint_of_a_profile_refuses_is_told_in_a_sentence(admin, profile, fields, refusal):
    InvoiceSection.objects.create(profile=profile, name="Web shop")
    BillingContact.objects.create(profile=profile, email="ap@example.com")
    response = admin.post(change("billingprofile", profile), profile_form(**fields))
    assert refusal in response.content.decode()
    profile.refresh_from_db()
    assert (profile.payment_terms_days, profile.sections.count(), profile.contacts.count()) == (30, 1, 1)


@pytest.mark.parametrize(("day", "status"), [(1, 302), (29, 302), (31, 302), (0, 200), (32, 200)])
def test_staff_choose_the_invoice_day(admin, profile, day, status):
    url = change("billingprofile", profile)
    assert "Last day of the month</option>" in admin.get(url).content.decode()
    assert admin.post(url, profile_form(invoice_day=day)).status_code == status
    profile.refresh_from_db()
    assert profile.invoice_day == (day if status == 302 else 5)


def test_a_changed_profile_leaves_a_trail(admin, profile):
    assert admin.post(change("billingprofile", profile), profile_form()).status_code == 302
    profile.refresh_from_db()
    assert profile.payment_terms_days == 14
    entry = AuditEntry.objects.get(profile=profile)
    assert (entry.action, entry.detail) == (
        "billing_profile.changed", {"before": {"payment_terms_days": 30}, "after": {"payment_terms_days": 14}}
    )  # fmt: skip


def test_a_role_is_granted_through_the_operation(admin, profile):
    person = UserFactory()
    form = {"user": person.pk, "role": "invoice_manager", "profile": profile.pk}
    assert admin.post(reverse("admin:accounts_roleassignment_add"), form).status_code == 302
    assert RoleAssignment.objects.get(user=person).profile == profile
    assert AuditEntry.objects.filter(action="role.granted").count() == 1


def test_a_role_at_the_wrong_scope_is_refused_in_the_form(admin, profile):
    form = {"user": UserFactory().pk, "role": "account_owner", "profile": profile.pk}
    response = admin.post(reverse("admin:accounts_roleassignment_add"), form)
    assert response.status_code == 200
    assert b"Choose one scope, and a role that exists at that scope." in response.content
    assert not RoleAssignment.objects.exists()


def test_a_role_that_the_person_holds_is_refused_in_the_form(admin, profile):
    person = member(profile, "profile_reader")
    form = {"user": person.pk, "role": "profile_reader", "profile": profile.pk}
    response = admin.post(reverse("admin:accounts_roleassignment_add"), form)
    assert "This person holds that role already." in response.content.decode()
    assert RoleAssignment.objects.filter(user=person).count() == 1


def test_what_the_operation_refuses_is_a_message(admin, profile):
    form = {"user": UserFactory(is_active=False).pk, "role": "profile_reader", "profile": profile.pk}
    page = admin.post(reverse("admin:accounts_roleassignment_add"), form).content.decode()
    assert "is not active" in page
    assert '<option value="profile_reader" selected>' in page  # what was typed is kept
    assert not RoleAssignment.objects.exists()


def test_a_role_is_removed_after_a_confirmation(admin, profile):
    assignment = RoleAssignment.objects.get(user=member(profile, "profile_reader"))
    url = reverse("admin:accounts_roleassignment_delete", args=[assignment.pk])
    assert b"Are you sure" in admin.get(url).content
    assert RoleAssignment.objects.exists()
    assert admin.post(url, {"post": "yes"}).status_code == 302
    assert not RoleAssignment.objects.exists()
    assert AuditEntry.objects.get().action == "role.removed"


def test_the_last_owner_is_not_removed(admin, profile):
    assignment = RoleAssignment.objects.get(user=member(profile, "profile_owner"))
    url = reverse("admin:accounts_roleassignment_delete", args=[assignment.pk])
    response = admin.post(url, {"post": "yes"}, follow=True)
    assert "is the last owner of Operations NL" in messages(response)[0]
    assert RoleAssignment.objects.exists()


def test_the_last_owner_is_not_deactivated(admin, profile):
    owner = member(profile, "profile_owner")
    form = person_form(owner, name="New name")
    del form["is_active"]
    page = admin.post(change("user", owner), form).content.decode()
    assert "is the last owner of Operations NL" in page
    assert 'value="New name"' in page  # what was typed is kept
    owner.refresh_from_db()
    assert owner.is_active
    assert owner.name == ""


def test_somebody_without_that_duty_is_deactivated(admin, profile):
    reader = member(profile, "profile_reader")
    form = person_form(reader)
    del form["is_active"]
    admin.post(change("user", reader), form)
    reader.refresh_from_db()
    assert not reader.is_active
    assert AuditEntry.objects.filter(action="user.deactivated", subject=reader.email).exists()


@pytest.mark.parametrize("model", [User, BillingAccount, BillingProfile, AuditEntry])
def test_nothing_with_a_history_can_be_deleted(admin, profile, model):
    audit.record(access=system_access(), at=NOW, action="profile.seen", subject="x")
    obj = model.objects.first() or UserFactory()
    url = reverse(f"admin:accounts_{model._meta.model_name}_delete", args=[obj.pk])
    assert admin.get(url).status_code == 403
    assert admin.post(url, {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=obj.pk).exists()


def test_audit_entries_and_mails_are_read_only(admin, db):
    entry = audit.record(access=system_access(), at=NOW, action="profile.seen", subject="x")
    mail = OutgoingMail.objects.create(key="k", to="a@example.com", language="en", template="t", created_at=NOW)
    for model, obj in (("accounts_auditentry", entry), ("core_outgoingmail", mail)):
        page = reverse(f"admin:{model}_change", args=[obj.pk])
        assert admin.get(page).status_code == 200
        assert admin.post(page, {"subject": "y", "to": "b@example.com"}).status_code == 403
        assert admin.get(reverse(f"admin:{model}_add")).status_code == 403


def test_a_new_person_has_no_password_and_a_lower_case_address(admin):
    form = {"email": "New.Person@Example.com", "name": "New", "language": "nl"}
    assert admin.post(reverse("admin:accounts_user_add"), form).status_code == 302
    person = User.objects.get(email="new.person@example.com")
    assert not person.has_usable_password()
    assert person.is_active
    assert not person.is_staff


def test_an_address_that_exists_in_other_capitals_is_refused(admin):
    UserFactory(email="taken@example.com")
    response = admin.post(
        reverse("admin:accounts_user_add"), {"email": "TAKEN@example.com", "name": "", "language": ""}
    )
    assert b"This address belongs to another user" in response.content


def test_a_clerk_cannot_hand_out_staff_powers_nor_touch_a_superuser(client, db):
    clerk = UserFactory(is_staff=True)
    wanted = ["view_user", "change_user"]
    clerk.user_permissions.set(DjangoPermission.objects.filter(codename__in=wanted))
    client.force_login(clerk)
    client.post(change("user", clerk), person_form(clerk, is_superuser="on", is_staff="on"))
    clerk.refresh_from_db()
    assert not clerk.is_superuser
    chief = UserFactory(is_staff=True, is_superuser=True)
    assert client.post(change("user", chief), person_form(chief, name="x")).status_code == 403
    assert client.get(reverse("admin:auth_user_password_change", args=[chief.pk])).status_code == 403


def test_staff_sign_in_on_the_portals_own_page(client, db):
    response = client.get(reverse("admin:login"))
    assert response.status_code == 302
    assert response.url.startswith(reverse("account_login"))


def test_secrets_of_second_factors_are_not_shown(admin):
    from allauth.mfa.models import Authenticator

    factor = Authenticator.objects.create(user=UserFactory(), type="totp", data={"secret": "TOPSECRET"})
    page = admin.get(reverse("admin:mfa_authenticator_change", args=[factor.pk]))
    assert page.status_code == 200
    assert b"TOPSECRET" not in page.content


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_role_can_be_granted_while_staff_deactivate_the_same_person(admin, profile):
    """Both lock the scope before the person; in the other order each would wait for the other."""
    owner = member(profile, "profile_owner")
    member(profile, "profile_owner")
    form = person_form(owner)
    del form["is_active"]
    answers = []

    def deactivate():
        answers.append(admin.post(change("user", owner), form).status_code)
        connections.close_all()

    waiting = threading.Thread(target=deactivate)
    with transaction.atomic():
        BillingProfile.objects.filter(pk=profile.pk).locked().get()
        waiting.start()
        until_blocked(waiting)
        grant_role(access=system_access(), user=owner, role=Role.PROFILE_READER, place=profile, at=NOW)
    waiting.join(PATIENCE)
    owner.refresh_from_db()
    assert (answers, owner.is_active) == ([302], False)
    assert RoleAssignment.objects.filter(user=owner, role=Role.PROFILE_READER).exists()

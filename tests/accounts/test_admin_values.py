"""What entries of changes by staff hold: rows below, powers, sums; never a secret, nothing of what is refused."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission

from accounts.admin.base import differences, stored_values
from accounts.models import (
    AuditEntry,
    BillingAccount,
    BillingContact,
    BillingProfile,
    InvoiceSection,
    TaxId,
    User,
)
from invoices.models import Charge, Invoice
from invoices.operations.issuing import recompute_draft
from tests.factories import TODAY, BillingAccountFactory, BillingProfileFactory, UserFactory, draft, member
from tests.invoices.billing_runs import charged
from tests.staff_forms import as_shown, page, save

VIEW_PEOPLE, ADD_PEOPLE = (f"Customers and access | user | Can {verb} user" for verb in ("view", "add"))


@pytest.fixture
def chief(client, db):
    chief = UserFactory(is_staff=True, is_superuser=True, email="chief@example.com")
    client.force_login(chief)
    return chief


def permission(codename):
    return Permission.objects.get(codename=codename)


def detail(**of):
    return AuditEntry.objects.get(**of).detail


def summed(invoice):
    return recompute_draft(invoice_id=invoice.pk)


def test_rows_below_leave_entries_of_their_own(client, chief):
    profile = BillingProfileFactory()
    contact = BillingContact.objects.create(profile=profile, email="old@example.com")
    gone = BillingContact.objects.create(profile=profile, email="gone@example.com")
    save(
        client, page(BillingProfile, "change", profile.pk),
        **{"contacts-0-email": "gone@example.com", "contacts-0-id": gone.pk, "contacts-0-DELETE": "on",
           "contacts-1-email": "new@example.com", "contacts-1-id": contact.pk,
           "contacts-2-email": "more@example.com", "contacts-2-language": "en", "contacts-2-profile": profile.pk,
           "contacts-TOTAL_FORMS": 3},
    )  # fmt: skip
    entries = {entry.action: entry for entry in AuditEntry.objects.all()}
    assert sorted(entries) == [f"accounts_payable_contact.{deed}" for deed in ("added", "changed", "deleted")]
    assert entries["accounts_payable_contact.changed"].detail == {
        "before": {"email": "old@example.com"}, "after": {"email": "new@example.com"}
    }  # fmt: skip
    assert entries["accounts_payable_contact.deleted"].detail["before"]["email"] == "gone@example.com"
    assert entries["accounts_payable_contact.added"].detail["after"]["email"] == "more@example.com"
    assert {(entry.profile, entry.account) for entry in entries.values()} == {(profile, profile.account)}


def test_a_tax_id_of_an_account_and_a_section_of_a_profile(client, chief):
    profile = BillingProfileFactory()
    tax_id = TaxId.objects.create(account=profile.account, value="NL999999990B01")
    save(client, page(BillingAccount, "change", profile.account_id), **{"tax_ids-0-value": "DE999999995"})
    assert detail(action="tax_id.changed", account=profile.account) == {
        "before": {"value": "NL999999990B01"}, "after": {"value": "DE999999995"}
    }  # fmt: skip
    assert tax_id
    InvoiceSection.objects.create(profile=profile, name="Shop")
    save(client, page(BillingProfile, "change", profile.pk), **{"sections-0-name": "Web shop"})
    assert detail(action="invoice_section.changed", profile=profile) == {
        "before": {"name": "Shop"}, "after": {"name": "Web shop"}
    }  # fmt: skip


def test_a_line_of_a_draft_and_what_the_draft_comes_to(client, chief):
    invoice = summed(draft(BillingProfileFactory()))
    save(client, page(Invoice, "change", invoice.pk), **{"lines-0-unit_price": "80.50"})
    lines = detail(action="invoice_line.changed", profile=invoice.profile)
    assert (lines["before"]["unit_price"], lines["after"]["unit_price"]) == ("120", "80.5")
    totals = detail(action="invoice.changed", profile=invoice.profile)
    assert totals["after"]["total_minor"] == 8050


def test_a_draft_that_is_deleted(client, chief):
    invoice = draft(BillingProfileFactory(), source_reference="S-1")
    client.post(page(Invoice, "delete", invoice.pk), {"post": "yes"})
    assert not Invoice.objects.exists()
    assert detail(action="invoice.deleted", profile=invoice.profile)["before"]["source_reference"] == "S-1"


def test_powers_appear_with_the_values_before_and_after(client, chief):
    """Whoever has them could otherwise make themselves, or somebody else, more than they are, unseen."""
    clerk, group = UserFactory(is_staff=True), Group.objects.create(name="Clerks")
    clerk.user_permissions.add(permission("view_user"))
    save(
        client, page(User, "change", clerk.pk),
        is_superuser="on", groups=[group.pk], user_permissions=[permission("add_user").pk],
    )  # fmt: skip
    entry = AuditEntry.objects.get(action="user.changed", person=clerk)
    assert entry.detail == {
        "before": {"is_superuser": False, "groups": [], "user_permissions": [VIEW_PEOPLE]},
        "after": {
            "is_superuser": True, "groups": ["Clerks"], "user_permissions": [ADD_PEOPLE],
        },
    }  # fmt: skip


def test_the_permissions_of_a_group(client, chief):
    group = Group.objects.create(name="Clerks")
    save(client, page(Group, "change", group.pk), permissions=[permission("add_group").pk])
    assert detail(action="group.changed") == {
        "before": {"permissions": []},
        "after": {"permissions": ["Authentication and Authorization | group | Can add group"]},
    }
    client.post(page(Group, "changelist"), {"action": "delete_selected", "_selected_action": [group.pk], "post": "yes"})
    assert not Group.objects.exists()
    assert detail(action="group.deleted")["before"]["name"] == "Clerks"


def test_who_is_deactivated_has_the_entry_of_that_and_no_second_one(client, chief):
    person = UserFactory()
    save(client, page(User, "change", person.pk), is_active=None)
    assert [(entry.action, entry.person) for entry in AuditEntry.objects.all()] == [("user.deactivated", person)]


def test_a_secret_is_never_kept(db):
    person = UserFactory()
    before = stored_values(User, [person.pk])[person.pk]
    User.objects.update(password="argon2$secret")
    after = stored_values(User, [person.pk])[person.pk]
    assert differences(User, before, after) == {"before": {"password": "changed"}, "after": {"password": "changed"}}
    assert "password" not in differences(User, {}, after)["after"]
    assert "password" not in differences(User, after, {})["before"]


def test_what_no_form_shows_is_kept_too(db):
    account = BillingAccountFactory()
    before = stored_values(BillingAccount, [account.pk])[account.pk]
    BillingAccount.objects.update(requires_second_factor=True)
    after = stored_values(BillingAccount, [account.pk])[account.pk]
    assert differences(BillingAccount, before, after) == {
        "before": {"requires_second_factor": False}, "after": {"requires_second_factor": True}
    }  # fmt: skip


def test_another_row_is_kept_by_its_key_and_name(client, chief):
    profile = BillingProfileFactory()
    save(client, page(InvoiceSection, "add"), profile=profile.pk, name="Shop")
    assert detail(action="invoice_section.added")["after"]["profile"] == {"pk": profile.pk, "text": "Operations NL"}


def test_a_change_that_is_refused_leaves_nothing(client, chief):
    owner = member(BillingProfileFactory(), "profile_owner")
    address = page(User, "change", owner.pk)
    form = as_shown(client.get(address)) | {"name": "New"}
    del form["is_active"]
    client.post(address, form)
    assert not AuditEntry.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_form_with_a_mistake_leaves_nothing(client, chief):
    address = page(User, "change", UserFactory().pk)
    assert client.post(address, as_shown(client.get(address)) | {"language": "none"}).status_code == 200
    assert not AuditEntry.objects.exists()


def test_a_charge_that_is_taken_back_is_recorded_once(client, chief):
    charge = charged(BillingProfileFactory(), on=TODAY)
    client.post(page(Charge, "delete", charge.pk), {"post": "yes"})
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "charge.recorded", "charge.removed"
    ]  # fmt: skip


def test_djangos_own_log_names_fields_and_no_values(client, chief):
    person = UserFactory(name="Old name")
    save(client, page(User, "change", person.pk), name="New name")
    assert "Name" in LogEntry.objects.get().change_message
    assert "New name" not in LogEntry.objects.get().change_message


def test_a_second_factor_is_removed_by_its_operation(client, chief):
    factor = Authenticator.objects.create(user=UserFactory(), type="totp", data={})
    client.post(page(Authenticator, "delete", factor.pk), {"post": "yes"})
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["second_factor.removed"]

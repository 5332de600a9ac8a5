"""A person's data in a file: all of theirs, and nothing of anybody else's."""

import io
import json
import zipfile
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from accounts import audit
from accounts.access import access_of, staff_access, system_access
from accounts.models import AuditEntry, EmailChange, WireRequest
from accounts.operations.addresses import CONFIRM, confirm_email_change, email_change_key, request_email_change
from accounts.operations.contacts import add_contact
from billing_portal.core.models import OutgoingMail
from billing_portal.personal_data.export import CannotExport, export_person, file_name
from tests.factories import NOW, BillingProfileFactory, UserFactory, member, proven
from tests.memory import peak_of
from tests.personal_data.canary import ADDRESS, BROWSER, IP, NAME, PASSWORD, PENDING, PHONE, Canary

pytestmark = pytest.mark.django_db


def export(user, access=None, *, reason="By letter of 2 November", at=NOW):
    stream = io.BytesIO()
    export_person(access=access or system_access(), user=user, stream=stream, at=at, reason=reason)
    return zipfile.ZipFile(stream)


def rows(archive, name):
    return json.loads(archive.read(f"{name}.json"))


def everything(archive):
    return "\n".join(archive.read(name).decode() for name in archive.namelist())


@pytest.fixture
def canary():
    return Canary()


def test_it_holds_everything_about_the_person(canary):
    archive = export(canary.user)
    (account,) = rows(archive, "account")
    assert (account["email"], account["name"], account["language"]) == (ADDRESS, NAME, "nl")
    assert rows(archive, "addresses") == [{"email": ADDRESS, "verified": True, "primary": True}]
    assert rows(archive, "address_change")[0]["email"] == PENDING
    assert {row["role"] for row in rows(archive, "roles")} == {"profile_owner", "invoice_manager", "account_reader"}
    assert [row["type"] for row in rows(archive, "second_factors")] == ["webauthn"]
    assert rows(archive, "sessions")[0]["signed_in"][0]["method"] == "password"
    assert {row["status"] for row in rows(archive, "payments")} == {"succeeded", "declined"}
    assert {row["last_four"] for row in rows(archive, "cards")} == {"4242"}
    assert len(rows(archive, "cards_added")) == 1
    assert {row["contact_phone"] for row in rows(archive, "wire_requests")} == {PHONE}
    assert {row["email"] for row in rows(archive, "contacts")} == {ADDRESS}
    mails = rows(archive, "mails")
    assert {"payment_succeeded", "payment_failed", "wire_decided", "reminder"} <= {row["template"] for row in mails}
    activity = rows(archive, "activity")
    assert {"role.granted", "wire.requested", "payment.succeeded", "user.email_changed"} <= {
        row["action"] for row in activity
    }
    assert {(row["ip_address"], row["browser"]) for row in activity if row["by"] == "you"} >= {(IP, BROWSER)}


def test_it_holds_no_secret(canary):
    text = everything(export(canary.user))
    assert canary.user.password not in text
    assert "Key of" not in text
    assert str(canary.payment.attempt_key) not in text


def test_it_holds_nothing_about_anybody_else(canary):
    other = UserFactory(email="somebody.else@example.org", name="Klaas Ander")
    with_phone = {"contact_name": "Klaas Ander", "contact_email": other.email, "contact_phone": "+31 6 0000"}
    closed = {"status": "withdrawn", "decided_at": NOW, "requested_at": NOW, "profile": canary.profile}
    WireRequest.objects.create(requested_by=canary.user, reason=f"See {other.email}", **with_phone, **closed)
    theirs = WireRequest.objects.create(
        requested_by=other, contact_email=ADDRESS, contact_name=NAME, reason="Their own reason", **closed
    )
    to_other = {"at": NOW, "action": "role.granted", "ip_address": "192.0.2.77", "browser": "Other/2.0"}
    AuditEntry.objects.create(
        actor=canary.user, person=other, subject="Klaas Ander", **to_other | {"ip_address": IP, "browser": BROWSER}
    )
    AuditEntry.objects.create(
        actor=other, person=canary.user, subject=ADDRESS, detail={"cc": [other.email]}, **to_other
    )
    audit.record(
        access=access_of(canary.user), at=NOW, action="contact.added", subject=other.email, profile=canary.profile
    )
    OutgoingMail.objects.create(key="theirs", to=other.email, language="en", template="reminder", created_at=NOW)
    text = everything(export(canary.user))
    for word in ("somebody.else", "Klaas", "+31 6 0000", "192.0.2.77", "Other/2.0", "Their own reason", "boss@",
                 "colleague@", "Piet Collega"):  # fmt: skip
        assert word not in text, word
    assert theirs.contact_email == ADDRESS


def activity_of(user, action):
    (row,) = [row for row in rows(export(user), "activity") if row["action"] == action]
    return row


def test_a_copy_for_staff_does_not_hold_what_they_changed_about_somebody(client):
    clerk = UserFactory(is_staff=True, is_superuser=True)
    other = UserFactory(name="Klaas Ander")
    client.force_login(clerk)
    form = {"name": "Klaas Anders", "is_active": "on", "assignments-TOTAL_FORMS": 0, "assignments-INITIAL_FORMS": 0}
    assert client.post(f"/admin/accounts/user/{other.pk}/change/", form).status_code == 302
    assert AuditEntry.objects.get(action="user.changed").detail["before"] == {"name": "Klaas Ander"}
    row = activity_of(clerk, "user.changed")
    assert (row["by"], row["subject"], row["detail"]) == ("you", "somebody else", {})
    assert activity_of(other, "user.changed")["detail"]["after"] == {"name": "Klaas Anders"}
    assert "Klaas" not in everything(export(clerk))


def test_a_copy_for_staff_does_not_hold_what_they_changed_in_a_customers_records(profile):
    clerk = UserFactory(is_staff=True)
    added = {"after": {"name": "Klaas Ander", "email": "klaas@example.org"}, "reason": "By letter"}
    audit.record(
        access=staff_access(clerk), at=NOW, action="accounts_payable_contact.added", subject="klaas@example.org",
        profile=profile, **added,
    )  # fmt: skip
    assert activity_of(clerk, "accounts_payable_contact.added")["detail"] == {"reason": "By letter"}


def test_an_address_that_the_person_only_claims_opens_nothing(canary):
    OutgoingMail.objects.create(key="to a stranger", to=PENDING, language="en", template="reminder", created_at=NOW)
    assert PENDING not in {row["to"] for row in rows(export(canary.user), "mails")}


def test_an_address_of_an_invitation_that_nobody_answered_opens_nothing(profile):
    """Staff may correct it to whatever they like."""
    address = "ap@victim.example.com"
    add_contact(access=system_access(), profile_id=profile.pk, name="Anna", email=address, language="en", at=NOW)
    mail = {"to": address, "language": "en", "template": "reminder"}
    OutgoingMail.objects.create(key="theirs", created_at=NOW, next_try_at=None, **mail)
    WireRequest.objects.create(
        profile=profile, requested_at=NOW, requested_by=UserFactory(), contact_name="Anna", contact_email=address
    )
    archive = export(UserFactory(email=address))
    assert set(archive.namelist()) == {"README.txt", "account.json", "activity.json"}
    assert "Anna" not in everything(archive)


def test_a_copy_holds_nothing_of_whoever_had_the_address_before(profile):
    """Klaas has it, does things, gives it up by a change that is confirmed; Els has it from then on."""
    shared, start = "facturen@example.com", NOW - timedelta(days=90)
    klaas = UserFactory(email=shared, name="Klaas Ander")
    AuditEntry.objects.create(
        at=start, action="sign_in.succeeded", actor=klaas, person=klaas, subject=shared, ip_address="192.0.2.77"
    )
    AuditEntry.objects.create(at=start, action="sign_in.failed", subject=shared, ip_address="192.0.2.78")
    changed = start + timedelta(days=30)
    request_email_change(access=access_of(klaas), user_id=klaas.pk, email="klaas@example.org", at=changed)
    key = email_change_key(EmailChange.objects.get(user=klaas).pk, CONFIRM)
    confirm_email_change(access=access_of(klaas), key=key, at=changed)
    mail = {"to": shared, "language": "en", "next_try_at": None}
    OutgoingMail.objects.create(key="to him", template="payment_failed", created_at=start, **mail)
    closed = {"status": "withdrawn", "decided_at": NOW, "profile": profile, "contact_email": shared}
    WireRequest.objects.create(requested_by=klaas, requested_at=start, contact_name="Klaas Ander", **closed)
    add_contact(access=system_access(), profile_id=profile.pk, name="Klaas", email=shared, language="en", at=start)

    els = proven(UserFactory(email=shared, name="Els"), PASSWORD)
    since = changed + timedelta(days=10)
    OutgoingMail.objects.create(key="to her", template="reminder", created_at=since, **mail)
    WireRequest.objects.create(requested_by=els, requested_at=since, contact_name="Els", **closed)
    AuditEntry.objects.create(at=since, action="sign_in.failed", subject=shared, ip_address="192.0.2.79")
    decided = {"requested_by": UserFactory(), "decided_by": els, "contact_name": "Klaas Ander"}
    WireRequest.objects.create(requested_at=start, **closed | decided)

    archive = export(els)
    text = everything(archive)
    for trace in ("Klaas", "klaas@", "192.0.2.77", "192.0.2.78", "somebody else"):
        assert trace not in text, trace
    assert [row["template"] for row in rows(archive, "mails")] == ["reminder"]
    assert [row["action"] for row in rows(archive, "activity")] == ["sign_in.failed", "person.exported"]
    assert [row.get("contact_name") for row in rows(archive, "wire_requests")] == ["Els", None]
    assert [row["email"] for row in rows(archive, "contacts")] == [shared]
    assert {"payment_failed", "address_confirm"} & {row["template"] for row in rows(export(klaas), "mails")}


def test_it_is_recorded_and_the_person_can_see_it(canary):
    export(canary.user, canary.staff)
    entry = AuditEntry.objects.get(action="person.exported")
    assert (entry.actor, entry.person, entry.subject) == (canary.boss, canary.user, f"user {canary.user.pk}")
    assert entry.detail == {"reason": "By letter of 2 November"}


def test_the_text_in_it_is_in_the_persons_language_and_names_each_file(canary):
    archive = export(canary.user)
    text = archive.read("README.txt").decode()
    for name in archive.namelist():
        assert name == "README.txt" or f"{name} (" in text, name
    assert ADDRESS in text


def test_somebody_who_did_nothing_gets_a_file_that_says_so():
    archive = export(UserFactory())
    assert set(archive.namelist()) == {"README.txt", "account.json", "activity.json"}


def test_a_file_name_says_only_a_number_and_a_day():
    user = UserFactory(email='"../../etc/x"@example.com', name="../..")
    assert file_name(user, NOW) == f"personal-data-{user.pk}-2026-10-26.zip"


def refused(user, access, expected, **wish):
    before = AuditEntry.objects.count()
    stream = io.BytesIO()
    with pytest.raises(expected):
        export_person(access=access, user=user, stream=stream, at=NOW, **{"reason": "By letter"} | wish)
    assert (AuditEntry.objects.count(), stream.getvalue()) == (before, b"")
    return True


def test_nobody_exports_another_person_but_staff():
    profile = BillingProfileFactory()
    owner, user = member(profile.account, "account_owner"), member(profile, "invoice_manager")
    assert refused(user, access_of(owner), PermissionDenied)


def test_staff_need_a_reason():
    assert refused(UserFactory(), staff_access(UserFactory(is_staff=True)), CannotExport, reason="  ")


def test_who_was_staff_when_the_page_opened_and_is_no_longer_gets_nothing():
    clerk = UserFactory(is_staff=True)
    access = staff_access(clerk)
    type(clerk).objects.filter(pk=clerk.pk).update(is_staff=False)
    assert refused(UserFactory(), access, PermissionDenied)


@pytest.mark.parametrize("powers", [{"is_staff": True}, {"is_superuser": True}])
def test_only_a_superuser_exports_a_member_of_staff(powers):
    user = UserFactory(**powers)
    assert refused(user, staff_access(UserFactory(is_staff=True)), PermissionDenied)
    assert export(user, staff_access(UserFactory(is_staff=True, is_superuser=True)))


def test_ones_own_data_needs_no_reason_and_is_not_handed_out_all_day_long():
    user = UserFactory()
    at = timezone.now()
    for _time in range(5):
        assert export(user, access_of(user), reason="", at=at)
    with pytest.raises(CannotExport, match="several times"):
        export(user, access_of(user), reason="", at=at)
    assert export(user, access_of(user), reason="", at=at + timedelta(hours=1))


def test_what_staff_made_does_not_count_against_the_person():
    user = UserFactory()
    for _time in range(6):
        export(user)
    assert export(user, access_of(user), reason="")


def test_memory_does_not_follow_the_number_of_rows():
    user = UserFactory()
    Authenticator.objects.create(user=user, type="totp", data={})

    def with_entries(count):
        AuditEntry.objects.bulk_create(
            (AuditEntry(at=NOW, actor=user, action="charge.recorded", subject="x" * 100, detail={"n": "y" * 200})
             for _number in range(count)), batch_size=1000,
        )  # fmt: skip
        return peak_of(lambda: export(user))

    few, many = with_entries(500), with_entries(5000)
    assert many < few + 1_500_000

"""Whatever happens at the door is in the audit, with the IP address and the browser that it came from."""

import pytest
from django.core import mail
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone

from accounts.access import access_of
from accounts.models import AuditEntry
from accounts.operations.addresses import CANCEL, email_change_key, request_email_change
from billing_portal.core.mail import send_due
from tests.factories import UserFactory
from tests.shell.doors import NEW_PASSWORD, PASSWORD, actions, confirm, new_password, sign_in, the_entry, who

# Passwords ------------------------------------------------------------------------------------------------------


def test_a_sign_in_and_a_sign_out(visitor, person):
    sign_in(visitor)
    entry = the_entry("sign_in.succeeded")
    assert who(entry) == (person, person, "manager@example.com")
    assert entry.detail == {"methods": ["password"]}
    visitor.post(reverse("account_logout"))
    assert who(the_entry("sign_out.succeeded")) == (person, person, "manager@example.com")


def test_a_member_of_staff_who_signs_out_of_the_staff_pages(visitor, person):
    person.is_staff = True
    person.save()
    visitor.force_login(person)
    visitor.post(reverse("admin:logout"))
    assert who(the_entry("sign_out.succeeded")) == (person, person, "manager@example.com")


def test_a_wrong_password_is_about_the_person_and_done_by_nobody(visitor, person):
    sign_in(visitor, "Manager@Example.com", "guess me")
    entry = the_entry("sign_in.failed")
    assert who(entry) == (person, None, "manager@example.com")
    assert "guess me" not in str(entry.__dict__)


def test_an_address_that_nobody_has_is_kept_as_it_was_typed(visitor, person):
    long = f"{'x' * 60}@{'y' * 60}.example.com"
    sign_in(visitor, long, "guess me")
    assert who(the_entry("sign_in.failed")) == (None, None, long[:120])


def test_an_empty_password_is_no_attempt(visitor, person):
    sign_in(visitor, password="")
    assert actions() == []


def test_who_left_and_knows_the_password_is_refused(visitor, person):
    person.is_active = False
    person.save()
    sign_in(visitor)
    assert who(the_entry("sign_in.refused")) == (person, None, "manager@example.com")


def test_after_five_wrong_passwords_one_lock_out_however_often_it_is_tried(visitor, person):
    for _try in range(9):
        sign_in(visitor, password="guess me")
    assert actions() == ["sign_in.failed"] * 5 + ["sign_in.blocked"]
    assert who(the_entry("sign_in.blocked")) == (person, None, "manager@example.com")


def test_a_network_that_tries_addresses_leaves_only_so_many_rows(visitor, person, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": None}
    for number in range(25):
        sign_in(visitor, f"nobody{number}@example.com", "guess me")
    assert actions() == ["sign_in.failed"] * 20
    sign_in(visitor, password="guess me")
    assert AuditEntry.objects.filter(action="sign_in.failed", person=person).count() == 1


def test_too_many_requests_of_a_page_leave_one_lock_out(visitor, person, settings):
    settings.ACCOUNT_RATE_LIMITS = {"reset_password": "1/m/ip"}
    statuses = [visitor.post(reverse("account_reset_password"), {"email": person.email}).status_code for _ in range(4)]
    assert statuses == [302, 429, 429, 429]
    assert who(the_entry("password.blocked")) == (person, None, "manager@example.com")


def test_a_reset_that_is_asked_for_an_address_with_an_account(visitor, person):
    visitor.post(reverse("account_reset_password"), {"email": "Manager@example.com"})
    assert who(the_entry("password.reset_requested")) == (person, None, "manager@example.com")


def test_a_reset_that_is_asked_for_an_address_without_one_looks_the_same(visitor, person):
    known = visitor.post(reverse("account_reset_password"), {"email": person.email})
    AuditEntry.objects.all()
    unknown = visitor.post(reverse("account_reset_password"), {"email": "nobody@example.com"})
    assert (known.status_code, known.url) == (unknown.status_code, unknown.url)
    entry = AuditEntry.objects.get(action="password.reset_requested", person=None)
    assert who(entry) == (None, None, "nobody@example.com")


def test_a_reset_that_is_asked_for_somebody_who_left_is_about_them(visitor, person):
    person.is_active = False
    person.save()
    visitor.post(reverse("account_reset_password"), {"email": person.email})
    assert who(the_entry("password.reset_requested")) == (person, None, "manager@example.com")


def test_a_reset_that_somebody_signed_in_asks_for_another_person_is_done_by_them(visitor, person):
    colleague = UserFactory()
    visitor.force_login(colleague)
    visitor.post(reverse("account_reset_password"), {"email": person.email})
    assert who(the_entry("password.reset_requested")) == (person, colleague, "manager@example.com")


def reset_by_link(visitor, person):
    visitor.post(reverse("account_reset_password"), {"email": person.email})
    send_due(at=timezone.now())
    link = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word)
    form = visitor.get(link.removeprefix("http://testserver")).url
    visitor.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    person.refresh_from_db()
    assert person.check_password(NEW_PASSWORD)


def test_a_reset_by_the_link_in_the_mail(visitor, person):
    reset_by_link(visitor, person)
    assert who(the_entry("password.reset")) == (person, person, "manager@example.com")


def test_a_reset_in_a_browser_where_a_colleague_was_signed_in(visitor, person):
    """The library signs the colleague out first."""
    colleague = UserFactory(email="colleague@example.com")
    visitor.force_login(colleague)
    reset_by_link(visitor, person)
    assert who(the_entry("password.reset")) == (person, person, "manager@example.com")
    assert who(the_entry("sign_out.succeeded")) == (colleague, colleague, "colleague@example.com")


def test_the_first_password_is_set_not_reset(visitor, person):
    person.set_unusable_password()
    person.save()
    reset_by_link(visitor, person)
    assert who(the_entry("password.set")) == (person, person, "manager@example.com")


def test_a_changed_password(visitor, person):
    visitor.force_login(person)
    new_password(visitor)
    assert who(the_entry("password.changed")) == (person, person, "manager@example.com")
    assert NEW_PASSWORD not in str(the_entry("password.changed").detail)


def test_a_member_of_staff_changes_their_own_password_where_everybody_does(visitor, person):
    person.is_staff = True
    person.save()
    visitor.force_login(person)
    answer = visitor.post(reverse("admin:password_change"), {"old_password": PASSWORD})
    assert answer.url == reverse("account_change_password")


def test_a_password_that_cannot_be_audited_is_not_changed(visitor, person, monkeypatch):
    visitor.force_login(person)

    def fail(_entry, **_options):
        raise DatabaseError("disk full")

    monkeypatch.setattr(AuditEntry, "save", fail)
    with pytest.raises(DatabaseError):
        new_password(visitor)
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


# A change of address that is stopped by the link in the mail to the old one -------------------------------------


def stop_change(visitor, person):
    at = timezone.now()
    change = request_email_change(access=access_of(person), user_id=person.pk, email="new@example.com", at=at)
    visitor.post(reverse("account_cancel_email", args=[email_change_key(change.pk, CANCEL)]))
    return AuditEntry.objects.get(action="address.withdrawn")


def test_by_somebody_who_is_not_signed_in(visitor, person):
    stop_change(visitor, person)
    assert who(the_entry("address.withdrawn")) == (person, None, "manager@example.com")


def test_in_a_browser_where_somebody_else_is_signed_in(visitor, person):
    visitor.force_login(UserFactory())
    entry = stop_change(visitor, person)
    assert (entry.actor, entry.ip_address, entry.browser) == (None, None, "")


# Confirming who one is -------------------------------------------------------------------------------------------


def test_a_wrong_password_at_confirming_is_done_by_the_person_signed_in(visitor, person):
    visitor.force_login(person)
    confirm(visitor, "guess me")
    assert who(the_entry("reauthentication.failed")) == (person, person, "manager@example.com")


def test_too_many_wrong_ones_at_confirming(visitor, person):
    visitor.force_login(person)
    for _try in range(8):
        confirm(visitor, "guess me")
    assert actions() == ["reauthentication.failed"] * 5 + ["reauthentication.blocked"]


def test_a_wrong_current_password_at_changing_it(visitor, person):
    visitor.force_login(person)
    new_password(visitor, old="guess me")
    assert who(the_entry("reauthentication.failed")) == (person, person, "manager@example.com")
    person.refresh_from_db()
    assert person.check_password(PASSWORD)

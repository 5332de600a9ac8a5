"""People see what happened around their own account, and nobody else's."""

from datetime import timedelta

import pytest
from django.core.exceptions import FieldFetchBlocked
from django.urls import reverse

from accounts import audit
from accounts.access import Access, access_of, staff_access, system_access
from accounts.audit_words import PERSONAL
from accounts.models import AuditEntry
from accounts.operations.roles import grant_role
from accounts.roles import Role
from tests.factories import NOW, UserFactory, access_for, member

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
URL = "/account/security/"


@pytest.fixture
def person(client, db):
    person = UserFactory(email="manager@example.com")
    client.force_login(person)
    return person


def happened(person, action="sign_in.failed", *, by=None, at=NOW, **columns):
    detail = columns.pop("detail", {})
    return AuditEntry.objects.create(
        at=at, actor=by, action=action, subject=person.email, person=person, detail=detail, **columns
    )


def rows(response):
    columns = ("what", "detail", "ip_address", "browser", "by")
    return [tuple(event[name] for name in columns) for event in response.context["page"].rows]


def test_what_happened_is_told_in_words_with_where_it_came_from(client, person):
    where = {"ip_address": "192.0.2.7", "browser": FIREFOX}
    happened(person, "sign_in.succeeded", by=person, detail={"methods": ["password", "totp"]}, **where)
    happened(person, "sign_in.failed", **where)
    page = client.get(URL)
    assert rows(page) == [
        ("Sign-in failed", "", "192.0.2.7", "Firefox 140 on Linux", ""),
        ("Signed in", "password, authenticator app", "192.0.2.7", "Firefox 140 on Linux", ""),
    ]
    assert "26 Oct 2026, 09:00" in page.text
    assert "Change your password at once" in page.text
    assert f'href="{reverse("account_change_password")}"' in page.text


def test_the_page_is_in_the_account_menu_and_found_by_the_search(client, person):
    assert f'href="{URL}"' in client.get(URL).text
    assert f'href="{URL}"' in client.get(reverse("search"), {"q": "security act"}).text


def test_what_others_did_names_them_and_not_where_they_were(client, person, profile):
    where = {"ip_address": "192.0.2.7", "browser": FIREFOX}
    owner = UserFactory(name="Olga Owner")
    happened(person, "second_factor.removed", by=UserFactory(is_staff=True, name="Sam"), **where)
    happened(person, "role.granted", by=owner, detail={"role": "invoice_manager", "place": "Operations NL"}, **where)
    page = client.get(URL)
    assert rows(page) == [
        ("Role granted", "Invoice manager · Operations NL", "", "", "Olga Owner"),
        ("Second factor removed", "", "", "", "our staff"),
    ]
    assert "Sam" not in page.text
    assert "192.0.2.7" not in page.text


def test_nobody_sees_another_persons_entries(client, person):
    happened(UserFactory(), ip_address="192.0.2.7")
    AuditEntry.objects.create(at=NOW, action="sign_in.failed", subject="nobody@example.com")
    page = client.get(URL)
    assert rows(page) == []
    assert "Nothing has happened yet" in page.text


def test_what_a_person_did_with_money_is_no_security_event(client, person, profile):
    audit.record(access=Access(user=person), at=NOW, action="payment.succeeded", subject="P1", profile=profile)
    audit.record(access=Access(user=person), at=NOW, action="payment.succeeded", subject="P1", person=person)
    assert rows(client.get(URL)) == []


def test_one_kind_is_chosen(client, person):
    happened(person, "password.changed", by=person)
    happened(person, "sign_in.failed")
    assert [row[0] for row in rows(client.get(URL, {"kind": "passwords"}))] == ["Password changed"]
    assert [row[0] for row in rows(client.get(URL, {"kind": "money"}))] == ["Sign-in failed", "Password changed"]
    assert "No events of this kind" in client.get(URL, {"kind": "roles"}).text


def test_every_kind_that_a_person_sees_is_offered(client, person):
    page = client.get(URL).text
    assert [kind for kind in PERSONAL if f'<option value="{kind}"' not in page] == []


def test_fifty_at_a_time_newest_first(client, person):
    for number in range(60):
        happened(person, at=NOW + timedelta(minutes=number))
    first = client.get(URL)
    assert len(rows(first)) == 50
    second = client.get(f"{URL}?{first.context['older']}")
    assert len(rows(second)) == 10
    assert [event["at"] for event in second.context["page"].rows][-1] == NOW


def test_it_is_only_looked_at(client, person):
    assert client.post(URL).status_code == 405
    client.logout()
    assert client.get(URL).url.startswith(reverse("account_login"))


# What members of a billing profile may read of its history -------------------------------------------------------


def test_members_of_a_profile_see_no_security_events(profile):
    owner, reader = member(profile, "profile_owner"), member(profile, "profile_reader")
    happened(reader)
    done = audit.record(access=access_of(owner), at=NOW, action="invoice.issued", subject="INV-1", profile=profile)
    assert list(AuditEntry.objects.visible_to(access_for(owner, profile))) == [done]
    assert list(AuditEntry.objects.visible_to(access_of(owner))) == [done]
    assert AuditEntry.objects.visible_to(system_access()).count() == 2


def test_members_do_not_learn_from_where_another_one_acted(profile, client):
    owner, other = member(profile, "profile_owner"), member(profile, "profile_owner")
    grant_role(access=access_of(other), user=UserFactory(), role=Role.PROFILE_READER, place=profile, at=NOW)
    (entry,) = AuditEntry.objects.visible_to(access_for(owner, profile))
    assert entry.action == "role.granted"
    for column in ("ip_address", "browser"):
        with pytest.raises(FieldFetchBlocked):
            getattr(entry, column)
    chief = staff_access(UserFactory(is_staff=True))
    assert AuditEntry.objects.visible_to(chief).get().ip_address is None

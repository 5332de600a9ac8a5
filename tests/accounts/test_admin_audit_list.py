"""Staff read the audit trail: in words, narrowed by kind, date, person, scope and address; and quickly."""

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.admin import audit as audit_admin
from accounts.audit_words import Kind
from accounts.models import AuditEntry
from tests.factories import NOW, BillingProfileFactory, UserFactory

LIST = "/admin/accounts/auditentry/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def staff(client, db):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_auditentry"))
    client.force_login(clerk)
    return clerk


def entry(action="sign_in.failed", subject="x", **columns):
    return AuditEntry.objects.create(at=NOW, action=action, subject=subject, **columns)


def found(client, **query):
    return set(client.get(LIST, query).context["cl"].queryset)


def test_the_list_is_in_words(client, staff):
    entry(browser=FIREFOX, ip_address="192.0.2.7")
    entry("tax_rate.changed", detail={"before": {"name": "A"}, "after": {"name": "B"}})
    page = client.get(LIST).text
    assert "Sign-in failed" in page
    assert "Tax rate changed: name" in page
    assert "Firefox 140 on Linux" in page
    assert "192.0.2.7" in page


def test_staff_without_the_permission_do_not_get_in(client, db):
    client.force_login(UserFactory(is_staff=True))
    assert client.get(LIST).status_code == 403
    assert client.get(reverse("admin:accounts_auditentry_change", args=[entry().pk])).status_code == 403


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("sign-ins", "sign_in.succeeded"), ("failures", "second_factor.failed"), ("lockouts", "sign_in.blocked"),
        ("passwords", "password.reset"), ("second-factors", "recovery_codes.renewed"), ("roles", "role.removed"),
        ("people", "user.changed"), ("staff", "billing_profile.changed"), ("profiles", "wire.approved"),
        ("invoices", "invoice.voided"), ("money", "refund.failed"), ("methods", "method.removed"),
    ],
)  # fmt: skip
def test_entries_of_one_kind(client, staff, kind, action):
    wanted, _other = entry(action), entry("sign_out.succeeded" if kind != "sign-ins" else "role.granted")
    assert found(client, kind=kind) == {wanted}


def test_every_kind_is_offered_in_words(client, staff):
    page = client.get(LIST).text
    assert [kind for kind in Kind if f">{kind.label}</a>" not in page] == []


def test_entries_of_a_day(client, staff):
    wanted = entry()
    assert found(client, at__gte="2026-10-26 00:00:00+01:00", at__lt="2026-10-27 00:00:00+01:00") == {wanted}
    assert found(client, at__gte="2026-10-27 00:00:00+01:00", at__lt="2026-10-28 00:00:00+01:00") == set()


def test_a_search_finds_people_scopes_and_addresses(client, staff):
    profile, person = BillingProfileFactory(), UserFactory(email="anna@example.com")
    about, done = entry(person=person), entry(actor=person)
    typed = entry(subject="anna@example.com.evil.example")
    of_profile, of_account = entry(profile=profile), entry(account=profile.account)
    from_there = entry(ip_address="192.0.2.7")
    assert found(client, q="anna@example.com") == {about, done, typed}
    assert found(client, q=profile.code.lower()) == {of_profile}
    assert found(client, q=profile.account.code) == {of_profile, of_account}
    assert found(client, q="192.0.2.7") == {from_there}
    assert found(client, q="nothing like it") == set()


def test_a_search_for_other_text_looks_at_the_newest_entries_only(client, staff, monkeypatch):
    person = UserFactory(email="anna@example.com")
    about, old, new = entry(person=person), entry(subject="anna old"), entry(subject="anna new")
    monkeypatch.setattr(audit_admin, "NEWEST", 1)
    assert found(client, q="anna") == {about, new}
    assert old


def test_a_long_list_is_not_counted_to_its_end(client, staff, monkeypatch):
    for _number in range(12):
        entry()
    monkeypatch.setattr(audit_admin, "MAX_COUNTED", 10)
    assert client.get(LIST).context["cl"].result_count == 10


def test_nothing_is_counted_for_each_filter(client, staff):
    assert not client.get(LIST, {"_facets": "True"}).context["cl"].add_facets


def test_a_list_costs_as_many_queries_however_long_it_is(client, staff):
    counts = []
    for _round in range(2):
        for _number in range(5):
            entry(person=UserFactory(), actor=UserFactory(), profile=BillingProfileFactory())
        with CaptureQueriesContext(connection) as log:
            client.get(LIST)
        counts.append(len(log))
    assert counts[0] == counts[1]


def test_an_entry_shows_each_value_before_and_after(client, staff):
    detail = {
        "before": {"name": "<A>", "is_active": True, "groups": []},
        "after": {"name": "B", "is_active": False, "groups": ["Clerks", "Chiefs"]},
        "note": "as asked",
    }
    one = entry("user.changed", person=UserFactory(), detail=detail)
    page = client.get(reverse("admin:accounts_auditentry_change", args=[one.pk])).text
    assert '<tr><th scope="row">name</th><td>&lt;A&gt;</td><td>B</td></tr>' in page
    assert '<tr><th scope="row">active</th><td>Yes</td><td>No</td></tr>' in page
    assert '<tr><th scope="row">groups</th><td>-</td><td>Clerks, Chiefs</td></tr>' in page
    assert "Note: as asked" in page
    assert "{&#x27;" not in page


def test_another_row_is_shown_by_its_name_and_key(client, staff):
    one = entry("invoice_section.added", detail={"after": {"profile": {"pk": 7, "text": "Operations NL"}}})
    page = client.get(reverse("admin:accounts_auditentry_change", args=[one.pk])).text
    assert '<tr><th scope="row">billing profile</th><td>-</td><td>Operations NL (7)</td></tr>' in page

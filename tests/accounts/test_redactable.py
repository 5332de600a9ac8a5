"""What the database lets become of an audit entry when somebody is erased, and that it lets nothing else."""

import json

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import AuditEntry
from tests.factories import NOW, BillingProfileFactory, UserFactory

pytestmark = pytest.mark.django_db

DETAIL = {
    "amount_minor": 12000,
    "currency": "EUR",
    "reason": 'He wrote "ask jan@example.com", twice.',
    "seen": [True, None, {"from": "jan@example.com", "share": 0.5}],
}


@pytest.fixture
def entry(db):
    profile = BillingProfileFactory()
    return AuditEntry.objects.create(
        at=NOW, actor=UserFactory(), person=UserFactory(), action="role.granted", subject="jan@example.com [old] 5*?.+",
        account=profile.account, profile=profile, ip_address="203.0.113.7", browser="Browser/1.0", detail=DETAIL,
    )  # fmt: skip


def change(entry, **columns):
    """Raw SQL, as somebody would who has the database and no portal."""
    settings = ", ".join(f'"{column}" = %s' for column in columns)
    values = [json.dumps(value) if isinstance(value, dict | list) else value for value in columns.values()]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE accounts_auditentry SET {settings} WHERE id = %s", [*values, entry.pk])


def is_refused(entry, **columns):
    before = AuditEntry.objects.filter(pk=entry.pk).values().get()
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        change(entry, **columns)
    assert AuditEntry.objects.filter(pk=entry.pk).values().get() == before
    return True


def with_detail(**changes):
    return DETAIL | changes


def test_an_address_in_the_texts_is_blanked_and_where_it_came_from_goes(entry):
    blanked = with_detail(
        reason='He wrote "ask (erased)", twice.', seen=[True, None, {"from": "(erased)", "share": 0.5}]
    )
    change(entry, subject="(erased) [old] 5*?.+", detail=blanked, ip_address=None, browser="")
    entry.refresh_from_db()
    assert (entry.subject, entry.ip_address, entry.browser) == ("(erased) [old] 5*?.+", None, "")
    assert entry.detail == blanked


def test_what_was_blanked_may_be_blanked_again_and_further(entry):
    change(entry, subject="(erased)@example.com [old] 5*?.+")
    change(entry, subject="(erased) [old] 5*?.+")
    change(entry, subject="(erased)")
    entry.refresh_from_db()
    assert entry.subject == "(erased)"


def test_each_other_column_stays_what_it_is(entry):
    """Every column of the table, whichever there will be."""
    others = {
        "id": entry.pk + 1000,
        "at": NOW.replace(year=2020),
        "actor_id": entry.person_id,
        "action": "role.removed",
        "account_id": None,
        "profile_id": None,
        "person_id": entry.actor_id,
    }
    blanked = {"subject", "detail", "ip_address", "browser"}
    assert {field.column for field in AuditEntry._meta.concrete_fields} == {*others, *blanked}
    for column, value in others.items():
        assert is_refused(entry, **{column: value}), column
        assert is_refused(entry, **{column: value, "subject": "(erased)"}), column


@pytest.mark.parametrize(
    "subject",
    [
        "piet@example.com [old] 5*?.+",
        "piet@example.com (erased)",
        "(erased) [new] 5*?.+",
        "(erased) [old] 5x?.+",
        "(erased) o 5*?.+",
        "jan@example.com [old] 5*?.+ and more",
        "",
        ".*",
        "*",
        "%",
    ],
)
def test_a_subject_says_nothing_that_it_did_not_say(entry, subject):
    assert is_refused(entry, subject=subject)


@pytest.mark.parametrize(
    "detail",
    [
        with_detail(amount_minor=1),
        with_detail(amount_minor=12000.5),
        with_detail(amount_minor="12000"),
        with_detail(amount_minor="(erased)"),
        with_detail(amount_minor=None),
        with_detail(currency="USD"),
        with_detail(currency="(erased)X"),
        with_detail(reason="Something else"),
        with_detail(reason='(erased)", "amount_minor": 1, "x": "'),
        with_detail(added="(erased)"),
        with_detail(seen=[False, None, {"from": "jan@example.com", "share": 0.5}]),
        with_detail(seen=[1, None, {"from": "jan@example.com", "share": 0.5}]),
        with_detail(seen=[True, {}, {"from": "jan@example.com", "share": 0.5}]),
        with_detail(seen=[True, None]),
        with_detail(seen=[True, None, {"from": "jan@example.com", "share": 0.5}, "(erased)"]),
        with_detail(seen=[True, None, {"from": "jan@example.com", "share": 0.7}]),
        with_detail(seen="(erased)"),
        {name: value for name, value in DETAIL.items() if name != "amount_minor"},
        {"(erased)" if name == "currency" else name: value for name, value in DETAIL.items()},
        {"reason": "(erased)"},
        {"erased": True},
        {},
        [],
    ],
)
def test_a_detail_keeps_its_amounts_and_everything_that_was_not_blanked(entry, detail):
    assert is_refused(entry, detail=detail)


@pytest.mark.parametrize("columns", [{"ip_address": "192.0.2.1"}, {"browser": "Other/1.0"}, {"browser": "(erased)"}])
def test_where_it_came_from_can_only_be_taken_away(entry, columns):
    assert is_refused(entry, **columns)


def test_what_is_gone_does_not_come_back(entry):
    change(entry, ip_address=None, browser="", subject="(erased)")
    assert is_refused(entry, ip_address="203.0.113.7")
    assert is_refused(entry, browser="Browser/1.0")
    assert is_refused(entry, subject="jan@example.com [old] 5*?.+")


def test_an_entry_is_never_deleted(entry):
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        connection.cursor().execute("DELETE FROM accounts_auditentry")
    assert AuditEntry.objects.filter(pk=entry.pk).exists()

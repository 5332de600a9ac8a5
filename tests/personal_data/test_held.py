"""The list of what is held about people has everything in it that the tables have."""

import re

import pytest
from django.apps import apps
from django.db import models

from accounts.models import User
from billing_portal.personal_data.held import EXPORTED, KEPT, LEFT_OUT, TABLES

NAMES = re.compile(r"(^|_)(e?mail|name|attention|phone|holder)(_|$)")
# Technical tables whose names are those of programs, not of people.
WITHOUT_PEOPLE = {"contenttypes.ContentType"}
# The sandbox plays a payment provider, who is told no person's name; its books lie in a database of their own.
PROVIDERS = {"sandbox"}
# A text up to this long is a code, a number, a word out of a list.
SHORT = 60


def tables() -> list[type[models.Model]]:
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.label not in WITHOUT_PEOPLE and model._meta.app_label not in PROVIDERS
    ]


def named(model: type[models.Model], field: models.Field) -> str:
    return f"{model._meta.label}.{field.name}"


def pointers() -> set[str]:
    """Every foreign key to a person, hidden ones and those of other packages too."""
    related = [
        field for field in User._meta.get_fields(include_hidden=True) if field.auto_created and field.is_relation
    ]
    return {
        named(field.related_model, field.field) for field in related if not field.concrete and not field.many_to_many
    }


def addresses_and_names() -> set[str]:
    """Every column whose type or name says that it holds an address, a name or a telephone number."""
    return {
        named(model, field)
        for model in tables()
        for field in model._meta.concrete_fields
        if isinstance(field, models.EmailField)
        or (isinstance(field, models.CharField) and not field.choices and NAMES.search(field.name))
    }


def texts() -> set[str]:
    """Every column with room for a sentence, a snapshot or a file."""
    return {
        named(model, field)
        for model in tables()
        for field in model._meta.concrete_fields
        if isinstance(field, models.JSONField | models.TextField | models.BinaryField)
        or (isinstance(field, models.CharField) and not field.choices and (field.max_length or SHORT + 1) > SHORT)
    }


def exported() -> set[str]:
    return {
        f"{table.model._meta.label}.{column}" for table in EXPORTED for column in f"{table.by} {table.columns}".split()
    }


def by_reason(listed: dict[str, dict[str, str]]) -> list[str]:
    return [
        f"{label}.{column}"
        for tables in listed.values()
        for label, columns in tables.items()
        for column in columns.split()
    ]


def erased(way: str) -> list[str]:
    return [f"{table.model._meta.label}.{column}" for table in TABLES for column in getattr(table, way).split()]


def test_the_search_finds_what_it_is_for():
    assert {"payments.Payment.started_by", "accounts.AuditEntry.person", "mfa.Authenticator.user"} <= pointers()
    assert {"accounts.User_groups.user", "admin.LogEntry.user", "invoices.Invoice.payment_started_by"} <= pointers()
    assert {"accounts.WireRequest.contact_email", "accounts.WireRequest.contact_phone"} <= addresses_and_names()
    assert {"accounts.AuditEntry.detail", "accounts.WireRequest.reason", "invoices.IssuedDocument.content"} <= texts()


def test_every_column_that_points_to_a_person_or_holds_an_address_is_exported_or_left_out_for_a_reason():
    there = pointers() | addresses_and_names()
    left_out = set(by_reason(LEFT_OUT))
    assert there - exported() - left_out == set()
    assert left_out - there == set(), "these are no longer there"
    assert left_out & exported() == set()


def test_every_text_is_erased_or_kept_for_a_reason():
    there = texts() | {name for name in addresses_and_names() if name.startswith("accounts.WireRequest")}
    there -= {"accounts.WireRequest.contact_phone"}
    listed = [*erased("own"), *erased("swept"), *by_reason(KEPT)]
    assert there - set(listed) == set()
    assert set(listed) - there == set(), "these are no longer there"
    assert len(listed) == len(set(listed)), "these stand there twice"


def test_each_table_is_described_once():
    assert len({table.model for table in TABLES}) == len(TABLES)


@pytest.mark.parametrize("table", EXPORTED, ids=lambda table: table.name)
def test_nothing_that_lets_somebody_in_is_exported(table):
    assert {"password", "data", "session_data", "key", "attempt_key", "next_url"} & set(table.columns.split()) == set()

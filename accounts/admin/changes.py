"""What a row held before staff changed it, and what it holds now, as the audit trail keeps it.

Every stored field counts, whether the form shows it or not, because saving may change more than was typed. Days and
times are kept in ISO 8601, decimals as text, another row as its key and name. A secret is never kept.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Field, ForeignKey, ManyToManyField, Model
from django.utils import translation

SECRET = re.compile(r"password|secret|token")
CHANGED = "changed"


def stored_values(model: type[Model], keys: Iterable[Any]) -> dict[Any, dict[str, Any]]:
    """The rows with these keys as the database has them now: by key, the value of each field by its name."""
    rows = model._base_manager.filter(pk__in=list(keys))
    return {row.pk: _values(row) for row in rows}


def differences(model: type[Model], before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """``{"before": {...}, "after": {...}}`` of the fields that differ. A row that is new has no ``before``, one that is
    gone no ``after``, and neither has what is empty."""
    known = before or after
    fields = [field for field in _fields(model) if field.name in known and _differs(field, before, after)]
    sides = {"before": before, "after": after} if fields else {}
    with translation.override("en"):
        return {
            side: {field.name: _kept(field, values[field.name]) for field in fields}
            for side, values in sides.items()
            if values
        }


def _fields(model: type[Model]) -> list[Any]:
    meta = model._meta
    return [
        field for field in (*meta.concrete_fields, *meta.many_to_many) if not field.primary_key and not field.generated
    ]


def _values(row: Model) -> dict[str, Any]:
    return {
        field.name: sorted(getattr(row, field.name).values_list("pk", flat=True))
        if isinstance(field, ManyToManyField)
        else field.value_from_object(row)
        for field in _fields(type(row))
    }


def _differs(field: Field, before: dict[str, Any], after: dict[str, Any]) -> bool:
    if before and after:
        return bool(before[field.name] != after[field.name])
    is_secret = SECRET.search(field.name) is not None
    return not is_secret and (before or after)[field.name] not in (None, "", [])


def _kept(field: Any, value: Any) -> Any:
    if SECRET.search(field.name):
        return CHANGED
    if isinstance(field, ManyToManyField):
        return sorted(str(row) for row in field.related_model._base_manager.filter(pk__in=value))
    if isinstance(field, ForeignKey) and value is not None:
        try:
            text = str(field.related_model._base_manager.get(**{field.target_field.attname: value}))
        except ObjectDoesNotExist:
            text = ""
        return {"pk": _plain(value), "text": text}
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | UUID) else value

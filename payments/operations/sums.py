"""Sums of other tables, as the proof of the books asks for them: one query for all rows."""

from typing import Any

from django.db.models import BigIntegerField, Model, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

SHOWN = 20


def sum_of[Row: Model](rows: QuerySet[Row], by: str, field: Any) -> Coalesce:
    """The sum of a column over the rows that belong to the outer row, 0 when there are none."""
    grouped = rows.filter(**{by: OuterRef("pk")}).order_by().values(by).annotate(sum=Sum(field)).values("sum")
    return Coalesce(Subquery(grouped, output_field=BigIntegerField()), Value(0))

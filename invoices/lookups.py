"""A prefix search that uses an index on every database.

PostgreSQL answers ``LIKE 'INV-0001%'`` from an index made with pattern operators. SQLite's ``LIKE`` ignores case and
therefore its indexes, but its plain order is that of the letters' numbers, so there a prefix is a range.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import StartsWith
from django.db.models.sql.compiler import SQLCompiler

LAST_LETTER = "\U0010ffff"


class Begins(StartsWith):
    """``Begins(F("number"), "INV-0001")``: case matters, wildcards mean themselves."""

    lookup_name = "begins"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        self.lookup_name = "startswith"  # the operator and its escaping are those of ``startswith``
        return super().as_sql(compiler, connection)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_context: Any) -> tuple[str, Any]:
        column, params = self.process_lhs(compiler, connection)
        return f"({column} >= %s AND {column} < %s)", (*params, self.rhs, *params, f"{self.rhs}{LAST_LETTER}")

"""Tables that are only ever added to, and the database that says so.

``AppendOnly("accounts_auditentry")`` is a migration operation: it puts a trigger on the table that refuses every UPDATE
and DELETE, on PostgreSQL and on SQLite alike, whoever asks. A later migration that changes old rows or the table, which
SQLite then makes anew and without its triggers, says so in the open: ``Unlocked(...)``, its work, ``AppendOnly(...)``.
On PostgreSQL, TRUNCATE fires no row trigger; the database's user in production need not hold that right.

    class Migration(migrations.Migration):
        dependencies = [...]
        operations = [AppendOnly("payments_paymentevent")]
"""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState

POSTGRESQL = (
    """
    CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'rows of {table} are never changed or deleted' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_append_only()
    """,
)
POSTGRESQL_REVERSE = (
    "DROP TRIGGER {table}_append_only ON {table}",
    "DROP FUNCTION {table}_append_only()",
)
SQLITE = (
    """
    CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
    BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or deleted'); END
    """,
    """
    CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
    BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or deleted'); END
    """,
)
SQLITE_REVERSE = ("DROP TRIGGER {table}_no_update", "DROP TRIGGER {table}_no_delete")

STATEMENTS = {"postgresql": (POSTGRESQL, POSTGRESQL_REVERSE), "sqlite": (SQLITE, SQLITE_REVERSE)}


class AppendOnly(Operation):
    """Makes a table refuse UPDATE and DELETE; reversible. Raises KeyError for a database it has no triggers for."""

    reduces_to_sql = True
    reversible = True
    category = OperationCategory.SQL

    def __init__(self, table: str) -> None:
        self.table = table

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [self.table], {})

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Triggers are no part of a model's state."""

    def database_forwards(
        self, _app: str, schema_editor: BaseDatabaseSchemaEditor, _old: ProjectState, _new: ProjectState
    ) -> None:
        self._run(schema_editor, 0)

    def database_backwards(
        self, _app: str, schema_editor: BaseDatabaseSchemaEditor, _old: ProjectState, _new: ProjectState
    ) -> None:
        self._run(schema_editor, 1)

    def _run(self, schema_editor: BaseDatabaseSchemaEditor, direction: int) -> None:
        for statement in STATEMENTS[schema_editor.connection.vendor][direction]:
            schema_editor.execute(statement.format(table=self.table))

    def describe(self) -> str:
        return f"Make {self.table} append-only"


class Unlocked(AppendOnly):
    """Lets a migration change the table: the opposite of ``AppendOnly``, which must follow in the same migration."""

    def database_forwards(
        self, _app: str, schema_editor: BaseDatabaseSchemaEditor, _old: ProjectState, _new: ProjectState
    ) -> None:
        self._run(schema_editor, 1)

    def database_backwards(
        self, _app: str, schema_editor: BaseDatabaseSchemaEditor, _old: ProjectState, _new: ProjectState
    ) -> None:
        self._run(schema_editor, 0)

    def describe(self) -> str:
        return f"Let {self.table} be changed"

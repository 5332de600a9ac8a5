"""Tables that are only ever added to, and the database that says so.

``AppendOnly("accounts_auditentry")`` is a migration operation: its trigger refuses every UPDATE and DELETE, on
PostgreSQL and on SQLite alike. SQLite makes a table that is changed anew, without its triggers. On PostgreSQL, TRUNCATE
fires no row trigger; the database's user in production need not hold that right.

``FixedColumns`` does the same for a table of which only some columns change, such as what is left of a credit.

The audit trail names people, who may ask to be erased: the trigger of ``Redactable`` lets through an UPDATE that only
blanks personal data (docs/decisions/013).
"""

from typing import Any

from django.db import router
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

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *_states: Any) -> None:
        self._run(app_label, schema_editor, 0)

    def database_backwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *_states: Any) -> None:
        self._run(app_label, schema_editor, 1)

    def _run(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, direction: int) -> None:
        statements = STATEMENTS[schema_editor.connection.vendor][direction]
        self._execute(app_label, schema_editor, [statement.format(table=self.table) for statement in statements])

    def _execute(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, statements: list[str]) -> None:
        """Runs the statements on a database that the app's tables are in."""
        if router.allow_migrate(schema_editor.connection.alias, app_label):
            for statement in statements:
                schema_editor.execute(statement)

    def describe(self) -> str:
        return f"Make {self.table} append-only"


# The update's condition is the trigger's own, so that an update of other columns calls no function.
POSTGRESQL_FIXED = (
    POSTGRESQL[0],
    """
    CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
    FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {table}_append_only()
    """,
    """
    CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
    FOR EACH ROW WHEN ({kept_when}) EXECUTE FUNCTION {table}_append_only()
    """,
)
POSTGRESQL_FIXED_REVERSE = (
    "DROP TRIGGER {table}_no_update ON {table}",
    "DROP TRIGGER {table}_no_delete ON {table}",
    "DROP FUNCTION {table}_append_only()",
)
SQLITE_FIXED = tuple(
    f"""
    CREATE TRIGGER {{table}}_no_{event} BEFORE {event} ON {{table}} WHEN {condition}
    BEGIN SELECT RAISE(ABORT, 'rows of {{table}} are never changed or deleted'); END
    """
    for event, condition in (("update", "{changed}"), ("delete", "{kept_when}"))
)


class FixedColumns(AppendOnly):
    """Makes a table refuse UPDATE of these columns, and DELETE: of all its rows, or of those that fulfil ``kept_when``,
    a condition on ``OLD``."""

    def __init__(self, table: str, columns: list[str], *, kept_when: str = "") -> None:
        super().__init__(table)
        self.columns, self.kept_when = columns, kept_when

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [self.table, self.columns], {"kept_when": self.kept_when})

    def _run(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, direction: int) -> None:
        on_postgresql = schema_editor.connection.vendor == "postgresql"
        of_postgresql, of_sqlite = (POSTGRESQL_FIXED, POSTGRESQL_FIXED_REVERSE), (SQLITE_FIXED, SQLITE_REVERSE)
        statements = (of_postgresql if on_postgresql else of_sqlite)[direction]
        differs = "IS DISTINCT FROM" if on_postgresql else "IS NOT"
        changed = " OR ".join(f"NEW.{column} {differs} OLD.{column}" for column in self.columns)
        values = {"table": self.table, "changed": changed, "kept_when": self.kept_when or "1 = 1"}
        self._execute(app_label, schema_editor, [statement.format(**values) for statement in statements])

    def describe(self) -> str:
        return f"Fix columns of {self.table}"


# What stands in a text instead of what was erased from it.
ERASED = "(erased)"

# Conditions under which a column was at most blanked. Of a text: the new one, with each ERASED in it as a wildcard, is
# a pattern that the old one matches, so that nothing is written that was not there. In JSON the wildcard stays inside
# one string, so that numbers, names and the values beside it are what they were.
POSTGRESQL_ESCAPED = r"regexp_replace({new}, '([].*+?^${{}}()|\\[])', '\\\1', 'g')"
NAMES_IN_JSON = """'strict $.** ? (@.type() == "object").keyvalue().key'"""
POSTGRESQL_BLANKED = {
    "text": r"OLD.{column} ~ ('^' || replace({escaped}, '\(erased\)', '.*') || '$')",
    "json": r"""OLD.{column}::text ~ ('^' || replace({escaped}, '\(erased\)', '(?:[^"\\]|\\.)*') || '$')
        AND jsonb_path_query_array(NEW.{column}, {names}) = jsonb_path_query_array(OLD.{column}, {names})""",
    "emptied": "NEW.{column} IN (OLD.{column}, '')",
    "removed": "(NEW.{column} IS NULL OR NEW.{column} IS NOT DISTINCT FROM OLD.{column})",
}
POSTGRESQL_REDACTABLE = """
    CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF to_jsonb(NEW) - ARRAY[{columns}] = to_jsonb(OLD) - ARRAY[{columns}] AND {blanked} THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'rows of {table} are never changed or deleted' USING ERRCODE = 'restrict_violation';
    END $$
    """
SQLITE_PATTERN = "replace(replace(replace(replace({new}, '[', '[[]'), '*', '[*]'), '?', '[?]'), '(erased)', '*')"
SQLITE_BLANKED = {
    "text": "OLD.{column} GLOB {pattern}",
    "json": """(SELECT count(*) FROM json_tree(OLD.{column})) = (SELECT count(*) FROM json_tree(NEW.{column}))
        AND NOT EXISTS (
            SELECT 1 FROM json_tree(OLD.{column}) AS was
            LEFT JOIN json_tree(NEW.{column}) AS becomes ON becomes.fullkey = was.fullkey
            WHERE becomes.type IS NOT was.type
               OR (was.type = 'text' AND (was.atom GLOB {pattern}) IS NOT TRUE)
               OR (was.type <> 'text' AND becomes.atom IS NOT was.atom)
        )""",
    "emptied": POSTGRESQL_BLANKED["emptied"],
    "removed": "(NEW.{column} IS NULL OR NEW.{column} IS OLD.{column})",
}
SQLITE_REDACTABLE = """
    CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN ({kept} AND {blanked}) IS NOT TRUE
    BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or deleted'); END
    """


class Redactable(AppendOnly):
    """Append-only, except that personal data may be blanked. ``blanked`` maps a column to what may become of it:
    ``text`` and ``json`` have parts of their texts replaced by ``ERASED``, ``emptied`` becomes an empty text,
    ``removed`` NULL. ``kept`` names every other column."""

    def __init__(self, table: str, *, kept: list[str], blanked: dict[str, str]) -> None:
        super().__init__(table)
        self.kept, self.blanked = kept, blanked

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [self.table], {"kept": self.kept, "blanked": self.blanked})

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *_states: Any) -> None:
        on_postgresql = schema_editor.connection.vendor == "postgresql"
        statements = (POSTGRESQL_REDACTABLE, POSTGRESQL[1]) if on_postgresql else (SQLITE_REDACTABLE, SQLITE[1])
        values = {
            "table": self.table,
            "columns": ", ".join(f"'{column}'" for column in self.blanked),
            "kept": " AND ".join(f"NEW.{column} IS OLD.{column}" for column in self.kept),
            "blanked": " AND ".join(_blanked(column, change, on_postgresql) for column, change in self.blanked.items()),
        }
        self._execute(app_label, schema_editor, [statement.format(**values) for statement in statements])

    def describe(self) -> str:
        return f"Make {self.table} append-only but for the erasure of personal data"


def _blanked(column: str, change: str, on_postgresql: bool) -> str:
    if on_postgresql:
        new = f"NEW.{column}::text" if change == "json" else f"NEW.{column}"
        return POSTGRESQL_BLANKED[change].format(
            column=column, escaped=POSTGRESQL_ESCAPED.format(new=new), names=NAMES_IN_JSON
        )
    new = "becomes.atom" if change == "json" else f"NEW.{column}"
    return SQLITE_BLANKED[change].format(column=column, pattern=SQLITE_PATTERN.format(new=new))

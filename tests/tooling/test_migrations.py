"""Migrations run while customers pay: they wait for nobody for long, and the release before works on their tables."""

import re

import psycopg2
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, migrations, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django_migration_linter.sql_analyser import PostgresqlAnalyser
from django_migration_linter.sql_analyser.analyser import analyse_sql_statements

from billing_portal.management.commands import migrate

OURS = ("accounts", "core", "invoices", "payments", "sandbox")
# They make the tables of an installation, in which nobody works yet.
FIRST = {(app, "0001_initial") for app in OURS} | {("accounts", "0002_one_address_a_person")}
CHECKS_ALL_ROWS = re.compile(r"ALTER TABLE .* ADD CONSTRAINT .* CHECK (?!.*NOT VALID)")


def faults(statements: list[str]) -> list[str]:
    """What would stop those who pay, or the release before: columns without a default of the database, columns taken
    away or renamed, indexes and constraints that hold a table while they read it."""
    errors, _ignored, warnings = analyse_sql_statements(PostgresqlAnalyser, statements)
    checks = ["ADD_CHECK" for statement in statements if CHECKS_ALL_ROWS.search(statement)]
    return [issue.code for issue in errors + warnings] + checks


def sql_of(*operations):
    """The statements of a migration that follows those that are there."""
    migration = type("Migration", (migrations.Migration,), {"operations": list(operations)})("next", "invoices")
    state = MigrationLoader(connection).project_state()
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        migration.apply(state, editor, collect_sql=True)
    return [line for line in editor.collected_sql if not line.startswith("--")]


def test_no_migration_stops_those_who_pay_or_the_release_before(db):
    loader = MigrationLoader(connection)
    later = [key for key in loader.disk_migrations if key[0] in OURS and key not in FIRST]
    for app, name in later:
        statements = loader.collect_sql([(loader.get_migration(app, name), False)])
        assert faults(statements) == [], f"{app}.{name}: see docs/deploying.md"


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (migrations.AddField("invoice", "region", models.CharField(max_length=9, default="")), "NOT_NULL"),
        (migrations.RemoveField("invoice", "void_reason"), "DROP_COLUMN"),
        (migrations.RenameField("invoice", "void_reason", "reason"), "RENAME_COLUMN"),
        (migrations.DeleteModel("PeriodClosing"), "DROP_TABLE"),
        (migrations.AddIndex("invoice", models.Index(fields=["paid_at"], name="by_paid_at")), "CREATE_INDEX"),
        (
            migrations.AddConstraint("invoice", models.UniqueConstraint(fields=["paid_at"], name="once")),
            "ADD_UNIQUE",
        ),
        (
            migrations.AddConstraint(
                "invoice", models.CheckConstraint(condition=models.Q(tax_minor__gte=0), name="no_negative_tax")
            ),
            "ADD_CHECK",
        ),
    ],
)
def test_an_unsafe_migration_is_refused(db, operation, fault):
    assert fault in faults(sql_of(operation))


@pytest.mark.parametrize(
    "field", [models.CharField(max_length=9, default="", db_default=""), models.CharField(max_length=9, null=True)]
)
def test_a_column_that_the_release_before_need_not_know_is_accepted(db, field):
    assert faults(sql_of(migrations.AddField("invoice", "region", field))) == []


@pytest.fixture
def reader(transactional_db):
    """A long report: a transaction that has read the invoices."""
    other = psycopg2.connect(**{key: value for key, value in connection.get_connection_params().items() if key in {
        "dbname", "user", "password", "host", "port"
    }})  # fmt: skip
    with other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM invoices_invoice")
    yield other
    other.close()


def change_invoices(executor, *_targets, **_options):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE invoices_invoice")  # as ALTER TABLE does
    return executor.loader.project_state()


@pytest.mark.two_connections
def test_a_migration_gives_way_and_tries_again(reader, monkeypatch, capsys):
    monkeypatch.setattr(MigrationExecutor, "migrate", change_invoices)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(migrate.time, "sleep", lambda _seconds: reader.rollback())
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_arguments, **_options: [])
    call_command("migrate", "invoices", verbosity=0)
    assert capsys.readouterr().out.startswith("A table is in use. Trying again in 5 seconds")
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


@pytest.mark.two_connections
def test_a_table_that_stays_in_use_ends_it(reader, monkeypatch):
    monkeypatch.setattr(MigrationExecutor, "migrate", change_invoices)
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_arguments, **_options: [])
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(migrate, "TRIES", 3)
    monkeypatch.setattr(migrate.time, "sleep", lambda _seconds: None)
    with pytest.raises(OperationalError, match="lock timeout"):
        call_command("migrate", "invoices", verbosity=0)
    connection.close()

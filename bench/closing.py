"""Closing a period, and the rows that it leaves put into the same tables without the portal, in turns.

The bare side gets rows that are ready: on PostgreSQL a COPY from files, on SQLite prepared statements. It is made
twice: with the rows that are new (invoices, lines, taxes, transfers, closings, audit entries), and with the charges
besides, of which a run leaves a new version each, because it notes on every charge which invoice it is on.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from django.core.management import call_command
from django.db import connection

from bench.deeds import Comparison, Done, address_of, do, measured
from bench.server import Server

AT = datetime(2026, 11, 5, 12, tzinfo=UTC)
# Each customer has five kinds of charges, two of each kind, which are added up into a line.
CHARGES_EACH, LINES_EACH = 10, 5

# All customers have the same invoice day, and one section each.
COUNT = "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {profiles})"
SELLER = """
INSERT INTO accounts_seller (
    id, code, company, attention, street, postal_code, city, region, country, phone, email, vat_number, company_number,
    tax_number, tax_currency, endpoint_scheme, endpoint_id, invoice_prefix, credit_note_prefix, notes_en, notes_nl,
    notes_de, notes_fr)
VALUES (1, 'NL', 'Example Cloud B.V.', '', 'Voorbeeldkade 1', '1011 AA', 'Amsterdam', '', 'NL', '',
    'billing@example.com', 'NL000000001B64', '00000000', '', 'EUR', '', '', 'INV-', 'CN-', '', '', '', '')
"""
ACCOUNTS = """
INSERT INTO accounts_billingaccount (
    seller_id, id, code, name, agreement_type, company, attention, street, postal_code, city, region, country,
    created_at)
{count}
SELECT
    1, n, 'A-' || n, 'Customer ' || n, 'customer', 'Customer ' || n || ' B.V.', 'Accounts payable',
    'Voorbeeldstraat ' || n, '1011 AA', 'Amsterdam', '', 'NL', '2026-01-01 00:00:00+00:00'
FROM counted
"""
TAX_IDS = """
INSERT INTO accounts_taxid (account_id, kind, value)
{count} SELECT n, 'vat', 'NL' || (1000000 + n) || 'B00' FROM counted
"""
PROFILES = """
INSERT INTO accounts_billingprofile (
    id, account_id, code, name, currency, invoice_day, payment_terms_days, po_number, default_method, time_zone, status,
    company, attention, street, postal_code, city, region, country, created_at, billed_until_on, next_invoice_on)
{count}
SELECT
    n, n, 'P-' || n, 'Operations', 'EUR', 5, 30, 'PO-' || n, 'card', 'Europe/Amsterdam', 'active',
    'Customer ' || n || ' B.V.', '', 'Voorbeeldstraat ' || n, '1011 AA', 'Amsterdam', '', 'NL',
    '2026-01-01 00:00:00+00:00', '2026-10-05', '2026-11-05'
FROM counted
"""
SECTIONS = """
INSERT INTO accounts_invoicesection (id, profile_id, name, is_active)
{count} SELECT n, n, 'Web shop', {yes} FROM counted
"""
TAX_RATE = """
INSERT INTO invoices_taxrate (id, name, percent, tax_category, exemption_reason, exemption_code, is_active)
VALUES (1, 'VAT high', 21, 'S', '', '', {yes})
"""
# As they come in: the charges of all customers by day, not customer by customer.
CHARGES = """
INSERT INTO invoices_charge (
    profile_id, section_id, kind, description, quantity, unit, unit_price, tax_rate_id, tax_category,
    tax_percent, exemption_reason, exemption_code, happened_on, is_creditable, source_reference, created_at)
{count}
SELECT
    section.id, section.id, 'usage', 'Virtual machine D' || ((section.id + each.n % {kinds}) % 97), 744, 'HUR', 0.125,
    1, 'S', 21, '', '', {day}, {yes}, 'use-' || section.id || '-' || each.n, '2026-10-05 00:00:00+00:00'
FROM (SELECT n FROM counted WHERE n <= {each}) AS each CROSS JOIN accounts_invoicesection AS section
ORDER BY each.n, section.id
"""
NEW = (
    "invoices.Invoice", "invoices.InvoiceLine", "invoices.InvoiceTax", "invoices.Transfer", "invoices.PeriodClosing",
    "accounts.AuditEntry",
)  # fmt: skip
ALL = (*NEW, "invoices.Charge")


class Round(NamedTuple):
    """A run on each database, and the bare sides of each."""

    postgresql: Done
    copy: Done
    copy_all: Done
    sqlite: Done
    inserts: Done
    inserts_all: Done


def measure(server: Server, profiles: int, *, rounds: int) -> Comparison:
    """Every round has new databases, copied from one with the customers and one with their charges too."""
    directory = server.directory / f"closing-{profiles}"
    directory.mkdir()
    customers, charged = f"customers_{profiles}", f"charged_{profiles}"
    do(server.create(customers), "closing.prepare_customers", profiles)
    do(server.address_of(server.copy(customers, charged)), "closing.add_charges", profiles)
    do(address_of(directory / customers), "closing.prepare_customers", profiles)
    shutil.copy(directory / customers, directory / charged)
    do(address_of(directory / charged), "closing.add_charges", profiles)
    found = [_round(server, directory, profiles, number) for number in range(rounds)]
    shutil.rmtree(directory)
    return Comparison(profiles, found)


def _round(server: Server, directory: Path, profiles: int, number: int) -> Round:
    def copied(kind: str, name: str) -> str:
        return server.address_of(server.copy(f"{kind}_{profiles}", f"{name}_{profiles}_{number}"))

    def duplicate(kind: str, name: str) -> Path:
        return shutil.copy(directory / f"{kind}_{profiles}", directory / f"{name}.sqlite3")

    rows = directory / "rows"
    rows.mkdir()
    run = copied("charged", "run")
    by_postgresql = do(run, "closing.close")
    do(run, "deeds.take_out", rows, ALL)
    copy = do(copied("customers", "copy"), "deeds.plain_copy", rows, NEW)
    copy_all = do(copied("customers", "copy_all"), "deeds.plain_copy", rows, ALL)
    shutil.rmtree(rows)
    closed = duplicate("charged", "run")
    by_sqlite = do(address_of(closed), "closing.close")
    inserts = do(address_of(duplicate("customers", "inserts")), "deeds.bare_inserts", closed, NEW)
    inserts_all = do(address_of(duplicate("customers", "inserts_all")), "deeds.bare_inserts", closed, ALL)
    for name in ("run", "inserts", "inserts_all"):
        (directory / f"{name}.sqlite3").unlink()
    return Round(by_postgresql, copy, copy_all, by_sqlite, inserts, inserts_all)


def charges_of(result: Comparison) -> int:
    return result.size * CHARGES_EACH


def prepare_customers(profiles: int) -> None:
    call_command("migrate", verbosity=0)
    _fill([SELLER, ACCOUNTS, TAX_IDS, PROFILES, SECTIONS, TAX_RATE], profiles)


def add_charges(profiles: int) -> None:
    _fill([CHARGES], profiles)


def _fill(statements: list[str], profiles: int) -> None:
    of_postgresql = connection.vendor == "postgresql"
    words = {
        "count": COUNT.format(profiles=profiles),
        "each": CHARGES_EACH,
        "kinds": LINES_EACH,
        "yes": "true" if of_postgresql else "1",
        "day": "date '2026-10-05' + each.n" if of_postgresql else "date('2026-10-05', '+' || each.n || ' days')",
    }
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(**words))
        if of_postgresql:
            for table in ("accounts_billingaccount", "accounts_billingprofile", "accounts_invoicesection"):
                cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, profiles])
        cursor.execute("VACUUM ANALYZE" if of_postgresql else "ANALYZE")


def close() -> Done:
    """The billing run, after one that finds nothing and loads what there is to load."""
    from accounts.access import system_access
    from invoices.operations.closing import close_periods

    def run() -> None:
        for _closed in close_periods(access=system_access(), at=AT):
            pass

    for _closed in close_periods(access=system_access(), at=AT, chunk=1, dry_run=True):
        break
    return measured(run)

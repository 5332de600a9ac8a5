"""What becomes of one row that somebody changes by hand, in SQL: the database refuses it, `check_books` names it, or
it may change, for the reason that stands with it."""

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from payments.operations.integrity import check_books
from tests.payments.books import fill_everything, is_named
from tests.payments.tamperings import AT, DELETE, NAMED, REFUSED, TAMPERINGS

pytestmark = pytest.mark.django_db

EXCUSED = {
    "accounts_billingaccount": "Names and addresses, kept by staff and copied to each invoice; changes are audited.",
    "accounts_taxid": "As above.",
    "accounts_seller": "As above.",
    "accounts_sellerlogo": "Refused by the database, as the tests of sellers show; its key is no number.",
    "accounts_invoicesection": "As above; a line keeps the name of its section.",
    "accounts_billingcontact": "Who gets mail.",
    "accounts_user": "Who signs in: guarded by passwords and second factors, with its own trail.",
    "accounts_user_groups": "Rights of staff.",
    "accounts_user_user_permissions": "Rights of staff.",
    "accounts_emailchange": "An address counts once its mailbox has answered.",
    "accounts_roleassignment": "Who may pay; a payment is money all the same.",
    "invoices_delivery": "How a document travelled; what it says is kept, and fingerprinted, elsewhere.",
    "core_jobrun": "What a pass through the jobs did, for staff to read.",
}


def tampering_of(table: str, where: str, change: str) -> str:
    row = f"SELECT id FROM {table} WHERE {where} ORDER BY id LIMIT 1"
    if change == DELETE:
        return f"DELETE FROM {table} WHERE id = ({row})"
    if change.startswith("INSERT "):
        columns, values = change.removeprefix("INSERT ").split(" = ", 1)
        return f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE id = ({row})"
    return f"UPDATE {table} SET {change} WHERE id = ({row})"


def outcome_of(table: str, statement: str) -> str:
    """What becomes of it; everything is as before afterwards."""
    with transaction.atomic():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
                assert cursor.rowcount == 1, "no row fits"
                connection.check_constraints()
        except DatabaseError:
            outcome = REFUSED
        else:
            outcome = NAMED if is_named(table, at=AT) else "unseen"
        transaction.set_rollback(True)
    return outcome


@pytest.fixture
def books(profile, payer):
    fill_everything(profile, payer)
    assert check_books(at=AT) == []


def test_a_row_changed_by_hand_is_refused_or_named_or_may_change(books, subtests):
    """Each is undone before the next: filling the books takes longer than checking them."""
    for table, rows in TAMPERINGS.items():
        for where, change, expected in rows:
            statement = tampering_of(table, where, change)
            outcome = expected if expected in (REFUSED, NAMED) else "unseen"
            with subtests.test(statement):
                assert outcome_of(table, statement) == outcome, expected
    assert check_books(at=AT) == []


def test_every_table_is_tampered_with_or_excused():
    own = ("core", "accounts", "invoices", "payments")
    tables = {
        model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.app_label in own
    }
    assert TAMPERINGS.keys() | EXCUSED.keys() == tables
    assert not TAMPERINGS.keys() & EXCUSED.keys()
    assert sum(map(len, TAMPERINGS.values())) >= 120

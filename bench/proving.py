"""Proving the books of few and of many invoices: how seconds and memory grow with them.

Invoices are made by the billing run itself, ten periods of as many profiles, with some credits to pay them with and
some that are void. Nearly all are paid, in rows that payments would have left; some of it was refunded.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from typing import Any, NamedTuple
from uuid import uuid4

from django.db import connection

from bench.closing import CHARGES, COUNT, prepare_customers
from bench.deeds import Done, address_of, do, measured
from bench.server import Server

MONTHS = 10
CHARGES_EACH = 2
FIRST = date(2026, 11, 5)
# Of so many invoices one is void, still open, refunded, charged automatically; of so many profiles one has a credit.
VOID, OPEN, REFUNDED, AUTOMATIC, CREDITED = 500, 10, 50, 5, 20
AT_ONCE = 2000


class Proof(NamedTuple):
    """One database of so many invoices, proven as a whole and since the last day on which anything happened."""

    size: int
    whole: Done
    since: Done


def measure(server: Server, invoices: int) -> dict[str, Proof]:
    """By database."""
    directory = server.directory / f"proving-{invoices}"
    directory.mkdir()
    addresses = {
        "PostgreSQL": server.create(f"proving_{invoices}"),
        "SQLite": address_of(directory / "proving.sqlite3"),
    }
    found = {}
    for name, address in addresses.items():
        do(address, "proving.prepare", invoices)
        found[name] = Proof(invoices, do(address, "proving.prove"), do(address, "proving.prove", True))
    shutil.rmtree(directory)
    return found


def prepare(invoices: int) -> None:
    """So many invoices, rounded down to tens."""
    from accounts.access import system_access
    from invoices.operations.closing import close_periods

    profiles = invoices // MONTHS
    prepare_customers(profiles)
    _grant(profiles)
    day = FIRST
    for _month in range(MONTHS):
        before, (year, month) = day, divmod(day.month, 12)
        day = date(day.year + year, month + 1, day.day) if _month else FIRST
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        _record(profiles, before if _month else date(2026, 10, 5))
        for _closed in close_periods(access=system_access(), at=at):
            pass
        _pay(day, at)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def _grant(profiles: int) -> None:
    from accounts.access import system_access
    from invoices.money import Money
    from invoices.operations.credits import grant_credit

    for profile in range(CREDITED, profiles + 1, CREDITED):
        grant_credit(
            access=system_access(), profile_id=profile, source="goodwill", amount=Money(5000, "EUR"),
            description="Downtime", starts_on=None, expires_on=None, at=datetime(2026, 10, 1, 12, tzinfo=UTC),
        )  # fmt: skip


def _record(profiles: int, start: date) -> None:
    of_postgresql = connection.vendor == "postgresql"
    words = {
        "count": COUNT.format(profiles=profiles),
        "each": CHARGES_EACH,
        "kinds": CHARGES_EACH,
        "yes": "true" if of_postgresql else "1",
        "day": f"date '{start}' + each.n" if of_postgresql else f"date('{start}', '+' || each.n || ' days')",
    }
    statement = CHARGES.replace("'use-' ||", f"'use-{start}-' ||")
    with connection.cursor() as cursor:
        cursor.execute(statement.format(**words))


def _pay(day: date, at: datetime) -> None:
    """The invoices of one day, a week later."""
    from accounts.access import system_access
    from invoices.models import Invoice
    from invoices.operations.voiding import void

    paid_at = at + timedelta(days=7)
    rows = Invoice.objects.filter(issued_on=day, status="open").order_by("pk")
    for pk in list(rows.values_list("pk", flat=True))[::VOID]:
        void(access=system_access(), invoice_id=pk, reason="Billed twice", at=at)
    for some in batched(list(rows.values_list("pk", "profile", "total_minor", "credited_minor")), AT_ONCE):
        _write([row for row in some if row[0] % OPEN and row[2] > row[3]], paid_at)


def _write(rows: list[tuple[int, int, int, int]], at: datetime) -> None:
    from invoices.ledger import RECEIVABLE, transfer
    from invoices.models import Invoice, Transfer
    from invoices.money import Money
    from payments import models

    made: list[Any] = []
    for invoice, profile, total, credited in rows:
        minor, back = total - credited, total - credited if invoice % REFUNDED == 1 else 0
        payment = models.Payment(
            profile_id=profile, amount_minor=minor, currency="EUR", status="succeeded", refunded_minor=back,
            gateway="sandbox", gateway_id=f"pay_{uuid4().hex}", started_at=at, finished_at=at, card_brand="visa",
            card_last_four="4242", is_automatic=invoice % AUTOMATIC == 1,
        )  # fmt: skip
        made.append((invoice, payment, back))
    payments = [payment for _invoice, payment, _back in made]
    models.Payment.objects.bulk_create(payments)
    models.PaymentEvent.objects.bulk_create(_events(payments, at))
    allocations = models.PaymentAllocation.objects.bulk_create(
        models.PaymentAllocation(
            payment=payment, invoice_id=invoice, amount_minor=payment.amount_minor, refunded_minor=back, is_open=False
        )
        for invoice, payment, back in made
    )
    models.AutomaticCharge.objects.bulk_create(
        models.AutomaticCharge(
            invoice_id=invoice, profile_id=payment.profile_id, status="done", tries=1, last_payment=payment,
            created_at=at, changed_at=at,
        )
        for invoice, payment, _back in made
        if payment.is_automatic
    )  # fmt: skip
    taken = [allocation for allocation in allocations if allocation.refunded_minor]
    refunds = models.Refund.objects.bulk_create(
        models.Refund(
            payment_id=allocation.payment_id, amount_minor=allocation.refunded_minor, currency="EUR",
            status="succeeded", reason="Paid twice", gateway_id=f"ref_{uuid4().hex}", started_at=at, finished_at=at,
        )
        for allocation in taken
    )  # fmt: skip
    parts = models.RefundAllocation.objects.bulk_create(
        models.RefundAllocation(refund=refund, allocation=allocation, amount_minor=allocation.refunded_minor)
        for refund, allocation in zip(refunds, taken, strict=True)
    )
    transfers = [
        transfer(
            Transfer.Kind.PAYMENT, Money(payment.amount_minor, "EUR"), debit="clearing:sandbox", credit=RECEIVABLE,
            key=f"payment:{payment.pk}/{invoice}", profile_id=payment.profile_id, invoice_id=invoice,
            reference=payment.reference, at=at,
        )
        for invoice, payment, _back in made
    ]  # fmt: skip
    transfers += [
        transfer(
            Transfer.Kind.REFUND, Money(part.amount_minor, "EUR"), debit=RECEIVABLE, credit="clearing:sandbox",
            key=f"refund:{part.refund_id}/{part.pk}", profile_id=part.allocation.payment.profile_id,
            invoice_id=part.allocation.invoice_id, reference=part.allocation.payment.reference, at=at,
        )
        for part in parts
    ]  # fmt: skip
    Transfer.objects.bulk_create(transfers)
    Invoice.objects.bulk_update(
        [
            Invoice(
                pk=invoice, status="open" if back else "paid", paid_minor=payment.amount_minor - back,
                refunded_minor=back, paid_at=at, paid_with="Visa •••• 4242", autopay_on=None, next_reminder_on=None,
            )
            for invoice, payment, back in made
        ],
        ["status", "paid_minor", "refunded_minor", "paid_at", "paid_with", "autopay_on", "next_reminder_on"],
        batch_size=500,
    )  # fmt: skip


def _events(payments: list[Any], at: datetime) -> Iterator[Any]:
    from payments.models import PaymentEvent

    for payment in payments:
        yield PaymentEvent(payment=payment, at=at, source="customer", result="created", new_status="created")
        yield PaymentEvent(
            payment=payment, at=at, source="customer", result="succeeded", old_status="created",
            new_status="succeeded", detail={"gateway_id": payment.gateway_id},
        )  # fmt: skip


def prove(is_since: bool = False) -> Done:
    """The whole, or what happened since the last day on which invoices were paid."""
    from invoices.models import Transfer
    from payments.operations.integrity import check_books

    found: list[str] = []
    since = Transfer.objects.latest("booked_on").booked_on if is_since else None
    done = measured(lambda: found.extend(check_books(since=since)))
    if found:
        raise SystemExit("\n".join(["The books do not add up:", *found]))
    return done

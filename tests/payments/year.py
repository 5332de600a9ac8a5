"""The people and the habits of `test_a_year`: its profiles, and what each of them does in a month."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4

from accounts.access import system_access
from accounts.models import BillingProfile, InvoiceSection, User
from billing_portal.core.time_zones import month_before
from invoices.models import Charge, Invoice, TaxRate
from invoices.money import Money
from invoices.operations.charges import record_charge
from invoices.operations.credit_notes import CannotCorrect, credit_note
from invoices.operations.credits import grant_credit
from invoices.states import InvoiceStatus
from payments.documents.statement import statement_data
from payments.gateways import base
from payments.models import Payment, PaymentEvent
from payments.operations.attempts import CannotPay
from payments.operations.disputes import book_dispute
from payments.operations.manual_payments import record_bounce, record_payment
from payments.operations.refunds import refund
from payments.statements import heading_of, statement_of
from tests.factories import BillingProfileFactory, member
from tests.payments.acts import card, press_pay, staff

FIRST = date(2027, 1, 1)
HABITS = ("card", "credits", "wire", "short of money", "stolen with a backup", "asked by the bank")
CARDS = {
    "card": "4242", "credits": "4242", "short of money": "9995", "stolen with a backup": "9987",
    "asked by the bank": "3184",
}  # fmt: skip


def morning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Customer:
    habit: str
    profile: BillingProfile
    section: InvoiceSection
    payer: User


def move_in(number: int) -> Customer:
    """One profile, created on the last day of the year before, with its own invoice day."""
    habit = HABITS[number % len(HABITS)]
    profile = BillingProfileFactory(
        name=f"{habit} {number}",
        invoice_day=31 - number % 31,
        currency="JPY" if number % 7 == 3 else "EUR",
        time_zone=("Europe/Amsterdam", "America/New_York", "Asia/Tokyo")[number % 3],
        default_method="check_wire" if habit == "wire" else "card",
        is_wire_approved=habit == "wire",
        issues_empty_invoices=number % 4 == 0,
        payment_terms_days=14,
        created_at=morning(FIRST),
    )
    if habit in CARDS:
        card(profile, CARDS[habit], is_default=True)
    if habit == "stolen with a backup":
        card(profile, "4242", backup_order=1)
    section = InvoiceSection.objects.create(profile=profile, name="Hosting")
    if habit == "credits":
        for amount, days in ((15000, 60), (40000, None)):
            grant_credit(
                access=staff(), profile_id=profile.pk, amount=Money(amount, profile.currency), source="promotion",
                description="Welcome", starts_on=FIRST, expires_on=FIRST + timedelta(days=days) if days else None,
                at=morning(FIRST),
            )  # fmt: skip
    return Customer(habit, profile, section, member(profile, "invoice_manager"))


def use(customer: Customer, day: date, tax_rates: Sequence[TaxRate], chance: Random) -> None:
    """Some usage now and then, of which much is less than a cent, and a return once in a while; some is told late."""
    if chance.random() > 0.05:
        return
    is_return = chance.random() < 0.1
    charge = Charge(
        profile=customer.profile,
        section=customer.section,
        kind="return" if is_return else "usage",
        description="Virtual machines",
        quantity=Decimal(-1 if is_return else chance.randint(1, 400)),
        unit="HUR",
        unit_price=Decimal(chance.choice(["0.985", "0.985", "0.985", "0.0000125"])),
        tax_rate=chance.choice(tax_rates),
        happened_on=day - timedelta(days=chance.choice([0, 0, 1, 20])),
        is_creditable=True,
        source_reference=str(uuid4()),
    )
    record_charge(access=system_access(customer.profile), charge=charge, at=morning(day))


def live(customers: list[Customer], day: date, chance: Random) -> None:
    """What the people themselves do: wires arrive, some of them late, and what could not be charged is paid by hand."""
    of_profile = {customer.profile.pk: customer for customer in customers}
    acting = [customer.profile.pk for customer in customers if customer.habit in {"wire", "short of money"}]
    waiting = Invoice.objects.filter(profile__in=acting, status=InvoiceStatus.OPEN, payment_started_at=None)
    for invoice in waiting.filter(due_on__lt=day + timedelta(days=3)).order_by("pk"):
        if chance.random() > 0.2:
            continue
        customer = of_profile[invoice.profile_id]
        if customer.habit == "wire":
            record_payment(
                access=staff(), invoice_id=invoice.pk, amount=invoice.amount_due, channel="wire",
                bank_reference=uuid4().hex[:12], received_on=day, attempt_key=uuid4(), at=morning(day),
            )  # fmt: skip
        else:
            pay_by_hand(customer, invoice, day)


def pay_by_hand(customer: Customer, invoice: Invoice, day: date) -> None:
    good = customer.profile.payment_methods.filter(last_four="4242").first() or card(customer.profile)
    try:
        press_pay(customer.payer, invoice, good, at=morning(day))
    except CannotPay as refused:
        if refused.code not in {"in_progress", "throttled"}:
            raise


def turn_back(customers: list[Customer], day: date, chance: Random) -> None:
    """What goes the other way, now and then: part of a card payment is refunded, a bank takes one and may return it, a
    wire is recalled, a credit note is made."""
    at, act = morning(day), chance.choice(["nothing", "refund", "dispute", "bounce", "note"])
    paid = Payment.objects.filter(status="succeeded", disputed_at=None, finished_at__lt=at).order_by("pk")
    cards = list(paid.filter(channel="card", profile__in=[c.profile.pk for c in customers if c.habit == "card"]))
    wires = [payment for payment in paid.filter(channel="wire") if payment.rest]
    if act == "refund" and cards and (payment := chance.choice(cards)).rest.minor > 100:
        amount = Money(chance.randint(1, payment.rest.minor), payment.currency)
        about = {"reason": "Too much", "attempt_key": uuid4(), "at": at}
        refund(access=staff(), payment_id=payment.pk, amount=amount, takes_back_invoices=day.day % 2 == 0, **about)
    elif act == "dispute" and cards:
        payment = chance.choice(cards)
        for status in chance.choice([["lost"], ["lost", "won"]]):
            facts = base.Dispute(
                f"dp_{payment.reference}", payment.gateway_id, payment.amount, base.DisputeStatus(status), "fraudulent"
            )
            book_dispute(payment_id=payment.pk, facts=facts, source=PaymentEvent.Source.WEBHOOK, at=at)
    elif act == "bounce" and wires:
        record_bounce(access=staff(), payment_id=chance.choice(wires).pk, reason="Recalled", at=at)
    elif act == "note":
        with suppress(CannotCorrect):
            for invoice in Invoice.objects.filter(issued_on__lt=day, total_minor__gt=0).order_by("-pk")[:1]:
                credit_note(access=staff(), invoice_id=invoice.pk, reason="Billed too much", today=day, at=at)


def statements(customers: list[Customer], month: date, at: datetime) -> dict[str, Any]:
    """What the statement of the month before prints, for each profile."""
    days = month_before(month)
    printed = {}
    for customer in customers:
        statement = statement_of(customer.profile, *days)
        printed[f"{customer.profile.code} {days}"] = statement_data(statement, heading_of(statement, at=at))
    return printed

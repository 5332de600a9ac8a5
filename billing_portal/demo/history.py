"""What happened to the demo's invoices after they were issued: paid, declined, refunded, voided, recorded."""

import secrets
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from django.conf import settings

from accounts.access import Access, access_of, staff_access
from accounts.models import User
from billing_portal.core.time_zones import seller_day
from billing_portal.demo.data import LOGISTICS, Bill, Fate, Profile
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.invoice_payments import mark_announced, plan_autopay
from invoices.operations.issuing import issue
from invoices.operations.voiding import rebill, void
from payments.gateways.registry import default_gateway, get_gateway
from payments.gateways.sandbox.gateway import SandboxGateway
from payments.models import Payment
from payments.operations.attempts import pay
from payments.operations.autopay import charge_due
from payments.operations.manual_payments import record_payment
from payments.operations.refunds import refund

GOOD, TOO_LITTLE_MONEY, CHALLENGED = "4242", "9995", "3184"
BY_CARD = {Fate.CARD, Fate.DECLINED, Fate.CHALLENGE, Fate.MISMATCH, Fate.REFUNDED, Fate.REFUSED}


def play(bill: Bill, plan: Profile, invoice: Invoice, people: dict[str, User], *, at: datetime) -> None:
    """Brings the invoice to where the plan says it stands at ``at``. Where cards typed in do not go to the sandbox,
    the invoice is left due: no other provider must hear of what the demo plays."""
    staff = staff_access(people["admin"])
    then = at - timedelta(days=max(0, bill.age - 9))
    if bill.fate in BY_CARD:
        gateway = default_gateway()
        if gateway is not None and gateway.slug == "sandbox":
            access = access_of(people["stranger" if plan is LOGISTICS else "owner"]).inside(invoice.profile)
            charge_card(bill.fate, plan.card or GOOD, invoice, access, staff, then=then, now=at)
    else:
        act_as_staff(bill.fate, invoice, staff, then=then, now=at)


def charge_card(
    fate: Fate, card: str, invoice: Invoice, access: Access, staff: Access, *, then: datetime, now: datetime
) -> None:
    match fate:
        case Fate.CARD:
            charge(invoice, access, card, then)
        case Fate.DECLINED:
            charge(invoice, access, TOO_LITTLE_MONEY, then)
        case Fate.CHALLENGE:
            charge(invoice, access, CHALLENGED, now)
        case Fate.MISMATCH:
            sandbox = cast("SandboxGateway", get_gateway("sandbox"))
            sandbox.faults.arm("other_amount", value=invoice.amount_due_minor - 100)
            charge(invoice, access, GOOD, then)
        case Fate.REFUNDED:
            payment = charge(invoice, access, card, then)
            refund(
                access=staff,
                payment_id=payment.pk,
                amount=Money(payment.amount_minor // 4, payment.currency),
                reason="Support plan was canceled",
                attempt_key=uuid4(),
                at=then + timedelta(days=3),
            )
        case Fate.REFUSED:  # yesterday, by the job that charges: it finds no other invoice
            yesterday = now - timedelta(days=1)
            plan_autopay(invoice, invoice.profile.day_of(yesterday))
            charge_due(at=yesterday, limit=1)


def act_as_staff(fate: Fate, invoice: Invoice, staff: Access, *, then: datetime, now: datetime) -> None:
    match fate:
        case Fate.WIRE | Fate.PART:
            record_payment(
                access=staff,
                invoice_id=invoice.pk,
                amount=invoice.amount_due if fate == Fate.WIRE else invoice.amount_due.split([3, 2])[0],
                channel=Payment.Channel.WIRE,
                bank_reference=f"TRF {invoice.number}",
                received_on=invoice.profile.day_of(then),
                attempt_key=uuid4(),
                at=then,
            )
        case Fate.VOID:
            void(access=staff, invoice_id=invoice.pk, reason="Billed twice by mistake", at=then)
        case Fate.PLANNED:
            plan_autopay(invoice, invoice.profile.day_of(now + timedelta(days=3)))
        case Fate.REBILLED:  # the new invoice is of today, so that its number follows the others
            draft = rebill(access=staff, invoice_id=invoice.pk, reason="Billed to the wrong department", at=then)
            again = issue(access=staff, invoice_id=draft.pk, today=seller_day(now), at=now)
            plan_autopay(again, None)
            mark_announced(again)


def charge(invoice: Invoice, access: Access, last_four: str, at: datetime) -> Payment:
    """With the stored card where that is the one, else with a card typed in."""
    methods = invoice.profile.payment_methods.active()
    stored = methods.filter(last_four=last_four, is_default=True).first()
    return pay(
        access=access,
        invoice_ids=[invoice.pk],
        shown=invoice.amount_due,
        attempt_key=uuid4(),
        method_id=stored.pk if stored else None,
        card_token="" if stored else f"tok_{last_four}_{secrets.token_hex(8)}",
        at=at,
        return_url=lambda payment: (
            f"{settings.PUBLIC_URL}/profiles/{payment.profile.code}/payments/{payment.reference}/return"
        ),
    )

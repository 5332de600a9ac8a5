"""What happened to the demo's invoices after they were issued: paid, declined, refunded, voided, recorded."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from django.conf import settings

from accounts.access import Access, access_of, staff_access
from accounts.models import BillingProfile, User
from billing_portal.demo.content import LOGISTICS, Bill, Fate, Profile
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


@dataclass(frozen=True, slots=True)
class Actors:
    """Who does what in the demo."""

    staff: User
    payer: User
    stranger: User


@dataclass(frozen=True, slots=True)
class Scene:
    """One invoice, whoever acts on it, and when: some days after it was issued, or just now."""

    invoice: Invoice
    plan: Profile
    access: Access
    staff: Access
    then: datetime
    now: datetime


def happen(
    bill: Bill, invoice: Invoice, plan: Profile, profile: BillingProfile, actors: Actors, *, at: datetime
) -> None:
    """Brings the invoice to where the plan says it stands at ``at``."""
    payer = actors.stranger if plan is LOGISTICS else actors.payer
    scene = Scene(
        invoice=invoice,
        plan=plan,
        access=access_of(payer).inside(profile),
        staff=staff_access(actors.staff),
        then=at - timedelta(days=max(0, bill.age - 9)),
        now=at,
    )
    if bill.fate in FATES and (bill.fate not in BY_CARD or _is_sandbox_first()):
        FATES[bill.fate](scene)


def _is_sandbox_first() -> bool:
    """Whether cards typed in go to the sandbox. No other provider must hear of what the demo plays; its invoices are
    then left due."""
    gateway = default_gateway()
    return gateway is not None and gateway.slug == "sandbox"


def charge(scene: Scene, last_four: str, at: datetime) -> Payment:
    """With the stored card where that is the one, else with a card typed in."""
    methods = scene.invoice.profile.payment_methods.active()
    stored = methods.filter(last_four=last_four, is_default=True).first()
    return pay(
        access=scene.access,
        invoice_ids=[scene.invoice.pk],
        shown=scene.invoice.amount_due,
        attempt_key=uuid4(),
        method_id=stored.pk if stored else None,
        card_token="" if stored else f"tok_{last_four}_{secrets.token_hex(8)}",
        at=at,
        return_url=return_url,
    )


def return_url(payment: Payment) -> str:
    return f"{settings.PUBLIC_URL}/profiles/{payment.profile.code}/payments/{payment.reference}/return"


def paid_with_card(scene: Scene) -> None:
    charge(scene, scene.plan.card or GOOD, scene.then)


def declined(scene: Scene) -> None:
    charge(scene, TOO_LITTLE_MONEY, scene.then)


def challenged(scene: Scene) -> None:
    charge(scene, CHALLENGED, scene.now)


def mismatched(scene: Scene) -> None:
    sandbox = cast("SandboxGateway", get_gateway("sandbox"))
    sandbox.faults.arm("other_amount", value=scene.invoice.amount_due_minor - 100)
    charge(scene, GOOD, scene.then)


def refunded(scene: Scene) -> None:
    payment = charge(scene, scene.plan.card or GOOD, scene.then)
    refund(
        access=scene.staff,
        payment_id=payment.pk,
        amount=Money(payment.amount_minor // 4, payment.currency),
        reason="Support plan was cancelled",
        attempt_key=uuid4(),
        at=scene.then + timedelta(days=3),
    )


def paid_by_wire(scene: Scene) -> None:
    record_wire(scene, scene.invoice.amount_due)


def paid_in_part(scene: Scene) -> None:
    record_wire(scene, scene.invoice.amount_due.split([3, 2])[0])


def record_wire(scene: Scene, amount: Money) -> None:
    record_payment(
        access=scene.staff,
        invoice_id=scene.invoice.pk,
        amount=amount,
        channel=Payment.Channel.WIRE,
        bank_reference=f"TRF {scene.invoice.number}",
        received_on=scene.invoice.profile.day_of(scene.then),
        attempt_key=uuid4(),
        at=scene.then,
    )


def voided(scene: Scene) -> None:
    void(access=scene.staff, invoice_id=scene.invoice.pk, reason="Billed twice by mistake", at=scene.then)


def planned(scene: Scene) -> None:
    plan_autopay(scene.invoice, scene.invoice.profile.day_of(scene.now + timedelta(days=3)))


def refused(scene: Scene) -> None:
    """Yesterday, by the job that does so: it finds no other invoice."""
    yesterday = scene.now - timedelta(days=1)
    plan_autopay(scene.invoice, scene.invoice.profile.day_of(yesterday))
    charge_due(at=yesterday, limit=1)


def rebilled(scene: Scene) -> None:
    """The new invoice is of today, so that its number follows the others."""
    draft = rebill(
        access=scene.staff, invoice_id=scene.invoice.pk, reason="Billed to the wrong department", at=scene.then
    )
    invoice = issue(access=scene.staff, invoice_id=draft.pk, today=draft.profile.day_of(scene.now), at=scene.now)
    plan_autopay(invoice, None)
    mark_announced(invoice)


FATES: dict[Fate, Callable[[Scene], None]] = {
    Fate.CARD: paid_with_card,
    Fate.DECLINED: declined,
    Fate.CHALLENGE: challenged,
    Fate.MISMATCH: mismatched,
    Fate.REFUNDED: refunded,
    Fate.WIRE: paid_by_wire,
    Fate.PART: paid_in_part,
    Fate.VOID: voided,
    Fate.PLANNED: planned,
    Fate.REFUSED: refused,
    Fate.REBILLED: rebilled,
}
BY_CARD = {Fate.CARD, Fate.DECLINED, Fate.CHALLENGE, Fate.MISMATCH, Fate.REFUNDED, Fate.REFUSED}

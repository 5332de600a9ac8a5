"""The only door to a payment's status: how an attempt stands is written down here, and its money booked.

The return page, the provider's message, the reconciler and staff all enter here, any number of times and in any order.
Invoices are locked first, in the order of their ids, then the payment. Money that was taken is always booked: what fits
no invoice becomes a credit of the profile, and staff are told.
"""

from collections.abc import Sequence
from copy import copy
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction

from accounts import audit
from accounts.access import Access, system_access
from accounts.models import User
from invoices.models import Invoice, Transfer
from invoices.money import Money
from invoices.operations.credits import add_credit
from invoices.operations.dunning import reinstate
from invoices.operations.invoice_payments import apply_payment, clear_payment_started
from payments.gateways.base import MethodInfo, Outcome, Result
from payments.models import Payment, PaymentAllocation, PaymentEvent, PaymentMethod
from payments.operations import notifications
from payments.operations.gateway_calls import CONFIRM_AFTER, next_lookup, plain_text, plan_next_lookup, poll_now
from payments.operations.methods import forget_card, may_save_card, remove_gone_card, save_card
from payments.states import ENDED_WITHOUT_MONEY, MOVES, OPEN, PaymentStatus

log = structlog.get_logger("portal.payments")

LOCKED = PaymentAllocation.objects.filter(invoice__number__isnull=False).order_by("invoice_id")
LOCKED = LOCKED.select_for_update(of=("invoice", "payment"))
# Both built once, because naming the columns costs as much as reading them.
SETTLEABLE = LOCKED.select_related("invoice", "payment").only(
    *("amount_minor", "is_open", "payment__status", "invoice__number", "invoice__status", "invoice__currency"),
    *("invoice__total_minor", "invoice__credited_minor", "invoice__paid_minor", "invoice__payment_started_at"),
    "invoice__profile",
)
WHOLE = LOCKED.select_related("invoice", "payment__profile", "payment__method", "payment__started_by").only(
    *("amount_minor", "refunded_minor", "is_open", "payment", "invoice"),
    *("invoice__number", "invoice__status", "invoice__currency", "invoice__profile"),
    *("invoice__total_minor", "invoice__credited_minor", "invoice__paid_minor", "invoice__refunded_minor"),
    *("invoice__charged_back_minor", "invoice__disputed_at"),
    *("invoice__payment_started_at", "invoice__payment_started_by"),
)


class Decision(NamedTuple):
    """What staff decided: the event in the payment's history, the action in the audit trail, and the facts of both."""

    result: str
    action: str
    detail: dict[str, Any]


@transaction.atomic(durable=True)
def settle(
    *,
    payment_id: UUID,
    outcome: Outcome,
    source: PaymentEvent.Source,
    at: datetime,
    by: User | None = None,
    known: Payment | None = None,
) -> Payment:
    """Records an outcome: moves the state, books the money, writes event, audit entry and mail, in one commit.

    Returns the payment. Safe to call any number of times: an outcome that MOVES does not allow changes nothing; it is
    kept as an event when it is news, and a repeated "still not known" only sets the next look-up. Success with another
    amount or currency than the attempt's is a mismatch, for staff, and pays nothing.

    ``known`` is the payment as the caller wrote it, not read again while its state, read under the lock, is the same.
    """
    rows = (_lock_known(known) if known else []) or lock(payment_id)
    return settle_locked(rows, outcome, source=source, at=at, by=by, is_payer_here=known is not None)


def settle_locked(
    rows: list[PaymentAllocation],
    outcome: Outcome,
    *,
    source: PaymentEvent.Source,
    at: datetime,
    by: User | None = None,
    decision: Decision | None = None,
    is_payer_here: bool = False,
) -> Payment:
    """`settle` of a payment that the caller has locked, in the caller's transaction. A ``decision`` of staff stands in
    the history and the audit trail instead of the gateway's result. ``is_payer_here``: the payer made this request."""
    payment = rows[0].payment
    old, new = PaymentStatus(payment.status), _status_after(payment, outcome, at=at)
    if new not in MOVES[old]:
        _no_move(payment, new, outcome, source=source, at=at)
        return payment
    fields = _copy_outcome(payment, outcome)
    held = [row for row in rows if row.is_open]
    payment.status = new
    payment.lookups, payment.next_lookup_at = 0, next_lookup(new, 0, at)
    payment.needs_staff = new == PaymentStatus.MISMATCH
    fields |= {"status", "lookups", "next_lookup_at", "needs_staff"}
    if new not in OPEN:
        payment.finished_at, payment.next_url = at, ""
        fields |= {"finished_at", "next_url"}
        close(payment, rows)
    if new == PaymentStatus.SUCCEEDED:
        book_money(payment, rows, at=at, late=not held)
        if payment.save_method and outcome.method is not None and outcome.method.gateway_method:
            payment.method = _save_card_if_possible(payment, outcome.method, at)
            fields.add("method")
    elif new in ENDED_WITHOUT_MONEY:
        for row in held:
            if row.invoice is not None and row.invoice.is_being_paid:
                clear_payment_started(row.invoice)
        remove_gone_card(payment, outcome, at=at)
    Payment.objects.filter(pk=payment.pk).update(**{name: getattr(payment, name) for name in fields})
    money = {"amount_minor": payment.amount_minor, "currency": payment.currency}
    named = decision or Decision(outcome.result, action=f"payment.{new.value}", detail=_detail(outcome))
    record_event(payment, old=old, result=named.result, source=source, at=at, detail=named.detail)
    if new not in OPEN or new == PaymentStatus.MISMATCH:
        user = by or payment.started_by
        access = Access(user=user, unlimited=by is not None) if user else system_access()
        record_audit(named.action, payment, access, at, **(decision.detail if decision else money))
        unsure = old == PaymentStatus.UNKNOWN or source == PaymentEvent.Source.RECONCILER
        was_unsure = unsure and old != PaymentStatus.NEEDS_CUSTOMER
        invoices = invoices_of(rows)
        notifications.notify_payer(payment, invoices, at=at, was_unsure=was_unsure, is_payer_here=is_payer_here)
    return payment


def _status_after(payment: Payment, outcome: Outcome, *, at: datetime) -> PaymentStatus:
    if outcome.result == Result.SUCCEEDED and outcome.amount != payment.amount:
        return PaymentStatus.MISMATCH
    if outcome.result == Result.SPENT and was_spent(payment, at=at):
        return PaymentStatus.EXPIRED
    unknown = outcome.result in {Result.NOT_FOUND, Result.SPENT}
    return PaymentStatus.UNKNOWN if unknown else PaymentStatus(outcome.result.value)


def settle_further_charge(
    *, payment_id: UUID, outcome: Outcome, source: PaymentEvent.Source, at: datetime, by: User | None = None
) -> Payment:
    """Records the success of another charge under our reference than the one that was known. It settles the payment,
    which then names that charge, because a refund must go to it; after a success it is a payment of its own."""
    with transaction.atomic(durable=True):
        rows = lock(payment_id)
        payment = rows[0].payment
        if payment.status != PaymentStatus.SUCCEEDED:
            payment.gateway_id = ""
            return settle_locked(rows, outcome, source=source, at=at, by=by)
    return adopt_payment(payment_id=payment_id, outcome=outcome, source=source, at=at)


def adopt_payment(*, payment_id: UUID, outcome: Outcome, source: PaymentEvent.Source, at: datetime) -> Payment:
    """Books a further charge that the provider made under the reference of a payment that succeeded. Needs an outcome
    with the provider's id and the amount that was taken.

    It is a payment of its own, so that it can be paid back: what its invoice does not need becomes a credit, and staff
    are told. Done once for each id, also when a process is killed half-way. A charge in another currency is not booked
    and waits for staff. Returns the new payment, or the first one when nothing was booked.
    """
    payment = _write_further_payment(payment_id, outcome, source=source, at=at)
    return payment if payment.pk == payment_id else settle(payment_id=payment.pk, outcome=outcome, source=source, at=at)


@transaction.atomic(durable=True)
def _write_further_payment(payment_id: UUID, outcome: Outcome, *, source: PaymentEvent.Source, at: datetime) -> Payment:
    """The row of a further charge, as an attempt that had ended: success may follow that, and it holds nothing."""
    rows = lock(payment_id)
    first, amount = rows[0].payment, outcome.amount
    known = Payment.objects.filter(gateway=first.gateway, gateway_id=outcome.gateway_id).first()
    if known is not None:
        return known
    if not first.events.filter(result="charged_again", detail__gateway_id=outcome.gateway_id).exists():
        first.needs_staff = True
        first.save(update_fields=["needs_staff"])
        record_event(first, old=first.status, result="charged_again", source=source, at=at, detail=_detail(outcome))
    if amount is None or amount.minor <= 0 or amount.currency != first.currency:
        return first
    payment = Payment.objects.create(
        profile=first.profile,
        status=PaymentStatus.EXPIRED,
        amount_minor=amount.minor,
        currency=amount.currency,
        method=first.method,
        is_automatic=first.is_automatic,
        gateway=first.gateway,
        gateway_id=outcome.gateway_id,
        started_at=at,
        started_by=first.started_by,
        finished_at=at,
    )
    PaymentAllocation.objects.create(payment=payment, invoice=rows[0].invoice, amount_minor=amount.minor, is_open=False)
    detail = {**_detail(outcome), "further_to": first.reference}
    record_event(payment, old="", result="charged_again", source=source, at=at, detail=detail)
    return payment


def _save_card_if_possible(payment: Payment, info: MethodInfo, at: datetime) -> PaymentMethod | None:
    """The card, if its payer may still keep one; trouble with it must not undo the payment that was made with it."""
    owner: dict[str, Any] = {"profile_id": payment.profile_id, "gateway": payment.gateway, "by": payment.started_by}
    try:
        with transaction.atomic():
            if may_save_card(payment.started_by, payment.profile):
                return save_card(info, **owner, make_default=payment.make_default, at=at)
            forget_card(info, **owner, at=at)
            return None
    except DatabaseError:
        log.exception("card not kept", payment=payment.reference)
        return None


def lock(payment_id: UUID) -> list[PaymentAllocation]:
    """The allocations of a payment to invoices, with the invoices, in the order of their ids, and then the payment
    locked, in one statement; profile, payer and card come with it. Raises Payment.DoesNotExist."""
    rows = list(WHOLE.filter(payment_id=payment_id))
    if not rows:
        raise Payment.DoesNotExist(f"There is no payment {payment_id}.")
    return _share_payment(rows, rows[0].payment)


def _lock_known(known: Payment) -> list[PaymentAllocation]:
    """The same with fewer columns, for a payment just begun; nothing when somebody else has moved it meanwhile."""
    rows = list(SETTLEABLE.filter(payment_id=known.pk))
    if not rows or rows[0].payment.status != known.status:
        return []
    # A copy: the caller's own must not say "succeeded" when the commit fails.
    return _share_payment(rows, copy(known))


def _share_payment(rows: list[PaymentAllocation], payment: Payment) -> list[PaymentAllocation]:
    for row in rows:
        row.payment = payment
    return rows


def was_spent(payment: Payment, *, at: datetime, **about: str) -> bool:
    """Whether the gateway said SPENT minutes ago already, of the payment or, with ``refund``, of that refund."""
    spent = payment.events.filter(result=Result.SPENT, at__lte=at - CONFIRM_AFTER)
    return spent.filter(**{f"detail__{name}": value for name, value in about.items()}).exists()


def invoices_of(rows: Sequence[PaymentAllocation]) -> list[Invoice]:
    return [row.invoice for row in rows if row.invoice is not None]


def close(payment: Payment, rows: list[PaymentAllocation]) -> None:
    PaymentAllocation.objects.filter(payment=payment).update(is_open=False)
    for row in rows:
        row.is_open = False


def book_money(payment: Payment, rows: list[PaymentAllocation], *, at: datetime, late: bool) -> None:
    """Books a payment's money on its locked invoices; what does not fit becomes a credit and staff are told. ``late``:
    the attempt had ended, so a payment noted on the invoice is another one, which is closed before it takes money."""
    surplus = Money(0, payment.currency)
    for row in rows:
        if row.invoice is None:
            continue
        part = Money(row.amount_minor, payment.currency)
        left = apply_payment(
            row.invoice, part, at=at, paid_with=payment.method_on_record, ends_attempt=not late,
            account=payment.ledger_account, key=f"payment:{payment.pk}/{row.invoice_id}", reference=payment.reference,
        )  # fmt: skip
        if left:
            row.amount_minor = (part - left).minor
            row.save(update_fields=["amount_minor"])
            surplus += left
    reinstate(payment.profile, at=at)
    if surplus:
        description = f"{payment.reference}: {', '.join(str(row.invoice) for row in rows)}"
        credit_surplus(
            payment, surplus, description=description, kind=Transfer.Kind.PAYMENT,
            key=f"payment:{payment.pk}/surplus", at=at,
        )  # fmt: skip
        payment.needs_staff = True
    if late:
        others = PaymentAllocation.objects.filter(is_open=True, invoice__in=[row.invoice_id for row in rows])
        poll_now(Payment.objects.filter(pk__in=others.values("payment")).exclude(pk=payment.pk), at)


def credit_surplus(
    payment: Payment, surplus: Money, *, description: str, kind: Transfer.Kind, key: str, at: datetime
) -> None:
    """Money that fits no invoice becomes a credit of the profile. ``kind`` and ``key`` name it in the ledger."""
    credit = add_credit(
        profile=payment.profile, amount=surplus, description=description, at=at, account=payment.ledger_account,
        kind=kind, key=key, reference=payment.reference,
    )  # fmt: skip
    PaymentAllocation.objects.create(payment=payment, credit=credit, amount_minor=surplus.minor, is_open=False)


def record_event(
    payment: Payment, *, old: str, result: str, source: PaymentEvent.Source, at: datetime, detail: dict[str, Any]
) -> None:
    PaymentEvent.objects.create(
        payment=payment, at=at, source=source, result=result, old_status=old, new_status=payment.status, detail=detail
    )


def record_audit(action: str, payment: Payment, access: Access, at: datetime, **detail: Any) -> None:
    audit.record(access=access, at=at, action=action, subject=payment.reference, profile=payment.profile, **detail)


def _no_move(
    payment: Payment, new: PaymentStatus, outcome: Outcome, *, source: PaymentEvent.Source, at: datetime
) -> None:
    old = PaymentStatus(payment.status)
    if new == old or (new == PaymentStatus.UNKNOWN and old in OPEN):
        if old in OPEN and source == PaymentEvent.Source.RECONCILER:
            plan_next_lookup(payment, at=at)
            payment.save(update_fields=["lookups", "next_lookup_at", "needs_staff"])
        if outcome.result == Result.SPENT:
            record_event(payment, old=old, result=outcome.result, source=source, at=at, detail=_detail(outcome))
        return
    record_event(payment, old=old, result=outcome.result, source=source, at=at, detail=_detail(outcome))


def _copy_outcome(payment: Payment, outcome: Outcome) -> set[str]:
    """Copies what the gateway said onto the payment. Returns the names of the changed columns."""
    changes: dict[str, str] = {
        "gateway_message": plain_text(outcome.message),
        "next_url": outcome.next_url if len(outcome.next_url) <= 500 else "",
        "decline_code": outcome.decline.code if outcome.decline else "",
        "decline_bucket": outcome.decline.bucket if outcome.decline else "",
    }
    if outcome.gateway_id and not payment.gateway_id:
        changes["gateway_id"] = outcome.gateway_id
    if outcome.method is not None:
        changes |= {"card_brand": outcome.method.brand[:20], "card_last_four": outcome.method.last_four}
    for name, value in changes.items():
        setattr(payment, name, value)
    return set(changes)


def _detail(outcome: Outcome) -> dict[str, Any]:
    amount, decline = outcome.amount, outcome.decline
    detail = {
        "gateway_id": outcome.gateway_id or None,
        "amount_minor": amount.minor if amount is not None else None,
        "currency": amount.currency if amount is not None else None,
        "decline": decline.code.value if decline is not None else None,
        "message": plain_text(outcome.message) or None,
    }
    return {name: value for name, value in detail.items() if value is not None}

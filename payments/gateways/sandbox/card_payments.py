"""Taking money from a card: at once, after the bank's approval, or later; always in one transaction of the store."""

import secrets
from datetime import datetime, timedelta
from urllib.parse import urljoin

from django.db.models import Q

from payments.gateways.base import Attempt, DeclineCode, MethodInfo, Outcome, Result
from payments.gateways.sandbox.cards import (
    BY_LAST_FOUR,
    NEEDS_APPROVAL,
    PAYMENT_ENDS,
    Habit,
    TestCard,
    card_of,
    decline,
    fingerprint,
)
from payments.gateways.sandbox.faults import CallFaults, Fault
from payments.gateways.sandbox.models import CardPayment, CardSetup, Fence, StoredCard, record, stored_card
from payments.gateways.sandbox.refunds import SETTLES_AFTER, open_dispute

LATE_BY = timedelta(seconds=3)  # that the first event of a payment is held back where events come out of order


def customer_of(profile: str) -> str:
    return "cus_" + profile


def method_info(
    row: CardPayment | CardSetup | StoredCard, card: TestCard, *, card_id: str, customer: str
) -> MethodInfo:
    return MethodInfo(
        brand=card.brand,
        last_four=card.last_four,
        expiry_month=row.expiry_month,
        expiry_year=row.expiry_year,
        gateway_method=card_id,
        gateway_customer=customer,
        fingerprint=fingerprint(card.last_four),
    )


def method_of(row: CardPayment | CardSetup) -> MethodInfo:
    customer = customer_of(row.profile)
    return method_info(row, BY_LAST_FOUR[row.last_four], card_id=row.saved_card, customer=customer)


def challenge_path(row: CardPayment | CardSetup, slug: str) -> str:
    return f"/gateways/{slug}/challenge/{row.challenge}"


def next_url(row: CardPayment | CardSetup, slug: str) -> str:
    """The bank's page, on the host the person comes back to; nothing where the question stands in our page."""
    waits_there = row.state == Result.NEEDS_CUSTOMER and not row.in_page
    return urljoin(row.return_url, challenge_path(row, slug)) if waits_there else ""


def challenge_of(row: CardPayment | CardSetup | None, slug: str, *, about: str) -> dict[str, str]:
    """What the portal's page needs to draw the bank's question. Nothing where it stands on the bank's own page."""
    if row is None or row.state != Result.NEEDS_CUSTOMER or not row.in_page:
        return {}
    return {"path": challenge_path(row, slug), "about": about}


def outcome_of(payment: CardPayment, slug: str) -> Outcome:
    return Outcome(
        Result(payment.state),
        gateway_id=payment.pk,
        amount=payment.amount if payment.state == Result.SUCCEEDED else None,
        next_url=next_url(payment, slug),
        decline=decline(payment.decline) if payment.decline else None,
        method=method_of(payment) if payment.last_four else None,
    )


def find(attempt: Attempt) -> CardPayment | None:
    """By the sandbox's id, else by the portal's reference: the payment that took money, or the newest."""
    named = CardPayment.objects.filter(reference=attempt.reference).order_by("-created_at")
    return (
        CardPayment.objects.filter(pk=attempt.gateway_id).first()
        or named.filter(state=Result.SUCCEEDED).first()
        or named.first()
    )


def find_challenged(challenge: str) -> CardPayment | CardSetup | None:
    payments, setups = CardPayment.objects.filter(challenge=challenge), CardSetup.objects.filter(challenge=challenge)
    return payments.first() or setups.first()


def is_fenced(attempt: Attempt) -> bool:
    """Closed by `expire` before it came."""
    return Fence.objects.filter(Q(reference=attempt.reference) | Q(key=attempt.key)).exists()


def charge(attempt: Attempt, faults: CallFaults, *, at: datetime) -> CardPayment:
    card, stored = card_of(attempt.method), stored_card(attempt.method)
    once = card is not None and card.habit == Habit.APPROVED_ONCE
    needs_approval = card is not None and card.habit in NEEDS_APPROVAL and not (once and stored.is_approved)
    refusal = _refusal(attempt, card, stored, faults, at=at)
    if refusal is None and needs_approval and not attempt.customer_present:
        refusal = DeclineCode.CHALLENGE_REQUIRED
    payment = CardPayment(
        id="ch_" + secrets.token_urlsafe(15),
        reference=attempt.reference,
        profile=attempt.profile,
        description=attempt.description,
        amount_minor=int(faults.get(Fault.OTHER_AMOUNT) or attempt.amount.minor),
        currency=faults.get(Fault.OTHER_CURRENCY) or attempt.amount.currency,
        last_four=card.last_four if card else "",
        expiry_month=stored.expiry_month,
        expiry_year=stored.expiry_year,
        save_method=attempt.save_method,
        saved_card=attempt.method if card and attempt.method.startswith("card_") else "",
        return_url=attempt.return_url,
        in_page=attempt.in_page,
    )
    use_token(attempt.method)
    if card is None or refusal is not None:
        payment.move(Result.DECLINED, at=at, decline=refusal or DeclineCode.WRONG_NUMBER)
    elif needs_approval:
        payment.move(Result.NEEDS_CUSTOMER, at=at, challenge="pay_" + secrets.token_urlsafe(24))
    else:
        _take(payment, card, at=at)
    return payment


def use_token(token: str) -> None:
    StoredCard.objects.filter(pk=token, pk__startswith="tok_").update(is_gone=True)


def _refusal(
    attempt: Attempt, card: TestCard | None, stored: StoredCard, faults: CallFaults, *, at: datetime
) -> DeclineCode | None:
    """Why the bank says no at once, if it does. A token works once, a saved card for its own payer only, until it is
    detached; ids of test cards that somebody made up are good."""
    ordered = faults.get(Fault.DECLINE)
    if ordered is not None:
        return DeclineCode(ordered or DeclineCode.GENERIC)
    if card is None:
        return DeclineCode.WRONG_NUMBER
    if attempt.amount.minor <= 0:
        return DeclineCode.TOO_SMALL
    if stored.is_gone or stored.customer not in {"", customer_of(attempt.profile)}:
        return DeclineCode.METHOD_GONE
    if has_expired((stored.expiry_month, stored.expiry_year), at):
        return DeclineCode.EXPIRED_CARD
    return None if card.habit in NEEDS_APPROVAL else card.declined


def has_expired(month_and_year: tuple[int, int], at: datetime) -> bool:
    """A card is good until the last day of its month."""
    return month_and_year[::-1] < (at.year, at.month)


def _take(payment: CardPayment, card: TestCard, *, at: datetime) -> None:
    if card.habit == Habit.TOLD_OUT_OF_ORDER:
        record("payment.pending", payment.pk, at=at, reference=payment.reference, delay=LATE_BY)
    end = PAYMENT_ENDS.get(card.habit)
    if end is None:
        _succeed(payment, card, at=at)
    else:
        payment.move(Result.PENDING, at=at, settles_at=at + SETTLES_AFTER, settles_as=end)


def _succeed(payment: CardPayment, card: TestCard, *, at: datetime) -> None:
    if payment.save_method and not payment.saved_card:
        payment.saved_card = save_card(payment)
    payment.move(Result.SUCCEEDED, at=at, copies=2 if card.habit == Habit.TOLD_TWICE else 1)
    if card.habit == Habit.DISPUTED:
        open_dispute(payment, payment.amount_minor, reason="fraudulent", at=at)


def save_card(row: CardPayment | CardSetup) -> str:
    """Keeps the card of a payment or set-up for later payments. Returns its id."""
    expiry = {"expiry_month": row.expiry_month, "expiry_year": row.expiry_year}
    card_id = f"card_{row.last_four}_{secrets.token_urlsafe(12)}"
    StoredCard.objects.create(id=card_id, customer=customer_of(row.profile), is_approved=True, **expiry)
    return card_id


def answer_challenge(payment: CardPayment, *, approved: bool, at: datetime) -> None:
    """What the person said at the bank. Only a payment that still waits for it changes."""
    if payment.state != Result.NEEDS_CUSTOMER:
        return
    card = BY_LAST_FOUR[payment.last_four]
    if not approved or card.declined is not None:
        payment.move(Result.DECLINED, at=at, decline=card.declined if approved else DeclineCode.CHALLENGE_FAILED)
    else:
        _take(payment, card, at=at)


def expire(attempt: Attempt, *, at: datetime) -> CardPayment | None:
    """Closes an attempt, seen or not; returns its payment, if there is one, with what is true of it now."""
    payment = find(attempt)
    if payment is not None and payment.state in {Result.SUCCEEDED, Result.PENDING}:
        return payment
    Fence.objects.get_or_create(reference=attempt.reference, defaults={"key": attempt.key})
    if payment is not None and payment.state == Result.NEEDS_CUSTOMER:
        payment.move(Result.EXPIRED, at=at)
    return payment


def settle_due(*, at: datetime) -> None:
    """What was on its way and has arrived by the sandbox's clock."""
    for payment in CardPayment.objects.filter(state=Result.PENDING, settles_at__lte=at):
        if payment.settles_as == Result.SUCCEEDED:
            _succeed(payment, BY_LAST_FOUR[payment.last_four], at=at)
        else:
            payment.move(payment.settles_as, at=at, decline=DeclineCode.INSUFFICIENT_FUNDS)

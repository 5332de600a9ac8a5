"""Pay: begin, call the gateway, settle."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

import structlog
from django.db import DatabaseError, IntegrityError, OperationalError
from django.utils.translation import gettext as _

from accounts.access import Access
from invoices.money import Money
from payments.gateways.registry import get_gateway
from payments.models import Payment, PaymentEvent
from payments.operations.asking import ask, attempt_of, draws_checks
from payments.operations.beginning import Begun, CannotPay, Wish, begin
from payments.operations.card_holds import TooManyTries, note_hold
from payments.operations.settling import settle

log = structlog.get_logger("portal.payments")

# How PostgreSQL and SQLite name the two unique constraints that let one of several payers win.
RACE_GUARDS = ("one_open_attempt_per_invoice", "payments_paymentallocation.invoice_id", "attempt_key")


def pay(
    *,
    access: Access,
    invoice_ids: Sequence[int],
    shown: Money,
    attempt_key: UUID,
    at: datetime,
    return_url: Callable[[Payment], str],
    method_id: int | None = None,
    card_token: str = "",
    save_method: bool = False,
    make_default: bool = False,
    in_page: str = "",
) -> Payment:
    """Charges a stored card or a card just typed in for what is due on the invoices.

    ``shown`` is the amount the page showed, ``attempt_key`` was minted with the page, ``card_token`` is what the
    gateway's card field gave for a typed number, ``return_url`` says where the bank's check comes back to, ``in_page``
    names the gateway whose scripts run in the payer's browser.

    Returns the payment, whose status says how it went: `succeeded`, `declined`, `needs_customer` (go to ``next_url``,
    or pass the check in our page when that is empty), `pending` or `unknown` (being checked). Sending the same attempt
    again returns the same payment and charges nothing. Raises CannotPay (its message may be shown) or NotAllowed; then
    nothing was charged.
    """
    wish = Wish(
        invoice_ids=invoice_ids,
        shown=shown,
        attempt_key=attempt_key,
        method_id=method_id,
        card_token=card_token,
        save_method=save_method,
        make_default=make_default,
    )
    started = monotonic()
    try:
        begun = begin(access=access, wish=wish, at=at)
    except TooManyTries as refusal:
        note_hold(refusal, access=access, action="payment.held", at=at)
        raise CannotPay(str(refusal), code="throttled") from refusal
    except IntegrityError as race:
        return _lost_race(race, access, attempt_key)
    except OperationalError as busy:
        raise CannotPay(_("The portal is busy. Nothing was charged. Try again in a minute."), code="busy") from busy
    return charge_begun(begun, at=at, started=started, return_url=return_url, card_token=card_token, in_page=in_page)


def charge_begun(
    begun: Begun,
    *,
    at: datetime,
    started: float,
    return_url: Callable[[Payment], str],
    card_token: str = "",
    in_page: str = "",
) -> Payment:
    """Steps two and three of what `begin` has committed: the gateway, then `settle`. ``at`` is the moment of the
    attempt and ``started`` what `monotonic` said then.

    Returns the payment. One that was begun before is returned as it is. Never raises for a gateway.
    """
    payment = begun.payment
    if not begun.is_new:
        return payment
    gateway = get_gateway(payment.gateway)
    attempt = attempt_of(
        payment,
        card_token=card_token,
        return_url=return_url(payment),
        description=", ".join(begun.numbers),
        in_page=draws_checks(gateway, in_page),
    )
    outcome = ask(lambda: gateway.charge(attempt), subject=payment.reference)
    ended_at = at + timedelta(seconds=monotonic() - started)
    source = PaymentEvent.Source.AUTOMATIC if payment.is_automatic else PaymentEvent.Source.CUSTOMER
    try:
        return settle(payment_id=payment.pk, outcome=outcome, source=source, at=ended_at, known=payment)
    except DatabaseError:
        # The money may have moved. The attempt is still open, so the next look-up finds out and writes it down.
        log.exception("outcome not written down yet", payment=payment.reference)
        return payment


def _lost_race(race: IntegrityError, access: Access, attempt_key: UUID) -> Payment:
    """Another connection wrote first: this very attempt (then it is the same payment), or somebody else's."""
    same = Payment.objects.visible_to(access).filter(attempt_key=attempt_key, started_by=access.user).first()
    if same is not None:
        return same
    if not any(guard in str(race) for guard in RACE_GUARDS):
        raise race
    raise CannotPay(_("A payment of this invoice is already in progress."), code="in_progress") from race

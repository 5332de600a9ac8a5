"""An attempt to pay: written down, sent to the gateway, settled.

Only the first step and the last hold a transaction. `begin` locks the invoices, reads again under the lock everything
that could forbid a payment, and writes the attempt; the gateway is called with the attempt's id as idempotency key;
`settle` (`settlement`) locks the invoices, then the payment, and records the outcome. In the database two guards stand
behind it: the attempt key is unique, and so is the open allocation of an invoice.

An answer that did not come is `UNKNOWN`: it blocks the invoice until the gateway has answered or staff have decided.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from django.db import Error, IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.access import Access, NotAllowed, fresh
from accounts.models import BillingProfile, User
from accounts.roles import Permission
from billing_portal.core.database import UNAVAILABLE
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.invoice_payments import mark_payment_started
from invoices.payability import reason_not_payable
from payments.gateways.base import Gateway
from payments.gateways.registry import UnknownGateway, default_gateway, get_gateway
from payments.models import Payment, PaymentAllocation, PaymentEvent, PaymentMethod
from payments.operations.card_holds import TooManyTries, record_hold, refuse_too_many, tries_of, with_turn
from payments.operations.gateway_calls import NoAnswer, attempt_of, call_money, challenge_in_page, next_lookup
from payments.operations.methods import renew
from payments.operations.settlement import record_event, settle
from payments.states import PaymentStatus

log = structlog.get_logger("portal.payments")

# Only the columns that paying decides on. Built once, because naming them costs as much as reading them.
PAYABLE = Invoice.objects.select_related("profile__account").only(
    *("number", "status", "currency", "amount_due_minor", "payment_started_at"),
    *("profile__code", "profile__name", "profile__status", "profile__currency", "profile__time_zone"),
    *("profile__default_method", "profile__account__agreement_type"),
)
CHARGEABLE = PaymentMethod.objects.active().only(
    *("brand", "last_four", "expiry_month", "expiry_year", "gateway", "gateway_customer", "gateway_method"),
)
# How PostgreSQL and SQLite name the two unique constraints that let one of several payers win.
RACE_GUARDS = ("one_open_attempt_per_invoice", "payments_paymentallocation.invoice_id", "attempt_key")


class CannotPay(Exception):
    """The payment was not begun and nothing was charged. The message may be shown; ``code`` is for pages and tests."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


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

    ``shown`` is the amount the page showed, ``attempt_key`` was minted with the page, ``card_token`` comes from the
    gateway's card field, ``return_url`` is where the bank's approval comes back to, ``in_page`` names the gateway whose
    scripts run in the payer's browser.

    Returns the payment, whose status says how it went: `succeeded`, `declined`, `needs_customer` (go to ``next_url``,
    or approve in our page when that is empty), `pending` or `unknown` (being looked up). The same attempt again is the
    same payment. Raises CannotPay or NotAllowed; then nothing was charged.
    """
    started = monotonic()
    try:
        payment, invoices = _commit_beginning(
            access=access,
            invoice_ids=invoice_ids,
            shown=shown,
            attempt_key=attempt_key,
            at=at,
            method_id=method_id,
            card_token=card_token,
            save_method=save_method,
            make_default=make_default,
        )
    except TooManyTries as refusal:
        record_hold(refusal, access=access, action="payment.held", at=at)
        raise CannotPay(str(refusal), code="throttled") from refusal
    except IntegrityError as race:
        return _lost_race(race, access, attempt_key)
    except UNAVAILABLE as busy:
        raise CannotPay(_("The portal is busy. Nothing was charged. Try again in a minute."), code="busy") from busy
    if not invoices:
        return payment
    url = return_url(payment)
    return charge(payment, invoices, at=at, started=started, return_url=url, card_token=card_token, in_page=in_page)


def _commit_beginning(*, method_id: int | None, at: datetime, **wish: Any) -> tuple[Payment, list[Invoice]]:
    """`begin` in a transaction of its own. A card that has expired by our copy is looked up before it is refused."""
    try:
        with transaction.atomic(durable=True):
            return begin(method_id=method_id, at=at, **wish)
    except CannotPay as refusal:
        if refusal.code != "method_expired" or method_id is None or not _is_renewed(method_id, at=at):
            raise
    with transaction.atomic(durable=True):
        return begin(method_id=method_id, at=at, **wish)


def _is_renewed(method_id: int, *, at: datetime) -> bool:
    method = PaymentMethod.objects.filter(pk=method_id).first()
    try:
        return method is not None and renew(method, at=at)
    except NoAnswer as silence:
        raise CannotPay(str(silence), code="no_answer") from silence


def begin(
    *,
    access: Access,
    invoice_ids: Sequence[int],
    shown: Money,
    attempt_key: UUID,
    at: datetime,
    method_id: int | None = None,
    card_token: str = "",
    save_method: bool = False,
    make_default: bool = False,
) -> tuple[Payment, list[Invoice]]:
    """Writes a payment, its allocations and its first event, in the caller's outermost transaction: the gateway is
    called after its commit. Arguments are those of `pay`.

    Returns the payment and the invoices to charge it for; no invoices, and nothing is written, when this attempt was
    begun before (a double click, a page sent twice). Raises Invoice.DoesNotExist for invoices the person cannot see,
    NotAllowed, TooManyTries, CannotPay; IntegrityError when another connection won the race (`_lost_race`).
    """
    invoices = _lock_invoices(access, invoice_ids)
    profile, payer = invoices[0].profile, access.user
    access = fresh(access).inside(profile)
    tries = tries_of(payer, profile, attempt_key, at=at) if payer else []
    is_sent_again = any(attempt.key == attempt_key for attempt in tries)
    if is_sent_again or (payer is None and Payment.objects.filter(attempt_key=attempt_key).exists()):
        return _same_attempt(attempt_key, invoice_ids, payer), []
    access.require(Permission.INVOICE_PAY)
    for invoice in invoices:
        reason = reason_not_payable(invoice, access)
        if reason is not None:
            raise CannotPay(reason.text, code=reason.code)
    due = Money.total((invoice.amount_due for invoice in invoices), profile.currency)
    if due != shown:
        text = _("The amount due changed to %(due)s. Nothing was charged. Please look again and confirm.")
        raise CannotPay(text % {"due": due}, code="amount_changed")
    if payer is not None:
        refuse_too_many(tries, payer, profile, is_new_card=method_id is None, at=at)
    method = _method(profile, method_id, at) if method_id is not None else None
    gateway = _gateway_of(method, card_token)
    _check_gateway(gateway, due)
    if (save_method or make_default) and not access.can(Permission.METHODS_MANAGE):
        raise NotAllowed(_("Your role does not include keeping cards on this billing profile."))
    payment = Payment.objects.create(
        profile=profile,
        attempt_key=attempt_key,
        amount_minor=due.minor,
        currency=due.currency,
        method=method,
        card_brand=method.brand if method else "",
        card_last_four=method.last_four if method else "",
        save_method=save_method,
        make_default=make_default,
        is_automatic=payer is None,
        gateway=gateway.slug,
        started_at=at,
        started_by=payer,
        next_lookup_at=next_lookup(PaymentStatus.CREATED, 0, at),
    )
    PaymentAllocation.objects.bulk_create(
        PaymentAllocation(payment=payment, invoice=invoice, amount_minor=invoice.amount_due_minor)
        for invoice in invoices
    )
    source = PaymentEvent.Source.CUSTOMER if payer else PaymentEvent.Source.AUTOMATIC
    detail = {"amount_minor": due.minor, "currency": due.currency}
    record_event(payment, old="", result="begun", source=source, at=at, detail=detail)
    for invoice in invoices:
        mark_payment_started(invoice, by=payer, at=at)
    return payment, invoices


def _lock_invoices(access: Access, invoice_ids: Sequence[int]) -> list[Invoice]:
    """Takes the person's turn to try cards as well, in the same query."""
    ids = set(invoice_ids)
    wanted = PAYABLE.visible_to(access).filter(pk__in=ids).locked()
    invoices = list(with_turn(wanted, access.user) if access.user is not None else wanted)
    if not ids or len(invoices) != len(ids):
        raise Invoice.DoesNotExist(_("There is no such invoice."))
    if len({(invoice.profile_id, invoice.currency) for invoice in invoices}) != 1:
        raise CannotPay(_("Pay invoices of one billing profile and one currency at a time."), code="mixed")
    return invoices


def _same_attempt(attempt_key: UUID, invoice_ids: Sequence[int], payer: User | None) -> Payment:
    earlier = Payment.objects.get(attempt_key=attempt_key)
    invoices = earlier.allocations.filter(invoice__isnull=False).values_list("invoice_id", flat=True)
    if earlier.started_by_id != (payer and payer.pk) or set(invoices) != set(invoice_ids):
        raise CannotPay(_("This page is out of date. Open the invoice again."), code="stale")
    return earlier


def _method(profile: BillingProfile, method_id: int, at: datetime) -> PaymentMethod:
    method = CHARGEABLE.filter(pk=method_id, profile=profile).locked().first()
    if method is None:
        raise CannotPay(_("This card is no longer on the billing profile. Choose another one."), code="method_gone")
    if method.is_expired(profile.day_of(at)):
        raise CannotPay(_("%(card)s has expired. Choose another card.") % {"card": method.label}, code="method_expired")
    return method


def _gateway_of(method: PaymentMethod | None, card_token: str) -> Gateway:
    if method is not None:
        try:
            return get_gateway(method.gateway)
        except UnknownGateway as gone:
            text = _("This card cannot be charged any more. Choose another one.")
            raise CannotPay(text, code="method_gone") from gone
    gateway = default_gateway()
    # The id of a stored card is no card just typed in: it may be somebody else's, or removed.
    stored = PaymentMethod.objects.filter(gateway=gateway.slug if gateway else "", gateway_method=card_token)
    if gateway is None or not card_token or stored.exists():
        raise CannotPay(_("Choose a card, or add a new one."), code="no_method")
    return gateway


def _check_gateway(gateway: Gateway, due: Money) -> None:
    currencies = gateway.capabilities.currencies
    if currencies is not None and due.currency not in currencies:
        text = _("Cards cannot be charged in %(currency)s. Pay by wire transfer.")
        raise CannotPay(text % {"currency": due.currency}, code="currency")
    minimum = Money(gateway.capabilities.minimum_minor.get(due.currency, 0), due.currency)
    if due < minimum:
        text = _("The smallest amount a card can be charged is %(least)s. Pay by wire transfer.")
        raise CannotPay(text % {"least": minimum}, code="too_small")
    maximum = Money(gateway.capabilities.maximum_minor.get(due.currency, due.minor), due.currency)
    if maximum < due:
        text = _("The largest amount a card can be charged is %(most)s. Pay by wire transfer.")
        raise CannotPay(text % {"most": maximum}, code="too_large")


def charge(
    payment: Payment,
    invoices: Sequence[Invoice],
    *,
    at: datetime,
    started: float,
    return_url: str,
    card_token: str = "",
    in_page: str = "",
) -> Payment:
    """Steps two and three of what `begin` has committed: the gateway, then `settle`. ``at`` is the moment of the
    attempt and ``started`` what `monotonic` said then. Returns the payment. Never raises for a gateway."""
    gateway = get_gateway(payment.gateway)
    attempt = attempt_of(
        payment,
        card_token=card_token,
        return_url=return_url,
        description=", ".join(str(invoice) for invoice in invoices),
        in_page=challenge_in_page(gateway, in_page),
    )
    outcome = call_money(lambda: gateway.charge(attempt), subject=payment.reference)
    ended_at = at + timedelta(seconds=monotonic() - started)
    source = PaymentEvent.Source.AUTOMATIC if payment.is_automatic else PaymentEvent.Source.CUSTOMER
    try:
        return settle(payment_id=payment.pk, outcome=outcome, source=source, at=ended_at, known=payment)
    except Error:
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

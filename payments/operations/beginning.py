"""Step one: write the attempt down before anything leaves the building.

Everything that could forbid the payment is read again here, under the lock: the role, the invoice's state, the amount
that was shown, the card, the attempts that came before. Two guards stand behind it in the database: the attempt key
is unique, and so is the open allocation of an invoice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.access import Access, NotAllowed, fresh
from accounts.models import BillingProfile
from accounts.roles import Permission
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.invoice_payments import mark_payment_started
from invoices.payability import reason_not_payable
from payments.gateways.base import Gateway
from payments.gateways.registry import UnknownGateway, default_gateway, get_gateway
from payments.models import Payment, PaymentAllocation, PaymentEvent, PaymentMethod
from payments.operations.card_holds import refuse_too_many, tries_of
from payments.operations.schedule import first_look
from payments.states import PaymentStatus

# Only the columns that paying decides on. Built once, because naming them costs as much as reading them.
PAYABLE = Invoice.objects.select_related("profile__account").only(
    *("number", "status", "currency", "amount_due_minor", "payment_started_at"),
    *("profile__code", "profile__name", "profile__status", "profile__currency", "profile__time_zone"),
    *("profile__default_method", "profile__account__agreement_type"),
)
CHARGEABLE = PaymentMethod.objects.active().only(
    *("brand", "last_four", "expiry_month", "expiry_year", "gateway", "gateway_customer", "gateway_method"),
)


class CannotPay(Exception):
    """The payment was not begun and nothing was charged. The message may be shown; ``code`` is for pages and tests."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class AmountChanged(CannotPay):
    """What is due is no longer what the page showed."""

    def __init__(self, due: Money) -> None:
        super().__init__(
            _("The amount due changed to %(due)s. Nothing was charged. Please look again and confirm.") % {"due": due},
            code="amount_changed",
        )
        self.due = due


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the person asked for. Ids, the key of the page, and the amount that was shown; no other money."""

    invoice_ids: Sequence[int]
    shown: Money
    attempt_key: UUID
    method_id: int | None = None
    card_token: str = ""
    save_method: bool = False
    make_default: bool = False


class Begun(NamedTuple):
    """What `begin` answers. ``numbers`` are those of the invoices, for the provider's pages and the statement."""

    payment: Payment
    is_new: bool
    numbers: tuple[str, ...] = ()


@transaction.atomic(durable=True)
def begin(*, access: Access, wish: Wish, at: datetime) -> Begun:
    """`begin_inside`, in a transaction of its own."""
    return begin_inside(access=access, wish=wish, at=at)


def begin_inside(*, access: Access, wish: Wish, at: datetime) -> Begun:
    """Writes a payment, its allocations and its first event, in the caller's transaction, which must be the outermost:
    the gateway is called after its commit.

    When this attempt was begun before (a double click, a page sent twice), nothing is written and the earlier payment
    is returned. Raises Invoice.DoesNotExist for invoices the person cannot see, NotAllowed without the role,
    TooManyTries, CannotPay for every other reason; IntegrityError when another connection won the race (`paying.pay`).
    """
    invoices = _lock_invoices(access, wish.invoice_ids)
    profile = invoices[0].profile
    now = fresh(access).inside(profile)
    payer = access.user
    tries = tries_of(payer, profile, wish.attempt_key, at=at) if payer else []
    is_sent_again = any(attempt.key == wish.attempt_key for attempt in tries)
    if is_sent_again or (payer is None and Payment.objects.filter(attempt_key=wish.attempt_key).exists()):
        return Begun(_same_attempt(wish, now), is_new=False)
    now.require(Permission.INVOICE_PAY)
    _check_invoices(invoices, now)
    due = Money.total((invoice.amount_due for invoice in invoices), profile.currency)
    if due != wish.shown:
        raise AmountChanged(due)
    if payer is not None:
        refuse_too_many(tries, payer, profile, is_new_card=wish.method_id is None, at=at)
    method, gateway = _method_and_gateway(profile, wish, at)
    _check_gateway(gateway, due)
    if (wish.save_method or wish.make_default) and not now.can(Permission.METHODS_MANAGE):
        raise NotAllowed(_("Your role does not include keeping cards on this billing profile."))
    payment = Payment.objects.create(
        profile=profile,
        attempt_key=wish.attempt_key,
        amount_minor=due.minor,
        currency=due.currency,
        method=method,
        card_brand=method.brand if method else "",
        card_last_four=method.last_four if method else "",
        save_method=wish.save_method,
        make_default=wish.make_default,
        is_automatic=access.user is None,
        gateway=gateway.slug,
        started_at=at,
        started_by=access.user,
        next_lookup_at=first_look(PaymentStatus.CREATED, at),
    )
    PaymentAllocation.objects.bulk_create(
        PaymentAllocation(payment=payment, invoice=invoice, amount_minor=invoice.amount_due_minor)
        for invoice in invoices
    )
    PaymentEvent.objects.create(
        payment=payment,
        at=at,
        source=PaymentEvent.Source.CUSTOMER if access.user else PaymentEvent.Source.AUTOMATIC,
        result="begun",
        new_status=payment.status,
        detail={"amount_minor": due.minor, "currency": due.currency},
    )
    for invoice in invoices:
        mark_payment_started(invoice, by=access.user, at=at)
    return Begun(payment, is_new=True, numbers=tuple(str(invoice) for invoice in invoices))


def _lock_invoices(access: Access, ids: Sequence[int]) -> list[Invoice]:
    wanted = set(ids)
    invoices = list(PAYABLE.visible_to(access).filter(pk__in=wanted).locked())
    if not wanted or len(invoices) != len(wanted):
        raise Invoice.DoesNotExist(_("There is no such invoice."))
    if len({invoice.profile_id for invoice in invoices}) != 1 or len({invoice.currency for invoice in invoices}) != 1:
        raise CannotPay(_("Pay invoices of one billing profile and one currency at a time."), code="mixed")
    return invoices


def _same_attempt(wish: Wish, access: Access) -> Payment:
    """The earlier payment, when it was this person's and for these invoices."""
    earlier = Payment.objects.get(attempt_key=wish.attempt_key)
    invoices = earlier.allocations.filter(invoice__isnull=False).values_list("invoice_id", flat=True)
    is_mine = earlier.started_by_id == (access.user and access.user.pk)
    if not is_mine or set(invoices) != set(wish.invoice_ids):
        raise CannotPay(_("This page is out of date. Open the invoice again."), code="stale")
    return earlier


def _check_invoices(invoices: list[Invoice], access: Access) -> None:
    for invoice in invoices:
        reason = reason_not_payable(invoice, access)
        if reason is not None:
            raise CannotPay(reason.text, code=reason.code)


def _method_and_gateway(profile: BillingProfile, wish: Wish, at: datetime) -> tuple[PaymentMethod | None, Gateway]:
    if wish.method_id is None:
        gateway = default_gateway()
        if gateway is None or not wish.card_token:
            raise CannotPay(_("Choose a card, or add a new one."), code="no_method")
        # The id of a stored card is no card just typed in: it may be somebody else's, or removed.
        if PaymentMethod.objects.filter(gateway=gateway.slug, gateway_method=wish.card_token).exists():
            raise CannotPay(_("Choose a card, or add a new one."), code="no_method")
        return None, gateway
    try:
        method = CHARGEABLE.locked().get(pk=wish.method_id, profile=profile)
    except PaymentMethod.DoesNotExist as gone:
        raise CannotPay(
            _("This card is no longer on the billing profile. Choose another one."), code="method_gone"
        ) from gone
    if method.is_expired(profile.day_of(at)):
        raise CannotPay(_("%(card)s has expired. Choose another card.") % {"card": method.label}, code="method_expired")
    try:
        return method, get_gateway(method.gateway)
    except UnknownGateway as gone:
        raise CannotPay(_("This card cannot be charged any more. Choose another one."), code="method_gone") from gone


def _check_gateway(gateway: Gateway, due: Money) -> None:
    currencies = gateway.capabilities.currencies
    if currencies is not None and due.currency not in currencies:
        raise CannotPay(
            _("Cards cannot be charged in %(currency)s. Pay by wire transfer.") % {"currency": due.currency},
            code="currency",
        )
    minimum = gateway.capabilities.minimum_minor.get(due.currency, 0)
    if due.minor < minimum:
        least = Money(minimum, due.currency)
        raise CannotPay(
            _("The smallest amount a card can be charged is %(least)s. Pay by wire transfer.") % {"least": least},
            code="too_small",
        )

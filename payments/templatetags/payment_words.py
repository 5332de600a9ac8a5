"""Words about payments for templates: ``{% load payment_words %}``."""

from collections.abc import Sequence
from datetime import date, datetime

from django import template
from django.utils import timezone
from django.utils.functional import Promise

from invoices.money import Money
from invoices.states import StatusBadge
from payments.declines import explain
from payments.models import AutomaticCharge
from payments.models.methods import BRANDS
from payments.statements import What
from payments.states import DISPUTE_LOOK, PAYMENT_LOOK, REFUND_LOOK, DisputeStatus, PaymentStatus, RefundStatus

register = template.Library()

BRAND_SIGNS = {"visa": "VISA", "mastercard": "MC", "amex": "AMEX", "discover": "DISC", "jcb": "JCB"}


@register.filter
def card_brand(brand: str) -> str:
    """``visa`` as people write it."""
    return BRANDS.get(brand, brand.title())


@register.filter
def brand_sign(brand: str) -> str:
    """``VISA``, short enough for a small sign; empty for a brand that has none."""
    return BRAND_SIGNS.get(brand, "")


@register.filter
def decline_reason(code: str) -> str | Promise:
    """Completes "The reason the bank gave: ..."."""
    return explain(code).reason


@register.filter
def decline_advice(code: str) -> Sequence[str | Promise]:
    return explain(code).advice


@register.filter
def payment_look(status: str) -> StatusBadge:
    return PAYMENT_LOOK[PaymentStatus(status)]


@register.filter
def refund_look(status: str) -> StatusBadge:
    return REFUND_LOOK[RefundStatus(status)]


@register.filter
def minus(amount: Money) -> Money:
    """What was paid back stands below what was paid, with the other sign."""
    return -amount


@register.filter
def dispute_look(status: str) -> StatusBadge:
    return DISPUTE_LOOK[DisputeStatus(status)]


@register.filter
def moment(value: datetime | str | None) -> datetime | None:
    """A point in time in the portal's time zone, from itself or from the ISO text that a stored mail holds."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value) if value else None
    return timezone.localtime(value) if value is not None else None


@register.filter
def calendar_day(text: str) -> date | None:
    """A day from the ISO text that a stored mail holds."""
    return date.fromisoformat(text) if text else None


@register.filter
def statement_word(what: str) -> str | Promise:
    """What a line of a statement is, from the word that a stored mail holds."""
    return What(what).label


@register.filter
def stop_reason(code: str) -> str:
    """Completes "The reason: ..."."""
    return str(AutomaticCharge.Stop(code).label) if code in AutomaticCharge.Stop.values else ""

"""Words about payments for templates: ``{% load payment_words %}``."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import template
from django.utils.functional import Promise

from invoices.models import Transfer
from invoices.money import Money
from invoices.states import StatusBadge
from payments.declines import explain
from payments.models import AutomaticCharge, Dispute, Payment, Refund
from payments.models.methods import BRANDS
from payments.states import DISPUTE_LOOK, PAYMENT_LOOK, REFUND_LOOK

register = template.Library()

LOOKS: dict[Any, Mapping[Any, StatusBadge]] = {Payment: PAYMENT_LOOK, Refund: REFUND_LOOK, Dispute: DISPUTE_LOOK}

BRAND_SIGNS = {"visa": "VISA", "mastercard": "MC", "amex": "AMEX", "discover": "DISC", "jcb": "JCB"}


@register.filter
def card_brand(brand: str) -> str:
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
def look(row: Payment | Refund | Dispute) -> StatusBadge:
    return LOOKS[type(row)][row.status]


@register.filter
def minus(amount: Money) -> Money:
    """What was paid back stands below what was paid, with the other sign."""
    return -amount


@register.filter
def statement_word(what: str) -> str | Promise:
    """What a line of a statement is, from the word that a stored mail holds."""
    return Transfer.Kind(what).label


@register.filter
def stop_reason(code: str) -> str:
    """Completes "The reason: ..."."""
    return str(AutomaticCharge.Stop(code).label) if code in AutomaticCharge.Stop.values else ""

"""Cards, attempts to move money, what came of them, and what providers told us."""

from payments.models.attempts import Payment, PaymentAllocation, PaymentEvent
from payments.models.deliveries import WebhookDelivery
from payments.models.methods import PaymentMethod
from payments.models.refunds import Refund, RefundAllocation

__all__ = [
    "Payment",
    "PaymentAllocation",
    "PaymentEvent",
    "PaymentMethod",
    "Refund",
    "RefundAllocation",
    "WebhookDelivery",
]

"""Cards, attempts to move money, what came of them, and what providers told us."""

from payments.models.methods import CardHold, Detachment, MethodSetup, PaymentMethod
from payments.models.payments import AutomaticCharge, Payment, PaymentAllocation, PaymentEvent
from payments.models.providers import BooksCheck, GatewayComparison, GatewayDifference, Payout, WebhookDelivery
from payments.models.reversals import Dispute, DisputeAllocation, Refund, RefundAllocation

__all__ = [
    "AutomaticCharge",
    "BooksCheck",
    "CardHold",
    "Detachment",
    "Dispute",
    "DisputeAllocation",
    "GatewayComparison",
    "GatewayDifference",
    "MethodSetup",
    "Payment",
    "PaymentAllocation",
    "PaymentEvent",
    "PaymentMethod",
    "Payout",
    "Refund",
    "RefundAllocation",
    "WebhookDelivery",
]

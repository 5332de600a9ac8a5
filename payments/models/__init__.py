"""Cards, attempts to move money, what came of them, and what providers told us."""

from payments.models.comparison import GatewayComparison, GatewayDifference
from payments.models.methods import CardHold, Detachment, MethodSetup, PaymentMethod
from payments.models.payments import AutomaticCharge, Payment, PaymentAllocation, PaymentEvent
from payments.models.reversals import Dispute, DisputeAllocation, Refund, RefundAllocation
from payments.models.webhooks import WebhookDelivery

__all__ = [
    "AutomaticCharge",
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
    "Refund",
    "RefundAllocation",
    "WebhookDelivery",
]

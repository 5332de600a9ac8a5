"""Cards, attempts to move money, what came of them, and what providers told us."""

from payments.models.attempts import Payment, PaymentAllocation, PaymentEvent
from payments.models.automatic import AutomaticCharge
from payments.models.deliveries import WebhookDelivery
from payments.models.disputes import Dispute, DisputeAllocation
from payments.models.holds import CardHold
from payments.models.methods import PaymentMethod
from payments.models.refunds import Refund, RefundAllocation
from payments.models.setups import Detachment, MethodSetup

__all__ = [
    "AutomaticCharge",
    "CardHold",
    "Detachment",
    "Dispute",
    "DisputeAllocation",
    "MethodSetup",
    "Payment",
    "PaymentAllocation",
    "PaymentEvent",
    "PaymentMethod",
    "Refund",
    "RefundAllocation",
    "WebhookDelivery",
]

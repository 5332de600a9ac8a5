"""Cards through Stripe. See `payments.gateways.stripe.gateway`."""

from payments.gateways.stripe.gateway import StripeGateway

__all__ = ["StripeGateway"]

"""The staff pages of payments. Everything is read-only; what staff may do has a page of its own that asks first."""

from payments.admin import automatic, deliveries, disputes, holds, methods, payments, refunds

__all__ = ["automatic", "deliveries", "disputes", "holds", "methods", "payments", "refunds"]

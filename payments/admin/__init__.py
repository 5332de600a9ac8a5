"""The staff pages of payments. Everything is read-only; what staff may do has a page of its own that asks first."""

from payments.admin import autopay, methods, payments, reversals, webhooks

__all__ = ["autopay", "methods", "payments", "reversals", "webhooks"]

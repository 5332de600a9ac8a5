"""The staff pages of payments. Everything is read-only; what staff may do has a page of its own that asks first."""

from payments.admin import comparison, methods, payments, payouts, reversals

__all__ = ["comparison", "methods", "payments", "payouts", "reversals"]

"""The staff pages of invoices, credits, number series and our bank accounts."""

from invoices.admin import invoices, kept, remittances

__all__ = ["invoices", "kept", "remittances"]

"""The staff pages of invoices, credits, credit notes, number series and our bank accounts."""

from invoices.admin import correcting, granting, invoices, kept, remittances

__all__ = ["correcting", "granting", "invoices", "kept", "remittances"]

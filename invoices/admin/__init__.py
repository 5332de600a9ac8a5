"""The staff pages of invoices, charges, credits, credit notes, number series and our bank accounts."""

from invoices.admin import charges, correcting, granting, invoices, kept, remittances

__all__ = ["charges", "correcting", "granting", "invoices", "kept", "remittances"]

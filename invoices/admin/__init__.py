"""The staff pages of invoices, credits and number series."""

from invoices.admin import invoices, kept

__all__ = ["invoices", "kept"]

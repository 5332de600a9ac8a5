"""Invoices, what they are made of, what corrects them, and the credits that pay for them."""

from invoices.models.charges import Charge, PeriodClosing, TaxRate
from invoices.models.credit_notes import CreditNote, CreditNoteLine, CreditNoteTax, IssuedDocument
from invoices.models.credits import Credit, CreditEntry
from invoices.models.deliveries import Delivery
from invoices.models.exchange_rates import ExchangeRate
from invoices.models.invoices import Invoice, InvoiceLine, InvoiceTax, NumberSeries, RemittanceAccount
from invoices.models.ledger import KeptStatement, LedgerAccount, Transfer

__all__ = [
    "Charge", "Credit", "CreditEntry", "CreditNote", "CreditNoteLine", "CreditNoteTax", "Delivery", "ExchangeRate",
    "Invoice", "InvoiceLine", "InvoiceTax", "IssuedDocument", "KeptStatement", "LedgerAccount", "NumberSeries",
    "PeriodClosing", "RemittanceAccount", "TaxRate", "Transfer",
]  # fmt: skip

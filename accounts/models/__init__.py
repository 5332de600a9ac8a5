"""People, the customers they act for, who holds which role where, and what was done."""

from accounts.models.addresses import ADDRESS, PostalAddress
from accounts.models.audit import AuditEntry
from accounts.models.customers import (
    BillingAccount,
    BillingContact,
    BillingProfile,
    InvoiceSection,
    TaxId,
    WireRequest,
    new_code,
)
from accounts.models.people import EmailChange, RoleAssignment, User
from accounts.models.sellers import DOCUMENT_LANGUAGES, Seller, SellerLogo

__all__ = [
    "ADDRESS",
    "DOCUMENT_LANGUAGES",
    "AuditEntry",
    "BillingAccount",
    "BillingContact",
    "BillingProfile",
    "EmailChange",
    "InvoiceSection",
    "PostalAddress",
    "RoleAssignment",
    "Seller",
    "SellerLogo",
    "TaxId",
    "User",
    "WireRequest",
    "new_code",
]  # fmt: skip

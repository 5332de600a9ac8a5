"""People, the customers they act for, who holds which role where, and what was done."""

from accounts.models.audit import AuditEntry
from accounts.models.customers import (
    BillingAccount,
    BillingContact,
    BillingProfile,
    InvoiceSection,
    PostalAddress,
    TaxId,
    WireRequest,
    new_code,
)
from accounts.models.people import EmailChange, RoleAssignment, User

__all__ = [
    "AuditEntry", "BillingAccount", "BillingContact", "BillingProfile", "EmailChange", "InvoiceSection",
    "PostalAddress", "RoleAssignment", "TaxId", "User", "WireRequest", "new_code",
]  # fmt: skip

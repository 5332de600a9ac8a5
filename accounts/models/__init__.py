"""People, the customers they act for, who holds which role where, and what was done."""

from accounts.models.customers import BillingAccount, BillingProfile, InvoiceSection, PostalAddress, TaxId, new_code
from accounts.models.people import RoleAssignment, User
from accounts.models.records import AuditEntry, OutgoingMail

__all__ = [
    "AuditEntry",
    "BillingAccount",
    "BillingProfile",
    "InvoiceSection",
    "OutgoingMail",
    "PostalAddress",
    "RoleAssignment",
    "TaxId",
    "User",
    "new_code",
]

"""People, the customers they act for, who holds which role where, and what was done."""

from accounts.models.arrangements import BillingContact, WireRequest
from accounts.models.customers import BillingAccount, BillingProfile, InvoiceSection, PostalAddress, TaxId, new_code
from accounts.models.people import EmailChange, RoleAssignment, User
from accounts.models.records import AuditEntry, DueRun, OutgoingMail

__all__ = [
    "AuditEntry",
    "BillingAccount",
    "BillingContact",
    "BillingProfile",
    "DueRun",
    "EmailChange",
    "InvoiceSection",
    "OutgoingMail",
    "PostalAddress",
    "RoleAssignment",
    "TaxId",
    "User",
    "WireRequest",
    "new_code",
]

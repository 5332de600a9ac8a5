"""Reads of accounts, profiles and sections. Lists and single objects that a customer sees start at `visible_to`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db.models import FETCH_RAISE, Q, QuerySet

from accounts.roles import Permission, Scope, roles_with

if TYPE_CHECKING:
    from accounts.access import Access
    from accounts.models import AuditEntry, BillingAccount, BillingProfile, InvoiceSection  # noqa: F401  named in the bases below


class BillingAccountQuerySet(QuerySet["BillingAccount"]):
    def visible_to(self, access: Access) -> Self:
        """Accounts on which the person holds a role of the account itself."""
        if access.unlimited:
            return self.all()
        roles = roles_with(Permission.PROPERTIES_VIEW, Scope.ACCOUNT)
        return self.filter(pk__in={held.account_id for held in access.held if held.account_id and held.role in roles})

    def locked(self) -> Self:
        """Rows locked against being changed; rows that refer to them may still be written. Evaluate it at once."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


class BillingProfileQuerySet(QuerySet["BillingProfile"]):
    def visible_to(self, access: Access) -> Self:
        """Profiles whose properties the person may see, through the profile or its account."""
        return self.filter(access.scope_filter(Permission.PROPERTIES_VIEW))

    def locked(self) -> Self:
        """Rows locked against being changed; rows that refer to them may still be written, so that whoever changes
        the cards of a profile keeps no payer waiting, nor waits for one in a circle. Evaluate it at once."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


class InvoiceSectionQuerySet(QuerySet["InvoiceSection"]):
    def visible_to(self, access: Access) -> Self:
        """Sections of the profiles the person sees, and those on which the person holds a role directly."""
        through_profile = access.scope_filter(Permission.SECTIONS_VIEW, "profile")
        if access.profile is not None:
            return self.filter(through_profile)
        return self.filter(through_profile | Q(pk__in={held.section_id for held in access.held if held.section_id}))

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))


class AuditEntryQuerySet(QuerySet["AuditEntry"]):
    def visible_to(self, access: Access) -> Self:
        """What was done on the profiles whose invoices the person may see. What is of no profile, as everything around
        signing in is, is not among it; and from where somebody did it is not for other members: asking such a row
        raises FieldFetchBlocked, so load with it whatever it points to."""
        entries = self.filter(access.scope_filter(Permission.INVOICE_VIEW, "profile"))
        if access.unlimited:
            return entries
        return entries.defer("ip_address", "browser").fetch_mode(FETCH_RAISE)

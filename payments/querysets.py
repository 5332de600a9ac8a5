"""Reads of payments and cards. Everything a customer sees starts at `visible_to`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import QuerySet

from accounts.roles import Permission

if TYPE_CHECKING:
    from accounts.access import Access
    from payments.models import CardHold, MethodSetup, Payment, PaymentMethod  # noqa: F401  named in the bases below


class PaymentQuerySet(QuerySet["Payment"]):
    def visible_to(self, access: Access) -> Self:
        """Payments of the profiles whose invoices the person may see."""
        return self.filter(access.scope_filter(Permission.INVOICE_VIEW, "profile"))

    def locked(self) -> Self:
        """Rows locked in one fixed order; lock the invoices of a payment before it. Evaluate it at once."""
        return self.order_by("pk").select_for_update(of=("self",))


class PaymentMethodQuerySet(QuerySet["PaymentMethod"]):
    def visible_to(self, access: Access) -> Self:
        return self.filter(access.scope_filter(Permission.METHODS_VIEW, "profile"))

    def active(self) -> Self:
        return self.filter(status="active")

    def locked(self) -> Self:
        """Rows locked against being changed, though not against being referred to. Evaluate it at once."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)

    def in_order(self) -> Self:
        return self.order_by("-is_default", "-created_at", "-pk")


class MethodSetupQuerySet(QuerySet["MethodSetup"]):
    def visible_to(self, access: Access) -> Self:
        """A person's own attempts to add a card, where the person may still add one. Nobody else's."""
        return self.filter(access.scope_filter(Permission.METHODS_MANAGE, "profile"), created_by=access.user)

    def locked(self) -> Self:
        """Rows locked in one fixed order, after their profile. Evaluate it at once."""
        return self.order_by("pk").select_for_update(of=("self",))


class CardHoldQuerySet(QuerySet["CardHold"]):
    def current(self, at: datetime) -> Self:
        return self.filter(released_at=None, until__gt=at)

"""Reads of invoices and credits. Everything a customer sees starts at `visible_to`, which never shows drafts."""

from __future__ import annotations

from datetime import date
from string import digits
from typing import TYPE_CHECKING, Any, Self

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum

from accounts.models import Seller
from accounts.roles import Permission
from invoices.money import minors_of
from invoices.states import SOON, CreditState, InvoiceStatus, Label

NUMBER_DIGITS = 6
LAST_LETTER = "\U0010ffff"
SHOWN_IN_A_ROW = (
    "profile", "number", "kind", "status", "currency", "issued_on", "due_on", "total_minor", "amount_due_minor",
    "payment_started_at", "payment_started_by__name", "payment_started_by__email", "disputed_at", "autopay_on",
    "autopay_declined_on", "paid_at", "paid_with", "void_reason",
)  # fmt: skip

# Credits whose last day is in a period that is closed, or will never be in one: the profile is closed.
LAST_DAY_IS_BILLED = Q(profile__billed_until_on__gt=F("expires_on")) | Q(profile__status="closed")
# The others. Not its negation, which a profile that was never billed would fall out of.
LAST_DAY_WAITS = (Q(profile__billed_until_on=None) | Q(profile__billed_until_on__lte=F("expires_on"))) & ~Q(
    profile__status="closed"
)

if TYPE_CHECKING:
    from accounts.access import Access
    from invoices.models import Credit, CreditEntry, CreditNote, Invoice, Transfer  # noqa: F401  named in the bases below


class InvoiceQuerySet(QuerySet["Invoice"]):
    def visible_to(self, access: Access) -> Self:
        """Issued invoices of the profiles whose invoices the person may see."""
        return self.filter(~Q(status=InvoiceStatus.DRAFT), access.scope_filter(Permission.INVOICE_VIEW, "profile"))

    def locked(self) -> Self:
        """Rows locked in one fixed order. Evaluate it at once: a lock that is only built locks nothing."""
        return self.order_by("pk").select_for_update(of=("self",))

    def for_rows(self) -> Self:
        """With only what a row of the list shows: half of an invoice's columns are for its document."""
        return self.select_related("payment_started_by").only(*SHOWN_IN_A_ROW)

    def with_label(self, label: Label, today: date) -> Self:
        """The rows that show this label on a day.

        In progress implies open, by a constraint. Asking for both would make PostgreSQL expect few rows and sort them
        all.
        """
        opened = Q(status=InvoiceStatus.OPEN)
        return self.filter(
            {
                Label.DUE: opened & Q(payment_started_at=None, due_on__gte=today),
                Label.PAST_DUE: opened & Q(payment_started_at=None, due_on__lt=today),
                Label.IN_PROGRESS: Q(payment_started_at__isnull=False),
            }.get(label, Q(status=label.value))
        )

    def numbered(self, typed: str) -> Self:
        """Numbers that begin so, however it is typed, and the one that a figure is short for: ``25``, ``000025`` and
        ``inv-25`` find INV-000025. Numbers are stored in capitals and stand together in the index. One query for a
        figure alone: the prefixes of all sellers."""
        start = typed.strip().upper()
        found = Q(number__gte=start, number__lt=start + LAST_LETTER)
        head = start.rstrip(digits)
        figure = start.removeprefix(head)
        prefixes = [head] if head else Seller.objects.values_list("invoice_prefix", flat=True)
        for prefix in prefixes if figure else ():
            number = f"{prefix}{figure.removeprefix(prefix).lstrip('0').zfill(NUMBER_DIGITS)}"
            if not number.startswith(start):  # or the index of numbers would not be read in its order
                found |= Q(number=number)
        return self.filter(found)

    def of_amount(self, typed: str) -> Self:
        """Those billed for, or with due, an amount as a person writes it: ``944.84``, ``944,84``, ``1.234,50``."""
        is_meant = Q(pk__in=[])
        for minor, currencies in minors_of(typed):
            # What is due on an invoice of which nothing was paid is its total.
            left = Q(amount_due_minor=minor, amount_due_minor__gt=0, amount_due_minor__lt=F("total_minor"))
            is_meant |= Q(Q(total_minor=minor) | left, currency__in=currencies)
        return self.filter(is_meant)

    def count_up_to(self, limit: int) -> int:
        """How many there are, ``limit + 1`` meaning more: an exact count of a million rows costs more than the page."""
        return self.order_by()[: limit + 1].count()


class CreditQuerySet(QuerySet["Credit"]):
    def visible_to(self, access: Access) -> Self:
        return self.filter(access.scope_filter(Permission.CREDITS_VIEW, "profile"))

    def locked(self) -> Self:
        """Rows locked in one fixed order. Evaluate it at once."""
        return self.order_by("pk").select_for_update(of=("self",))

    def usable_on(self, today: date) -> Self:
        """That have begun, and may still pay for an invoice of the period that runs."""
        goes_on = Q(expires_on=None) | Q(expires_on__gte=today) | LAST_DAY_WAITS
        return self.filter(goes_on, Q(starts_on=None) | Q(starts_on__lte=today), remaining_minor__gt=0)

    def in_state(self, state: CreditState, today: date) -> Self:
        """As `Credit.state_on` says of each row; what expires soon is active too. Needs `with_expiry`."""
        match state:
            case CreditState.ACTIVE:
                return self.usable_on(today)
            case CreditState.SOON:
                return self.usable_on(today).filter(expires_on__lte=today + SOON)
            case CreditState.LATER:
                return self.filter(remaining_minor__gt=0, starts_on__gt=today)
            case CreditState.USED:
                return self.filter(remaining_minor=0, has_expired=False)
            case CreditState.EXPIRED:
                is_over = Q(expires_on__lt=today, remaining_minor__gt=0) & LAST_DAY_IS_BILLED
                return self.filter(Q(remaining_minor=0, has_expired=True) | is_over)

    def with_expiry(self) -> Self:
        """With ``has_expired``: whether something of it was taken away because its time was over."""
        entries = self.model._meta.get_field("entries").related_model
        expired: QuerySet[Any] = QuerySet(entries).filter(credit=OuterRef("pk"), kind="expired")
        return self.annotate(has_expired=Exists(expired))


class CreditEntryQuerySet(QuerySet["CreditEntry"]):
    def visible_to(self, access: Access) -> Self:
        return self.filter(access.scope_filter(Permission.CREDITS_VIEW, "credit__profile"))


class CreditNoteQuerySet(QuerySet["CreditNote"]):
    def visible_to(self, access: Access) -> Self:
        return self.filter(access.scope_filter(Permission.INVOICE_VIEW, "profile"))


class TransferQuerySet(QuerySet["Transfer"]):
    def of_account(self, account: str) -> Self:
        return self.filter(Q(debit=account) | Q(credit=account))

    def balance(self, account: str) -> int:
        """What an account has received less what it has given, in minor units of one currency."""
        received = Sum("amount_minor", filter=Q(debit=account), default=0)
        sums = self.aggregate(received=received, given=Sum("amount_minor", filter=Q(credit=account), default=0))
        return int(sums["received"] - sums["given"])

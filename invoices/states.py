"""The states of an invoice, the moves between them, and the words a reader sees; and the states of a credit.

Past due and "payment in progress" are derived, never stored. To add a state: a member of `InvoiceStatus`, its moves,
its `Label` and its badge.
"""

from datetime import timedelta
from typing import NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

# What an invoice was paid with last, when staff wrote off the rest; translated where it is shown.
WRITTEN_OFF = gettext_noop("Rest written off")


class InvoiceStatus(models.TextChoices):
    DRAFT = "draft", _("Draft")
    OPEN = "open", _("Due")
    PAID = "paid", _("Paid")
    VOID = "void", _("Void")


MOVES: dict[InvoiceStatus, frozenset[InvoiceStatus]] = {
    InvoiceStatus.DRAFT: frozenset({InvoiceStatus.OPEN, InvoiceStatus.PAID}),  # paid at once when the total is zero
    InvoiceStatus.OPEN: frozenset({InvoiceStatus.PAID, InvoiceStatus.VOID}),
    InvoiceStatus.PAID: frozenset({InvoiceStatus.OPEN}),
    InvoiceStatus.VOID: frozenset(),
}


class WrongState(ValueError):
    """The move is not in MOVES."""


def check_move(old: str, new: InvoiceStatus) -> None:
    """Raises WrongState when an invoice in state ``old`` cannot become ``new``."""
    if new not in MOVES[InvoiceStatus(old)]:
        names = {"old": InvoiceStatus(old).label, "new": new.label}
        raise WrongState(_("An invoice cannot go from “%(old)s” to “%(new)s”.") % names)


class Label(models.TextChoices):
    """What a reader sees in the status column, and may filter by."""

    DRAFT = "draft", _("Draft")
    DUE = "due", _("Due")
    PAST_DUE = "past_due", _("Past due")
    IN_PROGRESS = "in_progress", _("Payment in progress")
    PAID = "paid", _("Paid")
    VOID = "void", _("Void")


class StatusBadge(NamedTuple):
    """Class name and icon of a status pill."""

    css: str
    icon: str


BADGES = {
    Label.DRAFT: StatusBadge("status-void", "pencil"),
    Label.DUE: StatusBadge("", "clock"),
    Label.PAST_DUE: StatusBadge("status-past-due", "triangle-alert"),
    Label.IN_PROGRESS: StatusBadge("status-busy", "refresh-cw"),
    Label.PAID: StatusBadge("status-paid", "circle-check"),
    Label.VOID: StatusBadge("status-void", "ban"),
}


SOON = timedelta(days=30)


class CreditState(models.TextChoices):
    """What a reader sees of a credit on a day. Nothing of this is stored."""

    ACTIVE = "active", pgettext_lazy("credit", "Active")
    SOON = "soon", pgettext_lazy("credit", "Expiring soon")
    LATER = "later", pgettext_lazy("credit", "Not yet started")
    USED = "used", pgettext_lazy("credit", "Used up")
    EXPIRED = "expired", pgettext_lazy("credit", "Expired")


CREDIT_BADGES = {
    CreditState.ACTIVE: StatusBadge("status-paid", "circle-check"),
    CreditState.SOON: StatusBadge("status-past-due", "triangle-alert"),
    CreditState.LATER: StatusBadge("", "clock"),
    CreditState.USED: StatusBadge("status-void", "check"),
    CreditState.EXPIRED: StatusBadge("status-void", "ban"),
}

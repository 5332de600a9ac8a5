"""The states of an invoice, the moves between them, and the words a reader sees.

Only `draft`, `open`, `paid` and `void` are stored. Past due is derived: open, and the due date lies before today.
"Payment in progress" is derived too: open, and a payment was begun. To add a state: a member of `InvoiceStatus`, its
moves, its `Label` and its look in `LOOK`.
"""

from datetime import date
from typing import NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _


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


class Look(NamedTuple):
    """Class name and icon of the status pill."""

    css: str
    icon: str


LOOK = {
    Label.DRAFT: Look("status-void", "pencil"),
    Label.DUE: Look("", "clock"),
    Label.PAST_DUE: Look("status-past-due", "triangle-alert"),
    Label.IN_PROGRESS: Look("status-busy", "refresh-cw"),
    Label.PAID: Look("status-paid", "circle-check"),
    Label.VOID: Look("status-void", "ban"),
}


def label_of(status: str, *, due_on: date | None, is_being_paid: bool, today: date) -> Label:
    """The label of an invoice on a day."""
    if status != InvoiceStatus.OPEN:
        return Label(status)
    if is_being_paid:
        return Label.IN_PROGRESS
    return Label.PAST_DUE if due_on is not None and due_on < today else Label.DUE

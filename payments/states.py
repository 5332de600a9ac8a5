"""The states of a payment, of a refund and of a dispute, and the moves between them.

A payment is one attempt to move money. While it is *open* nobody can start another for the same invoice; a partial
unique index on the allocations says so in the database. `declined`, `expired` and `not_sent` are ends without money,
but a gateway can change its mind (a challenge finished late, an answer that was lost), so success may still follow
them; the money is then booked, on the invoice or as a credit. Nothing follows `succeeded`: what is paid back is a
`Refund`, and what the payer's bank asks back a `Dispute`. An event that asks for any other move is only recorded.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from invoices.states import StatusBadge


class PaymentStatus(models.TextChoices):
    CREATED = "created", _("Being confirmed")
    NEEDS_CUSTOMER = "needs_customer", _("Waiting for bank approval")
    PENDING = "pending", _("On its way")
    UNKNOWN = "unknown", _("Waiting for the bank's answer")
    MISMATCH = "mismatch", _("Under review by our staff")
    SUCCEEDED = "succeeded", _("Succeeded")
    DECLINED = "declined", _("Declined")
    EXPIRED = "expired", _("Expired")
    NOT_SENT = "not_sent", _("Not sent")


S = PaymentStatus
OPEN = frozenset({S.CREATED, S.NEEDS_CUSTOMER, S.PENDING, S.UNKNOWN, S.MISMATCH})
ENDED_WITHOUT_MONEY = frozenset({S.DECLINED, S.EXPIRED, S.NOT_SENT})

MOVES: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    S.CREATED: frozenset(S) - {S.CREATED},
    S.NEEDS_CUSTOMER: frozenset(S) - {S.CREATED, S.NEEDS_CUSTOMER, S.NOT_SENT},
    S.PENDING: frozenset({S.SUCCEEDED, S.DECLINED, S.EXPIRED, S.MISMATCH}),
    S.UNKNOWN: frozenset(S) - {S.CREATED, S.UNKNOWN},
    S.MISMATCH: frozenset({S.SUCCEEDED, S.DECLINED}),
    **dict.fromkeys(ENDED_WITHOUT_MONEY, frozenset({S.SUCCEEDED, S.MISMATCH})),
    S.SUCCEEDED: frozenset(),
}

PAYMENT_LOOK = {
    **dict.fromkeys((S.CREATED, S.NEEDS_CUSTOMER, S.PENDING), StatusBadge("status-busy", "refresh-cw")),
    S.UNKNOWN: StatusBadge("status-busy", "clock"),
    S.MISMATCH: StatusBadge("status-warn", "clock"),
    S.SUCCEEDED: StatusBadge("status-paid", "circle-check"),
    S.DECLINED: StatusBadge("status-past-due", "triangle-alert"),
    **dict.fromkeys((S.EXPIRED, S.NOT_SENT), StatusBadge("status-void", "ban")),
}


class RefundStatus(models.TextChoices):
    CREATED = "created", _("Being confirmed")
    PENDING = "pending", _("On its way")
    UNKNOWN = "unknown", _("Waiting for an answer")
    SUCCEEDED = "succeeded", _("Refunded")
    FAILED = "failed", _("Failed")


R = RefundStatus
REFUND_OPEN = frozenset({R.CREATED, R.PENDING, R.UNKNOWN})
REFUND_MOVES: dict[RefundStatus, frozenset[RefundStatus]] = {
    R.CREATED: frozenset({R.PENDING, R.UNKNOWN, R.SUCCEEDED, R.FAILED}),
    R.PENDING: frozenset({R.SUCCEEDED, R.FAILED}),
    R.UNKNOWN: frozenset({R.PENDING, R.SUCCEEDED, R.FAILED}),
    R.SUCCEEDED: frozenset({R.FAILED}),
    R.FAILED: frozenset(),
}

REFUND_LOOK = {
    **dict.fromkeys((R.CREATED, R.PENDING), StatusBadge("status-busy", "refresh-cw")),
    R.UNKNOWN: StatusBadge("status-busy", "clock"),
    R.SUCCEEDED: StatusBadge("status-paid", "undo-2"),
    R.FAILED: StatusBadge("status-past-due", "triangle-alert"),
}


class DisputeStatus(models.TextChoices):
    """From the seller's point of view: `lost` means that the money is gone."""

    OPEN = "open", _("Waiting for the bank")
    WON = "won", _("Closed, nothing taken")
    LOST = "lost", _("Taken back by the bank")


D = DisputeStatus
# A bank may think again after it has decided, but what it has decided is never open again: that is old news.
DISPUTE_MOVES: dict[DisputeStatus, frozenset[DisputeStatus]] = {
    D.OPEN: frozenset({D.WON, D.LOST}),
    D.WON: frozenset({D.LOST}),
    D.LOST: frozenset({D.WON}),
}

DISPUTE_LOOK = {
    D.OPEN: StatusBadge("status-warn", "clock"),
    D.WON: StatusBadge("status-void", "circle-check"),
    D.LOST: StatusBadge("status-past-due", "undo-2"),
}

"""What is stuck is as wrong as what does not add up: rows that wait for something, and that no job and nobody of staff
will look at again. Sentences with the columns of a row in braces, as in `payments.operations.integrity`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT

from accounts.models import AuditEntry, BillingProfile
from billing_portal.core.models import OutgoingMail
from invoices.models import Charge
from invoices.models.charges import UNBILLED
from invoices.states import InvoiceStatus
from payments.models import (
    AutomaticCharge,
    Detachment,
    Dispute,
    GatewayComparison,
    MethodSetup,
    Payment,
    PaymentAllocation,
    PaymentMethod,
    Refund,
    WebhookDelivery,
)
from payments.states import OPEN, REFUND_OPEN, DisputeStatus, PaymentStatus

FORGOTTEN = Q(next_lookup_at=None, needs_staff=False)
NEVER = Q(next_try_at=None, last_error="")
# The longest pause of any job is a day; a card is looked up each month.
LONGEST_PAUSE, CARD_PAUSE = timedelta(days=8), timedelta(days=62)
# No period is longer than a month.
MONTH = timedelta(days=31)
# A plan without a day is ended by the next pass through the jobs.
PLAN_PAUSE = timedelta(days=2)

UNATTENDED: dict[str, QuerySet[Any]] = {
    "Payment {reference}: it is {status}, and nobody will look it up again.": Payment.objects.filter(
        FORGOTTEN, status__in=OPEN
    ),
    "Payment {reference}: it waits for a decision, but not in the staff queue.": Payment.objects.filter(
        status=PaymentStatus.MISMATCH, needs_staff=False
    ),
    "Payment {reference}: it is {status}, and yet to be looked up.": Payment.objects.filter(
        next_lookup_at__isnull=False
    ).exclude(status__in=OPEN),
    "Refund {pk}: it is {status}, and nobody will look it up again.": Refund.objects.filter(
        FORGOTTEN, status__in=REFUND_OPEN
    ),
    "Refund {pk}: it is {status}, and yet to be looked up.": Refund.objects.filter(
        next_lookup_at__isnull=False
    ).exclude(status__in=REFUND_OPEN),
    # Staff take out of their queue what they have handled, and that is written down.
    "Payment {payment__reference}: part of it became a credit, and nobody has looked at it.": (
        PaymentAllocation.objects.filter(credit__isnull=False, payment__needs_staff=False).exclude(
            payment__events__result="handled"
        )
    ),
    "Dispute {gateway_id}: it was lost, and nobody has looked at it.": Dispute.objects.filter(
        ~Exists(
            AuditEntry.objects.annotate(told=KT("detail__gateway_id")).filter(
                profile=OuterRef("payment__profile"),
                action__in=("dispute.handled", "dispute.written_off"),
                told=OuterRef("gateway_id"),
            )
        ),
        status=DisputeStatus.LOST,
        needs_staff=False,
        payment__channel=Payment.Channel.CARD,
    ),
    "Dispute {gateway_id}: it is open, and nobody will look it up again.": Dispute.objects.filter(
        status=DisputeStatus.OPEN, next_lookup_at=None
    ),
    "Message {event_id} of {gateway}: nobody will work on it.": WebhookDelivery.objects.filter(
        status=WebhookDelivery.Status.RECEIVED, next_try_at=None
    ),
    "Card {method}: nobody will ask {gateway} to forget {gateway_method}.": Detachment.objects.filter(
        NEVER, done_at=None
    ),
    "Card being added at {gateway}, {pk}: it is {status}, and nobody will look at it.": MethodSetup.objects.filter(
        next_look_at=None, status__in=(MethodSetup.Status.CREATED, MethodSetup.Status.NEEDS_CUSTOMER)
    ),
    "Mail {key}: nobody will send it.": OutgoingMail.objects.filter(NEVER, sent_at=None),
    "Billing profile {code}: it is closed, and charges wait for an invoice.": BillingProfile.objects.filter(
        Exists(Charge.objects.filter(UNBILLED, profile=OuterRef("pk"))), status=BillingProfile.Status.CLOSED
    ),
}


def put_off(at: datetime) -> dict[str, QuerySet[Any]]:
    """The same for rows that come up so late that a day was written by hand."""
    latest = at + LONGEST_PAUSE
    waiting: list[tuple[str, QuerySet[Any], str]] = [
        ("Payment {reference}", Payment.objects.all(), "next_lookup_at"),
        ("Refund {pk}", Refund.objects.all(), "next_lookup_at"),
        ("Dispute {gateway_id}", Dispute.objects.all(), "next_lookup_at"),
        ("Message {event_id} of {gateway}", WebhookDelivery.objects.all(), "next_try_at"),
        ("Card {method} to forget", Detachment.objects.all(), "next_try_at"),
        ("Card being added, {pk}", MethodSetup.objects.all(), "next_look_at"),
        ("Mail {key}", OutgoingMail.objects.all(), "next_try_at"),
        ("Comparison with {gateway}", GatewayComparison.objects.all(), "next_at"),
    ]
    late = {
        f"{name}: it comes up on {{{column}}} only.": rows.filter(**{f"{column}__gt": latest})
        for name, rows, column in waiting
    }
    return late | {
        "Card {pk}: it comes up on {next_lookup_at} only.": PaymentMethod.objects.filter(
            next_lookup_at__gt=at + CARD_PAUSE
        ),
        "Invoice {invoice__number}: its automatic charge is planned for no day.": AutomaticCharge.objects.filter(
            status=AutomaticCharge.Status.PLANNED, invoice__autopay_on=None, invoice__status=InvoiceStatus.OPEN,
            changed_at__lt=at - PLAN_PAUSE,
        ),
    }  # fmt: skip


def wrong_periods(profiles: QuerySet[BillingProfile]) -> Iterator[str]:
    """The next period of a profile ends within a month."""
    profiles = profiles.filter(Q(billed_until_on__isnull=False) | Q(next_invoice_on__isnull=False))
    odd = profiles.order_by().values_list("code", "billed_until_on", "next_invoice_on")
    for code, until, next_on in odd.iterator():
        if until is None or next_on is None or not until < next_on <= until + MONTH:
            yield f"Billing profile {code}: invoiced up to {until}, the next invoice is on {next_on}."

"""Money paid back through the gateway it came by."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoices.money import Money
from payments.models.attempts import Payment, PaymentAllocation
from payments.states import RefundStatus


class Refund(models.Model):
    """All or part of one payment. Committed before the gateway is called; its id is the idempotency key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds", verbose_name=_("payment"))
    # Minted with the form, so that sending it twice is one refund.
    attempt_key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    status = models.CharField(_("status"), max_length=12, choices=RefundStatus, default=RefundStatus.CREATED)
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    # What the provider paid back and could be taken off nothing here; such a refund was not made by us.
    missing_minor = models.BigIntegerField(_("missing"), default=0, db_default=0)
    reason = models.CharField(_("reason"), max_length=200)
    gateway_id = models.CharField(_("gateway's refund id"), max_length=120, blank=True)
    gateway_message = models.CharField(_("gateway's message"), max_length=300, blank=True)
    started_at = models.DateTimeField(_("started"))
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("started by"),
        db_index=False,
    )
    finished_at = models.DateTimeField(_("ended"), null=True)
    next_lookup_at = models.DateTimeField(_("next look-up"), null=True)
    lookups = models.PositiveSmallIntegerField(_("look-ups"), default=0)
    needs_staff = models.BooleanField(_("needs staff"), default=False)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(missing_minor__gte=0, missing_minor__lte=F("amount_minor")),
                name="refund_missing_within_amount",
            ),
            models.UniqueConstraint(
                fields=["payment", "gateway_id"], condition=~Q(gateway_id=""), name="gateway_refund_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_lookup_at", "id"], condition=Q(next_lookup_at__isnull=False), name="refund_to_look_up"
            )
        ]

    def __str__(self) -> str:
        return f"{self.payment} {self.amount}"

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def missing(self) -> Money:
        """What was paid back and could be taken off nothing here: a used credit, or more than the payment."""
        return Money(self.missing_minor, self.currency)


class RefundAllocation(models.Model):
    """Which part of the payment a refund takes back, so that a refund that fails later can be undone exactly."""

    refund = models.ForeignKey(Refund, models.PROTECT, related_name="allocations")
    allocation = models.ForeignKey(PaymentAllocation, models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField(_("amount"))

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_allocation_positive")]

    def __str__(self) -> str:
        return f"{self.refund_id} {self.amount_minor}"

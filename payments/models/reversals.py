"""Money that goes back: refunds, through the gateway it came by, and disputes, by which a payer's bank asks it back."""

from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint
from django.utils.translation import gettext_lazy as _

from billing_portal.core.spelling import Compact
from invoices.money import Money, MoneyOf
from payments.models.payments import KeyedMovement, Movement, Payment, PaymentAllocation
from payments.states import DisputeStatus, RefundStatus


class Refund(KeyedMovement):
    """Pays back all or part of one payment."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds", verbose_name=_("payment"))
    status = models.CharField(_("status"), max_length=12, choices=RefundStatus, default=RefundStatus.CREATED)
    # What the provider paid back and could be taken off nothing here; such a refund was not made by us.
    missing_minor = models.BigIntegerField(_("missing"), default=0, db_default=0)
    missing = MoneyOf("missing_minor")
    # The part of it that staff took for lost.
    written_off_minor = models.BigIntegerField(_("written off"), default=0, db_default=0)
    written_off = MoneyOf("written_off_minor")
    reason = models.CharField(_("reason"), max_length=200)
    gateway_id = models.CharField(_("gateway's refund id"), max_length=120, blank=True)
    # Of money that staff sent from our bank: how the transfer is found there.
    bank_reference = models.CharField(_("bank or check reference"), max_length=80, blank=True, db_default="")
    paid_on = models.DateField(_("sent on"), null=True)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_positive"),
            CheckConstraint(
                condition=Q(missing_minor__gte=0, missing_minor__lte=F("amount_minor")),
                name="refund_missing_within_amount",
            ),
            CheckConstraint(
                condition=Q(written_off_minor__gte=0, written_off_minor__lte=F("missing_minor")),
                name="refund_written_off_within_missing",
            ),
            UniqueConstraint(fields=["payment", "gateway_id"], condition=~Q(gateway_id=""), name="gateway_refund_once"),
            UniqueConstraint(
                Compact("bank_reference"), "payment", condition=~Q(bank_reference=""), name="bank_refund_once"
            ),
        ]
        indexes = [*Movement.Meta.indexes]

    def __str__(self) -> str:
        return f"{self.payment} {self.amount}"

    @property
    def unmatched(self) -> Money:
        """What is missing and not written off."""
        has_failed = self.status == RefundStatus.FAILED
        return Money(0 if has_failed else self.missing_minor - self.written_off_minor, self.currency)


class RefundAllocation(models.Model):
    """Which part of the payment a refund takes back, so that a refund that fails later can be undone exactly."""

    refund = models.ForeignKey(Refund, models.PROTECT, related_name="allocations")
    allocation = models.ForeignKey(PaymentAllocation, models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField(_("amount"))

    class Meta:
        constraints = [CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_allocation_positive")]

    def __str__(self) -> str:
        return f"{self.refund_id} {self.amount_minor}"


class Dispute(Movement):
    """One claim of a bank for all or part of a payment, as the gateway told it last."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes", verbose_name=_("payment"))
    gateway = models.CharField(_("gateway"), max_length=20)
    gateway_id = models.CharField(_("gateway's dispute id"), max_length=120)
    status = models.CharField(_("status"), max_length=8, choices=DisputeStatus)
    # What was taken off invoices and credits while the dispute is lost; less than the amount where less was left.
    taken_minor = models.BigIntegerField(_("taken back"), default=0)
    taken = MoneyOf("taken_minor")
    # The part of the rest that staff took for lost.
    written_off_minor = models.BigIntegerField(_("written off"), default=0, db_default=0)
    written_off = MoneyOf("written_off_minor")
    reason = models.CharField(_("reason given by the gateway"), max_length=80, blank=True)
    evidence_due_at = models.DateTimeField(_("evidence due"), null=True)
    opened_at = models.DateTimeField(_("opened"))
    closed_at = models.DateTimeField(_("decided"), null=True)

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        constraints = [
            UniqueConstraint(fields=["gateway", "gateway_id"], name="gateway_dispute_once"),
            CheckConstraint(condition=Q(status__in=DisputeStatus.values), name="dispute_status_known"),
            CheckConstraint(
                condition=Q(status=DisputeStatus.OPEN, closed_at=None)
                | (~Q(status=DisputeStatus.OPEN) & Q(closed_at__isnull=False)),
                name="dispute_closed_when_decided",
            ),
            CheckConstraint(
                condition=Q(taken_minor=0)
                | Q(status=DisputeStatus.LOST, taken_minor__gt=0, taken_minor__lte=F("amount_minor")),
                name="dispute_takes_when_lost",
            ),
            CheckConstraint(
                condition=Q(written_off_minor=0)
                | Q(
                    status=DisputeStatus.LOST,
                    written_off_minor__gt=0,
                    written_off_minor__lte=F("amount_minor") - F("taken_minor"),
                ),
                name="dispute_written_off_within_missing",
            ),
        ]
        indexes = [
            *Movement.Meta.indexes,
            Index(fields=["-opened_at", "-id"], condition=Q(needs_staff=True), name="dispute_for_staff"),
        ]

    def __str__(self) -> str:
        return f"{self.payment} {self.amount}"

    @property
    def missing(self) -> Money:
        """What the bank took and could be taken off nothing here: a used credit, or money that had gone back."""
        is_lost = self.status == DisputeStatus.LOST
        return Money(self.amount_minor - self.taken_minor if is_lost else 0, self.currency)

    @property
    def unmatched(self) -> Money:
        """What is missing and not written off. One in another currency than its payment's is not in the ledger."""
        is_booked = self.currency == self.payment.currency
        return self.missing - self.written_off if is_booked else Money(0, self.currency)


class DisputeAllocation(models.Model):
    """Which part of the payment a lost dispute has taken back, so that it can be undone exactly."""

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="allocations")
    allocation = models.ForeignKey(PaymentAllocation, models.PROTECT, related_name="disputes")
    amount_minor = models.BigIntegerField(_("amount"))

    class Meta:
        constraints = [CheckConstraint(condition=Q(amount_minor__gt=0), name="dispute_allocation_positive")]

    def __str__(self) -> str:
        return f"{self.dispute_id} {self.amount_minor}"

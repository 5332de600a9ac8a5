"""What providers tell us: their messages, and what their lists and the portal do not agree about."""

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import User
from billing_portal.core.letters import SeenField
from billing_portal.core.spelling import Compact
from invoices.money import MoneyOf
from payments.models.payments import Payment


class WebhookDelivery(models.Model):
    """One event of a provider, by its id: the same event delivered again is the same row."""

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received")
        PROCESSED = "processed", _("Processed")
        IGNORED = "ignored", _("Not ours")
        FAILED = "failed", _("Failed")

    gateway = models.CharField(_("gateway"), max_length=20)
    event_id = models.CharField(_("event"), max_length=120)
    kind = models.CharField(_("kind"), max_length=12)
    type = models.CharField(_("type"), max_length=80)
    object_id = models.CharField(_("object"), max_length=120, blank=True)
    reference = models.CharField(_("our reference"), max_length=40, blank=True)
    # Of the payment that a refund or dispute belongs to: one begun at the provider carries no reference of ours.
    gateway_payment_id = models.CharField(_("gateway's payment id"), max_length=120, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.RECEIVED)
    received_at = models.DateTimeField(_("received"))
    processed_at = models.DateTimeField(_("processed"), null=True)
    next_try_at = models.DateTimeField(_("next attempt"), null=True)
    tries = models.PositiveSmallIntegerField(_("attempts"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints = [UniqueConstraint(fields=["gateway", "event_id"], name="event_once_per_gateway")]
        indexes = [
            Index(fields=["next_try_at", "id"], condition=Q(next_try_at__isnull=False), name="delivery_to_process")
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.event_id}"


class Payout(models.Model):
    """What a gateway paid out to our bank, as staff recorded it. Never changed: a mistake is taken back by a row that
    ``reverses`` it, and then recorded again as the next ``version``."""

    gateway = models.CharField(_("gateway"), max_length=20)
    currency = models.CharField(_("currency"), max_length=3)
    # What reached our bank; negative when the provider took it from there.
    amount_minor = models.BigIntegerField(_("amount"))
    # What the provider kept besides.
    fees_minor = models.BigIntegerField(_("fees"), default=0, db_default=0)
    amount, fees = MoneyOf("amount_minor"), MoneyOf("fees_minor")
    paid_on = models.DateField(_("paid out on"))
    reference = models.CharField(_("reference"), max_length=80, help_text=_("Of the payout, as the provider shows it."))
    version = models.PositiveSmallIntegerField(_("version"), default=1, db_default=1)
    reverses = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="reversed_by", verbose_name=_("takes back")
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("recorded"))
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("recorded by"), db_index=False
    )

    class Meta:
        verbose_name = _("payout")
        verbose_name_plural = _("payouts")
        constraints = [
            CheckConstraint(condition=~Q(amount_minor=0) | Q(fees_minor__gt=0), name="payout_of_something"),
            CheckConstraint(condition=Q(fees_minor__gte=0), name="payout_fees_not_negative"),
            CheckConstraint(condition=Q(reverses=None) | ~Q(reason=""), name="payout_taken_back_for_a_reason"),
            UniqueConstraint(
                "gateway", Compact("reference"), "version", condition=Q(reverses=None), name="payout_reference_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.reference}"


class GatewayComparison(models.Model):
    """When a gateway's list is compared next, and since when all of it was."""

    gateway = models.CharField(_("gateway"), max_length=20, unique=True)
    next_at = models.DateTimeField(_("next comparison"))
    compared_at = models.DateTimeField(_("compared"), null=True)

    def __str__(self) -> str:
        return self.gateway


class GatewayDifference(models.Model):
    """What a provider knows otherwise than we do, until both agree or staff say what they did about it."""

    class Kind(models.TextChoices):
        PAYMENT = "payment", _("Payment")
        REFUND = "refund", pgettext_lazy("money paid back", "Refund")
        DISPUTE = "dispute", _("Dispute")
        CLOCK = "clock", _("Clock")

    gateway = models.CharField(_("gateway"), max_length=20)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    gateway_id = models.CharField(_("gateway's id"), max_length=120, blank=True)
    payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("payment")
    )
    # Amount and state in a provider's plain words, such as "120.00 EUR succeeded"; empty: nothing is known of it.
    theirs = models.CharField(_("at the provider"), max_length=120, blank=True)
    ours = models.CharField(_("here"), max_length=120, blank=True)
    found_at = models.DateTimeField(_("found"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    ended_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("ended by"), db_index=False
    )
    note = SeenField(_("what was done"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("difference with a provider")
        verbose_name_plural = _("differences with providers")
        constraints = [UniqueConstraint(fields=["gateway", "kind", "gateway_id"], name="one_difference_about_a_thing")]
        indexes = [Index(fields=["found_at"], condition=Q(ended_at=None), name="difference_for_staff")]

    def __str__(self) -> str:
        return f"{self.gateway} {self.get_kind_display()} {self.gateway_id}".strip()


class BooksCheck(models.Model):
    """One day's proof that the books add up."""

    day = models.DateField(_("day"), unique=True)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    # A sentence for each difference.
    problems = models.JSONField(_("differences"), default=list)

    class Meta:
        verbose_name = _("check of the books")
        verbose_name_plural = _("checks of the books")

    def __str__(self) -> str:
        return str(self.day)

"""Payments, how each splits over invoices, and everything that happened to them."""

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.models import BillingProfile
from accounts.models.customers import CODE_ALPHABET
from invoices.models import Credit, Invoice
from invoices.money import Money
from payments.models.methods import PaymentMethod, card_label
from payments.querysets import PaymentQuerySet
from payments.states import OPEN, PaymentStatus


def new_reference() -> str:
    """``PAY-`` and ten random characters: short enough to read aloud, too many to guess."""
    return "PAY-" + "".join(secrets.choice(CODE_ALPHABET) for _index in range(10))


class Payment(models.Model):
    """One attempt to move money, committed before the gateway is called. Its id is the idempotency key."""

    class Channel(models.TextChoices):
        CARD = "card", _("Card")
        WIRE = "wire", _("Wire transfer")
        CHECK = "check", _("Check")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(_("reference"), max_length=16, unique=True, default=new_reference, editable=False)
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="payments", verbose_name=_("billing profile"), db_index=False
    )
    # Minted with the page that shows the button, so that sending the page twice is the same attempt.
    attempt_key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel, default=Channel.CARD)
    status = models.CharField(_("status"), max_length=16, choices=PaymentStatus, default=PaymentStatus.CREATED)
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    # All that went back; the part of it that the payer's bank took back is counted besides.
    refunded_minor = models.BigIntegerField(_("refunded"), default=0)
    charged_back_minor = models.BigIntegerField(_("taken back by the bank"), default=0, db_default=0)
    disputed_at = models.DateTimeField(_("disputed since"), null=True)

    method = models.ForeignKey(
        PaymentMethod, models.PROTECT, null=True, blank=True, related_name="payments", verbose_name=_("payment method")
    )
    card_brand = models.CharField(_("brand"), max_length=20, blank=True)
    card_last_four = models.CharField(_("last four digits"), max_length=4, blank=True)
    # Begun by the portal itself, with nobody there to pass a check.
    is_automatic = models.BooleanField(_("automatic"), default=False, db_default=False)
    save_method = models.BooleanField(_("save the card"), default=False)
    make_default = models.BooleanField(_("make it the default"), default=False)

    gateway = models.CharField(_("gateway"), max_length=20, blank=True)
    gateway_id = models.CharField(_("gateway's payment id"), max_length=120, blank=True)
    next_url = models.CharField(max_length=500, blank=True, editable=False)
    decline_code = models.CharField(_("reason for the decline"), max_length=24, blank=True)
    decline_bucket = models.CharField(_("what can be done"), max_length=20, blank=True)
    gateway_message = models.CharField(_("gateway's message"), max_length=300, blank=True)

    bank_reference = models.CharField(_("bank or check reference"), max_length=80, blank=True)
    received_on = models.DateField(_("received on"), null=True, blank=True)
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
    # When the gateway is asked next; empty once the payment has ended or waits for staff.
    next_lookup_at = models.DateTimeField(_("next look-up"), null=True)
    lookups = models.PositiveSmallIntegerField(_("look-ups"), default=0)
    needs_staff = models.BooleanField(_("needs staff"), default=False)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
                name="payment_refunds_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(charged_back_minor__gte=0, charged_back_minor__lte=F("refunded_minor")),
                name="payment_charged_back_within_refunded",
            ),
            models.CheckConstraint(condition=Q(status__in=PaymentStatus.values), name="payment_status_known"),
            models.UniqueConstraint(
                fields=["gateway", "gateway_id"], condition=~Q(gateway_id=""), name="gateway_payment_once"
            ),
            models.UniqueConstraint(
                fields=["profile", "channel", "bank_reference"],
                condition=~Q(bank_reference=""),
                name="bank_reference_once",
            ),
        ]
        indexes = [
            models.Index(fields=["profile", "-started_at", "-id"], name="payment_by_profile"),
            models.Index(
                fields=["started_by", "-started_at"],
                condition=Q(started_by__isnull=False),
                name="payment_by_person",
            ),
            models.Index(
                fields=["next_lookup_at", "id"], condition=Q(next_lookup_at__isnull=False), name="payment_to_look_up"
            ),
            models.Index(fields=["-started_at", "-id"], condition=Q(needs_staff=True), name="payment_for_staff"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def refunded(self) -> Money:
        """What we paid back."""
        return Money(self.refunded_minor - self.charged_back_minor, self.currency)

    @property
    def charged_back(self) -> Money:
        """What the payer's bank took back."""
        return Money(self.charged_back_minor, self.currency)

    @property
    def rest(self) -> Money:
        """What has not gone back in either way."""
        return Money(self.amount_minor - self.refunded_minor, self.currency)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def method_label(self) -> str:
        """How it was paid, for a reader: the card, or the channel of money that staff recorded."""
        if self.channel != self.Channel.CARD:
            return str(self.get_channel_display())
        return card_label(self.card_brand, self.card_last_four) if self.card_last_four else str(_("New card"))

    @property
    def method_on_record(self) -> str:
        """The same as it is noted on an invoice: always in English, whoever or whatever settles the payment."""
        with override("en"):
            return self.method_label


class PaymentAllocation(models.Model):
    """The part of a payment that is for one invoice, or that became a credit because it fitted nowhere.

    ``is_open`` copies whether the payment is open, so that the database can allow only one open attempt per invoice.
    """

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="allocations")
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, blank=True, related_name="allocations", verbose_name=_("invoice")
    )
    credit = models.OneToOneField(
        Credit, models.PROTECT, null=True, blank=True, related_name="allocation", verbose_name=_("credit")
    )
    amount_minor = models.BigIntegerField(_("amount"))
    refunded_minor = models.BigIntegerField(_("refunded"), default=0)
    is_open = models.BooleanField(default=True, editable=False)

    class Meta:
        verbose_name = _("allocation")
        verbose_name_plural = _("allocations")
        constraints = [
            models.UniqueConstraint(fields=["invoice"], condition=Q(is_open=True), name="one_open_attempt_per_invoice"),
            models.CheckConstraint(
                condition=Q(invoice=None, credit__isnull=False) | Q(invoice__isnull=False, credit=None),
                name="allocation_to_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
                name="allocation_refunds_within_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.amount_minor}"


class PaymentEvent(models.Model):
    """What happened to a payment, in order. Only ever added to."""

    class Source(models.TextChoices):
        CUSTOMER = "customer", _("Customer")
        RETURN = "return", _("Return from the bank")
        WEBHOOK = "webhook", _("Message from the gateway")
        RECONCILER = "reconciler", _("Look-up")
        STAFF = "staff", _("Staff")
        AUTOMATIC = "automatic", _("Automatic")

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="events")
    at = models.DateTimeField(_("at"))
    source = models.CharField(_("from"), max_length=12, choices=Source)
    result = models.CharField(_("result"), max_length=16)
    old_status = models.CharField(_("status before"), max_length=16, blank=True)
    new_status = models.CharField(_("status after"), max_length=16)
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        verbose_name = _("payment event")
        verbose_name_plural = _("payment events")

    def __str__(self) -> str:
        return f"{self.payment_id} {self.result}"

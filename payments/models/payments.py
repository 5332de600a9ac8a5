"""Payments, how each splits over invoices, what happened to them, and the plans of automatic charges."""

import secrets
import uuid

from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.models import BillingProfile, User
from accounts.models.customers import CODE_ALPHABET
from billing_portal.core.spelling import Compact
from invoices.ledger import BANK
from invoices.models import Credit, Invoice
from invoices.money import MoneyOf
from payments.models.methods import PaymentMethod, card_label
from payments.querysets import PaymentQuerySet
from payments.states import OPEN, PaymentStatus


def new_reference() -> str:
    """``PAY-`` and ten random characters: short enough to read aloud, too many to guess."""
    return "PAY-" + "".join(secrets.choice(CODE_ALPHABET) for _index in range(10))


class Movement(models.Model):
    """Money that its gateway is asked about until the end is known: a payment, a refund, a dispute."""

    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    amount = MoneyOf("amount_minor")
    # When the gateway is asked next; empty once it has ended or waits for staff.
    next_lookup_at = models.DateTimeField(_("next look-up"), null=True)
    needs_staff = models.BooleanField(_("needs staff"), default=False)

    class Meta:
        abstract = True
        indexes = [
            Index(
                fields=["next_lookup_at", "id"], condition=Q(next_lookup_at__isnull=False), name="%(class)s_to_look_up"
            )
        ]


class KeyedMovement(Movement):
    """A movement that we begin: committed before the gateway is called, with its id as the idempotency key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Minted with the page that shows the button, so that sending the page twice does it once.
    attempt_key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    gateway_message = models.CharField(_("gateway's message"), max_length=300, blank=True)
    started_at = models.DateTimeField(_("started"))
    started_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("started by"), db_index=False
    )
    finished_at = models.DateTimeField(_("ended"), null=True)
    lookups = models.PositiveSmallIntegerField(_("look-ups"), default=0)

    class Meta(Movement.Meta):
        abstract = True


class Payment(KeyedMovement):
    """One attempt to pay."""

    class Channel(models.TextChoices):
        CARD = "card", _("Card")
        WIRE = "wire", _("Wire transfer")
        CHECK = "check", _("Check")

    reference = models.CharField(_("reference"), max_length=16, unique=True, default=new_reference, editable=False)
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="payments", verbose_name=_("billing profile"), db_index=False
    )
    channel = models.CharField(_("channel"), max_length=8, choices=Channel, default=Channel.CARD)
    status = models.CharField(_("status"), max_length=16, choices=PaymentStatus, default=PaymentStatus.CREATED)
    # All that went back; the part of it that the payer's bank took back is counted besides.
    refunded_minor = models.BigIntegerField(_("refunded"), default=0)
    charged_back_minor = models.BigIntegerField(_("taken back by the bank"), default=0, db_default=0)
    refunded = MoneyOf("refunded_minor", less="charged_back_minor")
    charged_back = MoneyOf("charged_back_minor")
    rest = MoneyOf("amount_minor", less="refunded_minor")
    disputed_at = models.DateTimeField(_("disputed since"), null=True)

    method = models.ForeignKey(
        PaymentMethod, models.PROTECT, null=True, blank=True, related_name="payments", verbose_name=_("payment method")
    )
    card_brand = models.CharField(_("brand"), max_length=20, blank=True)
    card_last_four = models.CharField(_("last four digits"), max_length=4, blank=True)
    # Begun by the portal itself, with nobody there to answer the bank.
    is_automatic = models.BooleanField(_("automatic"), default=False, db_default=False)
    save_method = models.BooleanField(_("save the card"), default=False)
    make_default = models.BooleanField(_("make it the default"), default=False)

    gateway = models.CharField(_("gateway"), max_length=20, blank=True)
    gateway_id = models.CharField(_("gateway's payment id"), max_length=120, blank=True)
    next_url = models.CharField(max_length=500, blank=True, editable=False)
    decline_code = models.CharField(_("reason for the decline"), max_length=24, blank=True)
    decline_bucket = models.CharField(_("what can be done"), max_length=20, blank=True)

    bank_reference = models.CharField(_("bank or check reference"), max_length=80, blank=True)
    received_on = models.DateField(_("received on"), null=True, blank=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_amount_positive"),
            CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
                name="payment_refunds_within_amount",
            ),
            CheckConstraint(
                condition=Q(charged_back_minor__gte=0, charged_back_minor__lte=F("refunded_minor")),
                name="payment_charged_back_within_refunded",
            ),
            CheckConstraint(condition=Q(status__in=PaymentStatus.values), name="payment_status_known"),
            UniqueConstraint(
                fields=["gateway", "gateway_id"], condition=~Q(gateway_id=""), name="gateway_payment_once"
            ),
            UniqueConstraint(
                Compact("bank_reference"),
                "profile",
                "channel",
                condition=~Q(bank_reference=""),
                name="bank_reference_once",
            ),
        ]
        indexes = [
            *Movement.Meta.indexes,
            Index(fields=["profile", "-started_at", "-id"], name="payment_by_profile"),
            Index(
                fields=["started_by", "-started_at"], condition=Q(started_by__isnull=False), name="payment_by_person"
            ),
            Index(fields=["-started_at", "-id"], condition=Q(needs_staff=True), name="payment_for_staff"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def ledger_account(self) -> str:
        """Where its money is: with the provider until it pays out, or at our bank."""
        return f"clearing:{self.gateway}" if self.channel == self.Channel.CARD else BANK

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
    """The part of a payment that is for one invoice, or that became a credit because it fitted nowhere. ``is_open``
    copies whether the payment is open, so that the database can allow only one open attempt per invoice."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="allocations")
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, blank=True, related_name="allocations", verbose_name=_("invoice")
    )
    credit = models.OneToOneField(
        Credit, models.PROTECT, null=True, blank=True, related_name="allocation", verbose_name=_("credit")
    )
    amount_minor = models.BigIntegerField(_("amount"))
    refunded_minor = models.BigIntegerField(_("refunded"), default=0)
    amount = MoneyOf("amount_minor", currency="payment.currency")
    refunded = MoneyOf("refunded_minor", currency="payment.currency")
    is_open = models.BooleanField(default=True, editable=False)

    class Meta:
        verbose_name = _("allocation")
        verbose_name_plural = _("allocations")
        constraints = [
            UniqueConstraint(fields=["invoice"], condition=Q(is_open=True), name="one_open_attempt_per_invoice"),
            CheckConstraint(
                condition=Q(invoice=None, credit__isnull=False) | Q(invoice__isnull=False, credit=None),
                name="allocation_to_one_thing",
            ),
            CheckConstraint(
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


class AutomaticCharge(models.Model):
    """The plan for one invoice. When it is charged next stands on the invoice (``autopay_on``), where its pages see it.
    Written when the invoice is first taken up; attempts that people make do not count."""

    class Status(models.TextChoices):
        PLANNED = "planned", _("Planned")
        WAITING = "waiting", _("Waiting for an answer")
        STOPPED = "stopped", _("Stopped")
        DONE = "done", _("Done")

    class Stop(models.TextChoices):
        """Why nothing is charged by itself any more. A phrase that completes "The reason: ..."."""

        PAID = "paid", _("it was paid in another way")
        VOID = "void", _("it is void")
        NOTHING_DUE = "nothing_due", _("nothing is due")
        SWITCHED_OFF = "switched_off", _("automatic charging was switched off")
        BY_WIRE = "by_wire", _("the billing profile pays by check or wire")
        DISPUTED = "disputed", _("a payment of it is disputed")
        NO_CARD = "no_card", _("there is no default card")
        CARD_EXPIRED = "card_expired", _("the default card has expired")
        REFUSED = "refused", _("the bank refused the card for good")
        USED_UP = "used_up", _("the bank refused the card at every attempt")
        MUST_ACT = "customer_must_act", _("the bank wants the payer to confirm")
        CAPPED = "capped", _("the card was refused too often within 30 days")
        NO_ANSWER = "no_answer", _("the payment provider could not be reached")
        CONFIG = "config_error", _("our staff have to look at it")
        AGREEMENT = "agreement", _("this agreement type cannot pay by card")
        CARD_LIMIT = "card_limit", _("the amount is above the card limit")
        CURRENCY = "currency", _("cards cannot be charged in its currency")
        TOO_SMALL = "too_small", _("the amount is too small for a card")
        TOO_LARGE = "too_large", _("the amount is too large for a card")
        CLOSED = "profile_closed", _("the billing profile is closed")

    invoice = models.OneToOneField(Invoice, models.PROTECT, related_name="automatic_charge", verbose_name=_("invoice"))
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="automatic_charges", verbose_name=_("billing profile")
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.PLANNED)
    tries = models.PositiveSmallIntegerField(_("attempts"), default=0)
    last_payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("last payment")
    )
    stopped_because = models.CharField(_("stopped because"), max_length=24, choices=Stop, blank=True)
    # The beginning of the plan: its retries are counted from this day, and what was tried before does not count.
    created_at = models.DateTimeField(_("planned"))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("automatic charge")
        verbose_name_plural = _("automatic charges")
        constraints = [
            CheckConstraint(
                condition=~Q(status="stopped") | ~Q(stopped_because=""), name="automatic_charge_stops_for_a_reason"
            )
        ]
        indexes = [
            Index(
                fields=["changed_at", "id"],
                condition=Q(status__in=("planned", "waiting")),
                name="automatic_charge_in_hand",
            )
        ]

    def __str__(self) -> str:
        return f"{self.invoice} {self.status}"

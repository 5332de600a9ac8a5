"""Cards of a billing profile, attempts to add one, ids that a gateway has to forget, and holds for too many tries."""

import uuid
from collections.abc import Collection
from datetime import date, datetime

from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingProfile, User
from billing_portal.core.letters import SeenField
from payments.querysets import CardHoldQuerySet, MethodSetupQuerySet, PaymentMethodQuerySet

BRANDS = {"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "discover": "Discover", "jcb": "JCB"}


def card_label(brand: str, last_four: str) -> str:
    """``Visa •••• 4242``; the word for "card" where the brand is not known."""
    return f"{BRANDS.get(brand, brand.title()) or _now('Card')} •••• {last_four}"


class PaymentMethod(models.Model):
    """A stored card: brand, last four digits, expiry and the gateway's ids. Nothing more is kept of it."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        REMOVED = "removed", _("Removed")

    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="payment_methods", verbose_name=_("billing profile")
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.ACTIVE)
    is_default = models.BooleanField(_("default"), default=False)
    # Its place among the cards that are tried when the default one is refused for good; empty: never tried.
    backup_order = models.PositiveSmallIntegerField(_("backup order"), null=True, blank=True)
    brand = models.CharField(_("brand"), max_length=20)
    last_four = models.CharField(_("last four digits"), max_length=4)
    expiry_month = models.PositiveSmallIntegerField(_("expiry month"))
    expiry_year = models.PositiveSmallIntegerField(_("expiry year"))
    fingerprint = models.CharField(_("fingerprint"), max_length=80, blank=True)
    gateway = models.CharField(_("gateway"), max_length=20)
    gateway_customer = models.CharField(_("gateway's payer id"), max_length=120, blank=True)
    gateway_method = models.CharField(_("gateway's card id"), max_length=120)
    created_at = models.DateTimeField(_("added"))
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("added by"), db_index=False
    )
    removed_at = models.DateTimeField(_("removed"), null=True, editable=False)
    # When those who manage cards were told last that it is about to expire.
    expiry_warned_on = models.DateField(null=True, editable=False)
    # When its gateway is asked next whether it is still so; a bank renews cards, and messages get lost.
    next_lookup_at = models.DateTimeField(null=True, editable=False)

    objects = PaymentMethodQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment method")
        verbose_name_plural = _("payment methods")
        constraints = [
            UniqueConstraint(fields=["profile"], condition=Q(is_default=True), name="one_default_method_per_profile"),
            UniqueConstraint(fields=["gateway", "gateway_method"], name="gateway_method_once"),
            CheckConstraint(condition=Q(is_default=False) | Q(status="active"), name="default_method_is_active"),
            CheckConstraint(
                condition=Q(backup_order=None) | Q(status="active", is_default=False), name="backup_method_is_active"
            ),
            UniqueConstraint(
                fields=["profile", "backup_order"],
                condition=Q(backup_order__isnull=False),
                name="one_method_per_backup_place",
            ),
            CheckConstraint(condition=Q(expiry_month__range=(1, 12)), name="expiry_month_is_a_month"),
            CheckConstraint(condition=Q(last_four__regex=r"^[0-9]{4}$"), name="last_four_are_four_digits"),
        ]
        indexes = [
            Index(
                fields=["expiry_year", "expiry_month", "expiry_warned_on"],
                condition=Q(status="active"),
                name="method_by_expiry",
            ),
            Index(fields=["next_lookup_at", "id"], condition=Q(next_lookup_at__isnull=False), name="method_to_look_up"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return card_label(self.brand, self.last_four)

    @property
    def expiry(self) -> str:
        return f"{self.expiry_month:02d}/{self.expiry_year}"

    def is_expired(self, today: date) -> bool:
        """A card is good until the last day of its month."""
        return (self.expiry_year, self.expiry_month) < (today.year, today.month)

    def expires_soon(self, today: date) -> bool:
        months = (self.expiry_year - today.year) * 12 + self.expiry_month - today.month
        return 0 <= months <= 1


def charged_cards(profile_ids: Collection[int]) -> dict[int, dict[str, str]]:
    """The default cards of billing profiles by the profile's id: their ``last_four`` digits and ``network``. One
    query."""
    cards = PaymentMethod.objects.filter(profile__in=profile_ids, is_default=True)
    return {card.profile_id: {"last_four": card.last_four, "network": card.brand.upper()} for card in cards}


class MethodSetup(models.Model):
    """One attempt to add a card, committed before the gateway is called. Its id is the idempotency key."""

    class Status(models.TextChoices):
        CREATED = "created", _("Started")
        NEEDS_CUSTOMER = "needs_customer", _("Waiting for bank approval")
        SUCCEEDED = "succeeded", _("Card added")
        DECLINED = "declined", _("Declined")
        EXPIRED = "expired", _("Not completed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Minted with the page that shows the button, so that sending the page twice is the same attempt.
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="+", verbose_name=_("billing profile"), db_index=False
    )
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.CREATED)
    gateway = models.CharField(_("gateway"), max_length=20)
    setup_id = models.CharField(_("gateway's id"), max_length=120, blank=True)
    next_url = models.CharField(max_length=500, blank=True, editable=False)
    make_default = models.BooleanField(_("make it the default"), default=False)
    # The card whose place the new one takes; it is removed in the commit that keeps the new one.
    replaces = models.ForeignKey(
        PaymentMethod, models.PROTECT, null=True, related_name="+", verbose_name=_("replaces"), db_index=False
    )
    decline_code = models.CharField(_("reason for the decline"), max_length=24, blank=True)
    method = models.ForeignKey(
        PaymentMethod, models.PROTECT, null=True, related_name="+", verbose_name=_("payment method"), db_index=False
    )
    created_at = models.DateTimeField(_("started"))
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("started by"), db_index=False)
    finished_at = models.DateTimeField(_("ended"), null=True)
    # When the worker looks whether anybody came back; empty once the attempt has ended.
    next_look_at = models.DateTimeField(null=True, editable=False)

    objects = MethodSetupQuerySet.as_manager()

    class Meta:
        verbose_name = _("card being added")
        verbose_name_plural = _("cards being added")
        constraints = [
            UniqueConstraint(fields=["gateway", "setup_id"], condition=~Q(setup_id=""), name="gateway_setup_once"),
            CheckConstraint(
                condition=Q(status="succeeded", method__isnull=False) | (~Q(status="succeeded") & Q(method=None)),
                name="setup_succeeded_with_a_card",
            ),
        ]
        indexes = [
            Index(fields=["profile", "-created_at"], name="setup_by_profile"),
            Index(fields=["created_by", "-created_at"], name="setup_by_person"),
            Index(fields=["next_look_at", "id"], condition=Q(next_look_at__isnull=False), name="setup_to_look_at"),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.setup_id or self.pk}"


class Detachment(models.Model):
    """An id of a card that its gateway has to forget, written in the commit that gave the card up."""

    method = models.ForeignKey(
        PaymentMethod, models.PROTECT, related_name="detachments", verbose_name=_("payment method")
    )
    gateway = models.CharField(_("gateway"), max_length=20)
    gateway_method = models.CharField(_("gateway's card id"), max_length=120)
    created_at = models.DateTimeField(_("given up"))
    done_at = models.DateTimeField(_("deleted"), null=True)
    next_try_at = models.DateTimeField(_("next attempt"), null=True)
    tries = models.PositiveSmallIntegerField(_("attempts"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("card to delete at the provider")
        verbose_name_plural = _("cards to delete at the provider")
        indexes = [Index(fields=["next_try_at", "id"], condition=Q(next_try_at__isnull=False), name="detachment_to_do")]

    def __str__(self) -> str:
        return f"{self.gateway} {self.gateway_method}"


class CardHold(models.Model):
    """A person, or all people of a billing profile, over one of the limits of card tries (`operations.card_holds`). A
    record for staff: the limits are counted anew at each attempt. Tries before ``released_at`` no longer count."""

    class Reason(models.TextChoices):
        FAILED = "failed", _("Unsuccessful attempts")
        NEW_CARDS = "new_cards", _("New cards")

    person = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("person"))
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("billing profile")
    )
    reason = models.CharField(_("what was counted"), max_length=12, choices=Reason)
    tries = models.PositiveIntegerField(_("attempts within an hour"))
    since = models.DateTimeField(_("held since"))
    until = models.DateTimeField(_("held until"))
    released_at = models.DateTimeField(_("released"), null=True, blank=True)
    released_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("released by"), db_index=False
    )
    release_reason = SeenField(_("reason of the release"), max_length=300, blank=True)

    objects = CardHoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("card hold")
        verbose_name_plural = _("card holds")
        constraints = [
            CheckConstraint(
                condition=Q(person__isnull=False, profile=None) | Q(person=None, profile__isnull=False),
                name="card_hold_of_one_person_or_profile",
            ),
            CheckConstraint(condition=Q(until__gt=F("since")), name="card_hold_ends_after_it_began"),
            CheckConstraint(
                condition=Q(released_at=None, released_by=None, release_reason="")
                | Q(released_at__isnull=False, released_by__isnull=False) & ~Q(release_reason=""),
                name="card_hold_released_by_somebody_for_a_reason",
            ),
        ]
        indexes = [Index(fields=["until"], condition=Q(released_at=None), name="card_hold_by_end")]

    def __str__(self) -> str:
        return str(self.person or self.profile)

    def is_current(self, at: datetime) -> bool:
        return self.released_at is None and self.until > at

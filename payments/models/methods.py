"""Cards that a billing profile keeps for later payments."""

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingProfile
from payments.querysets import PaymentMethodQuerySet

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
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("added by"),
        db_index=False,
    )
    removed_at = models.DateTimeField(_("removed"), null=True, editable=False)
    # When those who manage cards were told last that it is about to expire.
    expiry_warned_on = models.DateField(null=True, editable=False)

    objects = PaymentMethodQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment method")
        verbose_name_plural = _("payment methods")
        constraints = [
            models.UniqueConstraint(
                fields=["profile"], condition=Q(is_default=True), name="one_default_method_per_profile"
            ),
            models.UniqueConstraint(fields=["gateway", "gateway_method"], name="gateway_method_once"),
            models.CheckConstraint(condition=Q(is_default=False) | Q(status="active"), name="default_method_is_active"),
            models.CheckConstraint(
                condition=Q(backup_order=None) | Q(status="active", is_default=False), name="backup_method_is_active"
            ),
            models.UniqueConstraint(
                fields=["profile", "backup_order"],
                condition=Q(backup_order__isnull=False),
                name="one_method_per_backup_place",
            ),
            models.CheckConstraint(condition=Q(expiry_month__range=(1, 12)), name="expiry_month_is_a_month"),
            models.CheckConstraint(condition=Q(last_four__regex=r"^[0-9]{4}$"), name="last_four_are_four_digits"),
        ]
        indexes = [
            models.Index(
                fields=["expiry_year", "expiry_month", "expiry_warned_on"],
                condition=Q(status="active"),
                name="method_by_expiry",
            )
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return card_label(self.brand, self.last_four)

    def is_expired(self, today: date) -> bool:
        """A card is good until the last day of its month."""
        return (self.expiry_year, self.expiry_month) < (today.year, today.month)

    def expires_soon(self, today: date) -> bool:
        """In this month or the next."""
        months = (self.expiry_year - today.year) * 12 + self.expiry_month - today.month
        return 0 <= months <= 1

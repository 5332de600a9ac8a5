"""Money of a profile that we hold, in lots, and the ledger of everything that happened to them."""

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, F, Index, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingProfile
from billing_portal.core.letters import PrintedField, SeenField
from invoices.models.invoices import Invoice
from invoices.money import MoneyOf
from invoices.querysets import CreditEntryQuerySet, CreditQuerySet
from invoices.states import SOON, CreditState


class Credit(models.Model):
    """One lot: where it came from, when it may be used, what is left of it. Never negative, used up once."""

    class Source(models.TextChoices):
        OVERPAYMENT = "overpayment", _("Overpayment")
        PREPAYMENT = "prepayment", _("Prepayment")
        PROMOTION = "promotion", _("Promotional credit")
        GOODWILL = "goodwill", _("Goodwill")
        CREDIT_NOTE = "credit_note", _("Credit note")
        RETURNS = "returns", _("Returns")

    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="credits", verbose_name=_("billing profile")
    )
    source = models.CharField(_("source"), max_length=12, choices=Source, default=Source.OVERPAYMENT)
    currency = models.CharField(_("currency"), max_length=3)
    amount_minor = models.BigIntegerField(_("amount"))
    remaining_minor = models.BigIntegerField(_("remaining"))
    description = PrintedField(_("description"), max_length=200)
    starts_on = models.DateField(_("may be used from"), null=True, blank=True)
    # The last day on which it may be used; empty when it never expires.
    expires_on = models.DateField(_("expires after"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("granted by"),
        editable=False, db_index=False,
    )  # fmt: skip

    amount, remaining = MoneyOf("amount_minor"), MoneyOf("remaining_minor")
    objects = CreditQuerySet.as_manager()

    class Meta:
        verbose_name = _("credit")
        verbose_name_plural = _("credits")
        constraints = [
            CheckConstraint(
                condition=Q(remaining_minor__gte=0, remaining_minor__lte=F("amount_minor")),
                name="credit_remaining_within_amount",
            ),
            CheckConstraint(
                condition=Q(starts_on=None) | Q(expires_on=None) | Q(expires_on__gte=F("starts_on")),
                name="credit_expires_after_it_starts",
                violation_error_message=_("The credit expires before it starts."),
            ),
        ]
        indexes = [
            Index(
                fields=["expires_on", "id"],
                condition=Q(expires_on__isnull=False, remaining_minor__gt=0),
                name="credit_to_expire",
            ),
            Index(
                fields=["profile", "expires_on", "created_at", "id"],
                condition=Q(remaining_minor__gt=0),
                name="credit_to_use",
            ),
        ]

    def __str__(self) -> str:
        return self.description

    def state_on(self, today: date, *, profile: BillingProfile, has_expired: bool) -> CreditState:
        """``has_expired``: something of it was taken away because its time was over. ``profile`` is its own, read once
        for many lots: after its last day a lot still pays for the period with that day, until that is closed."""
        if not self.remaining_minor:
            return CreditState.EXPIRED if has_expired else CreditState.USED
        if self.expires_on is not None and self.expires_on < today:
            billed_until_on = profile.billed_until_on or date.min
            if profile.is_closed or billed_until_on > self.expires_on:
                return CreditState.EXPIRED
        if self.starts_on is not None and self.starts_on > today:
            return CreditState.LATER
        if self.expires_on is not None and self.expires_on <= today + SOON:
            return CreditState.SOON
        return CreditState.ACTIVE


class CreditEntry(models.Model):
    """One movement of a lot. Only ever added to; the amounts of a lot's entries add up to what is left of it."""

    class Kind(models.TextChoices):
        GRANTED = "granted", _("Granted")
        APPLIED = "applied", _("Applied to an invoice")
        GIVEN_BACK = "given_back", _("Given back")
        TAKEN_BACK = "taken_back", _("Taken back")
        EXPIRED = "expired", _("Expired")

    credit = models.ForeignKey(Credit, models.PROTECT, related_name="entries", verbose_name=_("credit"))
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    amount_minor = models.BigIntegerField(_("amount"), help_text=_("Negative when it takes from the credit."))
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, blank=True, related_name="credit_entries", verbose_name=_("invoice")
    )
    at = models.DateTimeField(_("at"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by"),
        db_index=False,
    )  # fmt: skip
    note = SeenField(_("note"), max_length=200, blank=True)

    amount = MoneyOf("amount_minor", currency="credit.currency")
    objects = CreditEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("credit entry")
        verbose_name_plural = _("credit entries")
        constraints = [
            CheckConstraint(
                condition=Q(kind__in=["granted", "given_back"], amount_minor__gt=0)
                | Q(kind__in=["applied", "taken_back", "expired"], amount_minor__lt=0),
                name="credit_entry_sign_follows_kind",
            ),
            CheckConstraint(
                condition=~Q(kind="applied") | Q(invoice__isnull=False), name="credit_applied_to_an_invoice"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.credit_id} {self.kind} {self.amount_minor}"

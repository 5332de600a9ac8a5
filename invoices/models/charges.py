"""Charges that wait for their period to close, the tax rates they carry, and the periods that were closed."""

from datetime import date, timedelta
from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import CheckConstraint, F, FloatField, Index, Q, UniqueConstraint
from django.db.models.functions import Cast
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingProfile, InvoiceSection
from billing_portal.core.exact_decimals import ExactDecimalField, short
from billing_portal.core.letters import PrintedField, SeenField
from billing_portal.core.spelling import Compact
from invoices.models.credits import Credit
from invoices.models.invoices import VATEX, Invoice
from invoices.money import MoneyOf
from invoices.tax import TaxCategory
from invoices.units import ONE, unit_choices

# Of a quantity, whose size a column of text would compare wrongly. Prices are never negative (EN 16931, BR-27).
SIGN = Cast("quantity", FloatField())


class TaxRate(models.Model):
    """A rate by name, such as "VAT high, 21%". Charges copy what it says when they are recorded."""

    name = SeenField(_("name"), max_length=60)
    percent = models.DecimalField(
        _("percent"), max_digits=6, decimal_places=3, validators=[MinValueValidator(0), MaxValueValidator(100)]
    )
    tax_category = models.CharField(_("tax category"), max_length=2, choices=TaxCategory, default=TaxCategory.STANDARD)
    exemption_reason = PrintedField(
        _("reason for no tax"), max_length=120, blank=True, help_text=_("Printed on the invoice, such as the law.")
    )
    exemption_code = models.CharField(
        _("VATEX code"), max_length=20, blank=True, validators=[VATEX],
        help_text=_("The code of that reason, such as VATEX-EU-132-1F."),
    )  # fmt: skip
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        constraints = [
            UniqueConstraint(
                Compact("name"),
                name="tax_rate_name_once",
                violation_error_message=_("There is a tax rate of that name already."),
            ),
            CheckConstraint(
                condition=Q(percent__range=(0, 100)),
                name="tax_rate_is_a_percentage",
                violation_error_message=_("A tax rate is between 0 and 100 percent."),
            ),
            CheckConstraint(
                condition=Q(tax_category="S", percent__gt=0) | (~Q(tax_category="S") & Q(percent=0)),
                name="tax_rate_fits_its_category",
                violation_error_message=_("A rate above zero is “taxed at a rate”; every other category has none."),
            ),
            CheckConstraint(
                condition=~Q(tax_category__in=("S", "Z")) | Q(exemption_reason="", exemption_code=""),
                name="tax_rate_reason_without_tax",
                violation_error_message=_("A taxed or zero-rated supply has no reason for no tax."),
            ),
            CheckConstraint(
                condition=~Q(tax_category="E") | ~Q(exemption_reason="") | ~Q(exemption_code=""),
                name="tax_rate_exempt_with_a_reason",
                violation_error_message=_("Give the reason of the exemption, or its VATEX code."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


# Charges that wait for an invoice.
UNBILLED = Q(invoice__isnull=True, settled_by__isnull=True)


class Charge(models.Model):
    """A line that waits for an invoice: usage, a single fee, or a return (negative). Once on an invoice it stays."""

    class Kind(models.TextChoices):
        USAGE = "usage", _("Usage")
        ONE_OFF = "one_off", _("One-off")
        RETURN = "return", _("Return")

    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="charges", verbose_name=_("billing profile"), db_index=False
    )
    section = models.ForeignKey(
        InvoiceSection, models.PROTECT, related_name="+", verbose_name=_("invoice section"), db_index=False
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind, default=Kind.USAGE)
    description = PrintedField(_("description"), max_length=200)
    # Exact: nothing is rounded before charges are added up into a line.
    quantity = ExactDecimalField(_("quantity"), max_digits=24, decimal_places=12, default=1)
    unit = models.CharField(_("unit"), max_length=3, choices=unit_choices, default=ONE)
    unit_price = ExactDecimalField(
        _("unit price"),
        max_digits=24,
        decimal_places=10,
        help_text=_("In the main unit of the currency (euros, not cents), without tax."),
    )
    tax_rate = models.ForeignKey(TaxRate, models.PROTECT, related_name="+", verbose_name=_("tax rate"), db_index=False)
    tax_category = models.CharField(_("tax category"), max_length=2, choices=TaxCategory, editable=False)
    tax_percent = models.DecimalField(_("tax rate"), max_digits=6, decimal_places=3, default=0, editable=False)
    exemption_reason = PrintedField(_("reason for no tax"), max_length=120, blank=True, editable=False)
    exemption_code = models.CharField(_("VATEX code"), max_length=20, blank=True, editable=False)
    happened_on = models.DateField(_("date"), help_text=_("Of the service or sale; decides the billing period."))
    is_creditable = models.BooleanField(_("credits may pay for it"), default=True)
    # The sender's own reference, so that the same charge cannot come in twice.
    source_reference = PrintedField(_("source reference"), max_length=64, blank=True)
    invoice = models.ForeignKey(
        Invoice,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="billed_charges",
        verbose_name=_("invoice"),
        editable=False,
    )
    # The closing of its profile that made a credit of it, so that no invoice will hold it.
    settled_by = models.ForeignKey(
        "invoices.PeriodClosing", models.PROTECT, null=True, blank=True, related_name="settled_charges",
        verbose_name=_("made a credit by"), editable=False, db_index=False,
    )  # fmt: skip
    created_at = models.DateTimeField(_("recorded"), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("recorded by"),
        editable=False, db_index=False,
    )  # fmt: skip

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        constraints = [
            UniqueConstraint(
                "profile",
                Compact("source_reference"),
                condition=~Q(source_reference=""),
                name="charge_source_reference_once",
                violation_error_message=_("Another charge of this billing profile has this reference."),
            ),
            CheckConstraint(
                condition=(Q(kind="return") & LessThanOrEqual(SIGN, 0))
                | (~Q(kind="return") & GreaterThanOrEqual(SIGN, 0)),
                name="charge_negative_means_return",
                violation_error_message=_("Only a return may be negative."),
            ),
            CheckConstraint(condition=Q(invoice=None) | Q(settled_by=None), name="charge_settled_once"),
        ]
        indexes = [
            Index(fields=["profile", "happened_on", "id"], condition=UNBILLED, name="charge_unbilled"),
            Index(fields=["settled_by"], condition=Q(settled_by__isnull=False), name="charge_settled"),
            Index(fields=["profile", "-happened_on", "-id"], name="charge_by_date"),
        ]

    def __str__(self) -> str:
        return self.description

    @property
    def exact_amount(self) -> Decimal:
        """Quantity times price in the main unit of the currency, not rounded."""
        return short(self.quantity * self.unit_price)


class PeriodClosing(models.Model):
    """That a billing period of a profile was closed, and what came of it. There is one for each period."""

    class Outcome(models.TextChoices):
        BILLED = "billed", _("Invoice issued")
        NOTHING = "nothing", _("Nothing to bill")
        CARRIED = "carried", _("Carried to the next invoice")
        CREDITED = "credited", _("Made a credit")

    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="closings", verbose_name=_("billing profile"), db_index=False
    )
    start_on = models.DateField(_("from"))
    # The first day that is no longer in it: periods follow each other without a gap.
    end_on = models.DateField(_("up to"))
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome)
    invoice = models.OneToOneField(
        Invoice, models.PROTECT, null=True, blank=True, related_name="closing", verbose_name=_("invoice")
    )
    closed_at = models.DateTimeField(_("closed"))
    # The day on which it was closed where the seller is, as the ledger books: statements list it by that day.
    booked_on = models.DateField(_("booked on"))
    currency = models.CharField(_("currency"), max_length=3)
    # What its charges come to with tax, when that is negative or too small to be paid and waits for the next invoice,
    # or became a credit; and what the period before had carried to this one, since the first day of that.
    carried_minor = models.BigIntegerField(_("carried"), default=0)
    brought_minor = models.BigIntegerField(_("carried from before"), default=0)
    brought_from_on = models.DateField(_("carried since"), null=True, blank=True)

    credit = models.OneToOneField(
        Credit, models.PROTECT, null=True, blank=True, related_name="closing", verbose_name=_("credit")
    )

    carried, brought = MoneyOf("carried_minor"), MoneyOf("brought_minor")

    class Meta:
        verbose_name = _("closed period")
        verbose_name_plural = _("closed periods")
        constraints = [
            UniqueConstraint(fields=["profile", "start_on"], name="period_closed_once"),
            CheckConstraint(condition=Q(end_on__gt=F("start_on")), name="period_ends_after_it_starts"),
            CheckConstraint(
                condition=Q(outcome="billed", invoice__isnull=False) | (~Q(outcome="billed") & Q(invoice=None)),
                name="period_billed_with_an_invoice",
            ),
            CheckConstraint(
                condition=(Q(outcome="carried") & ~Q(carried_minor=0))
                | Q(outcome="credited", carried_minor__lt=0)
                | Q(outcome__in=["billed", "nothing"], carried_minor=0),
                name="period_carried_with_an_amount",
            ),
            CheckConstraint(
                condition=Q(outcome="credited", credit__isnull=False) | (~Q(outcome="credited") & Q(credit=None)),
                name="period_credited_with_a_credit",
            ),
            CheckConstraint(
                condition=Q(brought_minor=0, brought_from_on=None)
                | (Q(brought_from_on__lt=F("start_on")) & ~Q(brought_minor=0)),
                name="period_brought_since_a_day",
            ),
        ]
        indexes = [Index(fields=["profile", "end_on"], condition=Q(outcome="carried"), name="period_carried")]

    def __str__(self) -> str:
        return f"{self.profile} {self.start_on}"

    @property
    def last_on(self) -> date:
        return self.end_on - timedelta(days=1)

    @property
    def carried_from_on(self) -> date:
        """The first day of what it carried: periods before it may have carried theirs to it."""
        return self.brought_from_on or self.start_on

    @property
    def brought_until_on(self) -> date:
        """The last day of what was carried to it."""
        return self.start_on - timedelta(days=1)

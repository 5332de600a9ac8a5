"""Invoices, their lines, the series their numbers come from, and the accounts to which they are paid.

Amounts are integer minor units of the invoice's one currency. What is due is one column that the database computes;
every page, job and gateway call reads that one.
"""

from datetime import date

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Case, CheckConstraint, F, Index, Q, UniqueConstraint, Value, When
from django.db.models.functions import Upper
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingProfile, InvoiceSection, Seller
from billing_portal.core.exact_decimals import ExactDecimalField
from billing_portal.core.letters import PrintedField, PrintedTextField
from billing_portal.core.spelling import Compact
from invoices.money import MoneyOf
from invoices.querysets import InvoiceQuerySet
from invoices.states import InvoiceStatus, Label
from invoices.tax import LONGEST_REASON, Tax, TaxCategory
from invoices.units import ONE, unit_choices

VATEX = RegexValidator(r"^VATEX-[A-Z0-9-]{2,14}$", _("A VATEX code begins with VATEX-, such as VATEX-EU-132-1F."))


class NumberSeries(models.Model):
    """The next number of a series. Its row is locked while an invoice is issued, so numbers have no gaps."""

    prefix = PrintedField(_("prefix"), max_length=12, unique=True)
    next_number = models.PositiveBigIntegerField(_("next number"), default=1)
    # The fingerprint of the last document, which the next one includes.
    last_digest = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    class Meta:
        verbose_name = _("number series")
        verbose_name_plural = pgettext_lazy("plural", "number series")

    def __str__(self) -> str:
        return self.prefix


class Invoice(models.Model):
    """What a billing profile owes. A draft may change; once issued only payments, credits and a void touch it."""

    class Kind(models.TextChoices):
        SERVICE = "service", _("Service charges")
        MARKETPLACE = "marketplace", _("Marketplace")
        SUPPORT = "support", _("Support plan")
        OTHER = "other", _("Other charges")

    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="invoices", verbose_name=_("billing profile"), db_index=False
    )
    number = models.CharField(_("invoice number"), max_length=32, null=True, blank=True, unique=True, editable=False)
    kind = models.CharField(_("type"), max_length=12, choices=Kind, default=Kind.SERVICE)
    status = models.CharField(
        _("status"), max_length=8, choices=InvoiceStatus, default=InvoiceStatus.DRAFT, editable=False
    )
    currency = models.CharField(_("currency"), max_length=3, editable=False)
    issued_on = models.DateField(_("invoice date"), null=True, blank=True, editable=False)
    due_on = models.DateField(_("due date"), null=True, blank=True, editable=False)
    period_start_on = models.DateField(_("billing period from"), null=True, blank=True)
    period_end_on = models.DateField(_("billing period to"), null=True, blank=True)
    po_number = PrintedField(_("PO number"), max_length=60, blank=True)
    # Where it came from, when it was imported: the sender's own reference, and a digest of what the file said.
    source_reference = PrintedField(_("source reference"), max_length=64, blank=True)
    source_digest = models.CharField(max_length=64, blank=True, editable=False)
    # It keeps the number under which it was issued elsewhere, which is of none of our series.
    is_numbered_elsewhere = models.BooleanField(default=False, db_default=False, editable=False)

    # Copied at issue, because a legal document must not change when a customer or we move.
    seller = models.JSONField(_("seller"), default=dict, editable=False)
    buyer = models.JSONField(_("buyer"), default=dict, editable=False)
    payment_terms_days = models.PositiveSmallIntegerField(_("payment terms"), default=30, editable=False)
    payment_reference = models.CharField(_("payment reference"), max_length=25, blank=True, editable=False)
    pays_by_wire = models.BooleanField(_("by check or wire"), default=False, editable=False)
    # Where to send the money, as it was printed: account holder, IBAN, BIC, bank, and since when they held.
    remittance = models.JSONField(
        _("where to send the money"), default=dict, db_default=Value({}, models.JSONField()), editable=False
    )
    # The invoice that was voided so that this one could take its place.
    replaces = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="replaced_by", verbose_name=_("replaces"),
        editable=False,
    )  # fmt: skip

    charges_minor = models.BigIntegerField(_("charges"), default=0, editable=False)
    tax_minor = models.BigIntegerField(_("tax"), default=0, editable=False)
    total_minor = models.BigIntegerField(_("total"), default=0, editable=False)
    # Its tax in the seller's currency, where it is in another one, and the rate as published (`invoices.exchange`).
    seller_tax_minor = models.BigIntegerField(_("tax in the seller's currency"), null=True, editable=False)
    exchange = models.JSONField(
        _("exchange rate"), default=dict, db_default=Value({}, models.JSONField()), editable=False
    )
    credited_minor = models.BigIntegerField(_("credits applied"), default=0, editable=False)
    # The part of it that was applied when it was issued, which its document prints.
    credited_at_issue_minor = models.BigIntegerField(
        _("credits applied at issue"), default=0, db_default=0, editable=False
    )
    # The part of it that staff wrote off.
    written_off_minor = models.BigIntegerField(_("written off"), default=0, db_default=0, editable=False)
    paid_minor = models.BigIntegerField(_("paid"), default=0, editable=False)
    # The part of it that was paid before the invoice was imported, of which there is no payment, and the day.
    paid_before_minor = models.BigIntegerField(_("paid before the import"), default=0, db_default=0, editable=False)
    paid_before_on = models.DateField(_("paid on, before the import"), null=True, editable=False)
    # All that went back of what was paid; the part of it that payers' banks took back is counted besides.
    refunded_minor = models.BigIntegerField(_("refunded"), default=0, editable=False)
    charged_back_minor = models.BigIntegerField(_("taken back by the bank"), default=0, db_default=0, editable=False)
    amount_due_minor = models.GeneratedField(
        expression=Case(
            When(status=InvoiceStatus.OPEN, then=F("total_minor") - F("credited_minor") - F("paid_minor")),
            default=0,
            output_field=models.BigIntegerField(),
        ),
        output_field=models.BigIntegerField(_("amount due")),
        db_persist=True,
    )

    # Written by operations of payments, about attempts and a bank's disputes, so that no page here asks payments.
    payment_started_at = models.DateTimeField(_("payment started"), null=True, editable=False)
    payment_started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", editable=False, db_index=False
    )
    disputed_at = models.DateTimeField(_("disputed since"), null=True, editable=False)
    paid_at = models.DateTimeField(_("paid at"), null=True, editable=False)
    paid_with = models.CharField(_("paid with"), max_length=60, blank=True, editable=False)
    # What happens next by itself, so that the pages can say so: the day its people are told that it is there (empty
    # once they were), the day the card is charged, the day we remind.
    announce_on = models.DateField(null=True, editable=False)
    autopay_on = models.DateField(_("charged automatically on"), null=True, editable=False)
    # The last day on which that was tried and the bank declined; empty again once the invoice is paid.
    autopay_declined_on = models.DateField(_("automatic charge declined on"), null=True, editable=False)
    next_reminder_on = models.DateField(_("next reminder"), null=True, editable=False)
    # Of an invoice that was past due when it was issued, as imported history is: its days late count from here.
    dunning_from_on = models.DateField(null=True, editable=False)
    reminders_sent = models.PositiveSmallIntegerField(_("reminders sent"), default=0, db_default=0, editable=False)
    # Fingerprint of what it says, written at issue (`invoices.fingerprints`).
    digest = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    void_reason = models.CharField(_("reason for voiding"), max_length=200, blank=True, editable=False)
    voided_at = models.DateTimeField(_("voided at"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    total, amount_due = MoneyOf("total_minor"), MoneyOf("amount_due_minor")
    written_off = MoneyOf("written_off_minor")
    # What we paid back; and what payers' banks took back.
    refunded, charged_back = MoneyOf("refunded_minor", less="charged_back_minor"), MoneyOf("charged_back_minor")
    objects = InvoiceQuerySet.as_manager()

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        constraints = [
            CheckConstraint(condition=Q(status__in=InvoiceStatus.values), name="invoice_status_known"),
            CheckConstraint(
                condition=Q(status=InvoiceStatus.DRAFT, number=None, issued_on=None, due_on=None)
                | (
                    ~Q(status=InvoiceStatus.DRAFT)
                    & Q(number__isnull=False, issued_on__isnull=False, due_on__isnull=False)
                ),
                name="invoice_numbered_when_issued",
            ),
            CheckConstraint(condition=Q(total_minor=F("charges_minor") + F("tax_minor")), name="invoice_total_adds_up"),
            CheckConstraint(
                condition=Q(total_minor__gte=0, credited_minor__gte=0, paid_minor__gte=0, refunded_minor__gte=0),
                name="invoice_amounts_not_negative",
            ),
            CheckConstraint(
                condition=Q(written_off_minor__gte=0, written_off_minor__lte=F("credited_minor")),
                name="invoice_written_off_within_credited",
            ),
            CheckConstraint(
                condition=Q(charged_back_minor__gte=0, charged_back_minor__lte=F("refunded_minor")),
                name="invoice_charged_back_within_refunded",
            ),
            CheckConstraint(
                condition=Q(total_minor__gte=F("credited_minor") + F("paid_minor")), name="invoice_never_overpaid"
            ),
            CheckConstraint(
                condition=~Q(status=InvoiceStatus.PAID) | Q(total_minor=F("credited_minor") + F("paid_minor")),
                name="invoice_paid_means_in_full",
            ),
            CheckConstraint(
                condition=Q(payment_started_at=None) | Q(status=InvoiceStatus.OPEN), name="invoice_in_progress_is_open"
            ),
            CheckConstraint(
                condition=Q(paid_before_minor=0, paid_before_on=None)
                | Q(paid_before_minor__gt=0, paid_before_minor__lte=F("paid_minor"), paid_before_on__isnull=False),
                name="invoice_paid_before_within_paid",
            ),
            UniqueConstraint(
                fields=["payment_reference"],
                condition=Q(is_numbered_elsewhere=True),
                name="invoice_imported_payment_reference_once",
            ),
            UniqueConstraint(
                "profile",
                Compact("source_reference"),
                condition=~Q(source_reference=""),
                name="invoice_source_reference_once",
                violation_error_message=_("Another invoice of this billing profile has this reference."),
            ),
            CheckConstraint(condition=Q(number=None) | Q(number=Upper("number")), name="invoice_number_in_capitals"),
        ]
        indexes = [
            Index(fields=["profile", "-issued_on", "-id"], name="invoice_by_date"),
            Index(fields=["profile", "-due_on", "-id"], name="invoice_by_due_date"),
            Index(fields=["profile", "-total_minor", "-id"], name="invoice_by_total"),
            Index(fields=["profile", "-amount_due_minor", "-id"], name="invoice_by_amount_due"),
            Index(fields=["profile", "status", "-issued_on", "-id"], name="invoice_by_status"),
            # For the search by amount over all profiles; the second holds the few that are paid in part.
            Index(fields=["total_minor"], name="invoice_of_amount"),
            Index(
                fields=["amount_due_minor"],
                condition=Q(amount_due_minor__gt=0, amount_due_minor__lt=F("total_minor")),
                name="invoice_of_amount_left",
            ),
            # Holds all that the figures above the list add up, so that no row is read for them.
            Index(
                fields=["profile", "due_on", "id", "amount_due_minor", "payment_started_at"],
                condition=Q(status=InvoiceStatus.OPEN),
                name="invoice_open_figures",
            ),
            Index(
                fields=["profile", "-issued_on", "-id"],
                condition=Q(payment_started_at__isnull=False),
                name="invoice_in_progress",
            ),
            Index(fields=["profile", "-number", "-id"], name="invoice_by_number"),
            Index(fields=["autopay_on", "id"], condition=Q(autopay_on__isnull=False), name="invoice_to_charge"),
            Index(
                fields=["next_reminder_on", "id"], condition=Q(next_reminder_on__isnull=False), name="invoice_to_remind"
            ),
            Index(fields=["announce_on", "id"], condition=Q(announce_on__isnull=False), name="invoice_to_announce"),
        ]

    def __str__(self) -> str:
        return self.number or str(_("Draft %(id)s")) % {"id": self.pk}

    @property
    def open_minor(self) -> int:
        """What is not paid yet by the amounts in memory. `amount_due_minor` is the database's, of the row as stored."""
        return self.total_minor - self.credited_minor - self.paid_minor

    @property
    def is_being_paid(self) -> bool:
        return self.payment_started_at is not None

    def label_on(self, today: date) -> Label:
        if self.status != InvoiceStatus.OPEN:
            return Label(self.status)
        if self.is_being_paid:
            return Label.IN_PROGRESS
        return Label.PAST_DUE if self.due_on is not None and self.due_on < today else Label.DUE

    @property
    def paid_with_label(self) -> str:
        """What it was paid with, in the reader's language: what is stored is a card, or an English word."""
        return gettext(self.paid_with)


class InvoiceLine(models.Model):
    """One line: charges of one kind added up and rounded once, here; the invoice's sums are sums of these integers."""

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines", verbose_name=_("invoice"))
    section = models.ForeignKey(
        InvoiceSection,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("invoice section"),
        db_index=False,
    )
    section_name = models.CharField(max_length=120, blank=True, editable=False)
    position = models.PositiveIntegerField(_("position"), default=0)
    description = PrintedField(_("description"), max_length=200)
    # Room for a million charges of the largest quantity that one may have: bytes are counted in billions.
    quantity = ExactDecimalField(_("quantity"), max_digits=32, decimal_places=12, default=1)
    unit = models.CharField(_("unit"), max_length=3, choices=unit_choices, default=ONE)
    unit_price = ExactDecimalField(
        _("unit price"),
        max_digits=24,
        decimal_places=10,
        help_text=_("In the main unit of the currency (euros, not cents), without tax."),
    )
    tax_category = models.CharField(_("tax category"), max_length=2, choices=TaxCategory, default=TaxCategory.STANDARD)
    tax_rate = models.DecimalField(
        _("tax rate"), max_digits=6, decimal_places=3, default=0, validators=[MinValueValidator(0)],
        help_text=_("Percent."),
    )  # fmt: skip
    exemption_reason = PrintedField(_("reason for no tax"), max_length=120, blank=True)
    exemption_code = models.CharField(
        _("VATEX code"), max_length=20, blank=True, validators=[VATEX],
        help_text=_("The code of that reason, such as VATEX-EU-132-1F."),
    )  # fmt: skip
    # The day of the service or sale, and whether credits may pay for it.
    happened_on = models.DateField(_("date"), null=True, blank=True)
    is_creditable = models.BooleanField(_("credits may pay for it"), default=True, db_default=True)
    # Taken off the whole invoice (EN 16931, BG-20), for the reason that is its description.
    is_allowance = models.BooleanField(
        _("discount on the whole invoice"), default=False, db_default=False,
        help_text=_("The description is its reason. It is deducted, and lowers the tax of its category and rate."),
    )  # fmt: skip
    # Quantity times price, rounded once. Tax is computed on the sum of lines (`InvoiceTax`).
    amount_minor = models.BigIntegerField(_("amount"), default=0, editable=False)

    class Meta:
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")
        indexes = [Index(fields=["section", "invoice"], name="line_by_section")]

    def __str__(self) -> str:
        return self.description


class TaxRow(models.Model):
    """What a document says of one tax category and rate: the sum of the lines that have both, and the tax on it."""

    category = models.CharField(_("tax category"), max_length=2, choices=TaxCategory)
    rate = models.DecimalField(_("tax rate"), max_digits=6, decimal_places=3)
    taxable_minor = models.BigIntegerField(_("taxable amount"))
    tax_minor = models.BigIntegerField(_("tax"))
    exemption_reason = PrintedField(_("reason for no tax"), max_length=LONGEST_REASON, blank=True)
    exemption_code = models.CharField(_("VATEX code"), max_length=20, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.category} {self.rate}"

    @property
    def as_tax(self) -> Tax:
        return Tax(*(getattr(self, name) for name in Tax._fields))


class InvoiceTax(TaxRow):
    """A row of the table of taxes of an issued invoice, which adds up to its tax."""

    invoice = models.ForeignKey(
        Invoice, models.PROTECT, related_name="taxes", verbose_name=_("invoice"), db_index=False
    )

    class Meta:
        verbose_name = _("tax of an invoice")
        verbose_name_plural = _("taxes of invoices")
        constraints = [
            UniqueConstraint(fields=["invoice", "category", "rate"], name="invoice_tax_once"),
            CheckConstraint(condition=Q(category="S") | Q(rate=0, tax_minor=0), name="invoice_tax_of_its_category"),
        ]


class RemittanceAccount(models.Model):
    """A bank account of a seller. An invoice prints the one of its currency that holds on its day, and keeps a copy."""

    seller = models.ForeignKey(
        Seller, models.PROTECT, related_name="remittance_accounts", verbose_name=_("seller"), db_index=False
    )
    currency = models.CharField(_("currency"), max_length=3)
    valid_from_on = models.DateField(
        _("valid from"),
        null=True,
        blank=True,
        help_text=_("Leave it empty for an account that was valid from the start."),
    )
    account_holder = PrintedField(_("account holder"), max_length=70)
    iban = models.CharField(_("IBAN or account number"), max_length=34)
    bic = models.CharField(_("BIC"), max_length=11, blank=True)
    bank = PrintedField(_("bank"), max_length=120, blank=True)
    check_address = PrintedTextField(_("address for checks"), blank=True)

    class Meta:
        verbose_name = _("remittance account")
        verbose_name_plural = _("remittance accounts")
        constraints = [
            UniqueConstraint(
                fields=["seller", "currency", "valid_from_on"],
                name="remittance_account_once_a_day",
                violation_error_message=_("The seller has another account in this currency from this day."),
            ),
            UniqueConstraint(
                fields=["seller", "currency"],
                condition=Q(valid_from_on=None),
                name="remittance_account_once_from_the_start",
                violation_error_message=_("The seller has another account in this currency from the start."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.iban}"

"""What corrects an issued invoice, and the documents as they were sent."""

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingProfile
from billing_portal.core.letters import PrintedField
from invoices.models.credits import Credit
from invoices.models.invoices import Invoice, InvoiceLine, TaxRow
from invoices.money import MoneyOf
from invoices.querysets import CreditNoteQuerySet


class CreditNote(models.Model):
    """Takes back all or part of an issued invoice, and never changes. ``applied_minor`` lowers the invoice: what it
    still owed, and what went back to credits that had paid for it. The rest, paid with money, becomes a credit."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="credit_notes", verbose_name=_("invoice"))
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="credit_notes", verbose_name=_("billing profile"), db_index=False
    )
    number = models.CharField(_("number"), max_length=32, unique=True)
    currency = models.CharField(_("currency"), max_length=3)
    issued_on = models.DateField(_("date"))
    reason = PrintedField(_("reason"), max_length=200)
    seller = models.JSONField(_("seller"), default=dict)
    buyer = models.JSONField(_("buyer"), default=dict)
    charges_minor = models.BigIntegerField(_("charges"))
    tax_minor = models.BigIntegerField(_("tax"))
    # In the seller's currency, at the rate of the invoice.
    seller_tax_minor = models.BigIntegerField(_("tax in the seller's currency"), null=True)
    total_minor = models.BigIntegerField(_("total"))
    applied_minor = models.BigIntegerField(_("taken off the invoice"))
    given_back_minor = models.BigIntegerField(_("given back to credits"), default=0)
    credit = models.OneToOneField(
        Credit, models.PROTECT, null=True, blank=True, related_name="credit_note", verbose_name=_("credit")
    )
    voids_invoice = models.BooleanField(_("voids the invoice"), default=False)
    # Fingerprint of what it says (`invoices.fingerprints`).
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(_("created"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("made by"), db_index=False
    )

    total = MoneyOf("total_minor")
    given_back = MoneyOf("given_back_minor")  # to credits that had paid for it
    kept = MoneyOf("total_minor", less="applied_minor")  # as a credit
    objects = CreditNoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("credit note")
        verbose_name_plural = _("credit notes")
        constraints = [
            CheckConstraint(
                condition=Q(total_minor=F("charges_minor") + F("tax_minor")), name="credit_note_total_adds_up"
            ),
            CheckConstraint(
                condition=Q(total_minor__gte=0, applied_minor__gte=0, applied_minor__lte=F("total_minor")),
                name="credit_note_applied_within_total",
            ),
            CheckConstraint(
                condition=Q(given_back_minor__gte=0, given_back_minor__lte=F("applied_minor")),
                name="credit_note_given_back_within_applied",
            ),
            UniqueConstraint(fields=["invoice"], condition=Q(voids_invoice=True), name="invoice_voided_by_one_note"),
        ]
        indexes = [Index(fields=["profile", "-issued_on", "-id"], name="credit_note_by_date")]

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(models.Model):
    """The part of one line of the invoice that is taken back, without tax, with the sign of the line."""

    note = models.ForeignKey(CreditNote, models.PROTECT, related_name="lines", verbose_name=_("credit note"))
    line = models.ForeignKey(InvoiceLine, models.PROTECT, related_name="+", verbose_name=_("line"))
    position = models.PositiveIntegerField(_("position"), default=0)
    amount_minor = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("line of a credit note")
        verbose_name_plural = _("lines of credit notes")
        constraints = [UniqueConstraint(fields=["note", "line"], name="line_once_per_credit_note")]

    def __str__(self) -> str:
        return f"{self.note_id} {self.position}"


class CreditNoteTax(TaxRow):
    """A row of the table of taxes of a credit note, which adds up to its tax."""

    note = models.ForeignKey(
        CreditNote, models.PROTECT, related_name="taxes", verbose_name=_("credit note"), db_index=False
    )

    class Meta:
        verbose_name = _("tax of a credit note")
        verbose_name_plural = _("taxes of credit notes")
        constraints = [
            UniqueConstraint(fields=["note", "category", "rate"], name="credit_note_tax_once"),
            CheckConstraint(condition=Q(category="S") | Q(rate=0, tax_minor=0), name="credit_note_tax_of_its_category"),
        ]


class IssuedDocument(models.Model):
    """A document as it was first handed out. Handed out again it is the same bytes, whatever makes it by now."""

    class Kind(models.TextChoices):
        PDF = "pdf", "PDF"
        XML = "xml", "XML"

    kind = models.CharField(_("kind"), max_length=4, choices=Kind, default=Kind.PDF)
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, blank=True, related_name="documents")
    credit_note = models.ForeignKey(CreditNote, models.PROTECT, null=True, blank=True, related_name="documents")
    language = models.CharField(_("language"), max_length=8)
    content = models.BinaryField(_("content"))
    digest = models.CharField(_("SHA-256"), max_length=64)
    created_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("issued document")
        verbose_name_plural = _("issued documents")
        constraints = [
            CheckConstraint(
                condition=Q(invoice__isnull=False, credit_note=None) | Q(invoice=None, credit_note__isnull=False),
                name="document_of_one_thing",
            ),
            UniqueConstraint(
                fields=["invoice", "kind", "language"],
                condition=Q(invoice__isnull=False),
                name="invoice_document_once",
            ),
            UniqueConstraint(
                fields=["credit_note", "kind", "language"],
                condition=Q(credit_note__isnull=False),
                name="credit_note_document_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.invoice or self.credit_note} {self.kind} {self.language}"

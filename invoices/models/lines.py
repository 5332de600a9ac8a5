"""The lines of an invoice."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import InvoiceSection
from invoices.models.invoices import Invoice


class InvoiceLine(models.Model):
    """One line: rounded once, here; the invoice's sums are sums of these integers."""

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
    description = models.CharField(_("description"), max_length=200)
    quantity = models.DecimalField(_("quantity"), max_digits=16, decimal_places=4, default=1)
    unit = models.CharField(_("unit"), max_length=20, blank=True)
    unit_price = models.DecimalField(
        _("unit price"), max_digits=19, decimal_places=6, help_text=_("In major units, without tax.")
    )
    tax_rate = models.DecimalField(
        _("tax rate"), max_digits=6, decimal_places=3, default=0, validators=[MinValueValidator(0)],
        help_text=_("Percent."),
    )  # fmt: skip
    tax_note = models.CharField(_("tax note"), max_length=80, blank=True)
    # The day of the service or sale, and whether credits may pay for it.
    happened_on = models.DateField(_("date"), null=True, blank=True)
    is_creditable = models.BooleanField(_("credits may pay for it"), default=True, db_default=True)
    amount_minor = models.BigIntegerField(_("amount"), default=0, editable=False)
    tax_minor = models.BigIntegerField(_("tax"), default=0, editable=False)

    class Meta:
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")
        indexes = [models.Index(fields=["section", "invoice"], name="line_by_section")]

    def __str__(self) -> str:
        return self.description

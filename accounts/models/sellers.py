"""The companies that send the invoices: what each prints on its documents, and the numbers that it gives them."""

import re
from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import CheckConstraint, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from stdnum.util import get_cc_module

from accounts.company_numbers import NumberKind, canonical_number, number_label, scheme_choices
from accounts.models.addresses import PostalAddress
from billing_portal.core.iso_codes import validate_currency
from billing_portal.core.letters import PrintedField, PrintedTextField
from billing_portal.core.spelling import compact

# The languages of documents. Pages are in those of the portal.
DOCUMENT_LANGUAGES = (("en", "English"), ("nl", "Nederlands"), ("de", "Deutsch"), ("fr", "Français"))
NUMBERS = {"vat_number": NumberKind.VAT, "company_number": NumberKind.COMPANY, "tax_number": NumberKind.NATIONAL}
NOTES = tuple(f"notes_{language}" for language, _name in DOCUMENT_LANGUAGES)
# Where the law wants the register's number, or more about the company, on every invoice.
NEED_COMPANY_NUMBER, NEED_NOTES = {"BE", "FR", "NL"}, {"BE", "DE", "FR"}
# A number stands in the address of its page, where a slash begins another part, and in a column of 12 letters.
PREFIX = RegexValidator(r"^[^/]+$", _("A prefix has no slash: the number stands in the address of its page."))
ENDPOINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]*")


def validate_endpoint(scheme: str, identifier: str) -> str:
    """The address of an electronic invoice, without spaces. Raises ValidationError, also where one of the two is
    missing."""
    identifier = "".join(identifier.split())
    if bool(scheme) != bool(identifier):
        raise ValidationError(
            {"endpoint_id": _("Give the number of this scheme.")}
            if scheme
            else {"endpoint_scheme": _("Choose the scheme of this number.")}
        )
    if identifier and not ENDPOINT.fullmatch(identifier):
        raise ValidationError({"endpoint_id": _("Use letters, digits and . _ : + - only.")})
    return identifier


class SellerLogo(models.Model):
    """A logo that was uploaded, kept for the documents that show it."""

    digest = models.CharField(_("digest"), max_length=64, primary_key=True)
    content = models.BinaryField(_("content"))
    is_svg = models.BooleanField(_("SVG"))

    class Meta:
        verbose_name = _("logo")
        verbose_name_plural = _("logos")

    def __str__(self) -> str:
        return self.digest[:8]


class Seller(PostalAddress):
    """Who sells to a billing account. Every document keeps a copy of what it says here at issue."""

    code = models.SlugField(
        _("code"),
        max_length=20,
        unique=True,
        help_text=_("A short name of your own, such as NL. It is not printed."),
    )
    company = PrintedField(
        _("company"), max_length=120, help_text=_("With its legal form, as in the company register.")
    )
    attention = PrintedField(
        _("contact"), max_length=120, blank=True, help_text=_("A department or person for questions.")
    )
    street = PrintedField(_("street and number"), max_length=160)
    city = PrintedField(_("city"), max_length=80)
    phone = PrintedField(_("phone number"), max_length=40, blank=True)
    email = models.EmailField(
        _("email address"), max_length=254, help_text=_("Printed on documents; replies to mails go there.")
    )

    vat_number = PrintedField(_("VAT number"), max_length=40, blank=True)
    company_number = PrintedField(
        _("company number"), max_length=40, blank=True, help_text=_("In the company register, such as KvK or SIRET.")
    )
    tax_number = PrintedField(
        _("tax number"), max_length=40, blank=True, help_text=_("The number at the tax office, if that is another one.")
    )
    tax_currency = models.CharField(
        _("tax currency"),
        max_length=3,
        default="EUR",
        validators=[validate_currency],
        help_text=_("The currency in which it pays tax. Invoices in another currency show their tax in this one too."),
    )
    endpoint_scheme = models.CharField(
        _("scheme of the endpoint"), max_length=4, blank=True, choices=scheme_choices,
        help_text=_("The kind of number by which Peppol and other networks of electronic invoices know it."),
    )  # fmt: skip
    endpoint_id = models.CharField(_("endpoint"), max_length=80, blank=True)

    invoice_prefix = PrintedField(
        _("prefix of invoice numbers"), max_length=12, unique=True, default="INV-", validators=[PREFIX],
        help_text=_("A new prefix starts a new series at 1."),
    )  # fmt: skip
    credit_note_prefix = PrintedField(
        _("prefix of credit note numbers"), max_length=12, unique=True, default="CN-", validators=[PREFIX]
    )
    logo = models.ForeignKey(
        SellerLogo, models.PROTECT, null=True, blank=True, editable=False, related_name="+", verbose_name=_("logo"),
        db_index=False,
    )  # fmt: skip
    notes_en = PrintedTextField(_("legal notes in English"), blank=True, max_length=2000)
    notes_nl = PrintedTextField(_("legal notes in Dutch"), blank=True, max_length=2000)
    notes_de = PrintedTextField(_("legal notes in German"), blank=True, max_length=2000)
    notes_fr = PrintedTextField(_("legal notes in French"), blank=True, max_length=2000)

    class Meta:
        verbose_name = _("seller")
        verbose_name_plural = _("sellers")
        constraints = [
            CheckConstraint(
                condition=Q(invoice_prefix=Upper("invoice_prefix"), credit_note_prefix=Upper("credit_note_prefix")),
                name="seller_prefixes_in_capitals",
                violation_error_message=_("Prefixes are in capitals."),
            ),
            CheckConstraint(
                condition=~Q(invoice_prefix=models.F("credit_note_prefix")),
                name="seller_prefixes_differ",
                violation_error_message=_("Invoices and credit notes need different prefixes."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.company} ({self.code})"

    def clean(self) -> None:
        self.invoice_prefix, self.credit_note_prefix = self.invoice_prefix.upper(), self.credit_note_prefix.upper()
        faults: dict[str, Any] = {}
        for name, kind in NUMBERS.items():
            if getattr(self, name):
                try:
                    setattr(self, name, canonical_number(kind, getattr(self, name), self.country))
                except ValidationError as error:
                    faults[name] = error.messages
        try:
            self.endpoint_id = validate_endpoint(self.endpoint_scheme, self.endpoint_id)
        except ValidationError as error:
            faults |= error.message_dict
        if faults:
            raise ValidationError(faults)

    def missing(self) -> list[str]:
        """What its documents lack by the law of its country, as sentences; docs/documents.md names the laws."""
        faults = []
        if self.country in NEED_COMPANY_NUMBER and not self.company_number:
            label = number_label(NumberKind.COMPANY, self.country)
            faults.append(_now("The seller's company number (%(label)s) is missing.") % {"label": label})
        if self.country in NEED_NOTES and not any(getattr(self, name) for name in NOTES):
            faults.append(_now("The seller's legal notes are missing: register, court, managers, capital."))
        return faults

    def fault_of(self, categories: Collection[str]) -> str:
        """Why it cannot issue an invoice with these tax categories, with what to do; empty when it can.

        EN 16931: BR-S-02 and its like ask for a VAT or tax number, BR-IC-02 for the first. A country without VAT has
        neither."""
        faults, has_vat = self.missing(), get_cc_module(self.country.lower(), "vat") is not None
        if "K" in categories and not self.vat_number:
            faults.append(_now("Intra-Community supply needs the seller's VAT number."))
        elif has_vat and set(categories) - {"O"} and not self.vat_number and not self.tax_number:
            faults.append(_now("The seller's VAT number or tax number is missing."))
        return " ".join([*faults, _now("Complete it in the staff pages, under Sellers.")]) if faults else ""

    @property
    def numbers(self) -> list[dict[str, str]]:
        values = {str(kind.value): getattr(self, name) for name, kind in NUMBERS.items()}
        return [{"kind": kind, "value": value} for kind, value in values.items() if value]

    def as_printed(self) -> dict[str, Any]:
        """What a document keeps of it."""
        notes = {language: getattr(self, f"notes_{language}") for language, _name in DOCUMENT_LANGUAGES}
        place = {name: value for name, value in self.address_parts.items() if name not in ("company", "attention")}
        return {
            "code": self.code,
            "name": self.company,
            **place,
            "contact": self.attention,
            "phone": self.phone,
            "email": self.email,
            "numbers": self.numbers,
            "endpoint": {"scheme": self.endpoint_scheme, "id": compact(self.endpoint_id)} if self.endpoint_id else {},
            "notes": {language: text for language, text in notes.items() if text},
            "logo": self.logo_id or "",
            "tax_currency": self.tax_currency,
        }

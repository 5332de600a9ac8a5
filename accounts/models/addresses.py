"""Postal addresses, as columns of whoever has one."""

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from billing_portal.core.iso_codes import validate_country
from billing_portal.core.letters import PrintedField
from billing_portal.core.postal_addresses import address_lines

ADDRESS = ("company", "attention", "street", "postal_code", "city", "region", "country")


class PostalAddress(models.Model):
    """Columns of an address. Of a billing account it is the sold-to address, of a billing profile the bill-to."""

    company = PrintedField(_("company"), max_length=120)
    attention = PrintedField(_("attention"), max_length=120, blank=True)
    street = PrintedField(_("street and number"), max_length=160, blank=True)
    postal_code = PrintedField(_("postal code"), max_length=20, blank=True)
    city = PrintedField(_("city"), max_length=80, blank=True)
    region = PrintedField(_("region"), max_length=80, blank=True)
    country = models.CharField(
        _("country"),
        max_length=2,
        validators=[validate_country],
        help_text=_("Two letters of ISO 3166, such as NL."),
    )

    class Meta:
        abstract = True

    @property
    def address_lines(self) -> list[str]:
        """As it is written on an envelope; the country's name is the reader's."""
        return self.address_in(get_language() or "en")

    @property
    def address_parts(self) -> dict[str, str]:
        """As a document keeps it, to be written in any language."""
        return {name: getattr(self, name) for name in ADDRESS}

    def address_in(self, language: str) -> list[str]:
        return address_lines(self.address_parts, language)

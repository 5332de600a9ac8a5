"""Tax by category and rate: computed once on the sum of the net amounts, and rounded there.

Categories are the codes of UN/ECE 5305 that EN 16931 uses (BT-118 and BT-151), reasons its BT-120 and BT-121. Rounding
the tax of each line instead is forbidden in Belgium since 2026 and in Japan since 2023, and breaks BR-CO-17.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple, Protocol

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from invoices.money import percent_of


class TaxCategory(models.TextChoices):
    STANDARD = "S", gettext_lazy("Taxed at a rate")
    ZERO = "Z", gettext_lazy("Zero-rated")
    EXEMPT = "E", gettext_lazy("Exempt from tax")
    REVERSE_CHARGE = "AE", gettext_lazy("Reverse charge")
    INTRA_COMMUNITY = "K", gettext_lazy("Intra-Community supply")
    EXPORT = "G", gettext_lazy("Export outside the EU")
    OUTSIDE = "O", gettext_lazy("Not subject to tax")


# Without tax, with a reason: what an invoice says where nothing else was given, and the code of the VATEX list. Texts
# are translated where they are shown.
REASONS = {
    TaxCategory.REVERSE_CHARGE: (gettext_noop("Reverse charge"), "VATEX-EU-AE"),
    TaxCategory.INTRA_COMMUNITY: (gettext_noop("Intra-Community supply"), "VATEX-EU-IC"),
    TaxCategory.EXPORT: (gettext_noop("Export outside the EU"), "VATEX-EU-G"),
    TaxCategory.OUTSIDE: (gettext_noop("Not subject to VAT"), "VATEX-EU-O"),
}
WITH_REASON = {TaxCategory.EXEMPT, *REASONS}
NEEDS_VAT_NUMBER = {TaxCategory.REVERSE_CHARGE, TaxCategory.INTRA_COMMUNITY}
BETWEEN_REASONS, LONGEST_REASON = "; ", 1000  # of a row, which may hold those of several lines
ORDER = {category: place for place, category in enumerate(TaxCategory.values)}


class Tax(NamedTuple):
    """One row of the table of taxes. Amounts are minor units; the rate is in percent."""

    category: str
    rate: Decimal
    taxable_minor: int
    tax_minor: int
    exemption_reason: str = ""
    exemption_code: str = ""

    @property
    def treatment(self) -> tuple[str, Decimal]:
        return self.category, self.rate

    @property
    def total_minor(self) -> int:
        return self.taxable_minor + self.tax_minor


class TaxFault(ValueError):
    """Something cannot be taxed like that. The message may be shown to staff."""


class Taxed(Protocol):
    """A line, a charge or a tax rate: whatever says how something is taxed."""

    tax_category: str
    exemption_reason: str
    exemption_code: str


def taxes_of(nets: Iterable[tuple[str, Decimal, str, str, int]]) -> list[Tax]:
    """The taxes of net amounts in minor units, which come with category, rate, reason and code: one for each category
    and rate (BR-S-08, BR-CO-17), rounded half-up. Different reasons of one category stand side by side."""
    sums: dict[tuple[str, Decimal], int] = {}
    reasons: dict[tuple[str, Decimal], dict[tuple[str, str], None]] = {}
    for category, rate, reason, code, net_minor in nets:
        key = category, rate
        sums[key] = sums.get(key, 0) + net_minor
        reasons.setdefault(key, {})[reason, code] = None
    taxes = []
    for (category, rate), taxable in sorted(sums.items(), key=lambda item: (ORDER[item[0][0]], -item[0][1])):
        reason, code = _together(reasons[category, rate])
        taxes.append(Tax(category, rate, taxable, percent_of(taxable, rate), reason, code))
    return taxes


def _together(given: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """One reason and code for reasons and codes that share a row. Where codes differ none is given, and one without a
    reason stands among the reasons: that of every line is printed."""
    given = list(given)
    codes = {code for _reason, code in given}
    code = codes.pop() if len(codes) == 1 else ""
    texts = dict.fromkeys(reason or own for reason, own in given if reason or own != code)
    return BETWEEN_REASONS.join(texts)[:LONGEST_REASON], code


def complete(row: Taxed, rate: Decimal) -> None:
    """Fills in the reason and code that follow from the category of a row. Raises TaxFault for a category that does not
    fit the rate, and for an exemption without a reason."""
    category = row.tax_category
    if category == TaxCategory.STANDARD:
        if not rate:
            raise TaxFault(
                _("A rate of zero needs a tax category that gives the reason, such as exempt or zero-rated.")
            )
        if rate < 0:
            raise TaxFault(_("A tax rate is not negative."))
    elif rate:
        raise TaxFault(_("Only the category “taxed at a rate” has a rate above zero."))
    if category not in WITH_REASON:
        row.exemption_reason = row.exemption_code = ""
        return
    reason, code = REASONS.get(TaxCategory(category), ("", ""))
    row.exemption_code = row.exemption_code or code
    row.exemption_reason = row.exemption_reason or reason
    if not row.exemption_reason and not row.exemption_code:
        raise TaxFault(_("Give the reason of the exemption, or its VATEX code: it stands on the invoice."))


def fault_of(categories: Iterable[str], *, has_vat_number: bool) -> str:
    """Why an invoice with these categories cannot be issued; empty when it can.

    EN 16931: BR-AE-02 and BR-IC-02 ask for the buyer's VAT number, BR-O-11 to 14 let nothing stand beside what is not
    subject to tax."""
    found = set(categories)
    if found & NEEDS_VAT_NUMBER and not has_vat_number:
        return _(
            "Reverse charge and intra-Community supply need the customer's VAT number. Add it to the billing account."
        )
    if TaxCategory.OUTSIDE in found and len(found) > 1:
        return _("What is not subject to tax needs an invoice of its own, without lines of another tax category.")
    return ""

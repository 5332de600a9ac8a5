"""Numbers under which companies are known: what each kind is called in each country, whether one is valid, and the
schemes of those that are addresses of electronic invoices.

Schemes are those of the list "Electronic Address Scheme" (EAS) of the European Commission, which EN 16931 uses for
BT-34 and BT-49. Check digits are python-stdnum's.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError as InvalidNumber
from stdnum.util import get_cc_module

from billing_portal.core.postal_addresses import country_name
from billing_portal.core.spelling import compact


class NumberKind(models.TextChoices):
    VAT = "vat", _("VAT number")
    COMPANY = "company", _("Company number")
    NATIONAL = "national", _("Tax number")
    EXEMPTION = "exemption", _("Tax exemption certificate")


# What people in a country call a number of theirs: a name that no language changes.
LABELS = {
    (NumberKind.VAT, "AT"): "UID",
    (NumberKind.VAT, "AU"): "ABN",
    (NumberKind.VAT, "BE"): "BTW/TVA",
    (NumberKind.VAT, "CH"): "MWST",
    (NumberKind.VAT, "DE"): "USt-IdNr.",
    (NumberKind.VAT, "ES"): "NIF-IVA",
    (NumberKind.VAT, "FR"): "N° TVA",
    (NumberKind.VAT, "IS"): "VSK",
    (NumberKind.VAT, "IT"): "P. IVA",
    (NumberKind.VAT, "JP"): "登録番号",
    (NumberKind.VAT, "NL"): "Btw-id",
    (NumberKind.VAT, "US"): "EIN",
    (NumberKind.COMPANY, "AT"): "Firmenbuchnummer",
    (NumberKind.COMPANY, "AU"): "ACN",
    (NumberKind.COMPANY, "BE"): "KBO/BCE",
    (NumberKind.COMPANY, "CH"): "UID",
    (NumberKind.COMPANY, "DE"): "Handelsregister",
    (NumberKind.COMPANY, "DK"): "CVR",
    (NumberKind.COMPANY, "ES"): "NIF",
    (NumberKind.COMPANY, "FI"): "Y-tunnus",
    (NumberKind.COMPANY, "FR"): "SIRET",
    (NumberKind.COMPANY, "GB"): "Company No.",
    (NumberKind.COMPANY, "IE"): "CRO",
    (NumberKind.COMPANY, "IS"): "Kennitala",
    (NumberKind.COMPANY, "IT"): "REA",
    (NumberKind.COMPANY, "JP"): "法人番号",
    (NumberKind.COMPANY, "NL"): "KvK",
    (NumberKind.COMPANY, "NO"): "Org.nr.",
    (NumberKind.COMPANY, "PL"): "KRS",
    (NumberKind.COMPANY, "SE"): "Org.nr.",
    (NumberKind.NATIONAL, "DE"): "Steuernummer",
    (NumberKind.NATIONAL, "GB"): "UTR",
}
# How a company number is checked: the module of python-stdnum for the country, by name.
COMPANY_RULES = {"AU": "acn", "BE": "vat", "CH": "uid", "DK": "cvr", "FI": "ytunnus", "FR": "siret",
                 "IS": "kennitala", "JP": "cn", "NO": "orgnr", "SE": "orgnr"}  # fmt: skip
# What people choose from; each scheme is named by the number that it holds.
SCHEMES = {
    "0002": "FR SIREN", "0007": "SE Organisationsnummer", "0009": "FR SIRET", "0037": "FI OVT", "0060": "DUNS",
    "0088": "GLN", "0096": "DK P-nummer", "0106": "NL KvK", "0135": "IT SIA", "0142": "IT SECETI", "0151": "AU ABN",
    "0183": "CH UID", "0184": "DK CVR", "0188": "JP 法人番号", "0190": "NL OIN", "0191": "EE Registrikood",
    "0192": "NO Organisasjonsnummer", "0193": "UBL.BE", "0195": "SG UEN", "0196": "IS Kennitala", "0198": "DK SE",
    "0199": "LEI", "0200": "LT Juridinio asmens kodas", "0201": "IT IPA", "0204": "DE Leitweg-ID", "0208": "BE KBO/BCE",
    "0209": "GS1", "0210": "IT Codice fiscale", "0211": "IT Partita IVA", "0212": "FI Y-tunnus", "0213": "FI VAT",
    "0216": "FI OVT", "0218": "LV Reģistrācijas numurs", "0221": "JP IIN", "0225": "FR CTC", "0230": "MY",
    "9910": "HU VAT", "9914": "AT UID", "9915": "AT VKZ", "9918": "IBAN", "9919": "AT KUR", "9920": "ES VAT",
    "9922": "AD VAT", "9923": "AL VAT", "9924": "BA VAT", "9925": "BE VAT", "9926": "BG VAT", "9927": "CH VAT",
    "9928": "CY VAT", "9929": "CZ VAT", "9930": "DE USt-IdNr.", "9931": "EE VAT", "9932": "GB VAT", "9933": "GR VAT",
    "9934": "HR VAT", "9935": "IE VAT", "9936": "LI VAT", "9937": "LT VAT", "9938": "LU VAT", "9939": "LV VAT",
    "9940": "MC VAT", "9941": "ME VAT", "9942": "MK VAT", "9943": "MT VAT", "9944": "NL VAT", "9945": "PL VAT",
    "9946": "PT VAT", "9947": "RO VAT", "9948": "RS VAT", "9949": "SI VAT", "9950": "SK VAT", "9951": "SM VAT",
    "9952": "TR VAT", "9953": "VA VAT", "9957": "FR VAT",
}  # fmt: skip


def scheme_choices() -> list[tuple[str, str]]:
    return [("", _now("None")), *((code, f"{name} ({code})") for code, name in SCHEMES.items())]


def number_label(kind: str, country: str) -> str:
    """What a number is called in its country: ``KvK``, ``SIRET``. Where no name of it is known, the kind in the active
    language."""
    known = NumberKind(kind) if kind in NumberKind else NumberKind.NATIONAL
    return LABELS.get((known, country), str(known.label))


def canonical_vat_number(number: str, country: str) -> str:
    """The number as it is stored: of the European Union without spaces, else as typed. A number of the Union says its
    country itself; another follows the rule of ``country``, where one is known. Raises ValidationError."""
    number, place = " ".join(number.split()).upper(), country.lower()
    if eu_vat.is_valid(number):
        return str(eu_vat.compact(number))
    if place in eu_vat.MEMBER_STATES:
        raise ValidationError(
            _("This is not a valid VAT number. Begin with the letters of the country, such as NL; check the digits.")
        )
    if place == "jp":
        return _registration_of_japan(number)
    rule = get_cc_module(place, "vat") if place else None
    if rule is not None and not rule.is_valid(number):
        name = country_name(country, get_language() or "en")
        raise ValidationError(_("This is not a valid VAT number of %(country)s. Check its digits.") % {"country": name})
    return number


def _registration_of_japan(number: str) -> str:
    """T and 13 digits: the number under which a seller of qualified invoices is registered."""
    digits = compact(number).removeprefix("T")
    if len(digits) != 13 or not digits.isdigit():
        raise ValidationError(_("The registration number is T and 13 digits."))
    return f"T{digits}"


def canonical_company_number(number: str, country: str) -> str:
    """The number of a company in its register, as it is stored. Raises ValidationError where its country's rule is
    known and it is wrong; a Dutch one has eight digits."""
    number = " ".join(number.split())
    if country == "NL":
        digits = compact(number)
        if len(digits) != 8 or not digits.isdigit():
            raise ValidationError(_("A KvK number has eight digits."))
        return digits
    rule: Any = get_cc_module(country.lower(), COMPANY_RULES[country]) if country in COMPANY_RULES else None
    if rule is None:
        return number
    if country == "BE":
        number = compact(number).removeprefix("BE")
    try:
        return str(rule.validate(number))
    except InvalidNumber:
        if country == "FR" and (siren := get_cc_module("fr", "siren")) is not None and siren.is_valid(number):
            return str(siren.compact(number))
        name = country_name(country, get_language() or "en")
        raise ValidationError(
            _("This is not a company number of %(country)s. Check its digits.") % {"country": name}
        ) from None


def canonical_number(kind: str, number: str, country: str) -> str:
    """A number of any kind, as it is stored. Raises ValidationError."""
    if kind == NumberKind.VAT:
        return canonical_vat_number(number, country)
    if kind == NumberKind.COMPANY:
        return canonical_company_number(number, country)
    return " ".join(number.split())

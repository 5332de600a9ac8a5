"""How an identifier of a company or of an endpoint looks, by its scheme (ISO 6523, EAS)."""

import re
from collections.abc import Callable

from stdnum import ean
from stdnum.au import abn
from stdnum.be import vat as belgian
from stdnum.eu import vat as eu_vat
from stdnum.fr import siren, siret
from stdnum.is_ import kennitala
from stdnum.it import codicefiscale, iva
from stdnum.no import orgnr as norwegian
from stdnum.se import orgnr as swedish

EMAIL = re.compile(r"[^@\s]+@([^@.\s]+\.)+[^@.\s]+")


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(pattern, value) is not None


# How an id of a scheme looks, as PEPPOL-COMMON-R040 to R057 have it and the registers themselves.
FORMS: dict[str, Callable[[str], bool]] = {
    "0002": siren.is_valid,
    "0009": siret.is_valid,
    "0007": lambda value: len(value) == 10 and swedish.is_valid(value),
    "0088": lambda value: len(value) == 13 and ean.is_valid(value),
    "0096": _matches("[0-9]{10}"),
    "0106": _matches("[0-9]{8}"),
    "0151": abn.is_valid,
    "0184": _matches("(DK)?[0-9]{8}"),
    "0188": _matches("[0-9]{13}"),
    "0190": _matches("[0-9]{20}"),
    "0192": lambda value: len(value) == 9 and norwegian.is_valid(value),
    "0196": lambda value: len(value) == 10 and kennitala.is_valid(value),
    "0198": _matches("DK[0-9]{8}"),
    "0201": _matches("[A-Za-z0-9]{6}"),
    "0208": lambda value: len(value) == 10 and belgian.is_valid(value),
    "0210": codicefiscale.is_valid,
    "0211": lambda value: value.startswith("IT") and iva.is_valid(value),
    "0217": _matches("[0-9]{12}"),
    "9907": codicefiscale.is_valid,
    "9944": _matches("NL[0-9]{9}B[0-9]{2}"),
    "EM": lambda value: EMAIL.fullmatch(value) is not None,
}


# The schemes of VAT numbers in the Union, by country: with or without its letters.
VAT_SCHEMES = {
    "9910": "HU", "9914": "AT", "9920": "ES", "9925": "BE", "9926": "BG", "9928": "CY", "9929": "CZ", "9930": "DE",
    "9931": "EE", "9933": "EL", "9934": "HR", "9935": "IE", "9937": "LT", "9938": "LU", "9939": "LV", "9943": "MT",
    "9945": "PL", "9946": "PT", "9947": "RO", "9949": "SI", "9950": "SK", "9957": "FR",
}  # fmt: skip


def _vat_form(country: str) -> Callable[[str], bool]:
    return lambda value: bool(eu_vat.is_valid(f"{country}{value.removeprefix(country)}"))


FORMS |= {scheme: _vat_form(country) for scheme, country in VAT_SCHEMES.items()}


def is_of_scheme(value: str, scheme: str) -> bool:
    """Whether it can be one of that scheme: nothing is, and anything is one of a scheme that is not known here."""
    form = FORMS.get(scheme)
    return not value or form is None or (not re.search(r"\s", value) and bool(form(value)))

"""Codes of currencies and countries that the portal takes today. What was stored earlier is read for ever:
`invoices.money.exponent` knows withdrawn currencies too."""

from functools import cache

from babel.core import get_global
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from iso4217 import Currency

# ISO 3166 reserves them for parts of a country and for the Union.
RESERVED = {"AC", "DG", "EA", "EU", "IC", "TA"}


@cache
def countries() -> frozenset[str]:
    """The codes of ISO 3166, and Kosovo's: those of which Unicode knows money that is in use."""
    return frozenset(
        code
        for code, moneys in get_global("territory_currencies").items()
        if code not in RESERVED and any(end is None and is_tender for _code, _start, end, is_tender in moneys)
    )


def is_current_currency(code: str) -> bool:
    """Whether ISO 4217 lists the currency now, with a minor unit: neither withdrawn, nor gold."""
    try:
        return Currency(code).exponent is not None
    except ValueError:
        return False


def validate_currency(code: str) -> None:
    """Raises ValidationError."""
    if not is_current_currency(code):
        raise ValidationError(
            _("%(code)s is not a currency in use. Write the three capital letters of ISO 4217, such as EUR."),
            params={"code": code},
        )


def validate_country(code: str) -> None:
    """Raises ValidationError."""
    if code not in countries():
        raise ValidationError(
            _("%(code)s is not a country. Write the two capital letters of ISO 3166, such as NL."),
            params={"code": code},
        )

"""Which currencies and countries the portal takes today."""

import pytest
from django.core.exceptions import ValidationError

from billing_portal.core.iso_codes import countries, validate_country, validate_currency


@pytest.mark.parametrize("code", ["EUR", "JPY", "KWD", "XOF", "GBP"])
def test_a_currency_in_use_is_taken(code):
    validate_currency(code)


@pytest.mark.parametrize("code", ["BGN", "HRK", "NLG", "EUE", "XAU", "XTS", "XXX", "eur", "EURO", ""])
def test_a_currency_that_is_withdrawn_or_none_is_refused(code):
    with pytest.raises(ValidationError, match="is not a currency in use"):
        validate_currency(code)


@pytest.mark.parametrize("code", ["NL", "KW", "JP", "BG", "XK", "GG"])
def test_a_country_is_taken(code):
    validate_country(code)


@pytest.mark.parametrize("code", ["ZZ", "EU", "UN", "AN", "SU", "QO", "nl", "", "528"])
def test_what_is_no_country_is_refused(code):
    with pytest.raises(ValidationError, match="is not a country"):
        validate_country(code)


def test_there_are_as_many_countries_as_iso_3166_has():
    """249 without Antarctica, which has no money, and with Kosovo."""
    assert len(countries()) == 249

"""Checks of the seller's details in the settings, before an invoice prints them."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from stdnum import bic, iban

from invoices.remittances import compact, looks_like_iban


@register()
def seller_account_is_valid(**_kwargs: Any) -> list[CheckMessage]:
    """Money that is sent to an account with a wrong digit comes back after days, or never."""
    number, code = compact(settings.SELLER["iban"]), compact(settings.SELLER["bic"])
    errors: list[CheckMessage] = []
    if looks_like_iban(number) and not iban.is_valid(number):
        errors.append(Error("The check digits of SELLER_IBAN are wrong.", id="invoices.E001"))
    if code and not bic.is_valid(code):
        errors.append(Error("SELLER_BIC is not a BIC.", id="invoices.E002"))
    return errors

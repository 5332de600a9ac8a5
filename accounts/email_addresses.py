"""How an e-mail address is written: in one way, whatever somebody typed, so that a mailbox is one person's and what is
counted for an address is counted once.

The part before the @ is of ASCII letters, without quotes. A domain of other letters is written in its ASCII form (IDNA
2003: xn--). Letters that are another way to write one, such as wide ones, become that one. A domain that would turn
into another is refused: one with invisible characters, another kind of dot, or a German sharp s.
"""

import unicodedata

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

MAX_CHARACTERS = 254
# Where the addresses of people lie who were erased: a domain that can have no mailbox (RFC 2606).
ERASED_DOMAIN = "erased.invalid"


def canonical_address(typed: str) -> str:
    """The one way to write an address. Raises ValidationError when it is none; the message may be shown."""
    local, _at, domain = unicodedata.normalize("NFKC", typed.strip()).lower().rpartition("@")
    address = f"{local}@{_ascii_domain(domain)}"
    is_plain = local.isascii() and not local.startswith('"') and not domain.startswith("[")
    if not is_plain or len(address) > MAX_CHARACTERS or domain == ERASED_DOMAIN:
        raise _not_an_address()
    try:
        validate_email(address)
    except ValidationError as error:
        raise _not_an_address() from error
    return address


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        encoded = domain.encode("idna")
        if encoded.decode("idna") == domain:
            return encoded.decode()
    except UnicodeError as error:
        raise _not_an_address() from error
    raise _not_an_address()


def _not_an_address() -> ValidationError:
    return ValidationError(_("Enter a valid e-mail address."), code="invalid")

"""How the secrets of second factors are kept: encrypted, with keys that can be changed.

The secret of an authenticator app and the seed of recovery codes would let whoever reads the database or a backup pass
for the person; a security key's public half tells nobody how to sign. The keys are made from `SECOND_FACTOR_KEYS` and,
after those, `SECRET_KEY`: the first encrypts, all decrypt, and `rotate_secrets` brings every row over to it.
"""

from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import Any

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.access import NotAllowed

log = structlog.get_logger("portal.second_factors")


class UnreadableSecret(ValidationError, NotAllowed):
    """No key decrypts a secret. The message may be shown, by a form or a 403; a template goes on without it."""

    remedy = "staff"
    silent_variable_failure = True  # Django's templates look for this name

    def __init__(self) -> None:
        super().__init__(
            _("The secret of your second factor cannot be read. Ask us to remove it, then set up a new one.")
        )

    def __str__(self) -> str:
        return str(self.message)


def encrypt(text: str) -> str:
    return _ciphers()[0].encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Raises UnreadableSecret, and tells the log, when no key fits."""
    try:
        return MultiFernet(_ciphers()).decrypt(token).decode()
    except InvalidToken:
        log.error("no key decrypts the secret of a second factor; see manage.py rotate_second_factor_keys")
        raise UnreadableSecret from None


def with_first_key(token: str) -> str:
    """The token itself where the first key decrypts it, else encrypted with that key. Raises UnreadableSecret."""
    try:
        _ciphers()[0].decrypt(token)
    except InvalidToken:
        return encrypt(decrypt(token))
    return token


def rotated(data: dict[str, Any]) -> dict[str, Any]:
    """The data of an authenticator with every secret in it under the first key. Raises UnreadableSecret."""
    changed: dict[str, Any] = {name: with_first_key(data[name]) for name in ("secret", "seed") if name in data}
    if "migrated_codes" in data:
        changed["migrated_codes"] = [with_first_key(code) for code in data["migrated_codes"]]
    return data | changed


def is_readable(data: dict[str, Any]) -> bool:
    """Whether every secret in the data of an authenticator decrypts."""
    try:
        rotated(data)
    except UnreadableSecret:
        return False
    return True


def _ciphers() -> list[Fernet]:
    texts = (*settings.SECOND_FACTOR_KEYS, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [_cipher(text) for text in texts]


@lru_cache(maxsize=16)
def _cipher(text: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"secrets of second factors").derive(text.encode())
    return Fernet(urlsafe_b64encode(key))

"""Signed messages as large providers send them: a header ``t=<seconds>,v1=<digest>`` with an HMAC-SHA256 of time and
body. While a secret is changed they sign with both, and several secrets may be given here."""

import hashlib
import hmac
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from payments.gateways.base import BadSignature, UnreadableMessage

TOLERANCE = 300  # seconds that a message may be old, or ahead of our clock
LONGEST_ID = 120  # characters


def signature(secret: str, body: bytes, at: int) -> str:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def check_signature(secrets: Iterable[str], body: bytes, headers: Mapping[str, str], header: str) -> None:
    """Raises BadSignature. Without a secret every message is refused."""
    given = next((value for name, value in headers.items() if name.lower() == header.lower()), "")
    parts = [part.strip().partition("=")[::2] for part in given.split(",")]
    stamps = [value for name, value in parts if name == "t"]
    digests = [value.encode() for name, value in parts if name == "v1"]
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit() and len(stamps[0]) < 13) or not digests:
        raise BadSignature("The signature is missing or cannot be read.")
    at = int(stamps[0])
    expected = [signature(secret, body, at).rpartition("=")[2].encode() for secret in secrets if secret]
    if not any([hmac.compare_digest(ours, theirs) for ours in expected for theirs in digests]):  # noqa: C419 - each is compared, whichever matches
        raise BadSignature("The signature does not match the message.")
    if abs(time.time() - at) > TOLERANCE:
        raise BadSignature("The message is too old, or a clock is wrong.")


@contextmanager
def readable() -> Iterator[None]:
    """Raises UnreadableMessage for whatever goes wrong in taking a message apart."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError) as error:
        raise UnreadableMessage("The message cannot be read.") from error


def checked_id(value: object, *, may_be_empty: bool = False) -> str:
    """An id or a name as providers make them: short and printable. Raises ValueError for anything else."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST_ID:
        raise ValueError("not an id")
    if not value and not may_be_empty:
        raise ValueError("empty")
    return value

"""What can be wrong with the options of an account, said at start and not at the first customer."""

from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urlsplit

from django.conf import settings

from payments.gateways.stripe.client import Account

SECRET = ("sk_live_", "sk_test_", "rk_live_", "rk_test_")  # rk: restricted keys
PUBLISHABLE = ("pk_live_", "pk_test_")
THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


class Options(Protocol):
    prefix: str
    secret_key: str
    publishable_key: str
    webhook_secrets: tuple[str, ...]
    test_mode: bool
    api_base: str
    js_url: str
    account: Account


def problems_of(options: Options) -> list[str]:
    """One sentence each; it names the variable."""
    found = [*_keys(options), *_webhooks(options), *_addresses(options)]
    return [options.prefix + problem for problem in found]


def _keys(options: Options) -> Iterator[str]:
    if not options.secret_key.startswith(SECRET):
        yield "SECRET_KEY must be a secret or restricted key: sk_... or rk_..."
    elif options.test_mode and not settings.DEBUG:
        yield "SECRET_KEY is a test key, and DEBUG is off: nobody would be charged."
    elif not options.test_mode and settings.DEBUG:
        yield "SECRET_KEY is a live key, and DEBUG is on: real cards would be charged."
    if not options.publishable_key.startswith(PUBLISHABLE):
        yield "PUBLISHABLE_KEY must be a publishable key: pk_..."
    elif options.secret_key.startswith(SECRET) and options.publishable_key.startswith("pk_test_") != options.test_mode:
        yield "PUBLISHABLE_KEY is of another mode than the secret key: one is live, one for tests."
    expected = options.account.expected
    if expected and not expected.startswith("acct_"):
        yield "ACCOUNT must be the id of an account: acct_..."


def _webhooks(options: Options) -> Iterator[str]:
    if not options.webhook_secrets:
        yield "WEBHOOK_SECRETS is empty: every message from Stripe would be refused."
    elif not all(each.startswith("whsec_") for each in options.webhook_secrets):
        yield "WEBHOOK_SECRETS must be signing secrets, whsec_..., separated by commas."


def _addresses(options: Options) -> Iterator[str]:
    for name, address in (("API_BASE", options.api_base), ("JS_URL", options.js_url)):
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in THIS_MACHINE):
            yield f"{name} must begin with https://, unless it is on this machine."

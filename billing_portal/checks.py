"""System checks: what would go wrong later is said at start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution

from invoices.money import Money
from payments.gateways.registry import gateways


@register(Tags.security)
def check_gateways(**_options: Any) -> list[CheckMessage]:
    """Each gateway says what is wrong with its configuration."""
    return [
        Error(f"{gateway.slug}: {problem}", id="payments.E001")
        for gateway in gateways()
        for problem in gateway.checks()
    ]


@register(Tags.security)
def check_seller(**_options: Any) -> list[CheckMessage]:
    """An invoice that says to transfer money must say where to."""
    if settings.SELLER["iban"] and not settings.SELLER["account_holder"]:
        return [Error("SELLER_IBAN is set but SELLER_ACCOUNT_HOLDER is not.", id="billing_portal.E001")]
    return []


@register(Tags.security)
def check_card_limits(**_options: Any) -> list[CheckMessage]:
    """A limit that is no amount would only be noticed by the customer who meets it."""
    problems: list[CheckMessage] = []
    for currency, amount in settings.CARD_LIMITS_FOR_WIRE.items():
        try:
            Money.parse(amount, currency)
        except ValueError as error:
            problems.append(Error(f"PORTAL_CARD_LIMITS, {currency}: {error}", id="billing_portal.E002"))
    return problems


@register(Tags.security, deploy=True)
def check_mail(**_options: Any) -> list[CheckMessage]:
    """Without a mail server no invitation, receipt or new password ever reaches anybody."""
    mailer: dict[str, Any] = settings.MAILERS["default"]
    if settings.DEBUG or mailer["BACKEND"] != "django.core.mail.backends.filebased.EmailBackend":
        return []
    directory = mailer["OPTIONS"]["file_path"]
    return [Caution(f"EMAIL_HOST is not set: mails are written to files in {directory}.", id="billing_portal.W001")]


@register(Tags.security, deploy=True)
def check_second_factors(**_options: Any) -> list[CheckMessage]:
    """Staff move money and change who may; and SECRET_KEY is changed when it leaks, which must cost nobody their
    second factor."""
    problems: list[CheckMessage] = []
    if not settings.SECOND_FACTOR_KEYS:
        hint = "Give the secrets of second factors a key of their own; SECRET_KEY still decrypts what it encrypted."
        problems.append(Caution("PORTAL_SECOND_FACTOR_KEYS is not set.", hint=hint, id="billing_portal.W002"))
    if not settings.STAFF_SECOND_FACTOR:
        hint = "Leave out PORTAL_STAFF_SECOND_FACTOR, and PORTAL_DEMO where the portal is no demo."
        problems.append(Caution("Staff may sign in with a password alone.", hint=hint, id="billing_portal.W003"))
    return problems

"""System checks: what would go wrong later is said at start.

Errors stop `manage.py check`, the web server and the worker. What is only worth a look is a warning of
`check --deploy`. docs/configuration.md explains each.
"""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution
from django.db import DatabaseError, connection, connections
from stdnum import bic, iban

from accounts.models import User
from billing_portal.demo import SIGN_INS
from invoices.money import Money
from invoices.remittances import looks_like_iban
from payments.gateways.registry import gateways
from payments.gateways.sandbox.models import CardPayment

# The tag of what `manage.py check` looks up in the database as well, where Django would leave it out.
DEMO = "demo"
MIN_KEY_LENGTH, MIN_KEY_CHARACTERS = 50, 10


@register(Tags.security)
def check_secret_key(**_options: Any) -> list[CheckMessage]:
    """Whoever guesses a key signs sessions and reset links with it. Django only warns, and only before a deployment."""
    keys = {"SECRET_KEY": str(settings.SECRET_KEY)}
    keys |= {f"SECRET_KEY_FALLBACKS[{index}]": str(key) for index, key in enumerate(settings.SECRET_KEY_FALLBACKS)}
    return [
        Error(
            f"{name} is easy to guess: it must have at least {MIN_KEY_LENGTH} characters, of which "
            f"{MIN_KEY_CHARACTERS} different, and not begin with django-insecure-.",
            hint='Make one: python -c "import secrets; print(secrets.token_urlsafe(50))"',
            id="billing_portal.E003",
        )
        for name, key in keys.items()
        if len(key) < MIN_KEY_LENGTH or len(set(key)) < MIN_KEY_CHARACTERS or key.startswith("django-insecure-")
    ]


@register(Tags.security)
def check_demo(**_options: Any) -> list[CheckMessage]:
    """The demo offers its password to whoever opens the sign-in page."""
    if settings.DEMO and not settings.DEBUG:
        return [Error("PORTAL_DEMO is on and DEBUG is off: a server must not run the demo.", id="billing_portal.E004")]
    return []


@register(Tags.security, Tags.database, DEMO)
def check_demo_people(**_options: Any) -> list[CheckMessage]:
    """Whoever knows the demo signs in as its people, one of whom is staff.

    An address that is active is enough, whatever its password: nobody has a mailbox at example.com, and comparing
    passwords would cost each start a slow hash for every address. Says nothing where the database does not answer or
    has no tables yet. The connection is left as it was, so that no process keeps one that it does not need.
    """
    if settings.DEBUG:
        return []
    was_open = connection.connection is not None
    try:
        emails = User.objects.filter(email__in=[person.email for person in SIGN_INS], is_active=True)
        found = list(emails.order_by("email").values_list("email", flat=True))
    except DatabaseError:
        return []
    finally:
        if not was_open:
            connection.close()
    if not found:
        return []
    return [
        Error(
            f"The demo's people are in this database and DEBUG is off: {', '.join(found)}. Their password is public.",
            hint="Use a database without demo data.",
            id="billing_portal.E005",
        )
    ]


@register(Tags.security)
def check_addresses(**_options: Any) -> list[CheckMessage]:
    """What a developer's machine may do and a server must not: plain http, debug pages, any host name."""
    address = urlsplit(settings.PUBLIC_URL)
    problems: list[CheckMessage] = []
    public = [host for host in (address.hostname, *settings.ALLOWED_HOSTS) if not _is_private(host)]
    if settings.DEBUG and public:
        problems.append(
            Error(
                f"DEBUG is on and the portal answers as {public[0]}: its error pages would show secrets.",
                hint="Turn DEBUG off; on a developer's machine remove PUBLIC_URL and ALLOWED_HOSTS.",
                id="billing_portal.E006",
            )
        )
    if not settings.DEBUG and address.scheme != "https" and not _is_this_machine(address.hostname):
        problems.append(
            Error(
                f"PUBLIC_URL is {settings.PUBLIC_URL}: without https, others can read passwords and sessions.",
                hint="Put a reverse proxy with a certificate in front, and begin PUBLIC_URL with https://.",
                id="billing_portal.E007",
            )
        )
    if not settings.DEBUG and "*" in settings.ALLOWED_HOSTS:
        problems.append(
            Error(
                "ALLOWED_HOSTS holds *: a stranger could have links to their own host put into mails.",
                hint="Name the hosts under which browsers reach the portal.",
                id="billing_portal.E008",
            )
        )
    return problems


def _is_this_machine(host: str | None) -> bool:
    """``localhost``, or an address that never leaves the machine."""
    if host == "localhost" or (host or "").endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


LOCAL_NAMES = (".local", ".internal", ".test")


def _is_private(host: str | None) -> bool:
    """This machine, an address of a private network (in brackets, too, as a host is written), or a name that only a
    local network knows."""
    host = (host or "").strip("[]")
    try:
        return _is_this_machine(host) or ipaddress.ip_address(host).is_private
    except ValueError:
        return host != "*" and ("." not in host or host.endswith(LOCAL_NAMES))


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
    """An invoice that says to transfer money must say where to. Money that is sent to an account with a wrong digit
    comes back after days, or never."""
    seller, problems = settings.SELLER, []
    if seller["iban"] and not seller["account_holder"]:
        problems.append(Error("SELLER_IBAN is set but SELLER_ACCOUNT_HOLDER is not.", id="billing_portal.E001"))
    if looks_like_iban(seller["iban"]) and not iban.is_valid(seller["iban"]):
        problems.append(Error("The check digits of SELLER_IBAN are wrong.", id="billing_portal.E009"))
    if seller["bic"] and not bic.is_valid(seller["bic"]):
        problems.append(Error("SELLER_BIC is not a BIC.", id="billing_portal.E009"))
    return [*problems]


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
def check_mail_security(**_options: Any) -> list[CheckMessage]:
    """Mails carry links that set a password."""
    mailer: dict[str, Any] = settings.MAILERS["default"]
    options = mailer.get("OPTIONS", {})
    if settings.DEBUG or "use_ssl" not in options or options["use_ssl"] or options["use_tls"]:
        return []
    if _is_this_machine(options["host"]):
        return []
    return [
        Caution(
            f"EMAIL_SECURITY is none: mails and the mail server's password go to {options['host']} unencrypted.",
            hint="Set EMAIL_SECURITY to ssl or starttls.",
            id="billing_portal.W002",
        )
    ]


@register(Tags.security, deploy=True)
def check_proxies(**_options: Any) -> list[CheckMessage]:
    """Behind a proxy that is not counted, everybody has the proxy's address, so the limits on wrong passwords of one
    stranger stop everybody."""
    if settings.DEBUG or not settings.HTTPS or settings.ALLAUTH_TRUSTED_PROXY_COUNT:
        return []
    return [
        Caution(
            "TRUSTED_PROXY_COUNT is 0 and PUBLIC_URL begins with https://: behind a proxy everybody would share one "
            "limit on sign-ins.",
            hint="Set TRUSTED_PROXY_COUNT to the number of reverse proxies in front of the portal.",
            id="billing_portal.W003",
        )
    ]


@register(Tags.security, deploy=True)
def check_sandbox(**_options: Any) -> list[CheckMessage]:
    """Allowed by name, so no error: somebody may show the portal to a customer with it."""
    if settings.DEBUG or "sandbox" not in settings.PAYMENT_GATEWAYS:
        return []
    return [
        Caution(
            "The sandbox gateway is in use and DEBUG is off: its payments mark invoices as paid and move no money.",
            hint="Name another gateway in PAYMENT_GATEWAYS.",
            id="billing_portal.W004",
        )
    ]


@register(Tags.security, deploy=True)
def check_tables_of_the_sandbox(**_options: Any) -> list[CheckMessage]:
    """They lie in a database of their own, which `migrate` alone passes over. `make run` makes them itself."""
    if settings.DEBUG or "sandbox" not in settings.PAYMENT_GATEWAYS:
        return []
    store = connections["sandbox"]
    was_open = store.connection is not None
    try:
        has_tables = CardPayment._meta.db_table in store.introspection.table_names()
    except DatabaseError as problem:
        return [Error(f"The sandbox's database does not open: {problem}", id="billing_portal.E011")]
    finally:
        if not was_open:
            store.close()
    if has_tables:
        return []
    hint = "Run manage.py migrate --database sandbox."
    return [Error("The sandbox's database has no tables.", hint=hint, id="billing_portal.E011")]


@register(Tags.security, deploy=True)
def check_stand_ins(**_options: Any) -> list[CheckMessage]:
    """A stand-in gets the secret key and every card."""
    gateways_in_use: dict[str, Any] = settings.PAYMENT_GATEWAYS
    return [
        Caution(
            f"{slug.upper()}_{name.upper()} is set and DEBUG is off: payments go to a stand-in at {address}.",
            hint="Remove it to reach the provider itself.",
            id="billing_portal.W005",
        )
        for slug, gateway in gateways_in_use.items()
        for name in ("api_base", "js_url")
        if not settings.DEBUG and (address := gateway.get("options", {}).get(name))
    ]


@register(Tags.security, deploy=True)
def check_second_factors(**_options: Any) -> list[CheckMessage]:
    """Staff move money and change who may; and SECRET_KEY is changed when it leaks, which must cost nobody their
    second factor."""
    problems: list[CheckMessage] = []
    if not settings.SECOND_FACTOR_KEYS:
        hint = "Give the secrets of second factors a key of their own; SECRET_KEY still decrypts what it encrypted."
        problems.append(Caution("PORTAL_SECOND_FACTOR_KEYS is not set.", hint=hint, id="billing_portal.W006"))
    if not settings.STAFF_SECOND_FACTOR:
        hint = "Leave out PORTAL_STAFF_SECOND_FACTOR, and PORTAL_DEMO where the portal is no demo."
        problems.append(Caution("Staff may sign in with a password alone.", hint=hint, id="billing_portal.W007"))
    return problems

"""System checks. Errors stop `manage.py check`, the web server and the worker; warnings come from `check --deploy`.
docs/configuration.md explains each."""

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution
from django.db import DatabaseError, connection, connections

from accounts.models import User
from billing_portal.core.iso_codes import is_current_currency
from billing_portal.demo.data import SIGN_INS
from invoices.money import Money
from payments.gateways.registry import gateways
from payments.gateways.sandbox.models import CardPayment

# The tag of what `manage.py check` looks up in the database as well, where Django would leave it out.
DEMO = "demo"
MIN_KEY_LENGTH, MIN_KEY_CHARACTERS = 50, 10


@register(Tags.security)
def check_secret_key(**_options: Any) -> Iterator[CheckMessage]:
    """Whoever guesses a key signs sessions and reset links with it. Django only warns."""
    keys = {"SECRET_KEY": str(settings.SECRET_KEY)}
    keys |= {f"SECRET_KEY_FALLBACKS[{index}]": str(key) for index, key in enumerate(settings.SECRET_KEY_FALLBACKS)}
    for name, key in keys.items():
        if len(key) < MIN_KEY_LENGTH or len(set(key)) < MIN_KEY_CHARACTERS or key.startswith("django-insecure-"):
            yield Error(
                f"{name} is easy to guess: it must have at least {MIN_KEY_LENGTH} characters, of which "
                f"{MIN_KEY_CHARACTERS} different, and not begin with django-insecure-.",
                hint='Make one: python -c "import secrets; print(secrets.token_urlsafe(50))"',
                id="billing_portal.E003",
            )


@register(Tags.security)
def check_demo(**_options: Any) -> Iterator[CheckMessage]:
    """The demo offers its password to whoever opens the sign-in page."""
    if settings.DEMO and not settings.DEBUG:
        yield Error("PORTAL_DEMO is on and DEBUG is off: a server must not run the demo.", id="billing_portal.E004")


@register(Tags.security, Tags.database, DEMO)
def check_demo_people(**_options: Any) -> Iterator[CheckMessage]:
    """Whoever knows the demo signs in as its people, one of whom is staff. An active address is enough: comparing
    passwords would cost each start a slow hash. Says nothing where the database does not answer or has no tables."""
    if settings.DEBUG:
        return
    was_open = connection.connection is not None
    try:
        emails = User.objects.filter(email__in=[person.email for person in SIGN_INS], is_active=True)
        demo_people = list(emails.order_by("email").values_list("email", flat=True))
    except DatabaseError:
        demo_people = []
    finally:
        if not was_open:
            connection.close()
    if demo_people:
        yield Error(
            f"The demo's people are in this database and DEBUG is off: {', '.join(demo_people)}. Their password is"
            " public.",
            hint="Use a database without demo data.",
            id="billing_portal.E005",
        )


@register(Tags.security)
def check_addresses(**_options: Any) -> Iterator[CheckMessage]:
    """What a developer's machine may do and a server must not: plain http, debug pages, any host name."""
    address = urlsplit(settings.PUBLIC_URL)
    public = [host for host in (address.hostname, *settings.ALLOWED_HOSTS) if not _is_private(host)]
    if settings.DEBUG and public:
        yield Error(
            f"DEBUG is on and the portal answers as {public[0]}: its error pages would show secrets.",
            hint="Turn DEBUG off; on a developer's machine remove PUBLIC_URL and ALLOWED_HOSTS.",
            id="billing_portal.E006",
        )
    if not settings.DEBUG and address.scheme != "https" and not _is_this_machine(address.hostname):
        yield Error(
            f"PUBLIC_URL is {settings.PUBLIC_URL}: without https, others can read passwords and sessions.",
            hint="Put a reverse proxy with a certificate in front, and begin PUBLIC_URL with https://.",
            id="billing_portal.E007",
        )
    if not settings.DEBUG and "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS holds *: a stranger could have links to their own host put into mails.",
            hint="Name the hosts under which browsers reach the portal.",
            id="billing_portal.E008",
        )


def _is_this_machine(host: str | None) -> bool:
    """``localhost``, or an address that never leaves the machine."""
    if host == "localhost" or (host or "").endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _is_private(host: str | None) -> bool:
    """This machine, an address of a private network (in brackets, too), or a name that only a local network knows."""
    host = (host or "").strip("[]")
    try:
        return _is_this_machine(host) or ipaddress.ip_address(host).is_private
    except ValueError:
        return host != "*" and ("." not in host or host.endswith((".local", ".internal", ".test")))


@register(Tags.security)
def check_gateways(**_options: Any) -> Iterator[CheckMessage]:
    """Each gateway says what is wrong with its configuration."""
    for gateway in gateways():
        for problem in gateway.checks():
            yield Error(f"{gateway.slug}: {problem}", id="payments.E001")


@register(Tags.security)
def check_limits(**_options: Any) -> Iterator[CheckMessage]:
    """Otherwise only the customer who meets a wrong limit, or the job that meets a wrong floor, would notice it."""
    limits = {
        "PORTAL_CARD_LIMITS": settings.CARD_LIMITS_FOR_WIRE,
        "PORTAL_DUNNING_FLOORS": settings.DUNNING_FLOORS,
        "PORTAL_WRITE_OFF_LIMITS": settings.WRITE_OFF_LIMITS,
    }
    for name, currency, amount in [(name, *entry) for name, amounts in limits.items() for entry in amounts.items()]:
        if not is_current_currency(currency):
            yield Error(f"{name}: {currency} is not a currency in use.", id="billing_portal.E002")
            continue
        try:
            Money.parse(amount, currency)
        except ValueError as error:
            yield Error(f"{name}, {currency}: {error}", id="billing_portal.E002")


@register(Tags.security, deploy=True)
def check_mail(**_options: Any) -> Iterator[CheckMessage]:
    """Without a mail server no invitation reaches anybody, and mails carry links that set a password."""
    mailer: dict[str, Any] = settings.MAILERS["default"]
    options = mailer.get("OPTIONS", {})
    if settings.DEBUG:
        return
    if mailer["BACKEND"] == "django.core.mail.backends.filebased.EmailBackend":
        directory = options["file_path"]
        yield Caution(f"EMAIL_HOST is not set: mails are written to files in {directory}.", id="billing_portal.W001")
    is_open = "use_ssl" in options and not options["use_ssl"] and not options["use_tls"]
    if is_open and not _is_this_machine(options["host"]):
        yield Caution(
            f"EMAIL_SECURITY is none: mails and the mail server's password go to {options['host']} unencrypted.",
            hint="Set EMAIL_SECURITY to ssl or starttls.",
            id="billing_portal.W002",
        )


@register(Tags.security, deploy=True)
def check_proxies(**_options: Any) -> Iterator[CheckMessage]:
    """Behind a proxy that is not counted, the limits on wrong passwords of one stranger stop everybody."""
    if not settings.DEBUG and settings.HTTPS and not settings.ALLAUTH_TRUSTED_PROXY_COUNT:
        yield Caution(
            "TRUSTED_PROXY_COUNT is 0 and PUBLIC_URL begins with https://: behind a proxy everybody would share one "
            "limit on sign-ins.",
            hint="Set TRUSTED_PROXY_COUNT to the number of reverse proxies in front of the portal.",
            id="billing_portal.W003",
        )


@register(Tags.security, deploy=True)
def check_some_gateway(**_options: Any) -> Iterator[CheckMessage]:
    """Allowed, because invoices can be paid by wire alone; pages and mails then offer no card."""
    if not settings.PAYMENT_GATEWAYS:
        yield Caution(
            "No payment gateway is configured: nobody can pay by card.",
            hint="Name one in PAYMENT_GATEWAYS.",
            id="billing_portal.W008",
        )


@register(Tags.security, deploy=True)
def check_pretended_payments(**_options: Any) -> Iterator[CheckMessage]:
    """The sandbox was allowed by name, so it is no error. A stand-in gets the provider's secret key and every card."""
    if settings.DEBUG:
        return
    gateways_in_use: dict[str, Any] = settings.PAYMENT_GATEWAYS
    if "sandbox" in gateways_in_use:
        yield Caution(
            "The sandbox gateway is in use and DEBUG is off: its payments mark invoices as paid and move no money.",
            hint="Name another gateway in PAYMENT_GATEWAYS.",
            id="billing_portal.W004",
        )
    for slug, gateway in gateways_in_use.items():
        for name in ("api_base", "js_url"):
            if address := gateway.get("options", {}).get(name):
                yield Caution(
                    f"{slug.upper()}_{name.upper()} is set and DEBUG is off: payments go to a stand-in at {address}.",
                    hint="Remove it to reach the provider itself.",
                    id="billing_portal.W005",
                )


@register(Tags.security, deploy=True)
def check_tables_of_the_sandbox(**_options: Any) -> Iterator[CheckMessage]:
    """They lie in a database of their own, which `migrate` alone passes over. `make run` makes them itself."""
    if settings.DEBUG or "sandbox" not in settings.PAYMENT_GATEWAYS:
        return
    store = connections["sandbox"]
    was_open = store.connection is not None
    problem, hint = "", "Run manage.py migrate --database sandbox."
    try:
        if CardPayment._meta.db_table not in store.introspection.table_names():
            problem = "The sandbox's database has no tables."
    except DatabaseError as error:
        problem, hint = f"The sandbox's database does not open: {error}", ""
    finally:
        if not was_open:
            store.close()
    if problem:
        yield Error(problem, hint=hint or None, id="billing_portal.E011")


@register(Tags.security, deploy=True)
def check_second_factors(**_options: Any) -> Iterator[CheckMessage]:
    """SECRET_KEY is changed when it leaks, which must cost nobody their second factor."""
    if not settings.SECOND_FACTOR_KEYS:
        hint = "Give the secrets of second factors a key of their own; SECRET_KEY still decrypts what it encrypted."
        yield Caution("PORTAL_SECOND_FACTOR_KEYS is not set.", hint=hint, id="billing_portal.W006")
    if not settings.STAFF_SECOND_FACTOR:
        hint = "Leave out PORTAL_STAFF_SECOND_FACTOR, and PORTAL_DEMO where the portal is no demo."
        yield Caution("Staff may sign in with a password alone.", hint=hint, id="billing_portal.W007")

"""Every address of the portal, every role, own and other scopes, signed in or not: who gets what.

A new address fails `test_every_address_is_listed` until it has a line in `ROUTES`. A line says which roles of the
portal may (``may``), which only know that the thing exists (``sees``, and get 403), and what somebody who may gets for
GET and POST, after typing their password once more where the page ``asks_password``. With ``started_by`` that holds for
whoever started the payment, and for no colleague whatever their role.
Everybody else gets 404, as if it did not exist; nobody who has not signed in gets past the sign-in page.
405 is the answer to a method that the page does not have.
"""

from typing import NamedTuple

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import connection, transaction
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.access import system_access
from accounts.models import (
    BillingContact,
    EmailChange,
    InvoiceSection,
    RoleAssignment,
    User,
    WireRequest,
)
from billing_portal.core.models import JobRun, OutgoingMail
from invoices.operations.credit_notes import credit_note
from payments.models import MethodSetup, Payment
from tests.factories import (
    NOW,
    TODAY,
    BillingProfileFactory,
    PaymentMethodFactory,
    UserFactory,
    issued,
    member,
    proven,
    who_signs_in,
)

PASSWORD = "seven purple bicycles"
ROLES = {
    "BAO": ("account", "account_owner"),
    "BAC": ("account", "account_contributor"),
    "BAR": ("account", "account_reader"),
    "BPO": ("profile", "profile_owner"),
    "BPC": ("profile", "profile_contributor"),
    "BPR": ("profile", "profile_reader"),
    "IM": ("profile", "invoice_manager"),
    "ISO": ("section", "section_owner"),
    "ISC": ("section", "section_contributor"),
    "ISR": ("section", "section_reader"),
}
OUTSIDERS = {
    "owner of another profile": ("sibling", "profile_owner"),
    "owner of another account": ("stranger", "account_owner"),
    "owner of a profile of another account": ("strange_profile", "profile_owner"),
}
STAFF, NOBODY, SIGNED_OUT = "staff without a role", "without a role", "signed out"
PEOPLE = [*ROLES, *OUTSIDERS, STAFF, NOBODY, SIGNED_OUT]

ACCOUNT = "BAO BAC BAR"
PROFILE = f"BPO BPC IM BPR {ACCOUNT}"
SECTION = "ISO ISC ISR"
PAYERS = "BPO BPC IM BAO"
MANAGERS = "BPO BPC BAO BAC"
EVERYBODY = "everybody"


class Route(NamedTuple):
    may: str
    get: int = 405
    post: int = 405
    sees: str = ""
    is_public: bool = False
    payment: str = "succeeded"
    started_by: bool = False
    asks_password: bool = False


ROUTES = {
    "home": Route(EVERYBODY, get=302),
    "scope-menu": Route(EVERYBODY, get=200),
    "search": Route(EVERYBODY, get=200),
    "security_activity": Route(EVERYBODY, get=200),
    "preferences": Route(EVERYBODY, post=302, is_public=True),
    "own_data": Route(EVERYBODY, get=200, post=200, asks_password=True),
    "healthz": Route(EVERYBODY, get=200, is_public=True),
    "worker-healthz": Route(EVERYBODY, get=200, is_public=True),
    # One's own address; the key in a link is checked by tests/accounts/test_addresses.py, and this one is wrong.
    "account_email": Route(EVERYBODY, get=200, post=422, asks_password=True),
    "account_withdraw_email": Route(EVERYBODY, post=302),
    "account_confirm_email": Route(EVERYBODY, get=404, post=404),
    "mfa_index": Route(EVERYBODY, get=200),
    "second_factor_back": Route(EVERYBODY, get=302, post=302),
    # Of a security key that is not one's own.
    "mfa_remove_webauthn": Route(EVERYBODY, get=404, post=404, asks_password=True),
    "account_cancel_email": Route(EVERYBODY, get=404, post=404, is_public=True),
    "accounts:scopes": Route(EVERYBODY, get=200),
    "accounts:account": Route(ACCOUNT, get=200),
    "accounts:account_access": Route(ACCOUNT, get=200),
    "accounts:second_factor": Route("BAO", get=200, post=400, sees=ACCOUNT),
    "accounts:properties": Route(PROFILE, get=200),
    "accounts:access": Route(PROFILE, get=200),
    "accounts:contacts": Route(PROFILE, get=200),
    "accounts:choose_mails": Route(MANAGERS, post=302, sees=PROFILE),
    "accounts:add_contact": Route(MANAGERS, post=422, sees=PROFILE),
    "accounts:remove_contact": Route(MANAGERS, post=302, sees=PROFILE),
    "accounts:wire_request": Route(PROFILE, get=200, post=422),
    "accounts:withdraw_wire_request": Route("BPO BPC BAO BAC", post=302, sees=PROFILE),
    "accounts:section": Route(f"{PROFILE} {SECTION}", get=200),
    "invoices:list": Route(PROFILE, get=200),
    "invoices:csv": Route(PROFILE, get=200),
    "invoices:xlsx": Route(PROFILE, get=200),
    "invoices:detail": Route(PROFILE, get=200),
    "invoices:pdf": Route(PROFILE, get=200),
    "invoices:document": Route(PROFILE, get=200),
    "invoices:page": Route(PROFILE, get=200),
    "invoices:xml": Route(PROFILE, get=404),  # of an invoice that is no e-invoice
    "invoices:credit_note_xml": Route(PROFILE, get=404),
    "invoices:sending": Route(PROFILE, get=200),
    "invoices:choose_sending": Route(MANAGERS, post=422, sees=PROFILE),
    # Whoever answers has the token of the access point.
    "invoices:einvoice_response": Route(EVERYBODY, post=403, is_public=True),
    "invoices:usage_csv": Route(PROFILE, get=404),  # of an invoice that was not made from charges
    "invoices:usage_xlsx": Route(PROFILE, get=404),
    "invoices:payment_code": Route(PROFILE, get=200),
    "invoices:credit_note_pdf": Route(PROFILE, get=200),
    "invoices:credits": Route(PROFILE, get=200),
    "invoices:credits_csv": Route(PROFILE, get=200),
    "invoices:credits_xlsx": Route(PROFILE, get=200),
    "payments:pay": Route(PAYERS, get=200, post=422, sees=PROFILE),
    "payments:for_invoice": Route(PROFILE, get=200),
    "payments:latest": Route(PROFILE, get=302),
    "payments:history": Route(PROFILE, get=200),
    "payments:detail": Route(PROFILE, get=200),
    "payments:receipt": Route(PROFILE, get=200),
    "payments:return": Route(PROFILE, get=303),
    "payments:challenge": Route(PAYERS, get=303, sees=PROFILE, payment="needs_customer", started_by=True),
    "payments:cancel": Route(PAYERS, post=303, sees=PROFILE, payment="needs_customer"),
    "payments:statement": Route(PROFILE, get=200),
    "payments:statement_pdf": Route(PROFILE, get=200),
    "payments:methods": Route(PROFILE, get=200),
    "payments:add_method": Route(MANAGERS, get=200, post=422, sees=PROFILE),
    # Somebody else's attempt to add a card: even who may add cards finds none.
    "payments:adding": Route(MANAGERS, get=404, sees=PROFILE),
    "payments:added": Route(MANAGERS, get=404, sees=PROFILE),
    "payments:set_default_method": Route(MANAGERS, post=302, sees=PROFILE),
    "payments:make_default": Route(MANAGERS, post=302, sees=PROFILE),
    "payments:remove_method": Route(MANAGERS, get=200, post=302, sees=PROFILE),
    "payments:backup": Route(MANAGERS, post=400, sees=PROFILE),
    "payments:autopay": Route(MANAGERS, post=400, sees=PROFILE),
    "payments:webhook": Route(EVERYBODY, post=400, is_public=True),
    "sandbox-tokens": Route(EVERYBODY, post=400),
    # The bank's page stands outside the portal; its address is a secret of its own, and this one is wrong.
    "sandbox-challenge": Route(EVERYBODY, get=404, post=404, is_public=True),
}

# Addresses that are not ours: those of Django's admin have tests in tests/test_library_pages.py.
LIBRARIES = ("admin/", "account/")


class LibraryRoute(NamedTuple):
    """A page of the sign-in library: what a bare GET and POST get signed out, and signed in, by whoever it is. They are
    about the person who asks, so no role matters; a place to be sent to is named by its route."""

    signed_out: tuple[int | str, int | str]
    signed_in: tuple[int | str, int | str]


SIGN_IN, HOME, AGAIN = "account_login", "home", "account_reauthenticate"
GUARDED = (SIGN_IN, SIGN_IN)
LIBRARY_ROUTES = {
    "account_login": LibraryRoute((200, 200), (HOME, HOME)),
    "account_logout": LibraryRoute((HOME, HOME), (200, HOME)),
    "account_inactive": LibraryRoute((200, 405), (200, 405)),
    "account_signup": LibraryRoute((200, 200), (HOME, HOME)),  # says that it is closed
    "account_reauthenticate": LibraryRoute(GUARDED, (200, 200)),
    "account_request_reauthentication_code": LibraryRoute(GUARDED, (403, 403)),  # codes by mail are off
    "account_confirm_reauthentication_code": LibraryRoute(GUARDED, (403, 403)),
    "account_email_verification_sent": LibraryRoute((200, 405), (200, 405)),
    "account_change_password": LibraryRoute(GUARDED, (200, 200)),
    "account_set_password": LibraryRoute(GUARDED, ("account_change_password", "account_change_password")),
    "account_reset_password": LibraryRoute((200, 200), (200, 200)),
    "account_reset_password_done": LibraryRoute((200, 405), (200, 405)),
    "account_reset_password_from_key": LibraryRoute((200, 200), (200, 200)),  # says that the link no longer works
    "account_reset_password_from_key_done": LibraryRoute((200, 405), (200, 405)),
    "account_confirm_login_code": LibraryRoute(GUARDED, (HOME, HOME)),  # codes by mail are off
    "mfa_authenticate": LibraryRoute(GUARDED, (HOME, HOME)),
    "mfa_login_webauthn": LibraryRoute(GUARDED, (HOME, HOME)),
    "mfa_reauthenticate": LibraryRoute(GUARDED, (AGAIN, AGAIN)),
    "mfa_reauthenticate_webauthn": LibraryRoute(GUARDED, (AGAIN, AGAIN)),
    "mfa_activate_totp": LibraryRoute(GUARDED, (AGAIN, AGAIN)),
    "mfa_deactivate_totp": LibraryRoute(GUARDED, (404, 404)),
    "mfa_generate_recovery_codes": LibraryRoute(GUARDED, (AGAIN, AGAIN)),
    "mfa_view_recovery_codes": LibraryRoute(GUARDED, (404, 405)),
    "mfa_download_recovery_codes": LibraryRoute(GUARDED, (404, 404)),
    "mfa_list_webauthn": LibraryRoute(GUARDED, (200, 405)),
    "mfa_add_webauthn": LibraryRoute(GUARDED, (AGAIN, AGAIN)),
    "mfa_edit_webauthn": LibraryRoute(GUARDED, (AGAIN, AGAIN)),  # of somebody else's security key
}
UNGUARDED_BY_CSRF = {"payments:webhook", "invoices:einvoice_response"}


def routes(patterns=None, prefix="", names=()):
    """``(name, the address's parameters, view)`` of every address but the libraries'. Some of those have a decorator
    of ours around them."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            if str(pattern.pattern) not in LIBRARIES:
                inner = (*names, pattern.namespace) if pattern.namespace else names
                yield from routes(pattern.url_patterns, prefix + str(pattern.pattern), inner)
        elif pattern.name not in LIBRARY_ROUTES:
            yield ":".join((*names, pattern.name or prefix)), pattern


@pytest.fixture
def world(db):
    """One profile with one of everything; the profile beside it; and another customer."""
    JobRun.objects.create(started_at=timezone.now(), origin="worker")
    profile = BillingProfileFactory()
    invoice = issued(profile)
    note = credit_note(
        access=system_access(), invoice_id=issued(profile).pk, reason="Billed too much", today=TODAY, at=NOW
    )
    payment = Payment.objects.create(
        profile=profile, amount_minor=100, currency="EUR", started_at=NOW, gateway="sandbox"
    )
    payment.allocations.create(invoice=invoice, amount_minor=100, is_open=False)
    strange_profile = BillingProfileFactory()
    return {
        "account": profile.account,
        "profile": profile,
        "section": InvoiceSection.objects.create(profile=profile, name="Marketing"),
        "invoice": invoice,
        "note": note,
        "payment": payment,
        "method": PaymentMethodFactory(profile=profile),
        "contact": BillingContact.objects.create(profile=profile, email="payable@example.com"),
        "wire_request": WireRequest.objects.create(profile=profile, requested_at=NOW, requested_by=UserFactory()),
        "setup": MethodSetup.objects.create(
            profile=profile, gateway="sandbox", status="needs_customer", created_at=NOW, created_by=UserFactory()
        ),
        "sibling": BillingProfileFactory(account=profile.account),
        "strange_profile": strange_profile,
        "stranger": strange_profile.account,
    }


def address(name, world):
    values = {
        "account": world["account"].code,
        "profile": world["profile"].code,
        "section": world["section"].pk,
        "number": world["invoice"].number,
        "page": 1,
        "note": world["note"].number,
        "reference": world["payment"].reference,
        "method_id": world["method"].pk,
        "contact_id": world["contact"].pk,
        "key": world["setup"].key,
        "pk": 0,
        "gateway": "sandbox",
        "challenge": "no-such-challenge",
    }
    pattern = dict(routes())[name]
    return reverse(name, kwargs={key: values[key] for key in pattern.pattern.converters})


def signed_in(person, world, *, types_password=False):
    """A browser of this person, who has just been given the role, and may just have typed their password."""
    client = Client()
    if person == SIGNED_OUT:
        return client
    if person in (STAFF, NOBODY):
        user = UserFactory(is_staff=person == STAFF)
    else:
        scope, role = {**ROLES, **OUTSIDERS}[person]
        user = member(world[scope], role)
    client.force_login(proven(user, PASSWORD))
    if types_password:
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return client


def expected(route, person, method):
    status = route.get if method == "get" else route.post
    if person == SIGNED_OUT and not route.is_public:
        return 302
    if status == 405 or route.may == EVERYBODY or person in route.may.split():
        return status
    return 403 if person in route.sees.split() else 404


TRACES = """
    SELECT 'payment', CAST(id AS text), status, '' FROM payments_payment
    UNION ALL SELECT 'card', CAST(id AS text), status || is_default, CAST(backup_order AS text)
        FROM payments_paymentmethod
    UNION ALL SELECT 'profile', CAST(id AS text), CAST(charges_automatically AS text), '' FROM accounts_billingprofile
    UNION ALL SELECT 'setup', CAST(id AS text), status, '' FROM payments_methodsetup
    UNION ALL SELECT 'contact', CAST(id AS text), email, '' FROM accounts_billingcontact
    UNION ALL SELECT 'wire', CAST(id AS text), status, '' FROM accounts_wirerequest
    UNION ALL SELECT 'refunds', CAST(COUNT(*) AS text), '', '' FROM payments_refund
    UNION ALL SELECT 'roles', CAST(COUNT(*) AS text), '', '' FROM accounts_roleassignment
    UNION ALL SELECT 'audit', CAST(COUNT(*) AS text), '', '' FROM accounts_auditentry
    ORDER BY 1, 2"""


def traces():
    """What a refused request must leave as it was; in one query, for there are thousands of requests."""
    with connection.cursor() as cursor:
        cursor.execute(TRACES)
        return cursor.fetchall()


def test_every_address_is_listed():
    assert {name for name, _pattern in routes()} == set(ROUTES)


def wrong_answers(name, person, world):
    """What this person gets at this address, where it is not what `ROUTES` says."""
    route, url = ROUTES[name], address(name, world)
    client = signed_in(person, world, types_password=route.asks_password)
    if route.started_by:
        Payment.objects.update(started_by=client.session.get("_auth_user_id"))
    for method in ("get", "post"):
        wanted = expected(route, person, method)
        is_refused = wanted in (403, 404, 405) or (person == SIGNED_OUT and not route.is_public)
        before = traces() if is_refused else None
        response = getattr(client, method)(url)
        if response.streaming:
            b"".join(response.streaming_content)  # which closes the file
        if response.status_code != wanted:
            yield f"{method} as {person}: {response.status_code}, not {wanted}"
        if is_refused and traces() != before:
            yield f"{method} as {person} was refused, and yet something was written"
        if person == SIGNED_OUT and not route.is_public and not response.url.startswith(reverse("account_login")):
            yield f"{method} as {person} leads to {response.url}"


@pytest.mark.parametrize("name", ROUTES)
def test_who_gets_what(world, name):
    wrong = []
    Payment.objects.update(status=ROUTES[name].payment)
    for person in PEOPLE:
        savepoint = transaction.savepoint_create()
        wrong += wrong_answers(name, person, world)
        transaction.savepoint_rollback(savepoint)
    assert wrong == []


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.started_by])
@pytest.mark.parametrize("person", [*PAYERS.split(), "automatic"])
def test_what_one_person_started_is_for_no_colleague_whatever_their_role(world, name, person):
    starter = None if person == "automatic" else member(world["profile"], "profile_owner")
    Payment.objects.update(status=ROUTES[name].payment, started_by=starter)
    client, before = signed_in("BPO" if person == "automatic" else person, world), traces()
    assert client.get(address(name, world)).status_code == 403
    assert traces() == before


@pytest.mark.parametrize("name", [name for name, pattern in routes() if "number" in pattern.pattern.converters])
def test_an_invoice_of_one_profile_is_not_found_under_another(client, world, name):
    """Not even by somebody who may do everything on both."""
    client.force_login(member(world["account"], "account_owner"))
    world["invoice"] = issued(world["sibling"])
    assert client.get(address(name, world)).status_code == 404


@pytest.mark.parametrize(
    ("name", "method"), [("detail", "get"), ("receipt", "get"), ("return", "get"), ("cancel", "post")]
)
def test_a_payment_of_one_profile_is_not_found_under_another(client, world, name, method):
    client.force_login(member(world["account"], "account_owner"))
    world["profile"] = world["sibling"]
    assert getattr(client, method)(address(f"payments:{name}", world)).status_code == 404


@pytest.mark.parametrize("name", ["make_default", "remove_method", "backup"])
def test_a_card_of_one_profile_is_not_found_under_another(client, world, name):
    client.force_login(member(world["account"], "account_owner"))
    world["profile"] = world["sibling"]
    before = traces()
    assert client.post(address(f"payments:{name}", world)).status_code == 404
    assert traces() == before


def test_only_listed_addresses_accept_a_post_from_another_site():
    open_to_all = {name for name, pattern in routes() if getattr(pattern.callback, "csrf_exempt", False)}
    assert open_to_all == UNGUARDED_BY_CSRF


def library_routes(patterns=None, parameters=frozenset()):
    """``(name, names of the address's parameters)`` of every address of the sign-in library, but those that our own
    pages stand before."""
    if patterns is None:
        patterns = [one for one in get_resolver().url_patterns if str(one.pattern) == "account/"]
    for pattern in patterns:
        here = parameters | set(pattern.pattern.converters) | set(pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            yield from library_routes(pattern.url_patterns, here)
        elif pattern.name not in ROUTES:
            yield pattern.name, here


PEOPLE_OF_THE_LIBRARY = {
    SIGNED_OUT: None,
    "customer": {},
    "clerk": {"is_staff": True},
    "superuser": {"is_staff": True, "is_superuser": True},
}


def identities():
    """What no bare request may change: who has which address, password, second factor and power."""
    return [
        list(User.objects.order_by("pk").values_list("pk", "email", "password", "is_staff", "is_superuser")),
        list(EmailAddress.objects.order_by("pk").values_list("user", "email", "verified", "primary")),
        list(Authenticator.objects.order_by("pk").values_list("user", "type", "data")),
        EmailChange.objects.count(),
        OutgoingMail.objects.count(),
    ]


def test_every_address_of_the_sign_in_library_is_listed():
    assert {name for name, _parameters in library_routes()} == set(LIBRARY_ROUTES)


@pytest.mark.parametrize("person", PEOPLE_OF_THE_LIBRARY)
@pytest.mark.parametrize("name", LIBRARY_ROUTES)
def test_who_gets_what_of_the_sign_in_library(profile, name, person):
    key = Authenticator.objects.create(user=UserFactory(), type="webauthn", data={"name": "Key", "credential": {}})
    values = {"uidb36": "1", "key": "set-password", "pk": key.pk}
    url = reverse(name, kwargs={parameter: values[parameter] for parameter in dict(library_routes())[name]})
    powers = PEOPLE_OF_THE_LIBRARY[person]
    user = who_signs_in(PASSWORD, **powers) if powers is not None else None
    if person == "customer":
        RoleAssignment.objects.create(user=user, role="account_owner", account=profile.account)
    before = identities()
    route = LIBRARY_ROUTES[name]
    for method, wanted in zip(("get", "post"), route.signed_out if user is None else route.signed_in, strict=True):
        client = Client()
        if user is not None:
            client.force_login(user)
        response = getattr(client, method)(url)
        if isinstance(wanted, int):
            assert response.status_code == wanted, method
        else:
            assert (response.status_code, response.url.partition("?")[0]) == (302, reverse(wanted)), method
    assert identities() == before


@pytest.mark.parametrize("name", ["mfa_edit_webauthn", "mfa_remove_webauthn"])
def test_a_security_key_of_somebody_else_is_not_found(client, db, name):
    key = Authenticator.objects.create(user=UserFactory(), type="webauthn", data={"name": "Key", "credential": {}})
    person = who_signs_in(PASSWORD)
    client.force_login(person)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    for method in (client.get, client.post):
        assert method(reverse(name, args=[key.pk]), {"name": "Mine"}).status_code == 404
    key.refresh_from_db()
    assert key.data["name"] == "Key"

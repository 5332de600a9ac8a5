"""What the portal asks of the sign-in library (django-allauth).

Nobody opens an account alone. The library's mails are rows of the outbox like any other. Second factors have their
secrets encrypted, and a change of one ends the person's other sessions. What happens at the door is audited
(`billing_portal.security_events`). Wrong passwords are counted for each network, and for each address within a network,
so that nobody is locked out by strangers elsewhere; codes of a second factor for each person.
"""

import ipaddress
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.internal.stagekit import clear_login, unstash_login
from allauth.account.utils import get_next_redirect_url
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.ratelimit import get_ip
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.views import index
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView
from allauth.mfa.webauthn.views import remove_webauthn
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.generic import FormView

from accounts import audit, second_factors
from accounts.access import has_second_factor
from accounts.decorators import signed_in
from accounts.models import User
from accounts.operations.addresses import change_password, queue_password_link
from accounts.operations.people import choose_preferences
from accounts.operations.second_factors import NEEDED, end_sessions, is_needed
from accounts.second_factors import UnreadableSecret
from accounts.sessions import locked_person
from billing_portal import security_events
from billing_portal.core.outbox import queue, queue_to

# In the session of who was sent to set up a second factor: the ``page`` they wanted, if it is for staff, if it is open.
WAY_BACK = "way_back"
# In the session of somebody who has to prove more before they are signed in: what it would have to carry if they were.
BEGUN_BY = "sign_in_begun_by"


class InvitedOnly(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002  allauth passes it
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """An IPv4 address as such, also where it is written as IPv6: the limits hold for networks of IPv6, and all of
        IPv4 would be one. Raises PermissionDenied where the header names fewer addresses than TRUSTED_PROXY_COUNT."""
        count, named = settings.ALLAUTH_TRUSTED_PROXY_COUNT, request.headers.get("X-Forwarded-For", "").split(",")
        if count and (len(named) < count or not named[-count].strip()):
            raise PermissionDenied("X-Forwarded-For does not match TRUSTED_PROXY_COUNT.")
        address = ipaddress.ip_address(super().get_client_ip(request))
        return str(getattr(address, "ipv4_mapped", None) or address)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Wrong passwords are counted by the address typed and the network: one address of IPv4, a /64 of IPv6. The
        host that the browser named is left out: with another port it would be counted anew."""
        return f"{credentials.get('email', '')} {get_ip(request)}"

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The person whose password it is. Raises ValidationError after too many wrong ones."""
        try:
            return super().authenticate(request, **credentials)
        except ValidationError:
            what = "reauthentication" if security_events.signed_in(request) else "sign_in"
            security_events.attempts_blocked(request, what, address=credentials.get("email", ""))
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        super().authentication_failed(request, **credentials)
        security_events.attempt_failed(request, address=credentials.get("email", ""))

    def pre_login(self, request: HttpRequest, user: User, **login: Any) -> HttpResponse | None:
        """After the first proof of who somebody is. What would end a session from here on ends this sign-in too."""
        response = super().pre_login(request, user, **login)
        if response is None:
            request.session[BEGUN_BY] = user.get_session_auth_hash()
        return response

    def login(self, request: HttpRequest, user: User) -> None:
        """After the last proof. Raises ImmediateHttpResponse when `ended_meanwhile` answers."""
        user.refresh_from_db()  # the proof took a while: hashing a password, or looking at codes
        if response := ended_meanwhile(request, user):
            raise ImmediateHttpResponse(response)
        del request.session[BEGUN_BY]
        super().login(request, user)
        if not user.language:  # of the browser, so that mails follow it until another is chosen
            choose_preferences(user=user, language=get_language() or "en")

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        security_events.inactive_person_refused(request, user)
        return super().respond_user_inactive(request, user)

    def set_password(self, user: User, password: str) -> None:
        """By the person who is signed in. ``user`` was read before the lock, so nothing else of it is written."""
        user.password = make_password(password)  # takes a while, so not under the lock
        with locked_person(context.request) as person:
            change_password(person=person, encoded=user.password, at=timezone.now())

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:  # noqa: ARG002  allauth passes it
        queue_password_link(user, at=timezone.now(), language=get_language() or "")

    def send_confirmation_mail(self, request: HttpRequest, emailconfirmation: Any, signup: bool) -> None:  # noqa: ARG002  allauth passes it
        """At the sign-in of somebody whose mailbox has never answered: our link proves it."""
        user = emailconfirmation.email_address.user
        queue_password_link(user, at=timezone.now(), language=get_language() or "")

    def send_notification_mail(self, template_prefix: str, user: User, *_args: Any, **_options: Any) -> None:
        """Tells somebody what was done to their account, from where and with what browser."""
        event, at = template_prefix.rpartition("/")[2], timezone.now()
        if event == "password_reset" and user.last_login is None:
            return  # the first password, chosen by the link of an invitation
        facts = {"event": event, "moment": at.isoformat(), "ip_address": "", **audit.origin()}
        key = f"security-{event}-{user.pk}-{at.isoformat()}"
        queue(key=key, to=user, template="security_notice", context=facts, at=at)

    def send_mail(self, template_prefix: str, email: str, _context: dict[str, Any]) -> None:
        """The only other mail of the library that the portal has a use for."""
        if template_prefix != "account/email/unknown_account":
            raise NotImplementedError(f"The portal has no mail for {template_prefix}.")
        key, language = f"unknown-address-{secrets.token_hex(16)}", get_language() or "en"
        context = {"email": email}
        queue_to(
            key=key, email=email, language=language, template="unknown_address", context=context, at=timezone.now()
        )

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Who has a second factor confirms with it: the password alone would let whoever knows it take it away."""
        methods = super().get_reauthentication_methods(user)
        return [method for method in methods if method["id"] != "reauthenticate"] or methods


class SecondFactors(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {"cannot_delete_authenticator": NEEDED}

    def encrypt(self, text: str) -> str:
        return second_factors.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return second_factors.decrypt(encrypted_text)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return not is_needed(authenticator)


def ended_meanwhile(request: HttpRequest, user: User) -> HttpResponse | None:
    """The answer to somebody whose sign-in cannot be ended with a second factor: they were deactivated meanwhile, or
    password, address or second factor changed. None when it can."""
    if user.is_active and constant_time_compare(request.session.get(BEGUN_BY, ""), user.get_session_auth_hash()):
        return None
    clear_login(request)
    if not user.is_active:
        return get_adapter(request).respond_user_inactive(request, user)
    messages.error(request, _("Your sign-in has ended meanwhile. Begin again."))
    return redirect("account_login")


def second_factor_asked_for(page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorates the page that asks for the second factor: no code is used up for a sign-in that has ended."""

    @wraps(page)
    def wrapped(request: HttpRequest, **parts: Any) -> HttpResponse:
        login = unstash_login(request, peek=True)
        ended = ended_meanwhile(request, login.user) if login is not None and login.user is not None else None
        return ended or page(request, **parts)

    return wrapped


def changes_second_factors(page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorates a page of allauth on which people change their own second factors. The change, its entries in the audit
    and the end of the person's other sessions are one commit.

    What changed is read from the rows: allauth sends its signals outside the transaction of a change. The DELETE that
    Django's views answer would pass by what allauth does on a POST.
    """

    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(page)
    def wrapped(request: HttpRequest, **parts: Any) -> HttpResponse:
        if request.method != "POST":
            return page(request, **parts)
        with locked_person(request) as person:  # of two that are removed at the same moment, one is the last
            factors = Authenticator.objects.filter(user=person).order_by("pk").values_list("pk", "type")
            before = dict(factors)
            response = page(request, **parts)
            after = dict(factors.all())
            if after != before:
                security_events.second_factors_changed(person, before=before, after=after)
                end_sessions(person)
                update_session_auth_hash(request, person)
                if WAY_BACK in request.session and after.keys() - before:
                    request.session[WAY_BACK] = {**request.session[WAY_BACK], "is_open": True}
        return response

    return wrapped


def shows_recovery_codes(page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorates a page of allauth that shows recovery codes. It notes the first look in the column that says which
    codes were used, so the row is locked first: a code that is used at the same moment stays used."""

    @wraps(page)
    def wrapped(request: HttpRequest, **parts: Any) -> HttpResponse:
        codes = Authenticator.objects.filter(user=request.user.pk, type=Authenticator.Type.RECOVERY_CODES)
        with transaction.atomic():
            list(codes.select_for_update(of=("self",)))
            return page(request, **parts)

    return wrapped


class NewRecoveryCodes(GenerateRecoveryCodesView):
    """New codes are offered as well where no key decrypts the present ones, which cannot be counted then."""

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        try:
            return super().get_context_data(**context)
        except UnreadableSecret:
            return FormView.get_context_data(self, **context) | {"unused_code_count": 0}


def second_factor_pages(request: HttpRequest) -> HttpResponse:
    """``next`` is the page that the person wanted, kept until they can go on."""
    wanted = get_next_redirect_url(request)
    if wanted and wanted.startswith("/"):
        is_staff_page, is_open = wanted.startswith(reverse("admin:index")), has_second_factor(signed_in(request))
        request.session[WAY_BACK] = {"page": wanted, "is_staff_page": is_staff_page, "is_open": is_open}
    return index(request)


def go_back(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(request.session.pop(WAY_BACK, {}).get("page", reverse("home")))


def remove_key(request: HttpRequest, pk: int) -> HttpResponse:
    """allauth asks `can_delete_authenticator` for an authenticator app only."""
    key = Authenticator.objects.filter(user=request.user.pk, type=Authenticator.Type.WEBAUTHN, pk=pk).first()
    if key is not None and is_needed(key):
        messages.error(request, str(NEEDED))
        return redirect("mfa_list_webauthn")
    return remove_webauthn(request, pk=pk)

"""What happens around signing in, written to the audit trail with the internet address and the browser it came from.

allauth does the signing in; its signals and the hooks of its adapter (`billing_portal.sign_in`) and forms
(`billing_portal.sign_in_forms`) end here. An entry is about a person (``person``), and done by somebody (``actor``):
nobody, until they have proved who they are. An entry that cannot be written fails the request, so that nobody is let in
unseen. Anybody can ask for what `_record_attempt` guards, so each network leaves only so many entries about a person,
and about all addresses that nobody has together; what goes beyond is in the log.
"""

from typing import Any

import structlog
from allauth.account.authentication import get_authentication_records
from allauth.account.signals import user_logged_in
from allauth.core.internal import ratelimit
from allauth.mfa import signals as second_factors
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from accounts import audit
from accounts.access import Access
from accounts.models import User

# Of one network, about one person or about nobody that there is.
ATTEMPTS = "20/h/ip"
LOCKOUTS = "1/5m/ip"
# What somebody was doing when allauth answered that it was too much, by the name of the page.
BLOCKED_ON = {
    **dict.fromkeys(("account_login", "mfa_login_webauthn"), "sign_in"),
    **dict.fromkeys(("account_change_password", "account_set_password"), "password"),
    **dict.fromkeys(("account_reset_password", "account_reset_password_from_key"), "password"),
    **dict.fromkeys(
        ("account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"), "reauthentication"
    ),
}

log = structlog.get_logger("portal.security")


def attempt_failed(request: HttpRequest, *, address: str = "", methods: tuple[str, ...] = ("password",)) -> None:
    """Somebody could not prove who they are: at signing in, or once more while they are signed in."""
    user = signed_in(request)
    person = user or person_with(address)
    action = "reauthentication.failed" if user else "sign_in.failed"
    _record_attempt(request, action, person=person, address=address, methods=methods)


def attempts_blocked(request: HttpRequest, what: str, *, address: str = "", person: User | None = None) -> None:
    """A limit was reached. ``what`` is the first part of an action ``<what>.blocked``."""
    person = signed_in(request) or person or person_with(address)
    _record_attempt(request, f"{what}.blocked", person=person, address=address)


def inactive_person_refused(request: HttpRequest, person: User) -> None:
    """Somebody with the right password who may not sign in any more."""
    _record_attempt(request, "sign_in.refused", person=person)


def reset_requested(request: HttpRequest, address: str) -> None:
    """A link to set a new password was asked for, whether somebody has the address or not."""
    _record_attempt(request, "password.reset_requested", person=person_with(address), address=address)


def record(action: str, *, person: User | None, by: User | None, address: str = "", **detail: Any) -> None:
    subject = person.email if person is not None else address.replace("\x00", "")
    audit.record(access=Access(user=by), at=timezone.now(), action=action, subject=subject, person=person, **detail)


def person_with(address: str) -> User | None:
    """Who could sign in with an address. PostgreSQL takes no NUL, and nobody's address has one."""
    if not address or "\x00" in address:
        return None
    return User.objects.filter(email__iexact=address).first()


def signed_in(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


def _record_attempt(
    request: HttpRequest, action: str, *, person: User | None, address: str = "", **detail: Any
) -> None:
    """By whoever is signed in, who may ask for a link about somebody else too. Limited in number: see above."""
    name = f"{action}:{person.pk if person is not None else 'unknown'}"
    rate = LOCKOUTS if action.endswith(".blocked") else ATTEMPTS
    if ratelimit.consume(request, app="billing_portal", action=name, config={name: rate}, limit_get=True) is not None:
        record(action, person=person, by=signed_in(request), address=address, **detail)
    else:
        log.warning("security event beyond its limit", action=action, person=person.pk if person is not None else None)


@receiver(user_logged_in)
def _signed_in(request: HttpRequest, user: User, **_more: Any) -> None:
    records = get_authentication_records(request, user)
    methods = ["passkey" if row.get("passwordless") else row.get("type", row["method"]) for row in records]
    record("sign_in.succeeded", person=user, by=user, methods=list(dict.fromkeys(methods)))


@receiver(user_logged_out)
def _signed_out(user: User | AnonymousUser | None, **_more: Any) -> None:
    if isinstance(user, User):
        record("sign_out.succeeded", person=user, by=user)


def second_factors_changed(person: User, *, before: dict[int, str], after: dict[int, str]) -> None:
    """For the transaction of the change, with the types by their ids. Replaced recovery codes leave one entry."""
    removed = [kind for key, kind in before.items() if key not in after]
    added = [kind for key, kind in after.items() if key not in before]
    codes = Authenticator.Type.RECOVERY_CODES.value
    if codes in removed and codes in added:
        removed.remove(codes)
        added.remove(codes)
        record("recovery_codes.renewed", person=person, by=person)
    for kind in removed:
        record("second_factor.removed", person=person, by=person, methods=[kind])
    for kind in added:
        record("second_factor.added", person=person, by=person, methods=[kind])


@receiver(second_factors.authenticator_used)
def _second_factor_used(user: User, authenticator: Authenticator, **_more: Any) -> None:
    """Which other factor was used stands with the sign-in; a recovery code is used up."""
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        authenticator = Authenticator.objects.get(pk=authenticator.pk)  # the one at hand does not know that it was used
        left = len(authenticator.wrap().get_unused_codes())
        record("recovery_code.used", person=user, by=user, left=left)


@receiver(second_factors.authentication_failed)
def _second_factor_failed(request: HttpRequest, user: User, authenticator: Authenticator, **_more: Any) -> None:
    second_factor_failed(request, user, str(authenticator.type))


def second_factor_failed(request: HttpRequest, person: User, method: str) -> None:
    """At signing in, after the right password; or when a person who is signed in has to prove it once more."""
    action = "reauthentication.failed" if signed_in(request) else "second_factor.failed"
    _record_attempt(request, action, person=person, methods=[method])

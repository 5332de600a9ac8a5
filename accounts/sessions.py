"""What people do to their own account: under a lock, and only while the session in which they do it is still theirs."""

from collections.abc import Iterator
from contextlib import contextmanager

from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib import messages
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from accounts.models import User


@contextmanager
def locked_person(request: HttpRequest) -> Iterator[User]:
    """A transaction in which the row of whoever is signed in is locked and read again. Yields the row.

    The session may have ended while the request waited for the lock. Then nothing is done, and it stays ended: writing
    its hash again (`update_session_auth_hash`) would revive it. Raises ImmediateHttpResponse, which allauth's
    middleware answers with the way to the sign-in page.
    """
    assert isinstance(request.user, User)  # noqa: S101  the login middleware let nobody else through
    with transaction.atomic():
        # New recovery codes take the same lock in allauth.
        person = User.objects.select_for_update().get(pk=request.user.pk)
        if _is_valid(request, person):
            yield person
            return
    request.session.flush()
    request.user = AnonymousUser()
    messages.error(request, _("Your session has ended, and nothing was changed. Sign in again."))
    raise ImmediateHttpResponse(redirect("account_login"))


def _is_valid(request: HttpRequest, person: User) -> bool:
    session = request.session
    return (
        person.is_active
        and constant_time_compare(session.get(HASH_SESSION_KEY, ""), person.get_session_auth_hash())
        and session.exists(session.session_key or "")
    )

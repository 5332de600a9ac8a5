"""From an address to an `Access`: how every page of a scope begins.

``@profile_view(Permission.INVOICE_VIEW)`` turns the profile's code in the address into an `Access` inside that profile
and hands it to the view as ``access``. A stranger to the profile gets 404, as if it did not exist; a member without
the permission gets 403 with the reason. The permission is also readable as ``view.permission``, for the permission
matrix test. ``@account_view`` and ``@section_view`` do the same for a billing account and an invoice section.

Whoever opens a page of a scope comes back to it the next time: the scope is remembered on the person.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404

from accounts.access import Access, ScopeObject, access_of
from accounts.models import BillingAccount, BillingProfile, InvoiceSection, User
from accounts.operations.people import remember_scope
from accounts.roles import Permission
from accounts.scope_list import KINDS, key_of
from billing_portal.core.database import UNAVAILABLE

log = structlog.get_logger("portal.accounts")

View = Callable[..., HttpResponseBase]


def access_for_request(request: HttpRequest) -> Access:
    """The signed-in person's access, read once a request."""
    access: Access | None = getattr(request, "access", None)
    if access is None:
        access = access_of(signed_in(request))
        request.access = access  # type: ignore[attr-defined]  # kept on the request
    return access


def signed_in(request: HttpRequest) -> User:
    """Who asks, on a page that the login middleware guards."""
    assert isinstance(request.user, User)  # noqa: S101  the login middleware let nobody else through
    return request.user


def profile_view(permission: Permission, *, related: str = "account") -> Callable[[View], View]:
    """Decorates a view that takes ``(request, access, **rest)``; the address holds a profile's code as ``profile``.
    The profile has ``related`` loaded."""
    return _scope_view(BillingProfile, permission, related)


def profile_of(access: Access) -> BillingProfile:
    """The profile that a page is inside. For what `profile_view` has opened."""
    assert access.profile is not None  # noqa: S101  profile_view puts it there
    return access.profile


def account_view(permission: Permission, *, related: str | None = None) -> Callable[[View], View]:
    """Decorates ``view(request, access, account, **rest)``; the address holds a billing account's code as ``account``.
    Only roles of the account itself count: who has a role on one of its profiles gets 404. The account has ``related``
    loaded."""
    return _scope_view(BillingAccount, permission, related)


def section_view(permission: Permission) -> Callable[[View], View]:
    """Decorates ``view(request, access, section, **rest)``; the address holds a section's id as ``section``."""
    return _scope_view(InvoiceSection, permission, "profile__account")


def _scope_view(model: type[ScopeObject], permission: Permission, related: str | None = None) -> Callable[[View], View]:
    name, _route, column = KINDS[model]

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, **parts: Any) -> HttpResponseBase:
            access = access_for_request(request)
            places: QuerySet[Any] = model.objects.visible_to(access)
            place = get_object_or_404(places.select_related(related), **{column: parts.pop(name)})
            if isinstance(place, BillingProfile):
                access = request.access = access.inside(place)  # type: ignore[attr-defined]  # kept on the request
                access.require(permission)
            else:
                access.require_at(permission, place)
                parts[name] = place
            _remember(request, access, place)
            return view(request, access, **parts)

        wrapped.permission = permission  # type: ignore[attr-defined]  # read by tests
        return wrapped

    return decorate


def _remember(request: HttpRequest, access: Access, place: ScopeObject) -> None:
    """A database that takes no writes keeps nobody from reading."""
    if request.method != "GET":
        return
    try:
        remember_scope(access=access, key=key_of(place))
    except UNAVAILABLE:
        log.warning("last scope not noted")

"""From an address to an `Access`: how every page of a billing profile begins.

``@profile_view(Permission.INVOICE_VIEW)`` turns the profile's code in the address into an `Access` inside that profile
and hands it to the view as ``access``. A stranger to the profile gets 404, as if it did not exist; a member without
the permission gets 403 with the reason. The permission is also readable as ``view.permission``, for the permission
matrix test.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from accounts.access import Access, access_of
from accounts.models import BillingProfile, User
from accounts.roles import Permission

View = Callable[..., HttpResponse]


def access_for_request(request: HttpRequest) -> Access:
    """The signed-in person's access, read once a request."""
    access: Access | None = getattr(request, "access", None)
    if access is None:
        user = request.user
        assert isinstance(user, User)  # noqa: S101  the login middleware let nobody else through
        access = access_of(user)
        request.access = access  # type: ignore[attr-defined]
    return access


def profile_view(permission: Permission) -> Callable[[View], View]:
    """Decorates a view that takes ``(request, access, **rest)``; the address holds the profile's code as ``profile``."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, profile: str, **rest: Any) -> HttpResponse:
            access = access_for_request(request)
            found = BillingProfile.objects.visible_to(access).select_related("account").filter(code=profile).first()
            if found is None:
                raise Http404(_("There is no such billing profile, or you have no role on it."))
            access = access.inside(found)
            request.access = access  # type: ignore[attr-defined]
            access.require(permission)
            return view(request, access, **rest)

        wrapped.permission = permission  # type: ignore[attr-defined]
        return wrapped

    return decorate

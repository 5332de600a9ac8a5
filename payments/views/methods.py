"""The cards of a billing profile: see them, choose the default, remove one."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import Access, reason_for_role
from accounts.roles import Permission
from accounts.scoping import profile_view
from payments.gateways.registry import default_gateway
from payments.models import PaymentMethod
from payments.operations import CannotChangeMethod, make_default, remove_method
from payments.views.choices import brand_sign


@dataclass(frozen=True)
class Row:
    method: PaymentMethod
    sign: str
    is_expired: bool
    expires_soon: bool


@require_GET
@profile_view(Permission.METHODS_VIEW)
def methods(request: HttpRequest, access: Access) -> HttpResponse:
    """The default method, the other cards, and what else the profile can pay with."""
    profile = access.profile
    assert profile is not None  # noqa: S101  profile_view sets it
    today = profile.day_of(timezone.now())
    stored = PaymentMethod.objects.visible_to(access).active().in_order().select_related("created_by")
    rows = [Row(card, brand_sign(card.brand), card.is_expired(today), card.expires_soon(today)) for card in stored]
    may_manage = access.can(Permission.METHODS_MANAGE)
    context = {
        "profile": profile,
        "default": next((row for row in rows if row.method.is_default), None),
        "others": [row for row in rows if not row.method.is_default],
        "may_manage": may_manage,
        "may_add": may_manage and default_gateway() is not None,
        "why_not": "" if may_manage else reason_for_role(Permission.METHODS_MANAGE),
    }
    return render(request, "payments/methods.html", context)


def _method(access: Access, method_id: int) -> PaymentMethod:
    return get_object_or_404(PaymentMethod.objects.visible_to(access).active(), pk=method_id)


@require_POST
@profile_view(Permission.METHODS_MANAGE)
def set_default(request: HttpRequest, access: Access, method_id: int) -> HttpResponse:
    """Makes a card the one that is charged automatically."""
    method = _method(access, method_id)
    try:
        make_default(access=access, method_id=method.pk, at=timezone.now())
    except PaymentMethod.DoesNotExist as error:
        raise Http404 from error
    except CannotChangeMethod as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(card)s is now the default.") % {"card": method.label})
    return redirect("payments:methods", profile=access.profile.code if access.profile else "")


@require_http_methods(["GET", "HEAD", "POST"])
@profile_view(Permission.METHODS_MANAGE)
def remove(request: HttpRequest, access: Access, method_id: int) -> HttpResponse:
    """Asks first; a POST removes the card."""
    method = _method(access, method_id)
    if request.method != "POST":
        return render(request, "payments/remove_method.html", {"profile": access.profile, "method": method})
    try:
        remove_method(access=access, method_id=method.pk, at=timezone.now())
    except PaymentMethod.DoesNotExist as error:
        raise Http404 from error
    except CannotChangeMethod as error:
        context = {"profile": access.profile, "method": method, "error": str(error)}
        return render(request, "payments/remove_method.html", context, status=422)
    messages.success(request, _("%(card)s was removed.") % {"card": method.label})
    return redirect("payments:methods", profile=access.profile.code if access.profile else "")

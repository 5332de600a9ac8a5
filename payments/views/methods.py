"""The payment methods of a billing profile: see them, choose the default and the backups, remove one."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import Access
from accounts.models import BillingProfile, WireRequest
from accounts.roles import Permission
from accounts.scoping import profile_of, profile_view
from payments.gateways.registry import default_gateway
from payments.models import PaymentMethod
from payments.operations import (
    CannotChangeMethod,
    blockers_of,
    drop_backup,
    make_backup,
    make_default,
    move_backup,
    remove_method,
    switch_autopay,
)
from payments.views.automatic import automatic_charges
from payments.views.choices import brand_sign


@dataclass(frozen=True)
class Row:
    """One stored card as the reader sees it. ``is_first`` and ``is_last`` are about the backups."""

    method: PaymentMethod
    sign: str
    is_expired: bool
    expires_soon: bool
    is_first: bool = False
    is_last: bool = False


@require_GET
@profile_view(Permission.METHODS_VIEW)
def methods(request: HttpRequest, access: Access) -> HttpResponse:
    """The default method, the backups, the other cards, check or wire, and what is charged automatically."""
    profile = profile_of(access)
    today = profile.day_of(timezone.now())
    stored = list(PaymentMethod.objects.visible_to(access).active().in_order().select_related("created_by"))
    backups = sorted((card for card in stored if card.backup_order), key=lambda card: card.backup_order or 0)
    ends = {"first": backups[0].pk, "last": backups[-1].pk} if backups else {}

    def row(card: PaymentMethod) -> Row:
        first, last = card.pk == ends.get("first"), card.pk == ends.get("last")
        return Row(card, brand_sign(card.brand), card.is_expired(today), card.expires_soon(today), first, last)

    may_manage = access.can(Permission.METHODS_MANAGE)
    context = {
        "profile": profile,
        "default": next((row(card) for card in stored if card.is_default), None),
        "backups": [row(card) for card in backups],
        "others": [row(card) for card in stored if not card.is_default and not card.backup_order],
        "may_manage": may_manage,
        "may_add": may_manage and default_gateway() is not None,
        "refusal": None if may_manage else access.refusal(Permission.METHODS_MANAGE),
        "wire_is_asked": _wire_is_asked(profile),
        "may_pay": access.can(Permission.INVOICE_PAY),
    }
    return render(request, "payments/methods.html", context | automatic_charges(access))


def _wire_is_asked(profile: BillingProfile) -> bool:
    """Whether staff have yet to answer a request to pay by check or wire."""
    asked = WireRequest.objects.filter(profile=profile, status=WireRequest.Status.OPEN)
    return not profile.is_wire_approved and asked.exists()


def _method(access: Access, method_id: int) -> PaymentMethod:
    return get_object_or_404(PaymentMethod.objects.visible_to(access).active().select_related("profile"), pk=method_id)


def _back(access: Access) -> HttpResponse:
    return redirect("payments:methods", profile=profile_of(access).code)


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
    return _back(access)


@require_POST
@profile_view(Permission.METHODS_MANAGE)
def backup(request: HttpRequest, access: Access, method_id: int) -> HttpResponse:
    """Puts a card among the backups, takes it out, or changes its place there: ``act`` in the form says which."""
    method, at, act = _method(access, method_id), timezone.now(), request.POST.get("act", "add")
    if act not in ("add", "drop", "up", "down"):
        raise BadRequest("act is none of add, drop, up and down")
    try:
        if act == "add":
            make_backup(access=access, method_id=method.pk, at=at)
        elif act == "drop":
            drop_backup(access=access, method_id=method.pk, at=at)
        else:
            move_backup(access=access, method_id=method.pk, earlier=act == "up", at=at)
    except PaymentMethod.DoesNotExist as error:
        raise Http404 from error
    except CannotChangeMethod as error:
        messages.error(request, str(error))
    return _back(access)


@require_POST
@profile_view(Permission.METHODS_MANAGE)
def autopay(request: HttpRequest, access: Access) -> HttpResponse:
    """Switches automatic charging on or off: ``on`` in the form is 1 or 0."""
    if request.POST.get("on") not in ("0", "1"):
        raise BadRequest("on is neither 0 nor 1")
    on = request.POST["on"] == "1"
    try:
        switch_autopay(access=access, on=on, at=timezone.now())
    except BillingProfile.DoesNotExist as error:
        raise Http404 from error
    except CannotChangeMethod as error:
        messages.error(request, str(error))
    else:
        said = (
            _("Invoices issued from now on are charged automatically.")
            if on
            else _("Nothing is charged automatically.")
        )
        messages.success(request, said)
    return _back(access)


@require_http_methods(["GET", "HEAD", "POST"])
@profile_view(Permission.METHODS_MANAGE)
def remove(request: HttpRequest, access: Access, method_id: int) -> HttpResponse:
    """Asks first, or says what keeps the card and what helps; a POST removes it."""
    method, at = _method(access, method_id), timezone.now()
    context: dict[str, Any] = {"profile": access.profile, "method": method}
    if request.method != "POST":
        context["blockers"] = blockers_of(method, at=at)
        return render(request, "payments/remove_method.html", context)
    try:
        remove_method(access=access, method_id=method.pk, at=at)
    except PaymentMethod.DoesNotExist as error:
        raise Http404 from error
    except CannotChangeMethod as error:
        context |= {"error": str(error), "blockers": blockers_of(method, at=at)}
        return render(request, "payments/remove_method.html", context, status=422)
    messages.success(request, _("%(card)s was removed.") % {"card": method.label})
    return _back(access)

"""The payment methods of a billing profile: see them, choose the default and the backups, remove one."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.models import BillingProfile, WireRequest
from accounts.roles import Permission
from invoices.models import Invoice
from invoices.payability import reason_not_by_card
from invoices.states import InvoiceStatus
from payments.gateways.registry import default_gateway
from payments.models import AutomaticCharge, PaymentMethod
from payments.operations.autopay import switch_autopay
from payments.operations.methods import (
    BACKUP_CHANGES,
    CannotChangeMethod,
    blockers_of,
    change_backups,
    make_default,
    remove_method,
    set_default_method,
)

MAX_SHOWN = 10
Stop = AutomaticCharge.Stop
# What nobody has to be reminded of.
ENDED_BY_PEOPLE = [Stop.SWITCHED_OFF, Stop.BY_WIRE, Stop.DISPUTED, Stop.NOTHING_DUE, Stop.PAID]


class Row(NamedTuple):
    method: PaymentMethod
    is_expired: bool
    expires_soon: bool


@require_GET
@profile_view(Permission.METHODS_VIEW)
def methods(request: HttpRequest, access: Access) -> HttpResponse:
    profile = profile_of(access)
    today = profile.day_of(timezone.now())
    stored = PaymentMethod.objects.visible_to(access).active().in_order().select_related("created_by")
    rows = [Row(card, card.is_expired(today), card.expires_soon(today)) for card in stored]
    backups = [row for row in rows if row.method.backup_order]
    may_manage, takes_cards = access.can(Permission.METHODS_MANAGE), default_gateway() is not None
    wire_requests = WireRequest.objects.filter(profile=profile, status=WireRequest.Status.OPEN)
    planned = Invoice.objects.visible_to(access).filter(status=InvoiceStatus.OPEN, autopay_on__isnull=False)
    context = {
        "profile": profile,
        "default": next((row for row in rows if row.method.is_default), None),
        "backups": sorted(backups, key=lambda row: row.method.backup_order or 0),
        "others": [row for row in rows if not row.method.is_default and not row.method.backup_order],
        "may_manage": may_manage,
        "may_add": may_manage and takes_cards,
        "takes_cards": takes_cards,
        "refusal": None if may_manage else access.refusal(Permission.METHODS_MANAGE),
        "wire_is_asked": not profile.is_wire_approved and wire_requests.exists(),
        "may_pay": access.can(Permission.INVOICE_PAY) and reason_not_by_card(profile) is None,
        "delay_days": settings.AUTOPAY_DELAY_DAYS,
        "planned": planned.order_by("autopay_on", "pk")[:MAX_SHOWN],
        "failed": failed_charges(access).select_related("invoice").order_by("invoice__due_on", "pk")[:MAX_SHOWN],
    }
    return render(request, "payments/methods.html", context)


def failed_charges(access: Access) -> QuerySet[AutomaticCharge]:
    """Invoices of the profile that could not be charged automatically and that somebody has to pay."""
    due = Invoice.objects.visible_to(access).filter(status=InvoiceStatus.OPEN, payment_started_at=None)
    stopped = AutomaticCharge.objects.filter(invoice__in=due, status=AutomaticCharge.Status.STOPPED)
    return stopped.exclude(stopped_because__in=ENDED_BY_PEOPLE)


def _method(access: Access, method_id: int) -> PaymentMethod:
    return get_object_or_404(PaymentMethod.objects.visible_to(access).active().select_related("profile"), pk=method_id)


def _change(request: HttpRequest, access: Access, change: Callable[[], object], success: str = "") -> HttpResponse:
    """Makes a change and goes back to the page, which says what became of it."""
    try:
        change()
    except (BillingProfile.DoesNotExist, PaymentMethod.DoesNotExist) as error:
        raise Http404 from error
    except CannotChangeMethod as error:
        messages.error(request, str(error))
    else:
        if success:
            messages.success(request, success)
    return redirect("payments:methods", profile=profile_of(access).code)


@require_POST
@profile_view(Permission.METHODS_MANAGE)
def choose_default_method(request: HttpRequest, access: Access) -> HttpResponse:
    """Card, or check or wire: ``method`` in the form is ``card`` or ``check_wire``."""
    profile, method, at = profile_of(access), request.POST.get("method", ""), timezone.now()
    if method not in BillingProfile.DefaultMethod.values:
        messages.error(request, _("Choose a card, or check or wire transfer."))
        return redirect("payments:methods", profile=profile.code)
    success = _("%(method)s is now the default payment method.") % {
        "method": BillingProfile.DefaultMethod(method).label
    }
    change = partial(set_default_method, access=access, profile_id=profile.pk, method=method, at=at)
    return _change(request, access, change, success)


@require_POST
@profile_view(Permission.METHODS_MANAGE)
def set_default(request: HttpRequest, access: Access, method_id: int) -> HttpResponse:
    method, at = _method(access, method_id), timezone.now()
    success = _("%(card)s is now the default.") % {"card": method.label}
    return _change(request, access, lambda: make_default(access=access, method_id=method.pk, at=at), success)


@require_POST
@profile_view(Permission.METHODS_MANAGE)
def backup(request: HttpRequest, access: Access, method_id: int) -> HttpResponse:
    """Puts a card among the backups, takes it out, or changes its place there: ``act`` in the form says which."""
    method, at, act = _method(access, method_id), timezone.now(), request.POST.get("act", "")
    if act not in BACKUP_CHANGES:
        raise BadRequest("act is none of add, drop, up and down")
    return _change(request, access, partial(change_backups, access=access, method_id=method.pk, change=act, at=at))


@require_POST
@profile_view(Permission.METHODS_MANAGE)
def autopay(request: HttpRequest, access: Access) -> HttpResponse:
    if request.POST.get("on") not in ("0", "1"):
        raise BadRequest("on is neither 0 nor 1")
    on, at = request.POST["on"] == "1", timezone.now()
    success = (
        _("Invoices issued from now on are charged automatically.") if on else _("Nothing is charged automatically.")
    )
    return _change(request, access, lambda: switch_autopay(access=access, on=on, at=at), success)


@require_http_methods(["GET", "HEAD", "POST"])
@profile_view(Permission.METHODS_MANAGE)
def remove(request: HttpRequest, access: Access, method_id: int) -> HttpResponse:
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
    return redirect("payments:methods", profile=profile_of(access).code)

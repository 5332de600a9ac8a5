"""Asking to pay by check or wire: what we look at, the form, how the request stands, and taking it back."""

from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.forms import WireRequestForm
from accounts.models import BillingProfile, WireRequest
from accounts.operations.wire import CannotAskForWire, request_wire, withdraw_wire_request
from accounts.roles import Permission

CUSTOMER_FOR_DAYS = 182


@require_http_methods(["GET", "HEAD", "POST"])
@profile_view(Permission.PROPERTIES_VIEW)
def wire_request(request: HttpRequest, access: Access) -> HttpResponse:
    """The form, or how the last request stands. Whoever sees the profile may ask."""
    profile, at = profile_of(access), timezone.now()
    form = WireRequestForm(
        request.POST if request.method == "POST" else None, initial={"legal_name": profile.account.company}
    )
    if request.method == "POST" and form.is_valid():
        try:
            request_wire(access=access, profile_id=profile.pk, facts=form.facts, at=at)
        except CannotAskForWire as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("Your request was sent. We will answer by mail."))
        return redirect("accounts:wire_request", profile=profile.code)
    last = profile.wire_requests.select_related("requested_by").order_by("-requested_at", "-pk").first()
    is_open = last is not None and last.status == WireRequest.Status.OPEN
    context = {
        "profile": profile,
        "form": None if profile.is_wire_approved or profile.is_closed or is_open else form,
        "last": last,
        "may_withdraw": last is not None
        and is_open
        and (last.requested_by == access.user or access.can(Permission.METHODS_MANAGE)),
        "criteria": criteria_of(profile, at),
    }
    return render(request, "accounts/wire_request.html", context, status=422 if form.is_bound else 200)


@require_POST
@profile_view(Permission.PROPERTIES_VIEW)
def withdraw(request: HttpRequest, access: Access) -> HttpResponse:
    """Takes the open request back."""
    profile = profile_of(access)
    last = profile.wire_requests.filter(status=WireRequest.Status.OPEN).first()
    if last is None:
        messages.error(request, _("There is no open request."))
        return redirect("accounts:wire_request", profile=profile.code)
    try:
        withdraw_wire_request(access=access, request_id=last.pk, at=timezone.now())
    except WireRequest.DoesNotExist as error:
        raise Http404 from error
    except CannotAskForWire as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Your request was withdrawn."))
    return redirect("accounts:wire_request", profile=profile.code)


def criteria_of(profile: BillingProfile, at: datetime) -> list[tuple[str, bool | None]]:
    """What we look at, openly, and whether it is met: None where only staff can tell."""
    return [
        (_("Your company is registered, and its registration number is stated."), None),
        (
            _("No invoice of this billing profile has been past due for long: it is neither warned nor disabled."),
            profile.status == BillingProfile.Status.ACTIVE,
        ),
        (
            _("You have been our customer for six months or more."),
            (at - profile.account.created_at).days >= CUSTOMER_FOR_DAYS,
        ),
        (_("The amount you expect each month is worth the work of handling payments by hand."), None),
    ]

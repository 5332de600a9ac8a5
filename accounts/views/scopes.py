"""Cost Management + Billing: every scope a person holds, and what can be known of an account, a profile, a section."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Access, has_second_factor
from accounts.decorators import access_for_request, account_view, profile_of, profile_view, section_view
from accounts.members import members_of, people_stopped, role_table
from accounts.models import BillingAccount, BillingProfile, InvoiceSection, TaxId
from accounts.operations.second_factors import demand_second_factor
from accounts.roles import Permission, Scope
from accounts.scope_list import MAX_SHOWN, role_names, scopes_of


@require_safe
def scope_list(request: HttpRequest) -> HttpResponse:
    scopes = scopes_of(access_for_request(request))
    return render(request, "accounts/scopes.html", {"scopes": scopes, "most_shown": MAX_SHOWN})


@require_safe
@account_view(Permission.PROPERTIES_VIEW)
def account(request: HttpRequest, access: Access, account: BillingAccount) -> HttpResponse:
    profiles = BillingProfile.objects.visible_to(access).filter(account=account).order_by("name", "pk")
    context = {
        "account": account,
        "profiles": profiles,
        "tax_ids": tax_ids_of(account),
    }
    return render(request, "accounts/account.html", context)


@require_safe
@account_view(Permission.ROLES_VIEW, related="seller")
def account_access(request: HttpRequest, access: Access, account: BillingAccount) -> HttpResponse:
    context = {
        "account": account,
        "seller": account.seller,
        "members": members_of(account, access),
        "roles": role_table(Scope.ACCOUNT),
        "is_demanded": account.requires_second_factor,
        "may_demand": Permission.ROLES_ASSIGN in access.permissions_at(account),
    }
    return render(request, "accounts/access.html", context)


def _stops_demanding(request: HttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("on") == "0"


@require_http_methods(["GET", "HEAD", "POST"])
@account_view(Permission.ROLES_ASSIGN)
@reauthentication_required(enabled=_stops_demanding, app="allauth.account")
def second_factor(request: HttpRequest, access: Access, account: BillingAccount) -> HttpResponse:
    """Says what the demand changes; a POST makes (``on`` is 1) or ends it (0), which takes reauthentication."""
    if request.method != "POST":
        has_own = access.user is not None and has_second_factor(access.user)
        context = {"account": account, "has_own": has_own, "stopped": people_stopped(account)}
        return render(request, "accounts/second_factor.html", context)
    if request.POST.get("on") not in ("0", "1"):
        raise BadRequest("on is neither 0 nor 1")
    demanded = request.POST["on"] == "1"
    demand_second_factor(access=access, account_id=account.pk, demanded=demanded, at=timezone.now())
    messages.success(
        request,
        _("Paying and managing cards now take a second factor.")
        if demanded
        else _("Paying and managing cards no longer take a second factor."),
    )
    return redirect("accounts:account_access", account=account.code)


def tax_ids_of(account: BillingAccount) -> QuerySet[TaxId]:
    return account.tax_ids.select_related("account").order_by("kind", "value")


@require_safe
@profile_view(Permission.PROPERTIES_VIEW)
def properties(request: HttpRequest, access: Access) -> HttpResponse:
    profile = profile_of(access)
    tax_ids = tax_ids_of(profile.account)
    return render(request, "accounts/properties.html", {"profile": profile, "tax_ids": tax_ids})


@require_safe
@profile_view(Permission.ROLES_VIEW, related="account__seller")
def profile_access(request: HttpRequest, access: Access) -> HttpResponse:
    profile = profile_of(access)
    context = {
        "profile": profile,
        "seller": profile.account.seller,
        "members": members_of(profile, access),
        "roles": role_table(Scope.PROFILE),
        "is_demanded": profile.account.requires_second_factor,
    }
    return render(request, "accounts/access.html", context)


@require_safe
@section_view(Permission.PROPERTIES_VIEW)
def section(request: HttpRequest, access: Access, section: InvoiceSection) -> HttpResponse:
    """For people whose only role is on the section."""
    context = {
        "section": section,
        "role_names": role_names(access, section),
        "sees_profile": bool(access.roles_at(section.profile)),
    }
    return render(request, "accounts/section.html", context)

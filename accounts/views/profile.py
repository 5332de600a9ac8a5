"""What can be known of a billing profile: its properties, and who has access to it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.members import members_of_profile, role_table
from accounts.roles import Permission, Scope


@require_safe
@profile_view(Permission.PROPERTIES_VIEW)
def properties(request: HttpRequest, access: Access) -> HttpResponse:
    profile = profile_of(access)
    tax_ids = profile.account.tax_ids.order_by("kind", "value")
    return render(request, "accounts/properties.html", {"profile": profile, "tax_ids": tax_ids})


@require_safe
@profile_view(Permission.ROLES_VIEW)
def access_control(request: HttpRequest, access: Access) -> HttpResponse:
    profile = profile_of(access)
    context = {
        "profile": profile,
        "members": members_of_profile(profile, access),
        "roles": role_table(Scope.PROFILE),
        "is_demanded": profile.account.requires_second_factor,
    }
    return render(request, "accounts/access.html", context)

"""The credits of a billing profile: money that we hold for it."""

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.models import BillingProfile
from accounts.roles import Permission
from accounts.scoping import profile_view
from invoices.models import Credit
from invoices.money import Money

SHOWN = 200


@require_safe
@profile_view(Permission.CREDITS_VIEW)
def credit_list(request: HttpRequest, access: Access) -> HttpResponse:
    """The newest two hundred, and what is left of all of them."""
    profile = access.profile
    assert isinstance(profile, BillingProfile)  # noqa: S101  profile_view puts it there
    rows = Credit.objects.visible_to(access)
    left = rows.aggregate(left=Sum("remaining_minor"))["left"] or 0
    context = {
        "profile": profile,
        "credits": rows.order_by("-created_at", "-pk")[:SHOWN],
        "left": Money(left, profile.currency),
    }
    return render(request, "invoices/credits.html", context)

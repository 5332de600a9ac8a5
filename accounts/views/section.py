"""The page of an invoice section, for people whose only role is on the section."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import section_view
from accounts.models import InvoiceSection
from accounts.roles import Role


@require_safe
@section_view(None)  # the page says what the role is for
def overview(request: HttpRequest, access: Access, section: InvoiceSection) -> HttpResponse:
    held = access.roles_at(section)
    context = {
        "section": section,
        "role_names": ", ".join(str(role.label) for role in Role if role in held),
        "sees_profile": bool(access.roles_on(section.profile)),
    }
    return render(request, "accounts/section.html", context)

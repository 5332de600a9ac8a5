"""The switch between card and check or wire. The page of payment methods shows it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import Access
from accounts.models import BillingProfile
from accounts.roles import Permission
from accounts.scoping import profile_view
from payments.operations import CannotChangeMethod, set_default_method


@require_POST
@profile_view(Permission.METHODS_MANAGE)
def choose(request: HttpRequest, access: Access) -> HttpResponse:
    """``method`` is ``card`` or ``check_wire``."""
    profile, method = access.profile, request.POST.get("method", "")
    assert profile is not None  # noqa: S101  profile_view sets it
    if method not in BillingProfile.DefaultMethod.values:
        messages.error(request, _("Choose a card, or check or wire transfer."))
        return redirect("payments:methods", profile=profile.code)
    try:
        profile = set_default_method(access=access, profile_id=profile.pk, method=method, at=timezone.now())
    except CannotChangeMethod as error:
        messages.error(request, str(error))
    else:
        said = _("%(method)s is now the default payment method.") % {"method": profile.get_default_method_display()}
        messages.success(request, said)
    return redirect("payments:methods", profile=profile.code)

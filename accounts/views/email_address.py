"""The address under which a person signs in: the page where it is changed, and the links mailed about it. They replace
the sign-in library's own pages, which would keep several addresses for one person."""

from allauth.account.decorators import reauthentication_required
from allauth.decorators import rate_limit
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.decorators import access_for_request, signed_in
from accounts.forms import EmailAddressForm
from accounts.models import EmailChange
from accounts.operations import addresses
from accounts.sessions import locked_person


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(action="manage_email")
@reauthentication_required(allow_get=True, app="allauth.account")
def change(request: HttpRequest) -> HttpResponse:
    """The address as it stands, the one that waits to be confirmed, and the form for a new one."""
    user, at = signed_in(request), timezone.now()
    form = EmailAddressForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        access, email = access_for_request(request), form.cleaned_data["email"]
        with locked_person(request):
            try:
                waiting = addresses.request_email_change(access=access, user_id=user.pk, email=email, at=at)
            except addresses.CannotChangeAddress as refusal:
                form.add_error("email", str(refusal))
            else:
                messages.success(request, _("A link was sent to %(email)s.") % {"email": waiting.email})
                return redirect("account_email")
    changes = EmailChange.objects.filter(user=user, expires_at__gt=at).select_related("requested_by")
    context = {"form": form, "waiting": changes.first()}
    return render(request, "accounts/email_address.html", context, status=422 if form.errors else 200)


@require_POST
def withdraw(request: HttpRequest) -> HttpResponse:
    with locked_person(request) as user:
        addresses.cancel_email_change(access=access_for_request(request), user_id=user.pk, at=timezone.now())
    messages.success(request, _("Your address stays as it is."))
    return redirect("account_email")


@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, key: str) -> HttpResponse:
    """Where the link in the mail to the new address leads. Programs that read mail open links, so it takes a press."""
    at, error = timezone.now(), ""
    if request.method == "POST":
        with locked_person(request):
            try:
                user = addresses.confirm_email_change(access=access_for_request(request), key=key, at=at)
            except addresses.CannotChangeAddress as refusal:
                error = str(refusal)
            else:
                update_session_auth_hash(request, user)
                messages.success(request, _("Your address is now %(email)s.") % {"email": user.email})
                return redirect("account_email")
    waiting = addresses.email_change_of(key, addresses.CONFIRM, at=at)
    is_own = waiting is not None and waiting.user_id == signed_in(request).pk
    context = {"waiting": waiting if is_own else None, "is_for_another": waiting is not None and not is_own}
    return render(request, "accounts/confirm_address.html", context | {"error": error}, status=200 if is_own else 404)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, key: str) -> HttpResponse:
    """Where the link in the mail to the old address leads. Whoever reads that mailbox may stop the change."""
    at = timezone.now()
    is_cancelled = request.method == "POST" and addresses.cancel_email_change_by_link(key=key, at=at)
    waiting = addresses.email_change_of(key, addresses.CANCEL, at=at)
    context = {"waiting": waiting, "is_cancelled": is_cancelled}
    status = 200 if waiting is not None or is_cancelled else 404
    return render(request, "accounts/cancel_address.html", context, status=status)

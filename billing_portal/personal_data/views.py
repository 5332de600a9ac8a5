"""A person's own page: what the portal holds about them, to take away."""

from tempfile import SpooledTemporaryFile

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.decorators import access_for_request, signed_in
from accounts.sellers import sender_of
from billing_portal.personal_data.export import IN_MEMORY, CannotExport, descriptions, export_person, file_name


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def own_data(request: HttpRequest) -> HttpResponseBase:
    """The page, and by its button the file. Both only shortly after the person has shown again who they are."""
    if request.method != "POST":
        context = {"descriptions": descriptions().values(), "seller": sender_of({})}
        return render(request, "account/own_data.html", context)
    user, at = signed_in(request), timezone.now()
    stream = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  the response closes it
    try:
        export_person(access=access_for_request(request), user=user, stream=stream, at=at)
    except CannotExport as refusal:
        stream.close()
        messages.error(request, str(refusal))
        return redirect("own_data")
    stream.seek(0)
    return FileResponse(stream, as_attachment=True, filename=file_name(user, at))

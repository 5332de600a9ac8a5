"""Where an access point posts what buyers answer to e-invoices."""

from hmac import compare_digest

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from invoices.delivery.responses import read_response
from invoices.documents.einvoice.reading import UnreadableInvoice
from invoices.operations.deliveries import take_answer


@csrf_exempt
@login_not_required
@require_POST
def einvoice_response(request: HttpRequest) -> HttpResponse:
    """200 once the answer was read, 404 for a document that was not sent to who answers by who is answered, 400 for
    what is no Invoice Response, 403 without the access point's token (the header X-Token)."""
    expected = settings.ACCESS_POINT_INBOUND_TOKEN
    if not expected or not compare_digest(request.headers.get("X-Token", "").encode(), expected.encode()):
        return HttpResponse(status=403)
    try:
        response = read_response(request.body)
    except (UnreadableInvoice, UnreadablePostError):
        return HttpResponse(status=400)
    return HttpResponse(status=200 if take_answer(response, at=timezone.now()) else 404)

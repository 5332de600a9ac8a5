"""Where providers send their messages. Stored at once, worked on afterwards."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments.gateways.base import BadSignature
from payments.gateways.registry import UnknownGateway
from payments.operations.webhooks import receive


@csrf_exempt
@login_not_required
@require_POST
def webhook(request: HttpRequest, gateway: str) -> HttpResponse:
    """200 once the message is stored, also when it was stored before or cannot be read. 400 for a message that its
    provider did not sign, 404 for a provider we do not have. A message that is too large never comes here."""
    try:
        receive(gateway_slug=gateway, body=request.body, headers=request.headers, at=timezone.now())
    except (BadSignature, UnreadablePostError):
        return HttpResponse(status=400)
    except UnknownGateway:
        return HttpResponse(status=404)
    return HttpResponse(status=200)

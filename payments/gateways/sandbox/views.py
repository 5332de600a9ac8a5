"""The sandbox's own pages: where a typed card becomes a token, and the bank's own page. They stand for pages of
somebody else's, so they touch the sandbox's store and nothing of the portal's."""

import json

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from payments.gateways.base import Result
from payments.gateways.sandbox import card_payments, saved_cards
from payments.gateways.sandbox.models import CardPayment, transaction
from payments.gateways.sandbox.saved_cards import InvalidCard, TooManyTries, token_for

LARGEST = 4096  # bytes of a request for a token


@require_POST
@sensitive_variables()
def tokens(request: HttpRequest) -> JsonResponse:
    """A token for a typed test card, as JSON; or what is wrong with it, a sentence for each field."""
    try:
        # A form was read already where its token was looked for, and has no body any more.
        is_readable = request.content_type == "application/json" and len(request.body) <= LARGEST
        typed = json.loads(request.body) if is_readable else None
    except ValueError:
        typed = None
    if not isinstance(typed, dict):
        return _refusal(400, _("The card could not be read. Load the page again."))
    try:
        return JsonResponse({"token": token_for(typed, person=str(request.user.pk))})
    except TooManyTries:
        return _refusal(429, _("Too many cards were tried in one minute. Wait a minute, then try again."))
    except InvalidCard as invalid:
        return JsonResponse({"errors": invalid.args[0]}, status=400)


def _refusal(status: int, message: str) -> JsonResponse:
    return JsonResponse({"errors": {"": message}}, status=status)


@login_not_required  # the bank knows nothing of the portal's sessions; the address cannot be guessed
@require_http_methods(["GET", "POST"])
def challenge(request: HttpRequest, challenge: str) -> HttpResponse:
    """The bank asks the cardholder, who then goes back to where the payment was begun."""
    with transaction() as at:
        row = card_payments.find_challenged(challenge)
        if row is None:
            raise Http404
        if request.method == "POST" and request.POST.get("answer") in {"approve", "fail", "cancel"}:
            approved = request.POST["answer"] == "approve"
            if isinstance(row, CardPayment):
                card_payments.answer_challenge(row, approved=approved, at=at)
            else:
                saved_cards.answer_challenge(row, approved=approved, at=at)
            return HttpResponseRedirect(row.return_url or "/")
    payment = row if isinstance(row, CardPayment) else None
    context = {
        "amount": payment.amount if payment is not None else None,
        "description": payment.description if payment is not None else "",
        "merchant": request.get_host(),
        "last_four": row.last_four,
        "waits": row.state == Result.NEEDS_CUSTOMER,
        "return_url": row.return_url or "/",
    }
    return render(request, "payments/gateways/sandbox/bank.html", context)

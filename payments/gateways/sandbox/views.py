"""The sandbox's own pages: where a typed card becomes a token, and the bank's own page.

They stand for pages of somebody else's, so they touch the sandbox's books and nothing of the portal's. They find their
gateway by its slug at each request, as the registry has it then.
"""

import json
import sqlite3
from typing import cast

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from invoices.money import Money
from payments.gateways.registry import get_gateway
from payments.gateways.sandbox import charges, stored
from payments.gateways.sandbox.books import Book, Books
from payments.gateways.sandbox.cards import BY_LAST_FOUR, card_of
from payments.gateways.sandbox.tokens import InvalidCard, TooManyTries, token_for

LARGEST = 4096  # bytes of a request for a token


def _books(slug: str) -> Books:
    return cast("Books", get_gateway(slug).books)  # type: ignore[attr-defined]


@require_POST
@sensitive_variables()
def tokens(request: HttpRequest, slug: str) -> JsonResponse:
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
        return JsonResponse({"token": token_for(_books(slug), typed, person=str(request.user.pk))})
    except TooManyTries:
        return _refusal(429, _("That were many cards in one minute. Wait a minute, then try again."))
    except InvalidCard as invalid:
        return JsonResponse({"errors": invalid.errors}, status=400)


def _refusal(status: int, message: str) -> JsonResponse:
    return JsonResponse({"errors": {"": message}}, status=status)


@login_not_required  # the bank knows nothing of the portal's sessions; the address cannot be guessed
@require_http_methods(["GET", "POST"])
def challenge(request: HttpRequest, slug: str, challenge: str) -> HttpResponse:
    """The bank asks the cardholder, who then goes back to where the payment was begun."""
    with _books(slug).transaction() as book:
        charge, setup = _asked(book, challenge)
        row = charge or setup
        if row is None:
            raise Http404
        if request.method == "POST" and request.POST.get("answer") in {"approve", "fail", "cancel"}:
            answer = charges.answer_challenge if charge is not None else stored.answer_challenge
            answer(book, row, approved=request.POST["answer"] == "approve")
            return HttpResponseRedirect(row["return_url"] or "/")
    card = BY_LAST_FOUR.get(charge["last_four"]) if charge is not None else card_of(row["token"])
    context = {
        "amount": Money(charge["amount"], charge["currency"]) if charge is not None else None,
        "description": charge["description"] if charge is not None else "",
        "merchant": settings.SELLER["name"],
        "card": card,
        "waits": row["state"] == "needs_customer",
        "return_url": row["return_url"] or "/",
    }
    return render(request, "payments/gateways/sandbox/bank.html", context)


def _asked(book: Book, challenge: str) -> tuple[sqlite3.Row | None, sqlite3.Row | None]:
    """The charge, or the card being stored, that this challenge is about."""
    return (
        book.row("SELECT * FROM charges WHERE challenge = ?", challenge),
        book.row("SELECT * FROM setups WHERE challenge = ?", challenge),
    )

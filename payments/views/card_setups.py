"""Adding a card to a billing profile without paying: the card field, the bank's approval, and the way back from it. The
page mints the key of the attempt; sending it twice is the same attempt. Another person's attempt does not exist."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.roles import Permission
from payments.declines import explain_adding
from payments.forms import AddCardForm
from payments.gateways.registry import UnknownGateway, default_gateway, get_gateway
from payments.models import MethodSetup, PaymentMethod
from payments.operations.card_setups import CannotAddCard, add_card, finish_adding, setup_challenge_of
from payments.operations.gateway_calls import NoAnswer
from payments.views.payments import SeeOther, is_htmx, to_bank

S = MethodSetup.Status


@require_http_methods(["GET", "HEAD", "POST"])
@profile_view(Permission.METHODS_MANAGE)
def add_method(request: HttpRequest, access: Access) -> HttpResponse:
    if request.method != "POST":
        return _render(request, access)
    form = AddCardForm(request.POST)
    if not form.is_valid():
        return _render(request, access, error=form.message, form=form)
    data = form.cleaned_data
    try:
        setup = add_card(
            access=access,
            key=data["attempt"],
            card_token=data["card_token"],
            make_default=data["make_default"],
            replaces=data["replaces"],
            in_page=data["in_page"],
            at=timezone.now(),
            return_url=lambda setup: request.build_absolute_uri(_url("added", access, setup)),
        )
    except CannotAddCard as error:
        status = 503 if error.code == "busy" else 422
        return _render(request, access, error=str(error), form=form, status=status)
    return _next_page(request, access, setup)


def _render(
    request: HttpRequest, access: Access, *, error: str = "", form: AddCardForm | None = None, status: int = 422
) -> HttpResponse:
    """The page with the card field and a new key. A refused POST answers ``status``."""
    gateway = default_gateway()
    refused = _refused(request, access)
    context = {
        "replaced": _replaced(access, (request.GET if form is None else form.data).get("replaces", "")),
        "profile": access.profile,
        "gateway": gateway,
        "browser": gateway.browser if gateway is not None else None,
        "attempt": uuid.uuid4(),
        "wants_default": form is not None and "make_default" in form.data,
        "error": error,
        "refused": refused,
        "explanation": explain_adding(refused.decline_code) if refused is not None else None,
    }
    return render(request, "payments/add_method.html", context, status=status if error else 200)


def _replaced(access: Access, method_id: str) -> PaymentMethod | None:
    """The card whose place the new one takes, when the page names one that is there."""
    if not (method_id.isascii() and method_id.isdecimal() and len(method_id) < 19):
        return None
    return PaymentMethod.objects.visible_to(access).active().filter(pk=int(method_id)).first()


def _refused(request: HttpRequest, access: Access) -> MethodSetup | None:
    """The attempt that brought the reader back here, when it ended without a card."""
    try:
        key = uuid.UUID(request.GET.get("after", ""))
    except ValueError:
        return None
    return MethodSetup.objects.visible_to(access).filter(key=key, status__in=(S.DECLINED, S.EXPIRED)).first()


def _url(name: str, access: Access, setup: MethodSetup | None = None) -> str:
    return reverse(f"payments:{name}", args=[profile_of(access).code, *([setup.key] if setup is not None else [])])


def _success(setup: MethodSetup, method: PaymentMethod) -> str:
    old = setup.replaces
    if old is None or old.pk == method.pk:
        return _("%(card)s was added.") % {"card": method.label}
    old.refresh_from_db()
    stays = _("%(card)s took the place of %(old)s, which stays until its payment has ended.")
    replaced = _("%(card)s took the place of %(old)s.")
    text = replaced if old.status == PaymentMethod.Status.REMOVED else stays
    return text % {"card": method.label, "old": old.label}


def _next_page(request: HttpRequest, access: Access, setup: MethodSetup) -> HttpResponse:
    """To the bank, back to the card field, or to the list with the new card, which is drawn anew."""
    if setup.status == S.SUCCEEDED and setup.method is not None:
        messages.success(request, _success(setup, setup.method))
        url = _url("methods", access)
        return HttpResponseClientRedirect(url) if is_htmx(request) else SeeOther(url)
    if setup.status in {S.DECLINED, S.EXPIRED}:
        again = f"&replaces={setup.replaces_id}" if setup.replaces_id else ""
        return SeeOther(f"{_url('add_method', access)}?after={setup.key}{again}")
    return (to_bank(request, setup.next_url) if setup.next_url else None) or SeeOther(_url("adding", access, setup))


@require_safe
@profile_view(Permission.METHODS_MANAGE)
def adding(request: HttpRequest, access: Access, key: uuid.UUID) -> HttpResponse:
    """Asks for the bank's approval of a card that is being added: here, or by a link to the bank."""
    setup = get_object_or_404(MethodSetup.objects.visible_to(access).select_related("method"), key=key)
    if setup.status not in {S.CREATED, S.NEEDS_CUSTOMER}:
        return _next_page(request, access, setup)
    if setup.next_url:
        return _render_challenge(request, access, setup)
    try:
        data = setup_challenge_of(access=access, key=key)
        gateway = get_gateway(setup.gateway)
    except (NoAnswer, UnknownGateway):
        return _render_challenge(request, access, setup, error=str(NoAnswer()))
    if not data:
        return SeeOther(_url("added", access, setup))
    request.card_gateway = gateway  # type: ignore[attr-defined]  # for the scripts and the policy
    return _render_challenge(request, access, setup, browser=gateway.browser, challenge=data)


def _render_challenge(request: HttpRequest, access: Access, setup: MethodSetup, **more: Any) -> HttpResponse:
    context = {"profile": access.profile, "setup": setup, "return_path": _url("added", access, setup)}
    return render(request, "payments/adding.html", context | more, status=503 if more.get("error") else 200)


@require_safe
@profile_view(Permission.METHODS_MANAGE)
def added(request: HttpRequest, access: Access, key: uuid.UUID) -> HttpResponse:
    """Where the bank leads back to. What the address claims counts for nothing; the gateway is asked."""
    setup = get_object_or_404(MethodSetup.objects.visible_to(access), key=key)
    try:
        setup = finish_adding(access=access, key=key, at=timezone.now())
    except MethodSetup.DoesNotExist as error:
        raise Http404 from error
    except (NoAnswer, UnknownGateway):
        return _render_challenge(request, access, setup, error=str(NoAnswer()))
    if setup.status in {S.CREATED, S.NEEDS_CUSTOMER}:
        return _render_challenge(request, access, setup, go_on=setup.next_url or _url("adding", access, setup))
    return _next_page(request, access, setup)

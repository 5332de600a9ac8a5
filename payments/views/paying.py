"""The payment page of an invoice: choose a method, see the amount, press Pay now.

The page is the blade or a page of its own. It mints the key of the attempt; sending it twice is the same attempt. What
follows is always a redirect to a page that can be reloaded, so the same code serves browsers with and without scripts.
"""

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import Access
from accounts.roles import Permission
from accounts.scoping import profile_view
from invoices.models import Invoice
from invoices.payability import reason_not_payable
from invoices.states import BADGES
from payments.declines import explain
from payments.forms import NEW_CARD, PayForm
from payments.gateways.registry import UnknownGateway, default_gateway
from payments.models import Payment
from payments.operations import CannotPay, pay
from payments.states import ENDED_WITHOUT_MONEY
from payments.views.choices import method_choices
from payments.views.responses import go_on


@require_http_methods(["GET", "HEAD", "POST"])
@profile_view(Permission.INVOICE_PAY)
def pay_invoice(request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """Shows the page; a POST pays. Who may not pay gets 403 with the reason."""
    at = timezone.now()
    invoice = _invoice(access, number)
    if request.method != "POST":
        return _draw(request, access, invoice, at=at)
    form = PayForm(request.POST, access=access)
    if not form.is_valid():
        return _draw(request, access, invoice, at=at, error=form.message, form=form)
    try:
        payment = pay(
            access=access,
            invoice_ids=[invoice.pk],
            shown=form.cleaned_data["shown"],
            attempt_key=form.cleaned_data["attempt"],
            method_id=form.cleaned_data["method"],
            card_token=form.cleaned_data["card_token"] if form.cleaned_data["method"] is None else "",
            save_method=form.cleaned_data["save_method"],
            make_default=form.cleaned_data["make_default"],
            in_page=form.cleaned_data["in_page"],
            at=at,
            return_url=lambda made: request.build_absolute_uri(_return_path(access, made)),
        )
    except CannotPay as error:
        return _draw(request, access, _invoice(access, number), at=at, error=str(error), form=form)
    except UnknownGateway:
        error_text = _("This card can no longer be used. Choose another one.")
        return _draw(request, access, invoice, at=at, error=error_text, form=form)
    return go_on(request, payment, access)


def _return_path(access: Access, payment: Payment) -> str:
    return reverse("payments:return", args=[access.profile.code if access.profile else "", payment.reference])


def _invoice(access: Access, number: str) -> Invoice:
    invoices = Invoice.objects.visible_to(access).select_related("profile__account", "payment_started_by")
    return get_object_or_404(invoices, number=number)


def _draw(
    request: HttpRequest,
    access: Access,
    invoice: Invoice,
    *,
    at: datetime,
    error: str = "",
    form: PayForm | None = None,
) -> HttpResponse:
    """The page with the form, or with the reason why there is none. A refused POST answers 422."""
    today = invoice.profile.day_of(at)
    label = invoice.label_on(today)
    context: dict[str, Any] = {"invoice": invoice, "profile": invoice.profile, "error": error}
    context |= {"label": label.label, "look": BADGES[label]}
    reason = reason_not_payable(invoice, access)
    if reason is not None:
        template = "payments/not_payable.html"
        context |= {"reason": reason, "open_payment": _open_payment(invoice)}
    else:
        template = "payments/pay.html"
        context |= _form_context(access, form, at=at) | _ended(request, access, invoice)
    return render(request, template, context, status=422 if error else 200)


def _form_context(access: Access, form: PayForm | None, *, at: datetime) -> dict[str, Any]:
    """The choice of a method, as it was sent before where that can still be chosen, and a new key for the attempt."""
    choices = method_choices(access, at=at)
    gateway = default_gateway()
    usable = {str(choice.method.pk) for choice in choices if choice.is_usable}
    preselected = next((str(choice.method.pk) for choice in choices if choice.is_checked), NEW_CARD)
    chosen = form.data.get("method", "") if form is not None else ""
    return {
        "choices": choices,
        "checked": chosen if chosen in usable | {NEW_CARD} else preselected,
        "gateway": gateway,
        "browser": gateway.browser if gateway is not None else None,
        "attempt": uuid.uuid4(),
        "may_manage": access.can(Permission.METHODS_MANAGE),
        "wants_save": form is None or "save_method" in form.data,
        "wants_default": form is not None and "make_default" in form.data,
    }


def _open_payment(invoice: Invoice) -> Payment | None:
    return Payment.objects.filter(allocations__invoice=invoice, allocations__is_open=True).first()


def _ended(request: HttpRequest, access: Access, invoice: Invoice) -> dict[str, Any]:
    """The payment that brought the reader back here, and what its decline means."""
    payments = Payment.objects.visible_to(access).filter(status__in=ENDED_WITHOUT_MONEY, allocations__invoice=invoice)
    ended = payments.filter(reference=request.GET.get("after", "")).first()
    return {"ended": ended, "explanation": explain(ended.decline_code) if ended is not None else None}

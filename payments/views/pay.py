"""The payment page of an invoice. It mints the key of the attempt; sending it twice is the same attempt. What follows
is a redirect to a page that can be reloaded, so one code serves browsers with and without scripts."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.models import BillingProfile
from accounts.roles import Permission
from invoices.models import Invoice
from invoices.payability import reason_not_payable
from invoices.states import BADGES, StatusBadge
from invoices.views.detail import transfer_of
from payments.declines import explain
from payments.forms import NEW_CARD, PayForm
from payments.gateways.registry import UnknownGateway, default_gateway
from payments.models import Payment, PaymentMethod
from payments.operations.attempts import CannotPay, pay
from payments.states import ENDED_WITHOUT_MONEY, PaymentStatus
from payments.views.payments import bank_return_url, beneath, next_page

DEFAULT, SOON = StatusBadge("", "check"), StatusBadge("status-warn", "clock")
BAD = StatusBadge("status-past-due", "triangle-alert")


@require_http_methods(["GET", "HEAD", "POST"])
@profile_view(Permission.INVOICE_PAY)
def pay_invoice(request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """Shows the page; a POST pays. Who may not pay gets 403 with the reason."""
    at = timezone.now()
    invoice = _invoice(access, number)
    if request.method != "POST":
        return _render(request, access, invoice, at=at)
    form = PayForm(request.POST, access=access)
    if not form.is_valid():
        return _render(request, access, invoice, at=at, error=form.message, form=form)
    data = form.cleaned_data
    try:
        payment = pay(
            access=access,
            invoice_ids=[invoice.pk],
            shown=data["shown"],
            attempt_key=data["attempt"],
            method_id=data["method"],
            card_token=data["card_token"] if data["method"] is None else "",
            save_method=data["save_method"],
            make_default=data["make_default"],
            in_page=data["in_page"],
            at=at,
            return_url=lambda payment: bank_return_url(request, payment),
        )
    except CannotPay as error:
        status = 503 if error.code == "busy" else 422
        return _render(request, access, _invoice(access, number), at=at, error=str(error), form=form, status=status)
    except UnknownGateway:
        error_text = _("This card can no longer be used. Choose another one.")
        return _render(request, access, invoice, at=at, error=error_text, form=form)
    return next_page(request, payment, access)


def _invoice(access: Access, number: str) -> Invoice:
    invoices = Invoice.objects.visible_to(access).select_related("profile__account", "payment_started_by")
    return get_object_or_404(invoices, number=number)


def _render(
    request: HttpRequest,
    access: Access,
    invoice: Invoice,
    *,
    at: datetime,
    error: str = "",
    form: PayForm | None = None,
    status: int = 422,
) -> HttpResponse:
    """The page with the form, or with the reason why there is none. A refused POST answers ``status``."""
    today = invoice.profile.day_of(at)
    label = invoice.label_on(today)
    context: dict[str, Any] = {"invoice": invoice, "profile": invoice.profile, "error": error}
    context |= {"label": label.label, "look": BADGES[label]}
    payments = Payment.objects.visible_to(access)
    reason = reason_not_payable(invoice, access)
    if reason is not None:
        template = "payments/not_payable.html"
        open_payment = payments.filter(allocations__invoice=invoice, allocations__is_open=True).first()
        context |= {"reason": reason, "open_payment": open_payment, "transfer": transfer_of(invoice, today)}
    else:
        template = "payments/pay.html"
        # The payment that brought the reader back here, and what its decline means.
        ended = payments.filter(
            status__in=ENDED_WITHOUT_MONEY, allocations__invoice=invoice, reference=request.GET.get("after", "")
        ).first()
        context |= {"ended": ended, "explanation": explain(ended.decline_code) if ended is not None else None}
        context |= _form_context(access, form, at=at)
    if reason is not None or error or context["ended"]:
        context |= beneath(request, access, [invoice.pk])
    return render(request, template, context, status=status if error else 200)


def _form_context(access: Access, form: PayForm | None, *, at: datetime) -> dict[str, Any]:
    """The choice of a method, as it was sent before where that can still be chosen, and a new key for the attempt."""
    choices = _method_choices(access, at=at)
    usable = [choice for choice in choices if choice.is_usable]
    preselected = next((str(choice.method.pk) for choice in usable if not choice.is_last), NEW_CARD)
    chosen = form.data.get("method", "") if form is not None else ""
    gateway = default_gateway()
    return {
        "choices": choices,
        "checked": chosen if chosen in {NEW_CARD, *(str(choice.method.pk) for choice in usable)} else preselected,
        "gateway": gateway,
        "browser": gateway.browser if gateway is not None else None,
        "attempt": uuid.uuid4(),
        "may_manage": access.can(Permission.METHODS_MANAGE),
        "wants_save": form is not None and "save_method" in form.data,
        "wants_default": form is not None and "make_default" in form.data,
    }


@dataclass(frozen=True)
class Choice:
    method: PaymentMethod
    note: str
    look: StatusBadge | None = None
    pill: str = ""
    is_usable: bool = True
    is_last: bool = False  # declined today, or expired by our copy: never chosen beforehand


def _method_choices(access: Access, *, at: datetime) -> list[Choice]:
    """The profile's cards, default first, those that were declined today and those that cannot be used last."""
    declined = _declined_today(access, at=at)
    methods = PaymentMethod.objects.visible_to(access).active().in_order()
    choices = [_choice(method, profile_of(access), at=at, declined_at=declined.get(method.pk)) for method in methods]
    return sorted(choices, key=lambda choice: (not choice.is_usable, choice.is_last))


def _choice(method: PaymentMethod, profile: BillingProfile, *, at: datetime, declined_at: datetime | None) -> Choice:
    today = profile.day_of(at)
    if method.is_expired(today):
        # Our copy alone does not refuse it: paying with it asks its bank's provider first.
        note = _("Expired %(month)s, unless your bank has renewed it") % {"month": method.expiry}
        is_known = method.gateway in settings.PAYMENT_GATEWAYS
        return Choice(method, note, BAD, _("Expired"), is_usable=is_known, is_last=True)
    if method.gateway not in settings.PAYMENT_GATEWAYS:
        return Choice(method, _("Stored with a provider we no longer use"), is_usable=False)
    if declined_at is not None:
        time = f"{timezone.localtime(declined_at):%H:%M}"
        return Choice(method, _("Declined today at %(time)s") % {"time": time}, BAD, _("Declined"), is_last=True)
    note = _("Expires %(month)s") % {"month": method.expiry}
    if method.expires_soon(today):
        return Choice(method, note, SOON, _("Expires soon"))
    return Choice(method, note, DEFAULT, _("Default")) if method.is_default else Choice(method, note)


def _declined_today(access: Access, *, at: datetime) -> dict[int, datetime]:
    """When each card was last declined since midnight where the portal is."""
    midnight = timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0)
    declined = Payment.objects.visible_to(access).filter(status=PaymentStatus.DECLINED, method__isnull=False)
    today = declined.filter(started_at__gte=midnight, started_at__lt=midnight + timedelta(days=1))
    rows = today.order_by("started_at").values_list("method_id", "started_at")
    return {method_id: started_at for method_id, started_at in rows if method_id is not None}

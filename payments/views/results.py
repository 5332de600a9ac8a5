"""The page of one payment: how it stands, what it was for, what happened; and the way back from the bank's check.

While a payment is open the page asks every two seconds whether it has moved. It only reads: asking the gateway is the
work of the return page, the webhook and the reconciler.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.access import Access
from accounts.roles import Permission
from accounts.scoping import profile_view
from invoices.models import Invoice
from invoices.views.rows import row_context
from payments.declines import explain
from payments.gateways.registry import UnknownGateway
from payments.models import Payment, PaymentAllocation
from payments.operations import CannotPay, NoAnswer, cancel_attempt, come_back, may_approve
from payments.states import ENDED_WITHOUT_MONEY, PAYMENT_LOOK, PaymentStatus
from payments.views.automatic import failed_charges
from payments.views.responses import SeeOther, check_url, go_on, is_htmx, payment_url
from payments.views.story import event_text, story_of


def _payment(access: Access, reference: str) -> Payment:
    payments = Payment.objects.visible_to(access).select_related("profile", "method", "started_by")
    return get_object_or_404(payments, reference=reference)


@require_GET
@profile_view(Permission.INVOICE_VIEW)
def detail(request: HttpRequest, access: Access, reference: str) -> HttpResponse:
    """The page, or for the page's own question "still ``seen``?" an empty answer while nothing has moved."""
    payment = _payment(access, reference)
    if is_htmx(request) and request.GET.get("seen") == payment.status:
        return HttpResponse(status=204)
    context = _context(access, payment)
    if _is_above_the_list(request, payment):
        context["changed"] = _changed(access, context["allocations"])
    return render(request, "payments/detail.html", context)


def _is_above_the_list(request: HttpRequest, payment: Payment) -> bool:
    """Whether the page is a blade over the list of invoices, whose rows it can then draw again."""
    beneath = request.headers.get("Blade-Base", "").partition("?")[0]
    return is_htmx(request) and beneath == reverse("invoices:list", args=[payment.profile.code])


def _context(access: Access, payment: Payment) -> dict[str, Any]:
    allocations = list(payment.allocations.select_related("invoice", "credit").order_by("pk"))
    invoices = [row.invoice for row in allocations if row.invoice is not None]
    events = payment.events.order_by("at", "pk")
    waits, is_own = payment.status == PaymentStatus.NEEDS_CUSTOMER, may_approve(access, payment)
    return {
        "payment": payment,
        "profile": payment.profile,
        "allocations": allocations,
        "invoice": invoices[0] if len(invoices) == 1 else None,
        "refunds": payment.refunds.order_by("started_at"),
        "disputes": payment.disputes.order_by("opened_at"),
        "events": [(event, event_text(event)) for event in events],
        "story": story_of(payment, invoices, access),
        "look": PAYMENT_LOOK[PaymentStatus(payment.status)],
        "explanation": explain(payment.decline_code),
        "is_ended": payment.status in ENDED_WITHOUT_MONEY,
        "may_pay": access.can(Permission.INVOICE_PAY),
        # Once, where it became the default: what could not be charged before is now offered to be paid with it.
        "offers_failed": payment.make_default
        and payment.status == PaymentStatus.SUCCEEDED
        and access.can(Permission.INVOICE_PAY)
        and failed_charges(access).exists(),
        "may_approve": is_own,
        "check_url": check_url(payment) if waits and is_own and access.can(Permission.INVOICE_PAY) else "",
    }


def _changed(access: Access, allocations: list[PaymentAllocation]) -> list[dict[str, Any]]:
    """What the grid behind the blade needs to draw the rows of these invoices again."""
    at = timezone.now()
    rows = Invoice.objects.visible_to(access).for_rows()
    return [row_context(row, access, at) for row in rows.filter(pk__in=[part.invoice_id for part in allocations])]


@require_GET
@profile_view(Permission.INVOICE_VIEW)
def returned(request: HttpRequest, access: Access, reference: str) -> HttpResponse:
    """Where the bank's check leads back to. What the address claims counts for nothing; the gateway is asked. Where
    it cannot be asked, the page of the payment says how it stands."""
    try:
        payment = come_back(access=access, reference=reference, at=timezone.now())
    except Payment.DoesNotExist as error:
        raise Http404 from error
    except (NoAnswer, UnknownGateway):
        return SeeOther(payment_url(_payment(access, reference)))
    return go_on(request, payment, access, asks_bank=False)


@require_POST
@profile_view(Permission.INVOICE_PAY)
def cancel(request: HttpRequest, access: Access, reference: str) -> HttpResponse:
    """Closes a payment that waits for the bank's check. When it is too late the page shows how it went instead."""
    payment = _payment(access, reference)
    try:
        payment = cancel_attempt(access=access, reference=payment.reference, at=timezone.now())
    except CannotPay as error:
        raise PermissionDenied(str(error)) from error
    except UnknownGateway:
        return SeeOther(payment_url(payment))
    return go_on(request, payment, access, asks_bank=False)

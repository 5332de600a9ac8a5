"""The payments of a billing profile, those of one invoice, and the way from an invoice to its payment."""

from urllib.parse import urlencode

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from accounts.access import Access
from accounts.roles import Permission
from accounts.scoping import profile_view
from billing_portal.core.paging import Sort, page_of
from invoices.models import Invoice
from payments.models import Payment, PaymentAllocation
from payments.querysets import PaymentQuerySet
from payments.states import PaymentStatus
from payments.views.responses import is_htmx


def _payments(access: Access) -> PaymentQuerySet:
    allocations = PaymentAllocation.objects.filter(invoice__isnull=False).select_related("invoice").order_by("pk")
    return Payment.objects.visible_to(access).prefetch_related(Prefetch("allocations", queryset=allocations))


@require_GET
@profile_view(Permission.INVOICE_VIEW)
def history(request: HttpRequest, access: Access) -> HttpResponse:
    """Fifty payments at a time, newest first; of one status when asked."""
    status = request.GET.get("status", "")
    payments = _payments(access)
    if status in PaymentStatus.values:
        payments = payments.filter(status=status)
    page = page_of(payments, request.GET.get("page", ""), sort=Sort("started_at"))
    context = {
        "profile": access.profile,
        "page": page,
        "status": status,
        "statuses": PaymentStatus.choices,
        "newer": urlencode({"status": status, "page": page.newer}),
        "older": urlencode({"status": status, "page": page.older}),
        "may_download": access.can(Permission.INVOICE_DOWNLOAD),
    }
    return render(request, "payments/history.html", context)


@require_GET
@profile_view(Permission.INVOICE_VIEW)
def for_invoice(request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """Every attempt to pay one invoice, and what was paid back: a fragment for the invoice's page, or a page."""
    invoice = get_object_or_404(Invoice.objects.visible_to(access), number=number)
    attempts = Payment.objects.visible_to(access).filter(allocations__invoice=invoice).prefetch_related("refunds")
    attempts = attempts.order_by("-started_at", "-id")
    context = {"profile": access.profile, "invoice": invoice, "attempts": attempts}
    fragment = is_htmx(request) and request.htmx.target != "blade"  # type: ignore[attr-defined]
    return render(request, "payments/_attempts.html" if fragment else "payments/for_invoice.html", context)


@require_GET
@profile_view(Permission.INVOICE_VIEW)
def latest(_request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """Leads to the payment in progress of an invoice, or to the last one when it has ended meanwhile.

    The pages of invoices link here, because they know that a payment is in progress, but not which.
    """
    invoice = get_object_or_404(Invoice.objects.visible_to(access).select_related("profile"), number=number)
    attempts = Payment.objects.visible_to(access).filter(allocations__invoice=invoice)
    payment = attempts.order_by("-allocations__is_open", "-started_at", "-id").first()
    if payment is None:
        return redirect("invoices:detail", profile=invoice.profile.code, number=number)
    return redirect("payments:detail", profile=invoice.profile.code, reference=payment.reference)

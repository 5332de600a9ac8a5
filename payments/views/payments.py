"""The payments of a billing profile: the list, those of one invoice, the page of one, and where each goes on. While a
payment is open its page asks every two seconds whether it has moved, and only reads. The page of the bank's approval
has an address of its own: a reload asks again, and it works where the page under the blade lacks the scripts."""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.roles import Permission
from billing_portal.core.paging import Sort, page_of
from invoices.models import Invoice
from invoices.views.downloads import made_response
from invoices.views.rows import row_context
from payments.declines import explain
from payments.documents.receipt import receipt_file
from payments.gateways.registry import UnknownGateway, get_gateway
from payments.models import Payment, PaymentAllocation
from payments.operations.attempts import CannotPay
from payments.operations.gateway_calls import NoAnswer
from payments.operations.notifications import receipt_addresses, why_credited
from payments.operations.reconciliation import NotTheirs, cancel_attempt, challenge_of, may_approve, return_from_bank
from payments.states import ENDED_WITHOUT_MONEY, PAYMENT_LOOK, PaymentStatus
from payments.views.methods import failed_charges
from payments.views.payment_status_text import event_text, status_text

NEWEST_FIRST = Sort("started_at")


class SeeOther(HttpResponseRedirect):
    """After a POST: the next page is fetched by GET, so that reloading it sends nothing again."""

    status_code = 303


def is_htmx(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False))


def payment_url(payment: Payment, name: str = "detail") -> str:
    return reverse(f"payments:{name}", args=[payment.profile.code, payment.reference])


def asks_gateway(request: HttpRequest) -> None:
    """From here on money may move: a page that fails must not say that nothing was charged."""
    request.asks_gateway = True  # type: ignore[attr-defined]  # read by the error page


def bank_return_url(request: HttpRequest, payment: Payment) -> str:
    """Where the bank's approval comes back to: asked for when the attempt is written, just before the gateway."""
    asks_gateway(request)
    return request.build_absolute_uri(payment_url(payment, "return"))


def pay_url(payment: Payment) -> str:
    """The payment page of the first invoice again, telling how this payment ended."""
    allocation = payment.allocations.filter(invoice__isnull=False).select_related("invoice").first()
    if allocation is None or allocation.invoice is None:
        return payment_url(payment)
    url = reverse("payments:pay", args=[payment.profile.code, allocation.invoice.number])
    return f"{url}?{urlencode({'after': payment.reference})}"


def approval_url(payment: Payment) -> str:
    return payment.next_url or payment_url(payment, "challenge")


def to_bank(request: HttpRequest, next_url: str) -> HttpResponse | None:
    """To the bank's own page. A form may only lead to our own pages (form-action in the policy), so a browser without
    scripts gets None here for any other, and a page of ours with a link."""
    if is_htmx(request):
        return HttpResponseClientRedirect(next_url)
    if url_has_allowed_host_and_scheme(next_url, {request.get_host()}, require_https=request.is_secure()):
        return SeeOther(next_url)
    return None


def next_page(request: HttpRequest, payment: Payment, access: Access, *, asks_bank: bool = True) -> HttpResponse:
    """To the bank's approval if it waits for this person and ``asks_bank``, to the choice of a card, or the payment."""
    if asks_bank and payment.status == PaymentStatus.NEEDS_CUSTOMER and may_approve(access, payment):
        response = to_bank(request, payment.next_url) if payment.next_url else SeeOther(approval_url(payment))
        if response is not None:
            return response
    return SeeOther(pay_url(payment) if payment.status in ENDED_WITHOUT_MONEY else payment_url(payment))


@require_GET
@profile_view(Permission.INVOICE_VIEW)
def history(request: HttpRequest, access: Access) -> HttpResponse:
    """Fifty payments at a time, newest first; of one status when asked."""
    status = request.GET.get("status", "")
    allocations = PaymentAllocation.objects.filter(invoice__isnull=False).select_related("invoice").order_by("pk")
    payments = Payment.objects.visible_to(access).prefetch_related(Prefetch("allocations", queryset=allocations))
    if status in PaymentStatus.values:
        payments = payments.filter(status=status)
    page = page_of(payments, request.GET.get("page", ""), sort=NEWEST_FIRST)
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
    is_fragment = is_htmx(request) and request.headers.get("HX-Target") != "blade"
    return render(request, "payments/_attempts.html" if is_fragment else "payments/for_invoice.html", context)


@require_GET
@profile_view(Permission.INVOICE_VIEW)
def latest(_request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """Leads to the payment in progress of an invoice, else to its last: invoices know that there is one, not which."""
    invoice = get_object_or_404(Invoice.objects.visible_to(access).select_related("profile"), number=number)
    attempts = Payment.objects.visible_to(access).filter(allocations__invoice=invoice)
    payment = attempts.order_by("-allocations__is_open", "-started_at", "-id").first()
    if payment is None:
        return redirect("invoices:detail", profile=invoice.profile.code, number=number)
    return redirect("payments:detail", profile=invoice.profile.code, reference=payment.reference)


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
    context |= beneath(request, access, [row.invoice_id for row in context["allocations"] if row.invoice_id])
    return render(request, "payments/detail.html", context)


def beneath(request: HttpRequest, access: Access, invoice_ids: Collection[int]) -> dict[str, Any]:
    """For `payments/_beneath.html`: how the page under the blade shows what has become of these invoices. The rows of
    the list are drawn again at once, any other page of the portal when the blade closes."""
    base = request.headers.get("Blade-Base", "").partition("?")[0]
    if not is_htmx(request) or not base:
        return {}
    if base != reverse("invoices:list", args=[profile_of(access).code]):
        return {"reloads_beneath": True}
    at, rows = timezone.now(), Invoice.objects.visible_to(access).for_rows().filter(pk__in=invoice_ids)
    return {"changed": [row_context(row, access, at) for row in rows]}


def _context(access: Access, payment: Payment) -> dict[str, Any]:
    allocations = list(payment.allocations.select_related("invoice", "credit").order_by("pk"))
    invoices = [row.invoice for row in allocations if row.invoice is not None]
    waits, is_own = payment.status == PaymentStatus.NEEDS_CUSTOMER, may_approve(access, payment)
    may_pay = access.can(Permission.INVOICE_PAY)
    credited_minor = sum(row.amount_minor for row in allocations if row.credit is not None)
    return {
        "payment": payment,
        "profile": payment.profile,
        "allocations": allocations,
        "invoice": invoices[0] if len(invoices) == 1 else None,
        "refunds": payment.refunds.order_by("started_at"),
        "disputes": payment.disputes.order_by("opened_at"),
        "events": [(event, event_text(event)) for event in payment.events.order_by("at", "pk")],
        "status_text": status_text(payment, invoices, access),
        "look": PAYMENT_LOOK[PaymentStatus(payment.status)],
        "explanation": explain(payment.decline_code),
        "credited_minor": credited_minor,
        "credited_because": why_credited(payment, invoices, credited_minor),
        "receipt_to": receipt_addresses(payment) if payment.status == PaymentStatus.SUCCEEDED else [],
        "is_ended": payment.status in ENDED_WITHOUT_MONEY,
        "may_pay": may_pay,
        # Once, where it became the default: what could not be charged before is now offered to be paid with it.
        "offers_failed": payment.make_default
        and payment.status == PaymentStatus.SUCCEEDED
        and may_pay
        and failed_charges(access).exists(),
        "may_approve": is_own,
        "approval_url": approval_url(payment) if waits and is_own and may_pay else "",
    }


@require_safe
@profile_view(Permission.INVOICE_PAY)
def challenge(request: HttpRequest, access: Access, reference: str) -> HttpResponse:
    """Asks for the bank's approval while the payment waits for it; otherwise leads to where the payment stands."""
    payment = _payment(access, reference)
    return_path = payment_url(payment, "return")
    invoices = [row.invoice for row in payment.allocations.select_related("invoice") if row.invoice]
    context = {"payment": payment, "profile": payment.profile, "return_path": return_path, "invoices": invoices}
    context |= beneath(request, access, [invoice.pk for invoice in invoices])
    try:
        data = challenge_of(access=access, reference=reference)
    except Payment.DoesNotExist as error:
        raise Http404 from error
    except NotTheirs as refusal:
        return render(request, "403.html", {"reason": str(refusal), "payment_url": payment_url(payment)}, status=403)
    except (CannotPay, UnknownGateway):
        return SeeOther(payment_url(payment))
    except NoAnswer as error:
        return render(request, "payments/challenge.html", context | {"error": str(error)}, status=503)
    if not data:
        return SeeOther(return_path)
    gateway = get_gateway(payment.gateway)
    request.card_gateway = gateway  # type: ignore[attr-defined]  # for the scripts and the policy
    return render(request, "payments/challenge.html", context | {"browser": gateway.browser, "challenge": data})


@require_GET
@profile_view(Permission.INVOICE_VIEW)
def returned(request: HttpRequest, access: Access, reference: str) -> HttpResponse:
    """Where the bank leads back to. What the address claims counts for nothing; the gateway is asked."""
    asks_gateway(request)
    try:
        payment = return_from_bank(access=access, reference=reference, at=timezone.now())
    except Payment.DoesNotExist as error:
        raise Http404 from error
    except (NoAnswer, UnknownGateway):
        return SeeOther(payment_url(_payment(access, reference)))
    return next_page(request, payment, access, asks_bank=False)


@require_POST
@profile_view(Permission.INVOICE_PAY)
def cancel(request: HttpRequest, access: Access, reference: str) -> HttpResponse:
    """Closes a payment that waits for bank approval. When it is too late the page shows how it went instead."""
    payment = _payment(access, reference)
    asks_gateway(request)
    try:
        payment = cancel_attempt(access=access, reference=payment.reference, at=timezone.now())
    except CannotPay as error:
        raise PermissionDenied(str(error)) from error
    except UnknownGateway:
        return SeeOther(payment_url(payment))
    return next_page(request, payment, access, asks_bank=False)


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def receipt(request: HttpRequest, access: Access, reference: str) -> HttpResponse:
    """The receipt as a file. A payment that has not succeeded has none; a page says so, with a way back."""
    payment = _payment(access, reference)
    if payment.status != PaymentStatus.SUCCEEDED:
        return render(request, "payments/no_receipt.html", {"payment": payment, "profile": access.profile}, status=409)
    return made_response(
        request, lambda: receipt_file(payment, at=timezone.now()), about=payment.reference, back=payment_url(payment)
    )

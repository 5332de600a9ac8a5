"""Where a payment goes on after something happened to it, and the answer that takes the reader there."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from accounts.access import Access
from payments.models import Payment
from payments.operations import may_approve
from payments.states import ENDED_WITHOUT_MONEY, PaymentStatus


class SeeOther(HttpResponseRedirect):
    """After a POST: the next page is fetched by GET, so that reloading it sends nothing again."""

    status_code = 303


def is_htmx(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False))


def payment_url(payment: Payment) -> str:
    return reverse("payments:detail", args=[payment.profile.code, payment.reference])


def pay_url(payment: Payment) -> str:
    """The payment page of the first invoice again, telling how this payment ended."""
    allocation = payment.allocations.filter(invoice__isnull=False).select_related("invoice").first()
    if allocation is None or allocation.invoice is None:
        return payment_url(payment)
    url = reverse("payments:pay", args=[payment.profile.code, allocation.invoice.number])
    return f"{url}?{urlencode({'after': payment.reference})}"


def check_url(payment: Payment) -> str:
    """Where the bank's check of a payment that waits for it is passed: the bank's own page, or ours."""
    return payment.next_url or reverse("payments:check", args=[payment.profile.code, payment.reference])


def to_bank(request: HttpRequest, next_url: str) -> HttpResponse | None:
    """To the bank's own page. A form may only lead to our own pages (form-action in the policy), so a browser without
    scripts gets None here for any other, and a page of ours with a link."""
    if is_htmx(request):
        return HttpResponseClientRedirect(next_url)
    if url_has_allowed_host_and_scheme(next_url, {request.get_host()}, require_https=request.is_secure()):
        return SeeOther(next_url)
    return None


def go_on(request: HttpRequest, payment: Payment, access: Access, *, asks_bank: bool = True) -> HttpResponse:
    """To the bank's approval where it waits for this person and ``asks_bank``, back to the choice of a method, or to
    the payment's own page."""
    if asks_bank and payment.status == PaymentStatus.NEEDS_CUSTOMER and may_approve(access, payment):
        leads_there = to_bank(request, payment.next_url) if payment.next_url else SeeOther(check_url(payment))
        if leads_there is not None:
            return leads_there
    if payment.status in ENDED_WITHOUT_MONEY:
        return SeeOther(pay_url(payment))
    return SeeOther(payment_url(payment))

"""The bank's check of a payment inside our own page.

The page is drawn anew each time and kept by no cache, because what it holds is for this reader and this moment. It has
an address of its own, so a reload asks again, and it works as a page where the blade's own page lacks the scripts.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.roles import Permission
from accounts.scoping import profile_view
from payments.gateways.registry import UnknownGateway, get_gateway
from payments.models import Payment
from payments.operations import CannotPay, NoAnswer, check_of
from payments.views.responses import SeeOther, payment_url


@require_safe
@profile_view(Permission.INVOICE_PAY)
def check(request: HttpRequest, access: Access, reference: str) -> HttpResponse:
    """Draws the check while the payment waits for it; otherwise leads to where the payment stands."""
    payments = Payment.objects.visible_to(access).select_related("profile", "method")
    payment = get_object_or_404(payments, reference=reference)
    return_path = reverse("payments:return", args=[payment.profile.code, payment.reference])
    context = {"payment": payment, "profile": payment.profile, "return_path": return_path}
    context["invoices"] = [str(row.invoice) for row in payment.allocations.select_related("invoice") if row.invoice]
    try:
        needed = check_of(access=access, reference=reference)
    except Payment.DoesNotExist as error:
        raise Http404 from error
    except (CannotPay, UnknownGateway):
        return SeeOther(payment_url(payment))
    except NoAnswer as error:
        return render(request, "payments/check.html", context | {"error": str(error)}, status=503)
    if not needed:
        return SeeOther(return_path)
    request.card_gateway = get_gateway(payment.gateway)  # type: ignore[attr-defined]  # for the scripts and the policy
    context |= {"browser": get_gateway(payment.gateway).browser, "challenge": needed}
    return render(request, "payments/check.html", context)

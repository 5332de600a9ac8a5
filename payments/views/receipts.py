"""The receipt of a payment as a file to keep."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.roles import Permission
from accounts.scoping import profile_view
from invoices.views.documents import pdf_response
from payments.documents.receipt import receipt_pdf
from payments.models import Payment
from payments.states import PaymentStatus


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def receipt(request: HttpRequest, access: Access, reference: str) -> HttpResponse:
    """A payment that has not succeeded has no receipt; a page says so, with a way back to the payment."""
    payments = Payment.objects.visible_to(access).select_related("profile")
    payment = get_object_or_404(payments, reference=reference)
    if payment.status != PaymentStatus.SUCCEEDED:
        return render(request, "payments/no_receipt.html", {"payment": payment, "profile": access.profile}, status=409)
    content = receipt_pdf(payment, at=timezone.now())
    return pdf_response(content, _("receipt-%(reference)s.pdf") % {"reference": payment.reference})

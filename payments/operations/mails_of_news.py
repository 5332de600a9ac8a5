"""The mails that the clock asks for: of a new invoice and of a card that is about to expire."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.recipients import readers_of_invoices
from billing_portal.core.outbox import queue, queue_to
from invoices.models import Invoice
from invoices.remittances import Remittance
from payments.models import PaymentMethod
from payments.operations.autopay.mails import invoice_context
from payments.operations.mails import card_managers


def tell_of_new_invoice(invoice: Invoice, *, at: datetime) -> None:
    """Those who handle the profile's invoices, and its contacts: each address once. Contacts sign in nowhere, so what
    they need to pay by transfer is in the mail, without buttons. Needs ``invoice.profile``."""
    context = _of_invoice(invoice)
    for reader in readers_of_invoices(invoice.profile):
        queue_to(
            key=f"invoice-ready:{invoice.pk}:{reader.name}",
            email=reader.email,
            language=reader.language,
            template="invoice_ready",
            context=context | {"is_contact": True} if reader.is_contact else context,
            at=at,
        )


def _of_invoice(invoice: Invoice) -> dict[str, Any]:
    default = PaymentMethod.objects.active().filter(profile=invoice.profile, is_default=True).first()
    remittance, context = Remittance.printed_on(invoice), invoice_context(invoice)
    if invoice.autopay_on or not invoice.amount_due_minor:
        path = reverse("invoices:detail", args=[invoice.profile.code, invoice.number])
        context["url"] = settings.PUBLIC_URL + path
    return context | {
        "total_minor": invoice.total_minor,
        "is_paid": not invoice.amount_due_minor,
        "charged_on": invoice.autopay_on.isoformat() if invoice.autopay_on else "",
        "method": default.label if default is not None else "",
        "transfer": remittance.for_mail() if remittance is not None else {},
        "payment_reference": invoice.payment_reference,
    }


def tell_of_expiring_card(method: PaymentMethod, *, at: datetime) -> None:
    """Those who manage cards, before the month it expires in and when that begins. Needs ``method.profile``."""
    context = {
        "brand": method.brand,
        "last_four": method.last_four,
        "expiry": f"{method.expiry_month:02d}/{method.expiry_year}",
        "is_default": method.is_default,
        "profile": method.profile.name,
        "url": settings.PUBLIC_URL + reverse("payments:methods", args=[method.profile.code]),
    }
    stage = "this-month" if (method.expiry_year, method.expiry_month) == (at.year, at.month) else "before"
    fact = f"card-expiring:{method.pk}:{method.expiry_year}-{method.expiry_month:02d}:{stage}"
    for person in card_managers(method.profile):
        queue(key=f"{fact}:{person.pk}", to=person, template="card_expiring", context=context, at=at)

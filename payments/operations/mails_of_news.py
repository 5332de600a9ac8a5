"""The mails that the clock asks for: of a new invoice and of a card that is about to expire."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.models import BillingContact
from accounts.outbox import queue, queue_to
from invoices.models import Invoice
from invoices.remittances import Remittance
from payments.models import PaymentMethod
from payments.operations.autopay.mails import invoice_context
from payments.operations.mails import card_managers, money_people


def tell_of_new_invoice(invoice: Invoice, *, at: datetime) -> None:
    """Those who handle the profile's invoices, and its contacts: once each. Contacts sign in nowhere, so what they need
    to pay by transfer is in the mail. Needs ``invoice.profile``."""
    fact, context = f"invoice-ready:{invoice.pk}", _of_invoice(invoice)
    for person in money_people(invoice.profile):
        queue(key=f"{fact}:{person.pk}", to=person, template="invoice_ready", context=context, at=at)
    for contact in BillingContact.objects.filter(profile=invoice.profile, gets_invoices=True):
        _queue_to_contact(contact, key=f"{fact}:contact:{contact.pk}", template="invoice_ready", context=context, at=at)


def _of_invoice(invoice: Invoice) -> dict[str, Any]:
    default = PaymentMethod.objects.active().filter(profile=invoice.profile, is_default=True).first()
    to, context = Remittance.printed_on(invoice), invoice_context(invoice)
    if invoice.autopay_on or not invoice.amount_due_minor:
        path = reverse("invoices:detail", args=[invoice.profile.code, invoice.number])
        context["url"] = settings.PUBLIC_URL + path
    return context | {
        "total_minor": invoice.total_minor,
        "is_paid": not invoice.amount_due_minor,
        "charged_on": invoice.autopay_on.isoformat() if invoice.autopay_on else "",
        "method": default.label if default is not None else "",
        "transfer": {"account_holder": to.holder, "iban": to.grouped_iban, "bic": to.bic} if to is not None else {},
        "payment_reference": invoice.payment_reference,
    }


def _queue_to_contact(
    contact: BillingContact, *, key: str, template: str, context: dict[str, Any], at: datetime
) -> None:
    """The same mail without buttons that ask to sign in."""
    context = context | {"is_contact": True}
    queue_to(key=key, email=contact.email, language=contact.language, template=template, context=context, at=at)


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

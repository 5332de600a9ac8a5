"""Mails of automatic charges, each once for each plan. The rows are written in the commit of the fact they tell of.

Before a charge people are told by the mail of the new invoice, which names the day (`announcing`). Success is told by
the receipt. What remains is told here: the first failure with the next day, a bank that wants the payer, and the end.
"""

from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.recipients import invoice_people
from billing_portal.core.outbox import queue
from invoices.models import Invoice
from payments.models import AutomaticCharge, Payment, PaymentMethod

Stop = AutomaticCharge.Stop

# Somebody did the rest themselves, or has to be told by staff.
NO_NEWS = {
    *(Stop.PAID, Stop.VOID, Stop.NOTHING_DUE, Stop.SWITCHED_OFF, Stop.BY_WIRE, Stop.DISPUTED),
    *(Stop.CONFIG, Stop.CLOSED),
}


def tell_of_first_failure(
    charge: AutomaticCharge, payment: Payment, card: PaymentMethod, *, on: date, at: datetime
) -> None:
    """That a charge was declined, and which card is charged next on which day. Once for each plan."""
    context = invoice_context(charge.invoice) | {
        "reference": payment.reference,
        "method": payment.method_on_record,
        "decline_code": payment.decline_code,
        "next_method": card.label,
        "next_on": on.isoformat(),
        "is_same_card": card.pk == payment.method_id,
    }
    _tell(charge, "charge_failed", context, at=at)


def tell_of_stop(charge: AutomaticCharge, reason: Stop, *, at: datetime) -> None:
    """That nothing is charged by itself any more, and what helps. Once for each plan."""
    if reason in NO_NEWS:
        return
    payment = charge.last_payment
    context = invoice_context(charge.invoice) | {
        "reason": reason.value,
        "method": payment.method_on_record if payment is not None else "",
    }
    _tell(charge, "charge_must_act" if reason == Stop.MUST_ACT else "charge_stopped", context, at=at)


def _tell(charge: AutomaticCharge, template: str, context: dict[str, Any], *, at: datetime) -> None:
    fact = f"{template.replace('_', '-')}:{charge.invoice_id}:{charge.created_at:%Y%m%d%H%M%S}"
    for person in invoice_people(charge.profile):
        queue(key=f"{fact}:{person.pk}", to=person, template=template, context=context, at=at)


def invoice_context(invoice: Invoice) -> dict[str, Any]:
    """What a mail about an open invoice says of it; ``url`` leads to its payment page. Needs ``invoice.profile``."""
    place = [invoice.profile.code, invoice.number]
    return {
        "number": invoice.number,
        "amount_minor": invoice.amount_due_minor,
        "currency": invoice.currency,
        "due_on": invoice.due_on.isoformat() if invoice.due_on else "",
        "profile": invoice.profile.name,
        "url": settings.PUBLIC_URL + reverse("payments:pay", args=place),
        "methods_url": settings.PUBLIC_URL + reverse("payments:methods", args=place[:1]),
    }

"""The payment page as a browser uses it."""

import re
from typing import Any
from uuid import uuid4

from django.test import Client
from django.urls import reverse

from accounts.models import User
from invoices.models import Invoice
from payments.models import Payment

BLADE = {"HX-Request": "true", "HX-Target": "blade"}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def pay_url(invoice: Invoice) -> str:
    return reverse("payments:pay", args=[invoice.profile.code, invoice.number])


def page_of(payment: Payment) -> str:
    return reverse("payments:detail", args=[payment.profile.code, payment.reference])


def filled_in(invoice: Invoice, **changes: Any) -> dict[str, Any]:
    """What the page sends when a new card that works is chosen."""
    data = {
        "attempt": str(uuid4()),
        "amount": invoice.amount_due_minor,
        "currency": invoice.currency,
        "method": "new",
        "card_token": f"tok_4242_{uuid4().hex[:8]}",
    }
    return data | changes


def text_of(response: Any) -> str:
    """What a reader sees, on one line."""
    text = re.sub(r"<(script|style|title)[^>]*>.*?</\1>", " ", response.content.decode(), flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", text).replace("&#x27;", "'").split())

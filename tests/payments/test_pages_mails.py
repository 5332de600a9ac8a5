"""The mails about payments, rendered from what `settle` writes down."""

import re
from html import unescape
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils.translation import override

from accounts.models import User
from billing_portal.core.mail import render
from billing_portal.core.models import OutgoingMail
from payments.declines import EXPLANATIONS
from payments.gateways.base import DeclineCode
from payments.operations.manual_payments import record_payment
from payments.operations.refunds import refund
from tests.factories import NOW, issued
from tests.payments.acts import card, press_pay, staff
from tests.payments.pages import page_of

SOURCES = {
    path.stem: path.read_text()
    for path in sorted((settings.BASE_DIR / "templates/emails").glob("*.html"))
    if "facts" not in path.stem
}

pytestmark = pytest.mark.django_db

# What the other mails say besides what the mails of payments do.
OF_OTHERS = {
    "number": "INV-000001",
    "note": "CN-000001",
    "is_void": False,
    "total_minor": 12000,
    "due_on": "2026-11-25",
    "charged_on": "",
    "next_on": "2026-11-01",
    "next_method": "Mastercard •••• 4444",
    "reason": "refused",
    "methods_url": "http://testserver/methods",
    "transfer": {"account_holder": "Example Cloud B.V.", "iban": "NL53EXAM0000000000", "bic": "EXAMNL2A"},
    "payment_reference": "RF00INV000001",
    "expiry": "12/2026",
    "past_due_minor": 12000,
    "disabled_on": "2026-12-25",
    "answer": "Agreed with your finance department.",
    "shows_transfer": True,
    "past_due_count": 1,
    "is_past_due": True,
    "old": "payer@example.com",
    "new": "accounts.payable.department@subsidiary.example.com",
    "change": 1,
    "email": "payer@example.com",
    "event": "recovery_codes_generated",
    "moment": "2026-10-26T08:00:00+00:00",
    "ip_address": "192.0.2.7",
    "browser": "Firefox on Linux",
    "person": "payer@example.com",
    "role": "Invoice manager",
    "place": "Operations NL",
    "demanded": True,
    "first_on": "2026-10-01",
    "last_on": "2026-10-31",
    "opening_minor": 0,
    "closing_minor": 12000,
    "lines": [{"on": "2026-10-25", "what": "invoice", "number": "INV-000001", "amount_minor": 12000}],
}


REMINDED = [
    {"number": "INV-000001", "amount_minor": 12000, "due_on": "2026-10-25", "days_late": 1, "reference": "RF00"}
]


def context_of(template, payment):
    """What a mail is rendered from: that of a payment, and what mails of other things say besides."""
    reader = User.objects.earliest("pk")
    of_all = payment | OF_OTHERS | {"user": reader.pk, "address": reader.email}
    return of_all | ({"invoices": REMINDED} if template == "reminder" else {})


def mail(template, language="en"):
    row = OutgoingMail.objects.filter(template=template).first()
    return render(row.template, row.context, language)


def test_a_success_names_amount_invoice_card_and_reference(payer, profile):
    profile.name = "R&D <Europe>"
    profile.save()
    invoice = issued(profile, "1234.50")
    payment = press_pay(payer, invoice, card(profile))
    rendered = mail("payment_succeeded")
    assert rendered.subject == f"€1,234.50 paid · {invoice.number}"
    for words in ("€1,234.50", invoice.number, "Visa •••• 4242", payment.reference, page_of(payment)):
        assert words in rendered.text
        assert words in rendered.html
    assert "R&D <Europe>" in rendered.text
    assert "R&amp;D &lt;Europe&gt;" in rendered.html


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("template", SOURCES)
def test_every_mail_has_a_text_of_its_own_with_the_address_on_a_line_alone(payer, profile, template, language):
    payment = press_pay(payer, issued(profile), card(profile, "9995"))
    context = context_of(template, OutgoingMail.objects.get().context)
    rendered = render(template, context, language)
    lines = rendered.text.splitlines()
    links = [unescape(link) for link in re.findall(r'<a [^>]*href="([^"]+)"', rendered.html)]
    assert all(lines[lines.index(link) - 1].endswith(":") for link in links)
    if "{{ url }}" in SOURCES[template]:
        assert context["url"].endswith(page_of(payment))
        assert context["url"] in links
        assert f'<a class="button" href="{context["url"]}">' in rendered.html
    assert lines[-1] in {"This message was sent automatically.", "Dit bericht is automatisch verzonden."}
    assert "\n\n\n" not in rendered.text
    assert "<" not in rendered.text
    assert rendered.html.count('<span class="whole">INV-000001</span></h1>') == rendered.subject.count(" · INV-000001")


def test_amounts_are_written_as_the_reader_does(payer, profile):
    press_pay(payer, issued(profile, "1234.50"), card(profile))
    assert "1.234,50" in mail("payment_succeeded", "nl").text


def test_what_was_paid_with_is_named_in_the_readers_language(profile, payer):
    invoice = issued(profile, "100.00")
    with override("nl"):
        record_payment(
            access=staff(),
            invoice_id=invoice.pk,
            amount=invoice.amount_due,
            channel="wire",
            bank_reference="BANK-1",
            received_on=invoice.issued_on,
            attempt_key=uuid4(),
            at=NOW,
        )
    assert "Payment method: Wire transfer" in mail("payment_succeeded").text
    rendered = mail("payment_succeeded", "nl")
    assert "Betalingswijze: Overboeking" in rendered.text
    assert "<td>Overboeking</td>" in rendered.html


def test_a_decline_names_the_reason_and_what_helps(payer, profile):
    press_pay(payer, issued(profile), card(profile, "9995"))
    rendered = mail("payment_failed")
    assert "Nothing was charged. The reason the bank gave: not enough funds." in rendered.text
    assert "- Pay with another card." in rendered.text
    assert "<li>Pay with another card.</li>" in rendered.html


def test_a_refund_names_what_was_paid_back(payer, profile):
    payment = press_pay(payer, issued(profile, "120.00"), card(profile))
    part = payment.amount.split([1, 5])[0]
    refund(access=staff(), payment_id=payment.pk, amount=part, reason="Agreed", attempt_key=payment.pk, at=NOW)
    assert mail("payment_refunded").subject.startswith("€20.00 refunded")


def test_every_reason_of_a_decline_has_its_words():
    assert set(EXPLANATIONS) == set(DeclineCode)
    assert all(explanation.advice for explanation in EXPLANATIONS.values())

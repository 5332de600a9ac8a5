"""The mails about payments, drawn from what `settle` writes down."""

from uuid import uuid4

import pytest
from django.conf import settings
from django.utils.translation import override

from billing_portal.core.mail import render
from billing_portal.core.models import OutgoingMail
from payments.declines import EXPLANATIONS
from payments.gateways.base import DeclineCode
from payments.operations.manual_payments import record_payment
from payments.operations.refunds import refund
from tests.factories import NOW, issued
from tests.payments.acts import card, press_pay, staff
from tests.payments.pages import page_of

TEMPLATES = sorted(
    path.stem for path in (settings.BASE_DIR / "templates/emails").glob("*.html") if "facts" not in path.stem
)
# To people who sign in nowhere, so they lead nowhere.
TEMPLATES.remove("statement")

pytestmark = pytest.mark.django_db

# What the mails of invoices and of automatic charges say besides what the mails of payments do.
OF_INVOICES = {
    "number": "INV-000001",
    "total_minor": 12000,
    "due_on": "2026-11-25",
    "charged_on": "",
    "next_on": "2026-11-01",
    "next_method": "Mastercard •••• 4444",
    "reason": "refused",
    "methods_url": "http://testserver/methods",
    "transfer": {"account_holder": "Example Cloud B.V.", "iban": "NL00EXAM0000000000", "bic": "EXAMNL2A"},
    "payment_reference": "RF00INV000001",
    "expiry": "12/2026",
    "past_due_minor": 12000,
    "disabled_on": "2026-12-25",
    "answer": "Agreed with your finance department.",
    "pays_by_wire": True,
    "is_past_due": True,
}


REMINDED = [
    {"number": "INV-000001", "amount_minor": 12000, "due_on": "2026-10-25", "days_late": 1, "reference": "RF00"}
]


def context_of(template, payment):
    """What a mail is drawn from: that of a payment, and what mails of other things say besides."""
    return payment | OF_INVOICES | ({"invoices": REMINDED} if template == "reminder" else {})


def mail(template, language="en"):
    row = OutgoingMail.objects.filter(template=template).first()
    return render(row.template, row.context, language)


def test_a_success_names_amount_invoice_card_and_reference(payer, profile):
    profile.name = "R&D <Europe>"
    profile.save()
    invoice = issued(profile, "1234.50")
    payment = press_pay(payer, invoice, card(profile))
    drawn = mail("payment_succeeded")
    assert drawn.subject == f"€1,234.50 paid · {invoice.number}"
    for words in ("€1,234.50", invoice.number, "Visa •••• 4242", payment.reference, page_of(payment)):
        assert words in drawn.text
        assert words in drawn.html
    assert "R&D <Europe>" in drawn.text
    assert "R&amp;D &lt;Europe&gt;" in drawn.html


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_mail_has_a_text_of_its_own_with_the_address_on_a_line_alone(payer, profile, template, language):
    payment = press_pay(payer, issued(profile), card(profile, "9995"))
    context = context_of(template, OutgoingMail.objects.get().context)
    drawn = render(template, context, language)
    lines = drawn.text.splitlines()
    assert context["url"].endswith(page_of(payment))
    assert lines[lines.index(context["url"]) - 1].endswith(":")
    assert lines[-1] in {"This message was sent automatically.", "Dit bericht is automatisch verzonden."}
    assert "\n\n\n" not in drawn.text
    assert "<" not in drawn.text
    assert f'<a class="button" href="{context["url"]}">' in drawn.html
    assert drawn.html.count('<span class="whole">INV-000001</span></h1>') == drawn.subject.count(" · INV-000001")


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
    drawn = mail("payment_succeeded", "nl")
    assert "Betalingswijze: Overboeking" in drawn.text
    assert "<td>Overboeking</td>" in drawn.html


def test_a_decline_names_the_reason_and_what_helps(payer, profile):
    press_pay(payer, issued(profile), card(profile, "9995"))
    drawn = mail("payment_failed")
    assert "Nothing was charged. The reason the bank gave: not enough funds." in drawn.text
    assert "- Pay with another card." in drawn.text
    assert "<li>Pay with another card.</li>" in drawn.html


def test_a_refund_names_what_was_paid_back(payer, profile):
    payment = press_pay(payer, issued(profile, "120.00"), card(profile))
    part = payment.amount.split([1, 5])[0]
    refund(access=staff(), payment_id=payment.pk, amount=part, reason="Agreed", attempt_key=payment.pk, at=NOW)
    assert mail("payment_refunded").subject.startswith("€20.00 refunded")


def test_every_reason_of_a_decline_has_its_words():
    assert set(EXPLANATIONS) == set(DeclineCode)
    assert all(explanation.advice for explanation in EXPLANATIONS.values())

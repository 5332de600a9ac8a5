"""The receipt of a payment: what it says, and who may have it."""

from io import BytesIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pypdf import PdfReader

from accounts.models import BillingProfile, User
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.credits import add_credit
from payments.documents.receipt import receipt_data, receipt_file
from payments.models import Payment, PaymentAllocation, Refund
from payments.states import PaymentStatus
from tests.factories import NOW, BillingProfileFactory, UserFactory, issued, member

pytestmark = pytest.mark.django_db


def paid(profile, *invoices: tuple[Invoice, int], credit: int = 0, **fields) -> Payment:
    """A payment that succeeded, over invoices and, for what fitted on none, a credit."""
    defaults = {"status": PaymentStatus.SUCCEEDED, "card_brand": "visa", "card_last_four": "4242", "finished_at": NOW}
    payment = Payment.objects.create(
        profile=profile,
        amount_minor=sum(minor for _invoice, minor in invoices) + credit,
        currency=profile.currency,
        started_at=NOW,
        **defaults | fields,
    )
    for invoice, minor in invoices:
        PaymentAllocation.objects.create(payment=payment, invoice=invoice, amount_minor=minor, is_open=False)
    if credit:
        booked = add_credit(profile=profile, amount=Money(credit, profile.currency), description="Overpaid", at=NOW)
        PaymentAllocation.objects.create(payment=payment, credit=booked, amount_minor=credit, is_open=False)
    return payment


def words(content: bytes) -> str:
    text = " ".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)
    return " ".join(text.replace("\xa0", " ").split())


def address(payment: Payment) -> str:
    return reverse("payments:receipt", args=[payment.profile.code, payment.reference])


def test_it_says_what_was_paid_how_and_for_what(profile):
    payment = paid(profile, (issued(profile, "120.00"), 12000), (issued(profile, "80.00"), 5000), credit=2500)
    reader = PdfReader(BytesIO(receipt_file(payment, at=NOW).content))
    text = words(receipt_file(payment, at=NOW).content)
    for expected in (
        "Payment receipt",
        f"Payment reference {payment.reference} Date 26 October 2026 Payment method Visa •••• 4242",
        "Received from Example Trading B.V.",
        "Amount received €195.00",
        "INV-000001 26 October 2026 120.00 120.00",
        "INV-000002 26 October 2026 80.00 50.00",
        "Kept as credit for later invoices 25.00",
        "Total 195.00",
    ):
        assert expected in text
    assert "Refunds" not in text
    assert reader.root_object["/MarkInfo"]["/Marked"]


def test_a_refund_is_told_once_it_is_money(profile):
    payment = paid(profile, (issued(profile), 12000), refunded_minor=2000)
    for status, minor in (("succeeded", 2000), ("pending", 500)):
        Refund.objects.create(
            payment=payment, status=status, amount_minor=minor, currency="EUR", reason="Service was down",
            started_at=NOW, finished_at=NOW,
        )  # fmt: skip
    text = words(receipt_file(payment, at=NOW).content)
    assert "26 October 2026 Service was down -20.00 Received after refunds 100.00" in text
    assert "5.00" not in text
    assert "Refunded in part" in text


def test_money_that_staff_recorded_names_its_day_and_bank_reference(profile):
    payment = paid(
        profile,
        (issued(profile), 12000),
        channel="wire",
        bank_reference="STMT-44",
        received_on=NOW.date().replace(day=3),
    )
    text = words(receipt_file(payment, at=NOW).content)
    assert "Date 3 October 2026 Payment method Wire transfer Bank or check reference STMT-44" in text


@pytest.mark.parametrize(
    ("language", "name", "expected"),
    [
        ("en", "receipt", ["Amount received €1,234.50 26 October 2026", "What it paid", "Paid"]),
        ("nl", "betalingsbewijs", ["Ontvangen bedrag € 1.234,50 26 oktober 2026", "Betaald"]),
        ("de", "zahlungsbeleg", ["Erhaltener Betrag 1.234,50 € 26. Oktober 2026", "Verwendung der Zahlung", "Bezahlt"]),
        ("fr", "recu", ["Montant reçu 1 234,50 € 26 octobre 2026", "Imputation du paiement", "Payé "]),
    ],
)
def test_it_is_in_the_language_of_the_documents_of_its_profile(client, profile, language, name, expected):
    """Whatever the language of the page from which it is downloaded."""
    BillingProfile.objects.update(document_language=language)
    payment = paid(profile, (issued(profile, "1234.50"), 123450))
    user = member(profile, "profile_reader")
    User.objects.filter(pk=user.pk).update(language="nl")
    client.force_login(user)
    response = client.get(address(payment))
    assert response["Content-Disposition"] == f'attachment; filename="{name}-{payment.reference}.pdf"'
    text = words(response.content).replace("\u202f", " ")
    for part in expected:
        assert part in text
    assert PdfReader(BytesIO(response.content)).root_object["/Lang"] == language


def test_the_data_takes_two_queries(profile):
    payment = paid(profile, (issued(profile), 12000), (issued(profile), 12000))
    with CaptureQueriesContext(connection) as queries:
        receipt_data(payment)
    assert len(queries) == 2


def test_a_member_downloads_it_as_a_file(client, profile):
    payment = paid(profile, (issued(profile), 12000))
    client.force_login(member(profile, "profile_reader"))
    response = client.get(address(payment))
    assert response.status_code == 200
    assert response["Content-Disposition"] == f'attachment; filename="receipt-{payment.reference}.pdf"'
    assert "no-store" in response["Cache-Control"]


def test_letters_that_no_font_has_are_said_on_the_page_of_the_payment(client, profile):
    payment = paid(profile, (issued(profile), 12000), bank_reference="\U000f0000")
    client.force_login(member(profile, "profile_reader"))
    answer = client.get(address(payment), follow=True)
    assert answer.redirect_chain == [(reverse("payments:detail", args=[profile.code, payment.reference]), 302)]
    assert "U+F0000" in answer.text


def test_strangers_find_nothing(client, profile):
    payment = paid(profile, (issued(profile), 12000))
    for user in (UserFactory(), member(BillingProfileFactory(), "profile_owner")):
        client.force_login(user)
        assert client.get(address(payment)).status_code == 404


@pytest.mark.parametrize("status", sorted(set(PaymentStatus.values) - {"succeeded"}))
def test_without_money_there_is_no_receipt_but_a_page_that_says_so(client, profile, status):
    payment = paid(profile, (issued(profile), 12000), status=status)
    client.force_login(member(profile, "profile_reader"))
    response = client.get(address(payment))
    assert response.status_code == 409
    assert "No receipt yet" in response.text
    assert str(PaymentStatus(status).label) in response.text.replace("&#x27;", "'")
    assert reverse("payments:detail", args=[profile.code, payment.reference]) in response.text

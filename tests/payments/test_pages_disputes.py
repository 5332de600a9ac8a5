"""What customers and staff see of a dispute: on the payment, its invoices, their documents, in mails and in admin."""

from datetime import UTC, datetime
from io import BytesIO

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from pypdf import PdfReader

from billing_portal.core.mail import render
from billing_portal.core.models import OutgoingMail
from invoices.documents.invoice import invoice_pdf
from payments.documents.receipt import receipt_data
from payments.gateways.sandbox.models import Refund as SandboxRefund
from payments.models import Dispute
from tests.factories import NOW, UserFactory, issued
from tests.payments.acts import card, deliver, press_pay, sandbox
from tests.payments.pages import browser, page_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(profile):
    return issued(profile)


@pytest.fixture
def payment(invoice, profile, payer):
    return press_pay(payer, invoice, card(profile))


@pytest.fixture
def client(payer):
    return browser(payer)


@pytest.fixture
def clerk():
    return browser(UserFactory(is_staff=True, is_superuser=True))


def dispute(payment, decided="", minor=None):
    """A dispute of which the portal has heard."""
    dispute_id = sandbox().operator.dispute(payment.gateway_id, minor)
    deliver()
    if decided:
        sandbox().operator.decide(dispute_id, decided)
        deliver()
    return Dispute.objects.get()


def list_of(profile):
    return reverse("invoices:list", args=[profile.code])


def detail_of(invoice):
    return reverse("invoices:detail", args=[invoice.profile.code, invoice.number])


def pdf_text(invoice):
    invoice.refresh_from_db()
    content = invoice_pdf(invoice, at=NOW)
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages).split())


def test_an_open_dispute_is_said_wherever_the_payment_or_its_invoice_is_shown(client, invoice, payment, profile):
    dispute(payment)
    payment_page = text_of(client.get(page_of(payment)))
    assert "Your bank has asked for this money back" in payment_page
    assert "Waiting for the bank" in payment_page
    assert "The bank asked for money back" in payment_page
    assert "Disputed since 26 Oct 2026" in text_of(client.get(reverse("payments:history", args=[profile.code])))
    attempts = reverse("payments:for_invoice", args=[profile.code, invoice.number])
    assert "Disputed since 26 Oct 2026" in text_of(client.get(attempts))
    assert "Disputed since 26 Oct" in text_of(client.get(list_of(profile)))
    assert "Disputed since 26 Oct A bank has asked for money back" in text_of(client.get(detail_of(invoice)))
    payment.refresh_from_db()
    assert receipt_data(payment)["status"]["text"] == "Disputed"


def test_a_lost_dispute_is_said_with_what_is_due_again(client, invoice, payment, profile):
    dispute(payment, "lost", 4000)
    payment_page = text_of(client.get(page_of(payment)))
    assert "Your bank took a part of this money back" in payment_page
    assert "Taken back by the bank €40.00" in payment_page
    assert "€40.00 taken back by the bank" in text_of(client.get(reverse("payments:history", args=[profile.code])))
    page = text_of(client.get(detail_of(invoice)))
    assert "€40.00 was taken back by the payer's bank, so it is due again." in page
    assert "was refunded" not in page
    assert "Disputed" not in page
    payment.refresh_from_db()
    receipt = receipt_data(payment)
    assert receipt["status"]["text"] == "Taken back by the bank"
    assert receipt["refunds"]["rows"] == [["26 October 2026", "Taken back by the bank", "-40.00"]]
    assert receipt["refunds"]["total"] == ["Received after refunds", "80.00"]


def test_a_payment_taken_back_in_full_says_so(client, payment):
    dispute(payment, "lost")
    assert "Your bank took this money back" in text_of(client.get(page_of(payment)))


def test_after_a_dispute_that_was_won_only_its_history_is_left(client, invoice, payment, profile):
    dispute(payment, "won")
    payment_page = text_of(client.get(page_of(payment)))
    assert "Invoice paid" in payment_page or "Paid on" in payment_page
    assert "Closed, nothing taken" in payment_page
    assert "Disputed" not in text_of(client.get(list_of(profile)))


def test_the_page_is_in_the_readers_language(client, payment, payer):
    dispute(payment)
    payer.language = "nl"
    payer.save()
    assert "Uw bank heeft dit geld teruggevraagd" in text_of(client.get(page_of(payment)))


def test_the_mails_name_amount_invoice_and_the_way_on(payment, invoice):
    UserFactory(is_staff=True, is_superuser=True)
    row = dispute(payment, "lost", 4000)
    opened, lost = (OutgoingMail.objects.get(template=name) for name in ("dispute_opened", "dispute_lost"))
    rendered = render(opened.template, opened.context, "en")
    assert rendered.subject == f"Payment {payment.reference} is disputed: €40.00"
    for words in (
        "€40.00",
        "fraudulent",
        "Submit evidence to the payment provider by",
        reverse("admin:payments_dispute_change", args=[row.pk]),
    ):
        assert words in rendered.text
        assert words in rendered.html
    rendered = render(lost.template, lost.context, "nl")
    assert rendered.subject.replace("\xa0", " ") == f"€ 40,00 is door de bank teruggeboekt · {invoice.number}"
    assert page_of(payment) in rendered.text
    assert page_of(payment) in rendered.html


def test_staff_find_disputes_by_queue_status_and_date_of_evidence(clerk, payment):
    row = dispute(payment)
    Dispute.objects.update(evidence_due_at=datetime(2026, 11, 2, 9, 0, tzinfo=UTC))
    list_url = reverse("admin:payments_dispute_changelist")
    assert "1 dispute needs staff" in text_of(clerk.get(reverse("admin:index")))
    for query, is_found in (
        ("?needs_staff__exact=1", True),
        ("?status__exact=open", True),
        ("?status__exact=lost", False),
        ("?evidence_due_at__gte=2026-11-03+00%3A00%3A00%2B00%3A00", False),
        (f"?q={payment.reference}", True),
        (f"?q={row.gateway_id}", True),
        ("?q=nothing", False),
    ):
        assert (payment.reference in text_of(clerk.get(list_url + query))) == is_found, query


def test_the_staff_page_of_a_dispute_leads_to_its_payment_and_back(clerk, payment):
    row = dispute(payment)
    dispute_url = reverse("admin:payments_dispute_change", args=[row.pk])
    payment_url = reverse("admin:payments_payment_change", args=[payment.pk])
    assert payment_url in clerk.get(dispute_url).content.decode()
    page = clerk.get(payment_url).content.decode()
    assert dispute_url in page
    assert reverse("admin:payments_payment_refund", args=[payment.pk]) not in page


def test_staff_look_a_dispute_up_and_mark_it_as_handled(clerk, payment, invoice):
    row = dispute(payment)
    sandbox().operator.decide(row.gateway_id, "lost")
    answer = clerk.post(reverse("admin:payments_dispute_look_up", args=[row.pk]), follow=True)
    assert "The status of the dispute is: Taken back by the bank." in text_of(answer)
    handled = reverse("admin:payments_dispute_handled", args=[row.pk])
    assert clerk.post(handled, {"note": ""}).status_code == 422
    assert "left the staff queue" in text_of(clerk.post(handled, {"note": "Called them"}, follow=True))
    row.refresh_from_db()
    assert not row.needs_staff


def test_staff_who_may_only_look_cannot_act(payment):
    row = dispute(payment)
    reader = UserFactory(is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_dispute"))
    client = browser(reader)
    assert client.get(reverse("admin:payments_dispute_change", args=[row.pk])).status_code == 200
    for deed in ("look_up", "handled"):
        assert client.post(reverse(f"admin:payments_dispute_{deed}", args=[row.pk]), {"note": "x"}).status_code == 403
    row.refresh_from_db()
    assert row.needs_staff


def test_the_refund_of_a_disputed_payment_is_refused_with_the_reason(clerk, payment):
    dispute(payment)
    data = {"attempt_key": "0" * 32, "amount": "10.00", "reason": "Goodwill"}
    answer = clerk.post(reverse("admin:payments_payment_refund", args=[payment.pk]), data, follow=True)
    assert "A refund now could pay it back twice." in text_of(answer)
    assert not SandboxRefund.objects.exists()

"""How documents reach their buyers: by mail, in a folder, on Peppol; what became of them, and what staff do then."""

from base64 import b64decode
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from django.core import mail
from django.urls import reverse
from mockeinvoice import validate
from mockeinvoice.buyer import TurnedAway
from pypdf import PdfReader

from accounts.access import system_access
from accounts.models import AuditEntry, BillingContact, BillingProfile, RoleAssignment
from accounts.operations.contacts import add_contact
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from invoices.documents.einvoice.terms import Format
from invoices.models import Delivery, Invoice, IssuedDocument
from invoices.operations.closing import close_periods
from invoices.operations.credit_notes import credit_note
from invoices.operations.deliveries import PAUSES, UNKNOWN_FOR, send_again, settle
from invoices.operations.document_archive import issued_xml
from invoices.operations.issuing import CannotIssue
from invoices.states import WrongState
from payments.operations.notifications import announce_due, send_statements
from tests.factories import NOW, TODAY, UserFactory, billed_until, issued, member, tax_rate
from tests.invoices.access_point import answered, delivered
from tests.invoices.billing_runs import NOVEMBER, charged

pytestmark = pytest.mark.django_db

UBL = "urn:oasis:names:specification:ubl:schema:xsd"
BILLING = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"


def test_an_e_invoice_reaches_the_buyer_and_is_known_to_have_arrived(access_point, buyer):
    invoice = issued(buyer, "100.00", tax_rate="21")
    (planned,) = Delivery.objects.all()
    assert (planned.status, planned.channel, planned.recipient) == ("queued", "peppol", "0106:00000001")
    (sent,) = delivered()
    assert (sent.status, sent.sent_at) == ("sent", NOW)
    (held,) = access_point.held
    assert (held.number, held.document.text("BT-1")) == (invoice.number, invoice.number)
    assert access_point.posted == [
        [
            "iso6523-actorid-upis::0106:00000000", "iso6523-actorid-upis::0106:00000001",
            f"busdox-docid-qns::{UBL}:Invoice-2::Invoice##{BILLING}::2.1",
            "cenbii-procid-ubl::urn:fdc:peppol.eu:2017:poacc:billing:01:1.0", "NL",
        ]
    ]  # fmt: skip
    assert bytes(IssuedDocument.objects.get(kind="xml").content) == held.xml
    access_point.states[str(sent.message_id)] = {"status": "sent", "mlsStatus": "received_ab"}
    (arrived,) = delivered(NOW + timedelta(hours=1))
    assert (arrived.status, arrived.next_try_at) == ("delivered", None)


def test_a_lost_answer_sends_nothing_twice(access_point, buyer):
    issued(buyer, "100.00", tax_rate="21")
    access_point.loses_answers = True
    (first,) = delivered()
    assert (first.status, first.tries) == ("queued", 1)
    (then,) = delivered(NOW + PAUSES[0])
    assert then.status == "sent"
    assert len(access_point.held) == 1


@pytest.mark.parametrize("state", ["pending", "sending", "failed"])
def test_what_the_access_point_has_is_not_posted_again_while_it_is_on_its_way(access_point, buyer, state):
    """As after a worker that was killed between the answer and its record."""
    issued(buyer, "100.00", tax_rate="21")
    access_point.states[str(Delivery.objects.get().message_id)] = {"status": state}
    (delivery,) = delivered()
    assert (delivery.status, access_point.posted) == ("sent", [])


@pytest.mark.parametrize("state", [["sent"], {"status": "anything"}, {"mlsStatus": "received_ab"}])
def test_a_state_that_nobody_knows_is_no_delivery(access_point, buyer, state):
    issued(buyer, "100.00", tax_rate="21")
    access_point.states[str(Delivery.objects.get().message_id)] = state
    (delivery,) = delivered()
    assert (delivery.status, delivery.reason, access_point.posted) == ("queued", "no known status", [])


def test_an_access_point_that_is_away_is_tried_again_and_given_up_in_the_end(access_point, buyer):
    issued(buyer, "100.00", tax_rate="21")
    access_point.failing = [503] * 20
    at = NOW
    for pause in (*PAUSES, timedelta()):
        (delivery,) = delivered(at)
        at += pause
    assert (delivery.status, delivery.reason, delivery.next_try_at) == ("failed", "HTTP 503", None)
    access_point.failing.clear()
    send_again(access=system_access(), delivery_id=delivery.pk, at=at)
    with pytest.raises(WrongState):
        send_again(access=system_access(), delivery_id=delivery.pk, at=at)
    delivered(at)
    again = Delivery.objects.latest("pk")
    assert again.status == "sent"
    assert again.message_id != delivery.message_id


def test_what_the_rules_of_the_network_refuse_waits_for_staff(access_point, buyer, client):
    issued(buyer, "100.00", tax_rate="21")
    Invoice.objects.update(buyer=Invoice.objects.get().buyer | {"endpoint": {"scheme": "0106", "id": "1"}})
    access_point.buyer.receive = lambda _content: (_ for _ in ()).throw(TurnedAway("R", "No such receiver."))
    (delivery,) = delivered()
    assert (delivery.status, delivery.reason) == ("rejected", "No such receiver.")
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    assert "Peppol: Rejected" in client.get(f"/admin/invoices/invoice/{delivery.invoice_id}/change/").text
    assert "1 delivery of a document needs staff" in client.get("/admin/").text
    page = client.get("/admin/invoices/delivery/").text
    assert "No such receiver." in page
    address = f"/admin/invoices/delivery/{delivery.pk}/send-again/"
    assert "Send again" in client.get(address).text
    assert client.post(address, {"confirmed": "1"}).status_code == 302
    assert Delivery.objects.count() == 2
    assert AuditEntry.objects.filter(action="delivery.repeated").exists()


@pytest.mark.parametrize(
    ("state", "reason"), [(None, ""), ({"status": "sending"}, ""), ({"status": "anything"}, "no known status")]
)
def test_a_document_that_the_access_point_lost_waits_for_staff(access_point, buyer, client, state, reason):
    """It took the document over, and knows nothing of it ever after."""
    issued(buyer, "100.00", tax_rate="21")
    (sent,) = delivered()
    access_point.states = {str(sent.message_id): state}
    for hours in range(1, 72, 14):
        (delivery,) = delivered(NOW + timedelta(hours=hours))
        assert (delivery.status, delivery.needs_staff) == ("sent", False)
    (delivery,) = delivered(NOW + UNKNOWN_FOR)
    assert (delivery.status, delivery.reason, delivery.needs_staff) == ("unclear", reason, True)
    assert delivery.next_try_at == NOW + UNKNOWN_FOR + timedelta(hours=1)
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    front = client.get("/admin/").text
    assert "1 delivery of a document needs staff" in front
    assert "/admin/invoices/delivery/?needs_staff__exact=1" in front
    assert "does not know what became of it" in client.get(f"/admin/invoices/delivery/{delivery.pk}/change/").text
    (delivery,) = delivered(NOW + timedelta(days=15))
    assert (delivery.status, delivery.next_try_at, delivery.needs_staff) == ("unclear", None, True)
    page = f"/admin/invoices/delivery/{delivery.pk}/settle/"
    assert client.post(page, {"confirmed": "1"}).status_code == 422
    client.post(page, {"confirmed": "1", "note": "The buyer has it."})
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason, delivery.needs_staff) == ("delivered", "The buyer has it.", False)
    assert AuditEntry.objects.get(action="delivery.settled").detail["note"] == "The buyer has it."
    with pytest.raises(WrongState):
        settle(access=system_access(), delivery_id=delivery.pk, note="Again", at=NOW)
    with pytest.raises(WrongState):
        send_again(access=system_access(), delivery_id=delivery.pk, at=NOW)


@pytest.fixture
def lost(access_point, buyer):
    """A delivery that the access point took over and forgot."""
    issued(buyer, "100.00", tax_rate="21")
    delivered()
    access_point.forgotten, access_point.states = access_point.states, {}
    (delivery,) = delivered(NOW + UNKNOWN_FOR)
    assert delivery.status == "unclear"
    return delivery


def test_an_access_point_that_finds_the_document_again_settles_it(access_point, lost):
    access_point.states = access_point.forgotten
    (delivery,) = delivered(NOW + UNKNOWN_FOR + timedelta(hours=1))
    assert (delivery.status, delivery.needs_staff) == ("sent", False)
    access_point.states = {}  # it keeps its records for some days only
    (delivery,) = delivered(NOW + timedelta(days=13))
    assert (delivery.status, delivery.needs_staff) == ("sent", False)


@pytest.mark.parametrize(("code", "status", "needs_staff"), [("AP", "accepted", False), ("RE", "rejected", True)])
def test_the_answer_of_the_buyer_settles_what_may_not_have_arrived(
    access_point, lost, client, code, status, needs_staff
):
    said = access_point.buyer.answer(access_point.held[0].id, code, reasons=["REF"] if code == "RE" else [])
    assert answered(client, said.xml).status_code == 200
    lost.refresh_from_db()
    assert (lost.status, lost.needs_staff) == (status, needs_staff)


def test_staff_send_again_what_did_not_arrive(access_point, lost):
    send_again(access=system_access(), delivery_id=lost.pk, at=NOW + UNKNOWN_FOR)
    lost.refresh_from_db()
    assert (lost.needs_staff, lost.next_try_at, lost.is_repeated) == (False, None, True)
    delivered(NOW + UNKNOWN_FOR)
    again = Delivery.objects.latest("pk")
    assert (again.status, len(access_point.held)) == ("sent", 2)


def test_a_rejection_that_was_dealt_with_otherwise_leaves_the_queue(access_point, buyer):
    issued(buyer, "100.00", tax_rate="21")
    access_point.buyer.receive = lambda _content: (_ for _ in ()).throw(TurnedAway("R", "No such receiver."))
    (delivery,) = delivered()
    assert delivery.needs_staff
    settle(access=system_access(), delivery_id=delivery.pk, note="Sent by mail", at=NOW)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.needs_staff) == ("rejected", False)


def test_a_credit_note_goes_the_way_of_its_invoice(access_point, buyer):
    invoice = issued(buyer, "100.00", tax_rate="21")
    credit_note(access=system_access(), invoice_id=invoice.pk, amounts=None, reason="Wrong", today=TODAY, at=NOW)
    first, second = delivered()
    assert (first.status, second.status) == ("sent", "sent"), second.reason
    assert [held.document.kind for held in access_point.held] == ["Invoice", "CreditNote"]
    assert "CreditNote-2::CreditNote##" in access_point.posted[1][2]


def test_nothing_is_issued_that_the_receiver_would_refuse(buyer):
    BillingProfile.objects.update(endpoint_scheme="", endpoint_id="")
    with pytest.raises(CannotIssue, match="endpoint"):
        issued(BillingProfile.objects.get(), "100.00", tax_rate="21")
    assert not Invoice.objects.exclude(status="draft").exists()


def test_a_folder_gets_the_files_whole(buyer, settings, tmp_path):
    settings.DELIVERY_FOLDER = tmp_path / "out"
    invoice = issued(buyer, "100.00", tax_rate="21")
    (delivery,) = delivered()
    assert delivery.status == "delivered"
    names = sorted(path.name for path in settings.DELIVERY_FOLDER.iterdir())
    assert names == [f"invoice-{invoice.number}.pdf", f"invoice-{invoice.number}.xml"]
    assert (settings.DELIVERY_FOLDER / names[0]).read_bytes().startswith(b"%PDF-")
    (tmp_path / "plain").touch()
    assert (settings.DELIVERY_FOLDER / names[0]).stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_that_cannot_be_written_is_tried_again(profile, settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.DELIVERY_FOLDER = tmp_path / "file"
    issued(profile)
    (delivery,) = delivered()
    assert (delivery.status, delivery.tries) == ("queued", 1)


def test_a_profile_that_wants_a_pdf_has_no_delivery_but_its_mail(profile):
    member(profile, "invoice_manager")
    issued(profile)
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(("form", "endings"), [("pdf", ["pdf"]), ("facturx", ["pdf"]), ("ubl", ["pdf", "xml"])])
def test_the_mail_of_an_invoice_carries_its_documents_to_contacts_too(buyer, form, endings):
    BillingProfile.objects.update(invoice_format=form)
    add_contact(
        access=system_access(buyer), profile_id=buyer.pk, name="", email="payables@example.com", language="nl", at=NOW
    )
    invoice = issued(BillingProfile.objects.get(), "100.00", tax_rate="21")
    announce_due(at=NOW, limit=10)
    assert send_due(at=NOW) == 1
    (message,) = mail.outbox
    assert [(file[0], file[2]) for file in message.attachments] == [
        (f"invoice-{invoice.number}.{ending}", f"application/{ending}") for ending in endings
    ]
    assert bytes(message.attachments[0][1]).startswith(b"%PDF-")
    delivery = Delivery.objects.get(channel="mail")
    assert (delivery.status, delivery.readers) == ("queued", 1)
    delivered(NOW + timedelta(minutes=5))
    delivery.refresh_from_db()
    assert delivery.status == "sent"


def test_who_lost_the_role_while_the_mail_waited_gets_no_document(profile):
    gone, stays = member(profile, "invoice_manager"), member(profile, "invoice_manager")
    issued(profile)
    announce_due(at=NOW, limit=10)
    RoleAssignment.objects.filter(user=gone).delete()
    assert send_due(at=NOW) == 1
    assert [message.to for message in mail.outbox] == [[stays.email]]
    assert not OutgoingMail.objects.filter(to=gone.email).exists()


def test_a_document_that_nobody_gets_any_more_was_not_sent(profile):
    gone = member(profile, "invoice_manager")
    issued(profile)
    announce_due(at=NOW, limit=10)
    RoleAssignment.objects.filter(user=gone).delete()
    assert send_due(at=NOW) == 0
    (delivery,) = delivered(NOW + timedelta(minutes=5))
    assert (delivery.status, delivery.reason) == ("failed", "The people this mail was for no longer receive invoices.")


def test_a_mail_that_could_not_be_sent_is_said_and_sent_again(profile):
    member(profile, "invoice_manager")
    issued(profile)
    announce_due(at=NOW, limit=10)
    OutgoingMail.objects.update(next_try_at=None, last_error="550 No such mailbox")
    (delivery,) = delivered(NOW + timedelta(minutes=5))
    assert (delivery.status, delivery.reason) == ("failed", "550 No such mailbox")
    send_again(access=system_access(), delivery_id=delivery.pk, at=NOW + timedelta(hours=1))
    assert send_due(at=NOW + timedelta(hours=1)) == 1


@pytest.fixture
def withdrawn(profile):
    """The mail of an invoice and that of its credit note, whose only reader lost the role before they were sent."""
    reader = member(profile, "invoice_manager")
    invoice = issued(profile)
    announce_due(at=NOW, limit=10)
    credit_note(access=system_access(), invoice_id=invoice.pk, amounts=None, reason="Billed twice", today=TODAY, at=NOW)
    RoleAssignment.objects.filter(user=reader).delete()
    OutgoingMail.objects.all().delete()
    delivered(NOW + timedelta(minutes=5))
    return list(Delivery.objects.order_by("pk"))


def test_withdrawn_mails_are_written_anew_to_those_who_receive_invoices_now(profile, withdrawn):
    assert [delivery.status for delivery in withdrawn] == ["failed", "failed"]
    add_contact(
        access=system_access(profile), profile_id=profile.pk, name="", email="ap@example.com", language="nl", at=NOW
    )
    for delivery in withdrawn:
        send_again(access=system_access(), delivery_id=delivery.pk, at=NOW)
    announce_due(at=NOW, limit=10)
    assert set(OutgoingMail.objects.values_list("to", "template")) == {
        ("ap@example.com", "credit_note"), ("ap@example.com", "invoice_ready"),
    }  # fmt: skip
    assert Delivery.objects.filter(is_repeated=False, status="queued").count() == 2


@pytest.mark.parametrize("is_member", [True, False])
def test_withdrawn_mails_are_not_written_anew_to_nobody(profile, withdrawn, is_member):
    if is_member:
        member(profile, "invoice_manager")
        BillingProfile.objects.update(mails_invoices=False)
    for delivery in withdrawn:
        with pytest.raises(WrongState, match="Nobody receives invoices"):
            send_again(access=system_access(), delivery_id=delivery.pk, at=NOW)
    assert not Delivery.objects.filter(is_repeated=True).exists()


def test_staff_read_the_reason_and_the_recipients_in_their_language(client, withdrawn):
    client.force_login(UserFactory(is_staff=True, is_superuser=True, language="nl"))
    page = client.get("/admin/invoices/delivery/").text
    assert "De mensen voor wie deze e-mail was, ontvangen geen facturen meer." in page
    assert "1 persoon" in page


def test_a_letter_that_no_font_has_fails_and_says_which(profile, settings, tmp_path):
    settings.DELIVERY_FOLDER = tmp_path
    invoice = issued(profile, po_number="PO \U0001f9ff\U000f0000")
    (delivery,) = delivered()
    assert delivery.status == "failed"
    assert "U+F0000" in delivery.reason
    assert not IssuedDocument.objects.filter(invoice=invoice).exists()


def test_the_xml_is_downloaded_by_those_who_may(buyer, client):
    invoice = issued(buyer, "100.00", tax_rate="21")
    address = f"/profiles/{buyer.code}/invoices/{invoice.number}/xml"
    client.force_login(UserFactory())
    assert client.get(address).status_code == 404
    client.force_login(member(buyer, "profile_reader"))
    answer = client.get(address)
    assert answer["Content-Type"] == "application/xml"
    assert answer["Content-Disposition"] == f'attachment; filename="invoice-{invoice.number}.xml"'
    assert answer.content.startswith(b"<?xml")
    assert address in client.get(f"/profiles/{buyer.code}/invoices/{invoice.number}/").text
    BillingProfile.objects.update(invoice_format="pdf")
    other = issued(BillingProfile.objects.get())
    assert client.get(f"/profiles/{buyer.code}/invoices/{other.number}/xml").status_code == 404


def test_formats_are_those_of_the_terms():
    assert {form.value for form in Format} - {"en16931"} == set(BillingProfile.InvoiceFormat.values)


def test_an_e_invoice_made_from_charges_carries_its_usage_too(buyer):
    profile = billed_until(buyer, date(2026, 10, 5))
    charged(profile, "1.25", on=date(2026, 10, 9), quantity=Decimal("3.5"), tax_rate=tax_rate("21"))
    list(close_periods(access=system_access(), at=NOVEMBER))
    invoice = Invoice.objects.select_related("profile__account").get()
    document, report = validate(issued_xml(invoice, at=NOW))
    assert report.verdict == "valid"
    files = {part.term("BT-125").attributes["filename"]: part.term("BT-125").text for part in document.all("BG-24")}
    assert files.keys() == {f"{invoice.number}.pdf", f"{invoice.number}-usage.csv"}
    assert b"2026-10-09,Usage,3.5" in b64decode(files[f"{invoice.number}-usage.csv"])


def test_a_credit_note_is_mailed_with_its_document(buyer, client):
    add_contact(
        access=system_access(buyer), profile_id=buyer.pk, name="", email="payables@example.com", language="en", at=NOW
    )
    BillingProfile.objects.update(invoice_format="pdf")
    invoice = issued(BillingProfile.objects.get(), "100.00", tax_rate="21")
    note = credit_note(
        access=system_access(), invoice_id=invoice.pk, amounts=None, reason="Billed twice", today=TODAY, at=NOW
    )
    assert send_due(at=NOW) == 1
    (message,) = mail.outbox
    assert message.subject == "Credit note CN-000001 of €121.00 · for invoice INV-000001"
    assert "Billed twice" in message.body
    assert [file[0] for file in message.attachments] == [f"credit-note-{note.number}.pdf"]
    (delivery,) = delivered(NOW + timedelta(minutes=5))
    assert (delivery.credit_note, delivery.status) == (note, "sent")


def test_the_mail_of_a_statement_carries_its_pdf(profile):
    BillingProfile.objects.update(default_method="check_wire", document_language="nl")
    profile = BillingProfile.objects.get()
    add_contact(
        access=system_access(profile), profile_id=profile.pk, name="", email="ap@example.com", language="en", at=NOW
    )
    BillingContact.objects.update(last_statement_on=None)
    issued(profile, today=date(2026, 9, 20), at=datetime(2026, 9, 20, 8, tzinfo=UTC))
    OutgoingMail.objects.all().delete()
    send_statements(at=NOW, limit=10)
    send_due(at=NOW)
    (message,) = mail.outbox
    ((name, content, media_type),) = message.attachments
    assert (name, media_type) == ("rekeningoverzicht-2026-09-01-2026-09-30.pdf", "application/pdf")
    assert "Rekeningoverzicht" in PdfReader(BytesIO(content)).pages[0].extract_text()


def test_in_dutch_the_staff_list_of_deliveries_is_not_that_of_a_providers_messages(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True, language="nl"))
    page = client.get(reverse("admin:invoices_delivery_changelist")).text
    assert "0 verzendingen" in page
    assert "berichten van gateways" not in page.lower()

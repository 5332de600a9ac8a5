"""What buyers answer to e-invoices: which answer is believed, and which changes nothing."""

from datetime import timedelta

import pytest
from mockeinvoice.buyer import ORDER, Sent, out_of_order

from accounts.access import system_access
from accounts.models import AuditEntry
from invoices.delivery.responses import may_follow
from invoices.models import Delivery
from invoices.operations.credit_notes import credit_note
from invoices.operations.deliveries import send_again, take_later_answer
from invoices.states import WrongState
from tests.factories import NOW, TODAY, UserFactory, issued, member
from tests.invoices.access_point import answered, delivered

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("code", "status"), [("RE", "rejected"), ("AP", "accepted"), ("CA", "accepted"), ("UQ", "delivered")]
)
def test_the_buyer_answers(access_point, buyer, client, code, status):

    invoice = issued(buyer, "100.00", tax_rate="21")
    delivered()
    held = access_point.held[0]
    sent = access_point.buyer.answer(
        held.id, code, reasons=[{"code": "REF", "text": "No purchase order."}] if code != "AP" else []
    )
    xml = sent.xml
    assert answered(client, xml, "guess").status_code == 403
    assert answered(client, b"<Invoice/>").status_code == 400
    assert answered(client, xml.replace(invoice.number.encode(), b"INV-999999")).status_code == 404
    stranger = xml.replace(b">00000001</cbc:EndpointID>", b">00000002</cbc:EndpointID>")
    assert answered(client, stranger).status_code == 404  # anybody on Peppol can guess a number
    assert Delivery.objects.get().status == "sent"
    assert answered(client, xml).status_code == 200
    delivery = Delivery.objects.get()
    assert delivery.status == status
    client.force_login(member(buyer, "profile_reader"))
    page = client.get(f"/profiles/{buyer.code}/invoices/{invoice.number}/").text
    assert delivery.get_status_display() in page
    delivered(NOW + timedelta(days=1))
    delivery.refresh_from_db()
    assert delivery.status == status


def test_without_a_token_nobody_answers(client, settings):
    settings.ACCESS_POINT_INBOUND_TOKEN = ""
    assert answered(client, b"<x/>", "").status_code == 403


ENVELOPE = """<StandardBusinessDocument
 xmlns="http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"><StandardBusinessDocumentHeader>
<Sender><Identifier Authority="iso6523-actorid-upis">{sender}</Identifier></Sender>
<Receiver><Identifier Authority="iso6523-actorid-upis">{receiver}</Identifier></Receiver>
</StandardBusinessDocumentHeader>{xml}</StandardBusinessDocument>"""


@pytest.fixture
def sent(access_point, buyer):
    """A delivery that the buyer has."""
    issued(buyer, "100.00", tax_rate="21")
    (delivery,) = delivered()
    return delivery


@pytest.fixture
def say(access_point, sent):
    """What the buyer says of it: the message, whether or not the guide allows it."""

    def said(code, text="No purchase order."):
        reasons = [{"code": "REF", "text": text}] if code in ("RE", "UQ", "CA") else []
        actions = ["PIN"] if code in ("UQ", "CA") else []
        return access_point.buyer.answer(
            access_point.held[0].id, code, reasons=reasons, actions=actions, force=True
        ).xml  # fmt: skip

    return said


def state(delivery):
    delivery.refresh_from_db()
    return delivery.status, delivery.needs_staff


def test_the_order_of_answers_is_that_of_the_guide():
    for earlier in ORDER:
        before = [Sent("1", "1", earlier, partial=False, forced=False, xml=b"")]
        assert may_follow(earlier, "")
        for code in ORDER:
            assert may_follow(code, earlier) == (out_of_order(before, code, partial=False) is None), (earlier, code)


def test_the_same_message_twice_changes_nothing(client, sent, say):
    query, acceptance = say("UQ"), say("AP")
    for message in (query, query, acceptance, query, acceptance):
        assert answered(client, message).status_code == 200
    assert state(sent) == ("accepted", False)
    assert sent.reason == ""
    assert AuditEntry.objects.filter(action="delivery.answered").count() == 2


def test_an_answer_that_was_overtaken_changes_nothing(client, sent, say):
    received, acceptance = say("AB"), say("AP")
    answered(client, acceptance)
    before = state(sent)
    answered(client, received)
    assert state(sent) == before == ("accepted", False)


def test_a_rejection_after_an_acceptance_waits_for_staff(client, sent, say):
    answered(client, say("AP"))
    rejection = say("RE", "Wrong price.")
    assert answered(client, rejection).status_code == 200
    assert state(sent) == ("accepted", True)
    assert sent.contradiction == "Rejected. Wrong price."
    assert AuditEntry.objects.filter(action="delivery.contradicted").count() == 1
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    page = client.get(f"/admin/invoices/delivery/{sent.pk}/change/").text
    assert "The buyer first answered one thing and then another" in page
    assert "Wrong price." in page
    client.post(f"/admin/invoices/delivery/{sent.pk}/settle/", {"confirmed": "1", "note": "They pay."})
    assert state(sent) == ("accepted", False)
    answered(client, rejection)  # once more
    assert state(sent) == ("accepted", False)


def test_staff_take_over_the_later_answer(client, sent, say):
    answered(client, say("RE", "Unknown order."))
    assert state(sent) == ("rejected", True)
    answered(client, say("AP"))
    assert state(sent) == ("rejected", True)
    assert (sent.contradiction, sent.reason) == ("Accepted by the buyer.", "Unknown order.")
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    address = f"/admin/invoices/delivery/{sent.pk}/take-later-answer/"
    assert "Accepted by the buyer" in client.get(address).text
    client.post(address, {"confirmed": "1"})
    assert state(sent) == ("accepted", False)
    with pytest.raises(WrongState):
        take_later_answer(access=system_access(), delivery_id=sent.pk, at=NOW)
    answered(client, say("PD"))
    assert state(sent) == ("accepted", False)


def test_a_rejection_of_the_first_try_says_nothing_of_the_second(client, sent, say):
    rejection = say("RE")
    answered(client, rejection)
    send_again(access=system_access(), delivery_id=sent.pk, at=NOW)
    _first, second = delivered()
    answered(client, rejection)
    assert state(second) == ("sent", False)
    Delivery.objects.filter(pk=second.pk).update(sent_at=NOW + timedelta(days=3))
    answered(client, say("AP"))  # said three days before that was sent
    assert state(second) == ("sent", False)


@pytest.mark.parametrize(
    ("there", "other"),
    [
        (b'schemeID="0106">00000000<', b'schemeID="0106">00000009<'),  # to another seller
        (b"TypeCode>380<", b"TypeCode>381<"),
        (b"IssueDate>2026-10-26</cbc:IssueDate><cbc:DocumentT", b"IssueDate>2025-10-26</cbc:IssueDate><cbc:DocumentT"),
    ],
)
def test_an_answer_to_another_document_is_refused(client, sent, say, there, other):
    message = b"".join(line.strip() for line in say("RE").splitlines())
    assert there in message
    assert answered(client, message.replace(there, other)).status_code == 404
    assert state(sent) == ("sent", False)


def test_a_credit_note_has_answers_of_its_own(client, access_point, sent):
    note = credit_note(
        access=system_access(), invoice_id=sent.invoice_id, amounts=None, reason="Wrong", today=TODAY, at=NOW
    )
    delivered()
    assert answered(client, access_point.buyer.answer(access_point.held[1].id, "AP").xml).status_code == 200
    assert state(sent) == ("sent", False)
    assert Delivery.objects.get(credit_note=note).status == "accepted"


@pytest.mark.parametrize(
    ("sender", "receiver", "status"),
    [
        ("0106:00000001", "0106:00000000", 200),
        ("0106:00000009", "0106:00000000", 400),
        ("0106:00000001", "0106:00000009", 400),
    ],
)
def test_the_envelope_must_name_the_same_parties(client, sent, say, sender, receiver, status):
    """The network vouches for the envelope, and anybody can write what is inside."""
    inside = say("AP").decode().partition("?>")[2]
    message = ENVELOPE.format(sender=sender, receiver=receiver, xml=inside).encode()
    assert answered(client, message).status_code == status
    assert state(sent)[0] == ("accepted" if status == 200 else "sent")

"""Reads what a buyer answers to an e-invoice: the Invoice Response of Peppol (T111), alone or in its envelope, and says
in which order answers may come."""

from datetime import date
from typing import NamedTuple

from lxml import etree

from invoices.delivery.base import Answer
from invoices.documents.einvoice.reading import UnreadableInvoice, parse
from invoices.models import Delivery

Status = Delivery.Status
# Of UNCL 4343, as Peppol uses them: received, in process, asked about, accepted with changes, refused, accepted, paid.
# Answers go down this list (rules OP-BR111-R004, R005 and R012 of the guide to the Invoice Response).
CODES = {
    "AB": Status.DELIVERED,
    "IP": Status.DELIVERED,
    "UQ": Status.DELIVERED,
    "CA": Status.ACCEPTED,
    "RE": Status.REJECTED,
    "AP": Status.ACCEPTED,
    "PD": Status.ACCEPTED,
}


ORDER = list(CODES)
CREDIT_NOTE = "381"  # of UNCL 1001
ENVELOPE = "{http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader}StandardBusinessDocumentHeader"


class Response(NamedTuple):
    """``number``, ``issued_on`` and ``is_credit_note`` name the document that is answered, the latter two only where
    the buyer gives them. ``sender`` and ``receiver`` are endpoints, such as ``0106:00000001``; ``message_id`` is the
    sender's, ``said_on`` the day on which it answered."""

    message_id: str
    said_on: date
    number: str
    issued_on: date | None
    is_credit_note: bool | None
    sender: str
    receiver: str
    code: str
    answer: Answer


def may_follow(code: str, earlier: str) -> bool:
    """Whether a buyer that answered ``earlier`` (empty: nothing) may answer ``code`` afterwards. A repeated answer, or
    one that was overtaken on its way, may not."""
    if not earlier or code == earlier == "UQ":
        return True
    if earlier in ("RE", "PD") or (earlier == "AP" and code != "PD"):
        return False
    return ORDER.index(code) > ORDER.index(earlier)


def read_response(content: bytes) -> Response:
    """Raises UnreadableInvoice for what is no such response, and for one whose envelope names others."""
    root = parse(content)
    message = next(root.iter("{*}ApplicationResponse"), None)
    if message is None:
        raise UnreadableInvoice("There is no ApplicationResponse in it.")
    message_id, said_on = _text(message, "{*}ID"), _day(_text(message, "{*}IssueDate"))
    if not message_id or said_on is None:
        raise UnreadableInvoice("It has no ID or no date.")
    sender, receiver = _endpoint(message, "{*}SenderParty"), _endpoint(message, "{*}ReceiverParty")
    for envelope in root.iter(ENVELOPE):
        named = [_text(envelope, f"{{*}}{role}/{{*}}Identifier").casefold() for role in ("Sender", "Receiver")]
        if named != [sender.casefold(), receiver.casefold()]:
            raise UnreadableInvoice("Its envelope has another sender or receiver.")
    said = message.find("{*}DocumentResponse")
    code = _text(said, "{*}Response/{*}ResponseCode")
    number = _text(said, "{*}DocumentReference/{*}ID")
    if code not in CODES or not number:
        raise UnreadableInvoice("It names no invoice, or has no code of an Invoice Response.")
    reasons = (
        [_text(status, "{*}StatusReason") or _text(status, "{*}StatusReasonCode")
         for status in said.iterfind("{*}Response/{*}Status")]
        if said is not None
        else []
    )  # fmt: skip
    kind = _text(said, "{*}DocumentReference/{*}DocumentTypeCode")
    return Response(
        message_id, said_on, number, _day(_text(said, "{*}DocumentReference/{*}IssueDate")),
        kind == CREDIT_NOTE if kind else None, sender, receiver, code,
        Answer(CODES[code], "; ".join(reason for reason in dict.fromkeys(reasons) if reason)),
    )  # fmt: skip


def _endpoint(message: etree._Element, party: str) -> str:
    endpoint = message.find(f"{party}/{{*}}EndpointID")
    return f"{endpoint.get('schemeID', '')}:{' '.join((endpoint.text or '').split())}" if endpoint is not None else ""


def _day(text: str) -> date | None:
    """Without its time zone, which XML allows. Raises UnreadableInvoice for what is no day."""
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError as error:
        raise UnreadableInvoice("A date in it is none.") from error


def _text(element: etree._Element | None, path: str) -> str:
    return " ".join((element.findtext(path) or "").split()) if element is not None else ""

"""Reads what a buyer answers to an e-invoice: the Invoice Response of Peppol (T111), alone or in its envelope."""

from typing import NamedTuple

from lxml import etree

from invoices.delivery.base import Answer
from invoices.documents.einvoice.reading import UnreadableInvoice, parse
from invoices.models import Delivery

Status = Delivery.Status
# Of UNCL 4343, as Peppol uses them: received, in process, asked about, accepted with changes, refused, accepted, paid.
CODES = {
    "AB": Status.DELIVERED,
    "IP": Status.DELIVERED,
    "UQ": Status.DELIVERED,
    "CA": Status.ACCEPTED,
    "RE": Status.REJECTED,
    "AP": Status.ACCEPTED,
    "PD": Status.ACCEPTED,
}


class Response(NamedTuple):
    """``number`` is that of the invoice or credit note which is answered, ``sender`` the endpoint of who answers, such
    as ``0106:00000001``."""

    number: str
    sender: str
    answer: Answer


def read_response(content: bytes) -> Response:
    """Raises UnreadableInvoice for what is no such response."""
    root = parse(content)
    message = next(root.iter("{*}ApplicationResponse"), None)
    if message is None:
        raise UnreadableInvoice("There is no ApplicationResponse in it.")
    endpoint = message.find("{*}SenderParty/{*}EndpointID")
    sender = f"{endpoint.get('schemeID', '')}:{' '.join((endpoint.text or '').split())}" if endpoint is not None else ""
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
    return Response(
        number, sender, Answer(CODES[code], "; ".join(reason for reason in dict.fromkeys(reasons) if reason))
    )


def _text(element: etree._Element | None, path: str) -> str:
    return " ".join((element.findtext(path) or "").split()) if element is not None else ""

"""Peppol by an access point with the HTTP interface of phoss AP, which a company can run itself (github.com/phax/
phoss-ap, "API Specification"): a document is posted under a message ID of ours, and asked about by it.

What an access point says in the name of the buyer's one (MLS: accepted, or refused) comes with its status. What the
buyer itself answers (the Invoice Response of Peppol BIS) is posted to us, see `invoices.views.responses`.
"""

from typing import Any
from urllib.parse import quote
from uuid import UUID

import requests
from django.utils.translation import gettext as _

from invoices.delivery.base import Answer, NotNow, Parcel, Undeliverable
from invoices.models import Delivery

Status = Delivery.Status
ACTORS = "iso6523-actorid-upis"
BILLING = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
XRECHNUNG = "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
UBL = "urn:oasis:names:specification:ubl:schema:xsd"
PROCESS = "cenbii-procid-ubl::urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
# Seconds to connect, and for the access point to reach the buyer's one: it answers after that.
TIMEOUT = (5, 60)
# Of a document that is on its way, refused by the access point's own rules, handed over, or given up.
STATES = {
    "pending": None,
    "sending": None,
    "failed": None,
    "sent": Status.SENT,
    "rejected": Status.REJECTED,
    "permanently_failed": Status.FAILED,
}
RECEIVED = {"received_ap": Status.DELIVERED, "received_ab": Status.DELIVERED, "received_re": Status.REJECTED}


class AccessPoint:
    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url.rstrip("/"), token

    def send(self, parcel: Parcel) -> Answer:
        """Looked up before it is posted: an access point may have it already, from a try whose answer was lost."""
        if not (parcel.seller["endpoint"] and parcel.buyer["endpoint"]):
            raise Undeliverable(_("The seller or the buyer had no endpoint when the document was issued."))
        if (known := self._taken_over(parcel.message_id)) is not None:
            return known
        path = "/".join(
            quote(part, safe="")
            for part in (
                _participant(parcel.seller["endpoint"]), _participant(parcel.buyer["endpoint"]), _document_type(parcel),
                PROCESS, parcel.seller["country"],
            )
        )  # fmt: skip
        answer = self._ask(
            "POST", f"submit/{path}", params={"sbdhInstanceID": str(parcel.message_id)}, data=parcel.xml,
            headers={"Content-Type": "application/xml"},
        )  # fmt: skip
        if answer.status_code in (200, 202):
            return Answer(Status.SENT)
        if answer.status_code in (400, 422):
            if (known := self._taken_over(parcel.message_id)) is not None:
                return known
            raise Undeliverable(_("The access point refused it: %(reason)s") % {"reason": _words(answer)})
        raise NotNow(f"HTTP {answer.status_code}")

    def look_up(self, message_id: UUID) -> Answer | None:
        facts = self._facts(message_id)
        return _answer(facts) if facts is not None else None

    def _taken_over(self, message_id: UUID) -> Answer | None:
        """What became of a document that the access point has; one that is still on its way is sent for us, and is
        never posted again. None for a document that it has not."""
        facts = self._facts(message_id)
        return None if facts is None else _answer(facts) or Answer(Status.SENT)

    def _facts(self, message_id: UUID) -> dict[str, Any] | None:
        """What the access point says of a document; None for one that it does not know. Raises NotNow."""
        answer = self._ask("GET", f"status/{message_id}")
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise NotNow(f"HTTP {answer.status_code}")
        try:
            facts = answer.json()
        except ValueError as error:
            raise NotNow("no JSON") from error
        if not isinstance(facts, dict) or str(facts.get("status")) not in STATES:
            raise NotNow("no known status")
        return facts

    def _ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **what: Any) -> requests.Response:
        try:
            return requests.request(
                method, f"{self.url}/api/outbound/{path}", headers={"X-Token": self.token, **(headers or {})},
                timeout=TIMEOUT, allow_redirects=False, **what,
            )  # fmt: skip
        except requests.RequestException as error:
            raise NotNow(type(error).__name__) from error


def _answer(facts: dict[str, Any]) -> Answer | None:
    """None for a document that is on its way."""
    status = RECEIVED.get(str(facts.get("mlsStatus"))) or STATES.get(facts["status"])
    return Answer(status, str(facts.get("errorDetails") or "")[:500]) if status else None


def _participant(endpoint: dict[str, str]) -> str:
    return f"{ACTORS}::{endpoint['scheme']}:{endpoint['id']}"


def _document_type(parcel: Parcel) -> str:
    kind = "CreditNote" if parcel.is_credit_note else "Invoice"
    rules = XRECHNUNG if parcel.buyer["format"] == "xrechnung" else BILLING
    return f"busdox-docid-qns::{UBL}:{kind}-2::{kind}##{rules}::2.1"


def _words(answer: requests.Response) -> str:
    return " ".join(answer.text.split())[:300]

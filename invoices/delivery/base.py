"""What a way of delivering documents is: it takes a document over, and may know later what became of it.

To add one: a module with a class that has these two methods, a member of `Delivery.Channel`, and in
`invoices.operations.deliveries` a line in `channel_of` and in `ways_of`. A document may be handed over twice, under one
message ID, because an answer was lost: a channel makes sure that it arrives once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from invoices.models import Delivery


class Parcel(NamedTuple):
    """An issued document on its way. ``files`` are name, content and media type: the PDF, and the XML if there is
    one."""

    message_id: UUID
    number: str
    is_credit_note: bool
    seller: Mapping[str, Any]
    buyer: Mapping[str, Any]
    files: Sequence[tuple[str, bytes, str]]

    @property
    def xml(self) -> bytes:
        return next(content for _name, content, media_type in self.files if media_type == "application/xml")


class Answer(NamedTuple):
    """What became of a document, and why where it is bad news."""

    status: Delivery.Status
    reason: str = ""


class Undeliverable(Exception):
    """The document cannot be delivered, now or later. The message may be shown to staff and to the customer."""


class NotNow(Exception):
    """The other side did not answer, or is not ready. The document is handed over again later."""


class Channel(Protocol):
    def send(self, parcel: Parcel) -> Answer:
        """Hands a document over. Raises Undeliverable, NotNow."""
        ...

    def look_up(self, message_id: UUID) -> Answer | None:
        """What became of it; None where nothing is known yet. Raises NotNow."""
        ...

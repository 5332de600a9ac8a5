"""Mail that must follow a commit. The row is part of the commit; the worker sends it afterwards, once per fact."""

from datetime import datetime
from typing import Any, Protocol

from billing_portal.core.models import OutgoingMail


class Withdrawn(Exception):
    """A mail must not be sent any more, because what it says is no longer so. Raised while it is rendered."""


class Reader(Protocol):
    """Whoever has a mailbox and a language."""

    email: str
    language: str


def queue(*, key: str, to: Reader, template: str, context: dict[str, Any], at: datetime) -> None:
    """Asks for one mail to one person, in their language, inside the transaction of the fact that ``key`` names; a
    second one is dropped. ``template`` lies in ``templates/emails``, ``context`` is JSON without secrets."""
    queue_to(key=key, email=to.email, language=to.language, template=template, context=context, at=at)


def queue_to(*, key: str, email: str, language: str, template: str, context: dict[str, Any], at: datetime) -> None:
    """The same to an address, whoever reads it: a contact has no account here."""
    mail = OutgoingMail(
        key=key,
        to=email,
        language=language or "en",
        template=template,
        context=context,
        created_at=at,
        next_try_at=at,
    )
    OutgoingMail.objects.bulk_create([mail], ignore_conflicts=True)

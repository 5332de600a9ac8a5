"""Deliveries: which ways an issued document goes, the sending, and what became of it.

They are planned in the transaction of the issue and made afterwards by a job, outside of any transaction. A delivery
that fails is tried again with growing pauses; one that was handed over is asked about until the buyer's side has it.
What is refused, or given up, waits for staff, who send it again once the reason is gone.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, system_access
from accounts.recipients import invoice_recipients
from billing_portal.core.leases import claim_due
from billing_portal.core.models import OutgoingMail
from billing_portal.core.outbox import queue_to
from invoices.bulk import bulk_insert, new_row
from invoices.delivery.base import Answer, Channel, NotNow, Parcel, Undeliverable
from invoices.delivery.folder import Folder
from invoices.delivery.peppol import AccessPoint
from invoices.delivery.responses import Response, may_follow
from invoices.documents.typesetting import MissingGlyphs
from invoices.models import CreditNote, Delivery, Invoice
from invoices.operations.document_archive import WITH_XML, files_of, format_of
from invoices.states import WrongState

log = structlog.get_logger("portal.deliveries")

Status, Way = Delivery.Status, Delivery.Channel
# Longer than an access point may take to answer.
LEASE = timedelta(minutes=10)
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720, 720, 720))
# How long after it was sent a document is asked about, and how often; and how long the access point may know nothing of
# it before staff are told.
ASKED_FOR, ASKED_EVERY, UNKNOWN_FOR = timedelta(days=14), timedelta(hours=1), timedelta(days=3)
BAD = {Status.REJECTED, Status.FAILED}


def channel_of(way: str) -> Channel | None:
    """None where it is not set up, and for mail, which has an outbox of its own."""
    if way == Way.FOLDER and settings.DELIVERY_FOLDER:
        return Folder(settings.DELIVERY_FOLDER)
    if way == Way.PEPPOL and settings.ACCESS_POINT_URL:
        return AccessPoint(settings.ACCESS_POINT_URL, settings.ACCESS_POINT_TOKEN)
    return None


def ways_of(document: Invoice | CreditNote) -> list[tuple[str, str]]:
    """The ways besides mail that a document goes, each with its recipient."""
    ways: list[tuple[str, str]] = []
    if settings.DELIVERY_FOLDER:
        ways.append((Way.FOLDER.value, ""))
    if settings.ACCESS_POINT_URL and format_of(document) in WITH_XML:
        endpoint = document.buyer["endpoint"]
        ways.append((Way.PEPPOL.value, f"{endpoint['scheme']}:{endpoint['id']}" if endpoint else ""))
    return ways


def plan(documents: Iterable[Invoice | CreditNote], *, at: datetime) -> None:
    """Queues the deliveries of documents that were issued just now. Transaction and rights are the caller's."""

    def rows() -> Iterator[Delivery]:
        for document in documents:
            for way, recipient in ways_of(document):
                yield new_row(
                    Delivery, **_of(document), channel=way, recipient=recipient, message_id=uuid4(),
                    created_at=at, next_try_at=at,
                )  # fmt: skip

    bulk_insert(Delivery, rows())


def queue_mail(document: Invoice | CreditNote, *, template: str, context: dict[str, Any], at: datetime) -> None:
    """Queues the mail of a new document for all who get it, each address once, and notes that: its outcome is that of
    the outbox. Contacts sign in nowhere (``is_contact``). Needs ``profile``. Transaction and rights are the
    caller's."""
    readers = invoice_recipients(document.profile)
    of = "credit_note_id" if isinstance(document, CreditNote) else "invoice_id"
    for reader in readers:
        queue_to(
            key=f"{_mail_key(document)}{reader.name}",
            email=reader.email,
            language=reader.language,
            template=template,
            context=context | {of: document.pk} | ({"is_contact": True} if reader.is_contact else {}),
            at=at,
        )
    if readers:
        Delivery.objects.create(
            **_of(document), channel=Way.MAIL, recipient=str(len(readers)), message_id=uuid4(), created_at=at,
            next_try_at=at + PAUSES[0],
        )  # fmt: skip


def notify_credit_note(note: CreditNote, *, at: datetime) -> None:
    """Plans the ways of a new credit note, and its mail. Needs ``profile`` and ``invoice``."""
    plan([note], at=at)
    _queue_mail_of_note(note, at)


def _queue_mail_of_note(note: CreditNote, at: datetime) -> None:
    address = reverse("invoices:detail", args=[note.profile.code, note.invoice.number])
    context = {
        "note": note.number,
        "number": note.invoice.number,
        "total_minor": note.total_minor,
        "currency": note.currency,
        "reason": note.reason,
        "is_void": note.voids_invoice,
        "profile": note.profile.name,
        "account": note.profile.account_id,
        "url": settings.PUBLIC_URL + address,
    }
    queue_mail(note, template="credit_note", context=context, at=at)


def _mail_key(document: Invoice | CreditNote) -> str:
    """What the keys of the mails of a document begin with."""
    return f"credit-note:{document.pk}:" if isinstance(document, CreditNote) else f"invoice-ready:{document.pk}:"


def deliver_due(*, at: datetime, limit: int) -> int:
    """Makes and looks up deliveries whose time has come. Returns how many. Never call it inside a transaction."""
    rows = Delivery.objects.select_related("invoice__profile__account", "credit_note__invoice")
    count = 0
    for delivery in claim_due(rows, "next_try_at", at=at, lease=LEASE, limit=limit):
        count += 1
        try:
            _go_on(delivery, at)
        except NotNow as error:
            _try_later(delivery, str(error), at)
        except (Undeliverable, MissingGlyphs) as error:
            _note(delivery, Answer(Status.FAILED, str(error)), at)
        except Exception as error:
            log.exception("delivery failed", delivery=delivery.pk)
            _try_later(delivery, type(error).__name__, at)
    return count


def _go_on(delivery: Delivery, at: datetime) -> None:
    """Raises NotNow, Undeliverable, MissingGlyphs."""
    if delivery.channel == Way.MAIL:
        _follow_mail(delivery, at)
        return
    channel = channel_of(delivery.channel)
    if channel is None:
        words = _("This way of sending is no longer set up.")
        if delivery.status == Status.QUEUED:
            raise Undeliverable(words)
        _note_silence(delivery, words, at)
    elif delivery.status == Status.QUEUED:
        document = delivery.document
        parcel = Parcel(
            delivery.message_id, str(document), isinstance(document, CreditNote), document.seller, document.buyer,
            files_of(document, at=at),
        )  # fmt: skip
        _note(delivery, channel.send(parcel), at)
    else:
        answer = channel.look_up(delivery.message_id)
        if answer is None:
            _note_silence(delivery, "", at)
        else:
            _note(delivery, answer, at, is_handed_on=answer.status not in BAD)


def _follow_mail(delivery: Delivery, at: datetime) -> None:
    mails = OutgoingMail.objects.filter(key__startswith=_mail_key(delivery.document))
    known = waiting = failed = 0
    reason = ""
    for sent_at, next_try_at, last_error in mails.values_list("sent_at", "next_try_at", "last_error"):
        known += 1
        waiting += sent_at is None and next_try_at is not None
        if sent_at is None and next_try_at is None:
            failed, reason = failed + 1, last_error
    if waiting:
        Delivery.objects.filter(pk=delivery.pk).update(next_try_at=at + timedelta(minutes=5))
    elif not known:  # each was withdrawn
        _note(delivery, Answer(Status.FAILED, _("The people this mail was for no longer receive invoices.")), at)
    else:
        _note(delivery, Answer(Status.FAILED, reason) if failed else Answer(Status.SENT), at)


def _note(delivery: Delivery, answer: Answer, at: datetime, *, is_handed_on: bool = False) -> None:
    """Notes an answer, unless the buyer has said more meanwhile."""
    with transaction.atomic():
        row = Delivery.objects.select_for_update().get(pk=delivery.pk)
        if Status(row.status) in (Status.ACCEPTED, Status.REJECTED):
            row.next_try_at = None
        else:
            if row.sent_at is None and answer.status not in BAD:
                row.sent_at = at
            if not (row.status == Status.DELIVERED and answer.status == Status.SENT):
                row.status, row.reason = answer.status, answer.reason[:500]
            if is_handed_on and row.handed_on_at is None:
                row.handed_on_at = at
            row.answered_at, row.tries, row.needs_staff = at, 0, row.status in BAD and not row.is_repeated
            row.next_try_at = _asked_next(row, at) if row.status == Status.SENT else None
        row.save()


def _note_silence(delivery: Delivery, reason: str, at: datetime) -> None:
    """Of a document that was sent the access point knows nothing, or nothing yet. Once it had its time, staff are told:
    whether the buyer has the document is not known, and sending it again may bring it twice."""
    with transaction.atomic():
        row = Delivery.objects.select_for_update().get(pk=delivery.pk)
        if row.status in (Status.SENT, Status.UNCLEAR):
            row.next_try_at = _asked_next(row, at)
            is_long = row.sent_at is not None and at >= row.sent_at + UNKNOWN_FOR
            if row.status == Status.SENT and row.handed_on_at is None and is_long:
                row.status, row.reason, row.needs_staff = Status.UNCLEAR, reason[:500], not row.is_repeated
        else:
            row.next_try_at = None
        row.save()


def _asked_next(row: Delivery, at: datetime) -> datetime | None:
    is_asked = row.channel == Way.PEPPOL and row.sent_at is not None and at < row.sent_at + ASKED_FOR
    return at + ASKED_EVERY if is_asked else None


def _try_later(delivery: Delivery, reason: str, at: datetime) -> None:
    """A document that nobody took over is given up in the end; one that was handed over is only asked about later."""
    tries = delivery.tries + 1
    if delivery.status != Status.QUEUED and delivery.channel == Way.PEPPOL:
        log.warning("delivery not asked about", delivery=delivery.pk, reason=reason)
        _note_silence(delivery, reason, at)
        return
    if tries > len(PAUSES):
        _note(delivery, Answer(Status.FAILED, reason), at)
        return
    Delivery.objects.filter(pk=delivery.pk).update(tries=tries, reason=reason[:500], next_try_at=at + PAUSES[tries - 1])
    log.warning("delivery put off", delivery=delivery.pk, tries=tries, reason=reason)


@transaction.atomic
def send_again(*, access: Access, delivery_id: int, at: datetime) -> None:
    """Plans a delivery anew that was refused or given up, or may not have arrived, under a new message ID. Of mails,
    those that failed are tried again; where all were withdrawn, new ones go to those who get invoices now. Raises
    WrongState. Rights are the caller's."""
    earlier = Delivery.objects.select_for_update().get(pk=delivery_id)
    if not may_be_sent_again(earlier):
        raise WrongState(_("Only what was rejected, could not be sent or may not have arrived is sent again."))
    document = earlier.document
    if earlier.channel != Way.MAIL or _retry_mails(document, at):
        Delivery.objects.create(
            invoice_id=earlier.invoice_id, credit_note_id=earlier.credit_note_id, channel=earlier.channel,
            recipient=earlier.recipient, message_id=uuid4(), created_at=at, next_try_at=at,
        )  # fmt: skip
    else:
        _mail_anew(document, at)
    Delivery.objects.filter(pk=earlier.pk).update(is_repeated=True, needs_staff=False, next_try_at=None)
    audit.record(
        access=access, at=at, action="delivery.repeated", subject=str(document), profile=document.profile,
        channel=earlier.channel,
    )  # fmt: skip


def _retry_mails(document: Invoice | CreditNote, at: datetime) -> bool:
    """Whether there were mails that had been given up."""
    mails = OutgoingMail.objects.filter(key__startswith=_mail_key(document), sent_at=None, next_try_at=None)
    return bool(mails.update(next_try_at=at, tries=0, unsure=0))


def _mail_anew(document: Invoice | CreditNote, at: datetime) -> None:
    """To those who get it now and have not had it: all earlier mails were withdrawn. The mail of an invoice is written
    by the job of new invoices. Raises WrongState where that would be nobody."""
    if not invoice_recipients(document.profile):
        text = _(
            "Nobody receives invoices of this billing profile. Give somebody a role or add a contact first, and see"
            " that its mails are switched on."
        )
        raise WrongState(text)
    if isinstance(document, CreditNote):
        _queue_mail_of_note(document, at)
    else:
        Invoice.objects.filter(pk=document.pk).update(announce_on=document.profile.day_of(at))


def may_be_sent_again(delivery: Delivery) -> bool:
    return Status(delivery.status) in BAD | {Status.UNCLEAR} and not delivery.is_repeated


@transaction.atomic
def settle(*, access: Access, delivery_id: int, note: str, at: datetime) -> Delivery:
    """Notes that staff have dealt with a delivery; one that may not have arrived has then arrived. Raises WrongState.
    Rights are the caller's."""
    row = Delivery.objects.select_for_update().get(pk=delivery_id)
    if not row.needs_staff:
        raise WrongState(_("Nothing has to be done about this delivery."))
    if row.status == Status.UNCLEAR:
        row.status, row.reason, row.next_try_at = Status.DELIVERED, note, None
    row.needs_staff = False
    row.save()
    document = row.document
    audit.record(
        access=access, at=at, action="delivery.settled", subject=str(document), profile=document.profile,
        channel=row.channel, note=note,
    )  # fmt: skip
    return row


@transaction.atomic
def take_answer(response: Response, *, at: datetime) -> bool:
    """Notes what the buyer answered. False where no such document was sent from the receiver of the answer to its
    sender: whoever is on Peppol can answer, and numbers can be guessed. A message that was taken before changes
    nothing, nor does an answer that may not follow the last one; where it contradicts that, staff are told."""
    delivery = _answered(response)
    if delivery is None:
        return False
    if response.message_id in _answer_ids(delivery) or _is_older(response, delivery):
        return True
    document, answer = delivery.document, response.answer
    delivery.answer_ids, delivery.answered_at = [*delivery.answer_ids, response.message_id], at
    action = "delivery.answered"
    if may_follow(response.code, delivery.answer_code):
        delivery.answer_code, delivery.status, delivery.reason = response.code, answer.status, answer.reason[:500]
        delivery.next_try_at, delivery.contradiction = None, ""
        delivery.needs_staff = delivery.status in BAD and not delivery.is_repeated
    elif {delivery.status, answer.status.value} == {Status.ACCEPTED, Status.REJECTED}:
        delivery.contradiction = f"{answer.status.label}. {answer.reason}".strip()[:500]
        delivery.needs_staff, action = True, "delivery.contradicted"
    else:
        action = ""
    delivery.save()
    if action:
        audit.record(
            access=system_access(), at=at, action=action, subject=str(document), profile=document.profile,
            status=answer.status.value, reason=answer.reason[:200],
        )  # fmt: skip
    return True


def _answered(response: Response) -> Delivery | None:
    """The last delivery of the document that is answered, locked, if its buyer answers its seller."""
    sent = Delivery.objects.filter(channel=Way.PEPPOL, recipient__iexact=response.sender).exclude(status=Status.QUEUED)
    of_number = Q()
    if response.is_credit_note is not True:
        of_number |= Q(invoice__number=response.number)
    if response.is_credit_note is not False:
        of_number |= Q(credit_note__number=response.number)
    for delivery in sent.filter(of_number).select_for_update(of=("self",)).order_by("-pk"):
        document = delivery.document
        endpoint = document.seller.get("endpoint") or {}
        ours = f"{endpoint.get('scheme')}:{endpoint.get('id')}"
        is_same_day = response.issued_on in (None, document.issued_on)
        if is_same_day and ours.casefold() == response.receiver.casefold():
            return delivery
    return None


def _answer_ids(delivery: Delivery) -> set[str]:
    """Of the messages with which any delivery of this document was answered."""
    lists = delivery.document.deliveries.values_list("answer_ids", flat=True)
    return {message_id for ids in lists for message_id in ids}


def _is_older(response: Response, delivery: Delivery) -> bool:
    """Whether it was said before this delivery was sent: a day of it may be another one where the buyer is."""
    sent_at = delivery.sent_at or delivery.created_at
    return response.said_on < sent_at.date() - timedelta(days=1)


@transaction.atomic
def take_later_answer(*, access: Access, delivery_id: int, at: datetime) -> Delivery:
    """Lets an answer hold that contradicts the one before. Raises WrongState. Rights are the caller's."""
    row = Delivery.objects.select_for_update().get(pk=delivery_id)
    if not row.needs_staff or not row.contradiction:
        raise WrongState(_("There is no later answer of the buyer."))
    is_accepted = row.status == Status.ACCEPTED
    row.status, row.answer_code = (Status.REJECTED, "RE") if is_accepted else (Status.ACCEPTED, "AP")
    row.reason, row.contradiction = row.contradiction, ""
    row.needs_staff = row.status in BAD and not row.is_repeated
    row.save()
    document = row.document
    audit.record(
        access=access, at=at, action="delivery.answer_taken", subject=str(document), profile=document.profile,
        status=row.status, reason=row.reason[:200],
    )  # fmt: skip
    return row


def _of(document: Invoice | CreditNote) -> dict[str, int]:
    return {"invoice_id" if isinstance(document, Invoice) else "credit_note_id": document.pk}

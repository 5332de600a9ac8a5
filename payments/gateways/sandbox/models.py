"""What the sandbox keeps: an outside party's records, in a database that the portal's tables are not in. So what is
charged here stays charged when the portal's transaction rolls back or its process is killed. Every change is one
IMMEDIATE transaction (`transaction`), on the disk before it is acknowledged. No card number or code is stored."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db import transaction as transactions
from django.utils import timezone

from invoices.money import MoneyOf

DATABASE = "sandbox"
NO_DELAY = timedelta()


@contextmanager
def transaction() -> Iterator[datetime]:
    """All of what happens inside, or nothing, and nobody else meanwhile. Gives the time by the sandbox's clock."""
    with transactions.atomic(using=DATABASE, durable=True):
        yield now()


def now() -> datetime:
    return timezone.now() + (Clock.objects.values_list("ahead", flat=True).first() or NO_DELAY)


class Record(models.Model):
    """A row of the store. The portal's staff have no rights here."""

    class Meta:
        abstract = True
        default_permissions = ()


class Clock(Record):
    """How far the sandbox's clock is ahead of this machine's. At most one row; no row is no difference."""

    ahead = models.DurationField()


class IdempotencyKey(Record):
    key = models.TextField(primary_key=True)
    parameters = models.JSONField()
    answer = models.JSONField()
    created_at = models.DateTimeField(db_index=True)


class Fence(Record):
    """An attempt that can never be charged any more, whether or not it was ever seen."""

    reference = models.TextField(primary_key=True)
    key = models.TextField(db_index=True)


class Event(Record):
    """One message about a change. It is due until the portal has heard it; a message sent twice is two rows."""

    event_id = models.TextField()
    type = models.TextField()
    object_id = models.TextField()
    reference = models.TextField(default="")
    payment = models.TextField(default="")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, db_index=True)
    tries = models.IntegerField(default=0)


def record(
    type_: str, object_id: str, *, at: datetime, copies: int = 1, delay: timedelta = NO_DELAY, **about: str
) -> None:
    """Writes an event. ``about`` is the portal's ``reference``, and the ``payment`` of a refund or dispute. Copies are
    one event with one id, delivered several times; ``delay`` holds its first delivery back."""
    event = {"event_id": "evt_" + secrets.token_urlsafe(12), "type": type_, "object_id": object_id, **about}
    for _copy in range(copies):
        Event.objects.create(**event, created_at=at, due_at=at + delay)


class Movement(Record):
    family: ClassVar[str]  # how the types of its events begin

    id = models.TextField(primary_key=True)
    reference = models.TextField(default="", db_index=True)  # the portal's; empty where it had no part
    amount_minor = models.BigIntegerField()
    currency = models.TextField()
    amount = MoneyOf("amount_minor")
    state = models.TextField(default="new")
    decline = models.TextField(default="")
    settles_at = models.DateTimeField(null=True, db_index=True)  # when it ends by itself, while it is pending or open
    settles_as = models.TextField(default="")
    created_at = models.DateTimeField()

    class Meta(Record.Meta):
        abstract = True

    def move(self, state: str, *, at: datetime, copies: int = 1, **changes: Any) -> None:
        """The only place where it is written, and each change is told."""
        for name, value in {"state": state, **changes}.items():
            setattr(self, name, value)
        self.created_at = self.created_at or at
        self.save(force_insert=self._state.adding)
        about: dict[str, Any] = {"reference": self.reference, "payment": getattr(self, "payment_id", "")}
        record(f"{self.family}.{state}", self.pk, at=at, copies=copies, **about)


class Approvable(Record):
    """What the bank may ask its cardholder about: a payment, or a card that is being added."""

    profile = models.TextField()
    last_four = models.TextField(default="")
    expiry_month = models.IntegerField()
    expiry_year = models.IntegerField()
    saved_card = models.TextField(default="")  # the id of the card that is kept
    challenge = models.TextField(null=True, unique=True)
    return_url = models.TextField()
    in_page = models.BooleanField()

    class Meta(Record.Meta):
        abstract = True


class CardPayment(Movement, Approvable):
    family = "payment"
    description = models.TextField()
    method = models.TextField()
    save_method = models.BooleanField()


class Refund(Movement):
    family = "refund"
    payment = models.ForeignKey(CardPayment, models.PROTECT, related_name="refunds")
    key = models.TextField(default="", db_index=True)


class Dispute(Movement):
    """A payer's bank asks money back. What nobody gives evidence for in time is lost when it settles."""

    family = "dispute"
    payment = models.ForeignKey(CardPayment, models.PROTECT, related_name="disputes")
    reason = models.TextField()


class StoredCard(Record):
    """A card behind an id, typed in for one use (``tok_``) or saved (``card_``); the defaults are for made-up ids."""

    id = models.TextField(primary_key=True)
    customer = models.TextField(default="")  # none has a card that was typed in
    expiry_month = models.IntegerField(default=12)
    expiry_year = models.IntegerField(default=2030)
    is_approved = models.BooleanField(default=False)  # the bank has approved it for later payments
    is_gone = models.BooleanField(default=False)  # used, or detached


def stored_card(card_id: str) -> StoredCard:
    """The card behind an id; of one that is not stored, such as somebody made up, an unsaved row."""
    return StoredCard.objects.filter(pk=card_id).first() or StoredCard(pk=card_id)


class CardSetup(Approvable):
    id = models.TextField(primary_key=True)
    state = models.TextField()
    decline = models.TextField(default="")


class TypedCard(Record):
    """Somebody typed a card in; nobody may try number after number."""

    person = models.TextField()
    at = models.DateTimeField(db_index=True)


class ArmedFault(Record):
    name = models.TextField()
    operation = models.TextField()
    value = models.TextField()
    remaining = models.IntegerField()

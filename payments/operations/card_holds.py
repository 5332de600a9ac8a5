"""How many cards may be tried within an hour, who is over that, and how staff let them go on.

Whoever tests stolen cards pays and adds cards in turn, on every billing profile they can reach, leaves bank approvals
unfinished, and sends many forms at once. So every try is counted for the person and for the profile, payments and added
cards together, whether it was declined, given up, or is still open; and only one connection at a time counts and writes
the next try down.

What succeeds with a stored card is not counted. A new card is, however it ends, up to a limit of its own: a valid card
can be tested too. What never reached the provider (`not_sent`) says nothing about a card.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import BooleanField, Func, IntegerField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import audit
from accounts.access import Access, require_staff
from accounts.models import BillingProfile, User
from billing_portal.core.database import UNAVAILABLE
from payments.models import CardHold, MethodSetup, Payment
from payments.states import PaymentStatus

log = structlog.get_logger("portal.payments")

HOUR = timedelta(hours=1)
# Of payments and of cards that are added. What is still open has not succeeded yet.
FAILED = (
    *(PaymentStatus.CREATED, PaymentStatus.NEEDS_CUSTOMER, PaymentStatus.UNKNOWN, PaymentStatus.PENDING),
    *(PaymentStatus.DECLINED, PaymentStatus.EXPIRED),
)
Reason = CardHold.Reason

# Both in one order, the person's first, so that no two wait for each other. Locks of their own and not of the rows:
# whoever changes the cards of a profile has its row locked, and keeps no payer waiting.
PERSON, PROFILE = "card tries of person ", "card tries of profile "
TURN = "pg_advisory_xact_lock(hashtextextended({}, 0))"

# In the columns of `CardTry`. Built once, because every payment asks for them.
PAYMENTS = Payment.objects.values_list(
    *("attempt_key", "started_at", "started_by_id", "profile_id", "status", "method_id", "save_method")
)
COUNTED_PAYMENTS = PAYMENTS.filter(
    Q(status__in=FAILED) | Q(method=None) | Q(save_method=True), channel=Payment.Channel.CARD, is_automatic=False
)
SETUPS = MethodSetup.objects.values_list(
    *("key", "created_at", "created_by_id", "profile_id", "status"),
    Value(None, output_field=IntegerField()),
    Value(True, output_field=BooleanField()),
)


class CannotRelease(Exception):
    """Nobody was released. The message may be shown to staff."""


class CardTry(NamedTuple):
    """A card that was tried, in paying or in adding it; ``is_kept``: it was to be stored."""

    key: UUID
    at: datetime
    person_id: int
    profile_id: int
    status: str
    method_id: int | None
    is_kept: bool

    @property
    def has_failed(self) -> bool:
        return self.status in FAILED

    @property
    def is_new_card(self) -> bool:
        """A new card that was paid with and stored has become the method of its payment."""
        return self.method_id is None or self.is_kept


@dataclass(frozen=True)
class Limit:
    """``tries`` is what counts against a person or a profile for one reason, the oldest first."""

    reason: CardHold.Reason
    tries: Sequence[CardTry]
    maximum: int
    person: User | None = None
    profile: BillingProfile | None = None

    @property
    def is_reached(self) -> bool:
        return len(self.tries) >= self.maximum

    @property
    def until(self) -> datetime:
        """When enough of the tries are an hour old."""
        return self.tries[-self.maximum].at + HOUR

    def without(self, released: Sequence[CardHold]) -> "Limit":
        """The same without what staff have forgiven: tries of a person, wherever, or on a profile, until then."""
        return replace(self, tries=[attempt for attempt in self.tries if not self._is_forgiven(attempt, released)])

    def _is_forgiven(self, attempt: CardTry, released: Sequence[CardHold]) -> bool:
        return any(
            hold.reason == self.reason
            and hold.released_at is not None
            and hold.released_at >= attempt.at
            and (hold.person_id == attempt.person_id or (self.profile and hold.profile_id == self.profile.pk))
            for hold in released
        )


class TooManyTries(Exception):
    """The message may be shown. `record_hold` must follow, once the transaction that was refused has ended."""

    def __init__(self, reached: Sequence[Limit], person: User, profile: BillingProfile, at: datetime) -> None:
        self.reached, self.person, self.profile = reached, person, profile
        last = max(reached, key=lambda limit: limit.until)
        minutes = max(1, ceil((last.until - at) / timedelta(minutes=1)))
        super().__init__(f"{_too_much(last)} {_when(last.reason, minutes)}")


def with_turn(rows: QuerySet[Any], person: User) -> QuerySet[Any]:
    """The rows of a profile, in a query that waits until nobody else counts tries of the person or that profile, and
    keeps the turn until the transaction ends. What is read in it was so before the wait; `tries_of` comes after. On
    SQLite writers take turns anyway."""
    if connection.vendor != "postgresql":
        return rows
    of_profile = Concat(Value(PROFILE), Cast("profile_id", TextField()))
    turns = {"turn_of_person": _Turn(Value(f"{PERSON}{person.pk}")), "turn_of_profile": _Turn(of_profile)}
    taking: QuerySet[Any] = rows.annotate(**turns)
    return taking


class _Turn(Func):
    template = TURN.format("%(expressions)s")
    output_field = TextField()


def tries_of(person: User, profile: BillingProfile, key: UUID | None = None, *, at: datetime) -> list[CardTry]:
    """The tries of the hour that count against a person or a profile, and the payment with this attempt key, whenever
    it was: one query. Must run inside the transaction that writes the next try down and has taken the turn: until that
    ends, nobody else counts those of this person or of this profile."""
    since = at - HOUR
    parts = [
        COUNTED_PAYMENTS.filter(Q(started_by=person.pk) | Q(profile=profile.pk), started_at__gt=since),
        SETUPS.filter(Q(created_by=person.pk) | Q(profile=profile.pk), created_at__gt=since),
    ]
    if key is not None:
        parts.append(PAYMENTS.filter(attempt_key=key))
    return [CardTry(*row) for row in parts[0].union(*parts[1:], all=True)]


def take_turn(person: User, profile: BillingProfile) -> None:
    """The same in a query of its own."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            turns = f"SELECT {TURN}, {TURN}".format("%s", "%s")
            cursor.execute(turns, [f"{PERSON}{person.pk}", f"{PROFILE}{profile.pk}"])


def refuse_too_many(
    tries: Sequence[CardTry], person: User, profile: BillingProfile, *, is_new_card: bool, at: datetime
) -> None:
    """Raises TooManyTries when ``tries`` (from `tries_of`) reach a limit. No query while they do not."""
    in_order = sorted(tries, key=lambda attempt: attempt.at)
    matter = (limit for limit in _limits(in_order, person, profile) if is_new_card or limit.reason == Reason.FAILED)
    reached = [limit for limit in matter if limit.is_reached]
    if reached:
        released = list(CardHold.objects.filter(released_at__gt=at - HOUR))
        reached = [limit for limit in (limit.without(released) for limit in reached) if limit.is_reached]
    if reached:
        raise TooManyTries(reached, person, profile, at)


def _limits(tries: Sequence[CardTry], person: User, profile: BillingProfile) -> list[Limit]:
    failed = [attempt for attempt in tries if attempt.has_failed]
    new_cards = [attempt for attempt in tries if attempt.is_new_card]
    limits = []
    for reason, counted, of_person, of_profile in (
        (Reason.FAILED, failed, settings.CARD_TRIES_PER_HOUR, settings.CARD_TRIES_PER_HOUR_OF_PROFILE),
        (Reason.NEW_CARDS, new_cards, settings.NEW_CARDS_PER_HOUR, settings.NEW_CARDS_PER_HOUR_OF_PROFILE),
    ):
        own = [attempt for attempt in counted if attempt.person_id == person.pk]
        on_profile = [attempt for attempt in counted if attempt.profile_id == profile.pk]
        limits.append(Limit(reason, own, of_person, person=person))
        limits.append(Limit(reason, on_profile, of_profile, profile=profile))
    return limits


def _too_much(limit: Limit) -> str:
    if limit.reason == Reason.NEW_CARDS:
        return _("Too many new cards were tried within an hour.")
    if limit.profile is not None:
        return _("Too many attempts to pay or to add a card failed on this billing profile within an hour.")
    return _("Too many of your attempts to pay or to add a card failed within an hour.")


def _when(reason: CardHold.Reason, minutes: int) -> str:
    new_cards = ngettext(
        "You can try a new card in %(count)s minute. Until then you can pay with a stored card or by wire transfer.",
        "You can try a new card in %(count)s minutes. Until then you can pay with a stored card or by wire transfer.",
        minutes,
    )
    failed = ngettext(
        "You can try again in %(count)s minute. Until then you can pay by wire transfer.",
        "You can try again in %(count)s minutes. Until then you can pay by wire transfer.",
        minutes,
    )
    return (new_cards if reason == Reason.NEW_CARDS else failed) % {"count": minutes}


def record_hold(refusal: TooManyTries, *, access: Access, action: str, at: datetime) -> None:
    """Writes down for staff who is held, with one audit entry, ``action``; whoever goes on trying has the end of the
    hold moved. A database that is busy notes it at the next refusal."""
    person, profile = refusal.person, refusal.profile
    try:
        with transaction.atomic():
            take_turn(person, profile)
            if any([_note_hold(limit, at=at) for limit in refusal.reached]):  # noqa: C419  each is noted
                subject = person.email[:120]
                audit.record(access=access, at=at, action=action, subject=subject, person=person, profile=profile)
    except UNAVAILABLE:
        log.warning("hold not noted", person=person.pk, profile=profile.pk)


def _note_hold(limit: Limit, *, at: datetime) -> bool:
    """Whether it is a new one."""
    whose = {"person": limit.person, "profile": limit.profile, "reason": limit.reason}
    hold = CardHold.objects.filter(**whose, released_at=None, since__gt=at - HOUR).first()
    if hold is None:
        CardHold.objects.create(**whose, tries=len(limit.tries), since=at, until=limit.until)
    elif limit.until > hold.until:
        hold.tries, hold.until = len(limit.tries), limit.until
        hold.save(update_fields=["tries", "until"])
    return hold is None


@transaction.atomic
def release_hold(*, access: Access, hold_id: int, reason: str, at: datetime) -> CardHold:
    """Lets somebody who is held try again at once: what they tried before counts no longer. For staff. Raises
    NotAllowed, CardHold.DoesNotExist, CannotRelease without a reason, when the hold is over, and for oneself."""
    require_staff(access)
    hold = CardHold.objects.select_for_update(of=("self",)).select_related("person", "profile").get(pk=hold_id)
    if access.user is None or hold.person_id == access.user.pk:
        raise CannotRelease(_("You cannot release yourself. Ask a colleague."))
    if hold.released_at is not None:
        raise CannotRelease(_("This hold has already been released."))
    if hold.until <= at:
        raise CannotRelease(_("This hold is over."))
    if not reason.strip():
        raise CannotRelease(_("Give the reason; it is kept with the hold."))
    hold.released_at, hold.released_by, hold.release_reason = at, access.user, reason.strip()[:300]
    hold.save(update_fields=["released_at", "released_by", "release_reason"])
    about: dict[str, Any] = {"subject": str(hold)[:120], "person": hold.person, "profile": hold.profile}
    audit.record(access=access, at=at, action="hold.released", **about, reason=hold.release_reason)
    return hold

"""A person as records know them: by the key of their row, and by addresses and a name that stand in texts."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import Q

from accounts.audit_words import thing_of
from accounts.models import (
    AuditEntry,
    BillingAccount,
    BillingContact,
    BillingProfile,
    EmailChange,
    InvoiceSection,
    User,
)
from accounts.querysets import AuditEntryQuerySet
from billing_portal.core.append_only import ERASED

ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")
# An audit entry names its subject in so many letters.
SUBJECT_LENGTH = 120
MOMENT = timedelta(microseconds=1)


# When a word named the person, and nobody else: after the first moment and before the second, each None when unbounded.
Period = tuple[datetime | None, datetime | None]
Periods = Sequence[Period]


@dataclass(frozen=True)
class Person:
    """A person as an export and an erasure look for them. ``addresses``, in lower case, are those whose mailbox ever
    answered, ``names`` those that they had, each with the periods in which it was theirs and nobody else's. ``known``
    are all addresses in what is about them, also those that they only asked for: no other row is looked up by them."""

    user: User
    addresses: dict[str, Periods]
    names: dict[str, Periods]
    known: frozenset[str]

    def has(self, column: str, *, moment: str = "") -> Q:
        """Rows where a column holds one of the addresses, and nothing else: of the time when the address was theirs,
        where ``moment`` names the column that says when the row was written, otherwise by those that are theirs now."""
        rows = Q(pk__in=[])
        for address, periods in self.addresses.items():
            same = Q(**{f"{column}__iexact": address})
            for since, until in periods:
                after = Q(**{f"{moment}__gt": since}) if since and moment else Q()
                before = Q(**{f"{moment}__lt": until}) if until and moment else Q()
                if moment or until is None:
                    rows |= same & after & before
        return rows

    def had(self, address: str, at: datetime) -> bool:
        """Whether an address was the person's at a moment, as far as we know."""
        return _covers(self.addresses.get(address.lower(), ()), at)

    def words_at(self, moments: Collection[datetime]) -> list[str]:
        """The addresses and names that meant the person at one of these moments, and nobody else."""
        words = {**self.names, **self.addresses}
        return [word for word, periods in words.items() if any(_covers(periods, at) for at in moments)]

    def had_somebody_before(self, address: str) -> bool:
        return any(since is not None for since, _until in self.addresses.get(address.lower(), ()))

    def without_others(self, value: Any) -> Any:
        """The same value with the addresses of everybody else taken out of its texts, however deep they lie."""
        return in_texts(value, lambda text: ADDRESS.sub(self._own_only, text))

    def _own_only(self, match: re.Match[str]) -> str:
        return match[0] if match[0].lower() in self.known else "(somebody else)"


def _covers(periods: Periods, at: datetime) -> bool:
    return any((since is None or at > since) and (until is None or at < until) for since, until in periods)


def person_of(user: User) -> Person:
    return Person(user, _addresses(user), _names(user), frozenset(_known_addresses(user)))


def _addresses(user: User) -> dict[str, Periods]:
    """The addresses that the person has proven: the confirmed one, and those before it."""
    confirmed = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    current = {address.lower() for address in confirmed}
    addresses = set(current)
    proofs = AuditEntry.objects.filter(person=user, action__in=("address.changed", "address.proven"))
    for detail in proofs.values_list("detail", flat=True):
        texts = (detail.get(name) for name in ("before", "after", "email"))
        addresses |= {text.lower() for text in texts if isinstance(text, str) and ADDRESS.fullmatch(text)}
    return {address: _periods_of_address(address, user, is_current=address in current) for address in addresses}


def _periods_of_address(address: str, user: User, *, is_current: bool) -> Periods:
    """The moments at which another person had the address part the time into periods. Each in which this person had it
    is theirs, up to the last moment at which they are known to have had it."""
    passed_on = Q(action__in=("address.changed", "address.corrected"), detail__before__iexact=address)
    bearing = AuditEntry.objects.filter(passed_on | Q(subject__iexact=address[:SUBJECT_LENGTH]))
    own = list(bearing.filter(person=user).values_list("at", flat=True))
    others = set(bearing.exclude(person=None).exclude(person=user).values_list("at", flat=True))
    periods: list[Period] = []
    for since, until in pairwise([None, *sorted(others), None]):
        had = [at for at in own if _covers([(since, until)], at)]
        if is_current and until is None:
            periods.append((since, None))
        elif had:
            periods.append((since, max(had) + MOMENT))
    return periods


def _names(user: User) -> dict[str, Periods]:
    """The names that only this person had, each from when they were given it (or joined) until the next."""
    names: dict[str, list[Period]] = {}
    since = user.joined_at - MOMENT
    for at, detail in _changes_of(user).order_by("at", "pk").values_list("at", "detail"):
        before, after = (_name_in(detail, side) for side in ("before", "after"))
        if before is not None:
            names.setdefault(before, []).append((since, at))
        if before is not None or after is not None:
            since = at
    names.setdefault(user.name, []).append((since, None))
    return {name: periods for name, periods in names.items() if _is_only_name(name, user)}


def _changes_of(user: User) -> AuditEntryQuerySet:
    """What staff changed in the row of the person."""
    return AuditEntry.objects.filter(person=user, action__startswith=f"{thing_of(User)}.")


def _name_in(detail: dict[str, Any], side: str) -> str | None:
    values = detail.get(side)
    name = values.get("name") if isinstance(values, dict) else None
    return name if isinstance(name, str) else None


def sessions_of(user: User) -> Iterator[tuple[Session, dict[str, Any]]]:
    """The person's sessions and what is in them. Reads every session: the table does not say whose each is."""
    for session in Session.objects.order_by("pk").iterator(chunk_size=500):
        content = session.get_decoded()
        if content.get(SESSION_KEY) == str(user.pk):
            yield session, content


def in_texts(value: Any, change: Any) -> Any:
    """A JSON value with every text in it changed; names of values stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: in_texts(part, change) for name, part in value.items()}
    if isinstance(value, list):
        return [in_texts(part, change) for part in value]
    return value


class Redaction:
    """Replaces addresses and names by ``(erased)``, each as a whole: ``an@example.com`` is not part of
    ``jan@example.com``, nor is the name Jan part of January."""

    def __init__(self, words: Iterable[str]) -> None:
        # A subject may have been cut off in the middle of a long address.
        both = {text for word in words for text in (word, word[:SUBJECT_LENGTH]) if text}
        self.words = sorted(both, key=len, reverse=True)
        options = "|".join(re.escape(word) for word in self.words)
        self.pattern = re.compile(rf"(?<![\w.+-])(?:{options})(?![\w-]|\.\w)", re.IGNORECASE) if options else None

    @cached_property
    def needles(self) -> list[str]:
        """How the words stand in a column; JSON may be stored with its letters escaped."""
        return sorted({needle for word in self.words for needle in (word, json.dumps(word)[1:-1])})

    def of(self, value: Any, max_length: int | None = None) -> Any:
        """The value with the words replaced. A text that would no longer fit is replaced as a whole."""
        if self.pattern is None:
            return value
        pattern = self.pattern
        changed = in_texts(value, lambda text: pattern.sub(ERASED, text))
        return ERASED if isinstance(changed, str) and max_length and len(changed) > max_length else changed


def _known_addresses(user: User) -> set[str]:
    """All addresses that they have, had or asked for, in lower case, without those that are somebody else's by now."""
    addresses = {user.email, *EmailAddress.objects.filter(user=user).values_list("email", flat=True)}
    addresses |= set(EmailChange.objects.filter(user=user).values_list("email", flat=True))
    changes = AuditEntry.objects.filter(Q(action__contains="email") | Q(action__contains="address"), person=user)
    for subject, detail in changes.values_list("subject", "detail"):
        addresses |= set(ADDRESS.findall(f"{subject} {json.dumps(detail, ensure_ascii=False)}"))
    others = User.objects.exclude(pk=user.pk)
    return {address.lower() for address in addresses if not others.filter(email__iexact=address).exists()}


def every_name(user: User) -> set[str]:
    former = (names_in(detail) for detail in _changes_of(user).values_list("detail", flat=True))
    return {user.name, *chain.from_iterable(former)} - {""}


def names_in(detail: dict[str, Any]) -> set[str]:
    """The names before and after a change that staff made to a row, from the detail of its entry."""
    return {name for side in ("before", "after") if (name := _name_in(detail, side)) is not None}


def _is_only_name(name: str, user: User) -> bool:
    """Whether the name means only this person: it has two words, and no other person or customer bears it."""
    same = Q(name__iexact=name)
    others = (
        User.objects.filter(same).exclude(pk=user.pk),
        BillingContact.objects.filter(same).exclude(email__iexact=user.email),
        BillingAccount.objects.filter(same | Q(company__iexact=name)),
        BillingProfile.objects.filter(same | Q(company__iexact=name)),
        InvoiceSection.objects.filter(same),
    )
    return len(name.split()) > 1 and not any(rows.exists() for rows in others)

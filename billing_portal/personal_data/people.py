"""A person as records know them: by the key of their row, and by addresses and a name that stand in texts."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import Max, Q

from accounts.audit_words import thing_of
from accounts.models import AuditEntry, BillingContact, EmailChange, User
from billing_portal.core.append_only import ERASED

ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")
# An audit entry names its subject in so many letters.
SUBJECT_LENGTH = 120


@dataclass(frozen=True)
class Person:
    """``addresses``, in lower case, are those whose mailbox the person has shown to be theirs. ``known`` are besides
    those that they had, or have asked for: no rows are looked up by them, but they name nobody else.
    ``somebody_elses_until`` holds those of ``addresses`` that another person had, with the last moment of that."""

    user: User
    addresses: frozenset[str]
    known: frozenset[str]
    somebody_elses_until: dict[str, datetime] = field(default_factory=dict)

    def has(self, column: str, *, moment: str = "") -> Q:
        """Rows where a column holds one of the addresses, and nothing else. With the name of a column that says when
        the row was written, without those of the time when the address was somebody else's."""
        found = Q(pk__in=[])
        for address in self.addresses:
            same = Q(**{f"{column}__iexact": address})
            if moment and (until := self.somebody_elses_until.get(address)):
                same &= Q(**{f"{moment}__gt": until})
            found |= same
        return found

    def had(self, address: str, at: datetime) -> bool:
        """Whether an address was the person's at a moment, as far as we know."""
        until = self.somebody_elses_until.get(address.lower())
        return address.lower() in self.addresses and (until is None or at > until)

    def without_others(self, value: Any) -> Any:
        """The same value with the addresses of everybody else taken out of its texts, however deep they lie."""
        return in_texts(value, lambda text: ADDRESS.sub(self._own_only, text))

    def _own_only(self, match: re.Match[str]) -> str:
        return match[0] if match[0].lower() in self.known else "(somebody else)"


def user_with(address: str) -> User | None:
    """Whoever has this address."""
    return User.objects.filter(email__iexact=address.strip()).first()


def person_of(user: User) -> Person:
    """What an export looks for. An address that nobody has confirmed may be somebody else's, and opens nothing."""
    confirmed = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    addresses = frozenset(address.lower() for address in (user.email, *confirmed))
    until = {address: moment for address in addresses if (moment := _last_with_somebody_else(address, user))}
    return Person(user, addresses, addresses | every_address(user), until)


def _last_with_somebody_else(address: str, user: User) -> datetime | None:
    """When another person is last known to have had the address: an entry about them bears it, or says that they had
    it before. None when nobody else is known to have had it."""
    gave_up = Q(action__in=("address.changed", "address.corrected"), detail__before=address)
    others = AuditEntry.objects.exclude(person=None).exclude(person=user)
    last: datetime | None = others.filter(gave_up | Q(subject__iexact=address[:SUBJECT_LENGTH])).aggregate(
        last=Max("at")
    )["last"]
    return last


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
        long = [word for word in words if word]
        # A subject may have been cut off in the middle of a long address.
        self.words = sorted({*long, *(word[:SUBJECT_LENGTH] for word in long)}, key=len, reverse=True)
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


def every_address(user: User) -> set[str]:
    """All addresses that are known to be or to have been the person's, or that they wait for, in lower case. One that
    belongs to somebody else by now is left out: it is no longer about this person."""
    found = {user.email, *EmailAddress.objects.filter(user=user).values_list("email", flat=True)}
    found |= set(EmailChange.objects.filter(user=user).values_list("email", flat=True))
    changes = AuditEntry.objects.filter(Q(action__contains="email") | Q(action__contains="address"), person=user)
    for subject, detail in changes.values_list("subject", "detail"):
        found |= set(ADDRESS.findall(f"{subject} {json.dumps(detail, ensure_ascii=False)}"))
    return {address.lower() for address in found if not _is_of_somebody_else(address, user)}


def _is_of_somebody_else(address: str, user: User) -> bool:
    return User.objects.filter(email__iexact=address).exclude(pk=user.pk).exists()


def every_name(user: User) -> set[str]:
    """The person's name, and those they had before: an entry in the audit holds what staff changed."""
    changes = AuditEntry.objects.filter(person=user, action__startswith=f"{thing_of(User)}.")
    former = (names_in(detail) for detail in changes.values_list("detail", flat=True))
    return {user.name, *chain.from_iterable(former)} - {""}


def names_in(detail: dict[str, Any]) -> set[str]:
    """The names before and after a change that staff made to a row, from the detail of its entry."""
    sides = (detail.get("before"), detail.get("after"))
    names = {side.get("name") for side in sides if isinstance(side, dict)}
    return {name for name in names if isinstance(name, str)}


def is_only_name(name: str, user: User) -> bool:
    """Whether a text that holds a name of this person can only mean them: it has two words, and nobody else bears
    it."""
    same = {"name__iexact": name}
    others = User.objects.filter(**same).exclude(pk=user.pk).exists()
    contacts = BillingContact.objects.filter(**same).exclude(email__iexact=user.email).exists()
    return len(name.split()) > 1 and not others and not contacts

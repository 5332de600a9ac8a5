"""The address under which a person signs in: whose it is, and how it becomes another.

A person has one address. It is theirs once its mailbox has answered: a link that was mailed there set the password. To
change it, a person or staff name the new address; a link goes to the new mailbox and a warning to the old one. The
person alone makes the change, who must open that link *and* be signed in: the link alone would hand an account to
whoever reads the mail at a mistyped address. Staff replace an address directly only while nobody has signed in with it.
An address that any user has, or that somebody else waits for, is refused; two unique indexes say the same.
"""

from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, NotAllowed, fresh, require_staff
from accounts.email_addresses import canonical_address
from accounts.models import AuditEntry, EmailChange, User
from accounts.operations.second_factors import end_sessions
from billing_portal.core.outbox import queue, queue_to

CONFIRM, CANCEL = "accounts.email-change.confirm", "accounts.email-change.cancel"
VALID_FOR = timedelta(days=1)
# Each request mails two mailboxes, one of which may be a stranger's, or says that somebody has an address.
MAX_REQUESTS, WITHIN = 5, timedelta(days=1)
# Invitations and password links that staff mail to one address.
MAX_LINKS, LINKS_WITHIN = 5, timedelta(hours=1)
LINKS = ("invitation.sent", "password.link_sent")


class CannotChangeAddress(Exception):
    """The address stays as it is. The message may be shown."""


class AddressTaken(CannotChangeAddress):
    """It is another user's, or another user waits for it. The message does not say whose it is."""

    def __init__(self) -> None:
        super().__init__(_("This address belongs to another user, or another user is about to confirm it."))


def is_proven(user: User) -> bool:
    return bool(EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists())


def is_only_invited(user: User) -> bool:
    """Whether the person has nothing yet but an invitation that nobody answered."""
    return user.last_login is None and not user.has_usable_password() and not is_proven(user)


def email_change_key(change_id: int, purpose: str) -> str:
    """The secret part of a link about a waiting change; ``purpose`` is `CONFIRM` or `CANCEL`."""
    return signing.dumps(change_id, salt=purpose)


def email_change_of(key: str, purpose: str, *, at: datetime) -> EmailChange | None:
    """The change that a link is about; None when it was made, withdrawn or replaced, or has expired."""
    try:
        change_id = signing.loads(key, salt=purpose)
    except signing.BadSignature:
        return None
    waiting = EmailChange.objects.select_related("user", "requested_by")
    return waiting.filter(pk=change_id, expires_at__gt=at, user__is_active=True).first()


def request_email_change(*, access: Access, user_id: int, email: str, at: datetime) -> EmailChange:
    """Writes down the address that a person wants, and mails both mailboxes. A second request replaces the first.

    For the person and for staff. Raises NotAllowed, AddressTaken, and CannotChangeAddress for an address that is none
    or is the person's own, and after `MAX_REQUESTS` within a day; refusals count among them, or addresses could be
    tried out.
    """
    email = valid_address(email)
    with transaction.atomic():
        user = _locked(access, user_id)
        if email == user.email:
            raise CannotChangeAddress(_("This is the current address already."))
        _refuse_too_many(user, at)
        change = _write_down(access, user, email, at)
        if change is None:
            # Under the lock as well, or several tries at the same moment would not count each other.
            _record(access, user, at, "address.refused", before=user.email, after=email)
    if change is None:
        raise AddressTaken
    return change


def _write_down(access: Access, user: User, email: str, at: datetime) -> EmailChange | None:
    """None, and nothing written, when the address is taken."""
    assert access.user is not None  # noqa: S101  people ask, no job does
    try:
        with transaction.atomic():
            EmailChange.objects.filter(expires_at__lte=at).delete()
            EmailChange.objects.filter(user=user).delete()
            _refuse_taken(email, user)
            change = EmailChange.objects.create(
                user=user, email=email, requested_at=at, requested_by=access.user, expires_at=at + VALID_FOR
            )
            _record(access, user, at, "address.requested", before=user.email, after=email)
            facts = {"change": change.pk, "old": user.email, "new": email, "by_staff": access.user != user}
            key = f"email-change-{change.pk}"
            queue_to(
                key=f"{key}-confirm", email=email, language=user.language, template="address_confirm", context=facts,
                at=at,
            )  # fmt: skip
            queue(key=f"{key}-requested", to=user, template="address_requested", context=facts, at=at)
    except (AddressTaken, IntegrityError):  # the latter when somebody else asked for it at the same moment
        return None
    return change


def confirm_email_change(*, access: Access, key: str, at: datetime) -> User:
    """Makes the address of a link's change the person's own, ends their other sessions, and tells the old mailbox.

    ``access`` must be the person's. Returns the person. Raises CannotChangeAddress when the link is no longer valid or
    was made for somebody else, AddressTaken.
    """
    try:
        with transaction.atomic():
            waiting = email_change_of(key, CONFIRM, at=at)
            if waiting is None:
                raise CannotChangeAddress(_("This link is no longer valid. Ask for the change again."))
            if access.user is None or access.user.pk != waiting.user_id:
                raise CannotChangeAddress(
                    _("This link changes the address of another account. Sign out, and sign in to that account first.")
                )
            user = _locked(access, waiting.user_id)
            # Read again under the lock: the person may have withdrawn it at the same moment.
            change = EmailChange.objects.filter(pk=waiting.pk).first()
            if change is None:
                raise CannotChangeAddress(_("This link is no longer valid. Ask for the change again."))
            before = user.email
            _refuse_taken(change.email, user)
            # Before the address is written, as an invitation does it: or two of them would wait for each other.
            change.delete()
            _replace(user, change.email, is_verified=True)
            _record(access, user, at, "address.changed", before=before, after=user.email)
            queue_to(
                key=f"email-change-{waiting.pk}-changed", email=before, language=user.language,
                template="address_changed", context={"old": before, "new": user.email}, at=at,
            )  # fmt: skip
    except IntegrityError as taken:
        raise AddressTaken from taken
    return user


def cancel_email_change(*, access: Access, user_id: int, at: datetime) -> None:
    """Withdraws a person's waiting change, if any. For the person and for staff. Raises NotAllowed."""
    with transaction.atomic():
        user = _locked(access, user_id)
        _withdraw(access, EmailChange.objects.filter(user=user).first(), at)


def cancel_email_change_by_link(*, key: str, at: datetime) -> bool:
    """The same by the link in the mail to the old mailbox. False when nothing is left to withdraw."""
    change = email_change_of(key, CANCEL, at=at)
    if change is None:
        return False
    with transaction.atomic():
        return _withdraw(Access(user=None), change, at)


def correct_unproven_address(*, access: Access, user_id: int, email: str, at: datetime) -> User:
    """Replaces an address that nobody has proven, and invites the person there; the earlier link no longer works.

    For staff. Returns the person. Raises NotAllowed, AddressTaken, and CannotChangeAddress for somebody who has signed
    in or chosen a password, for who holds a role (the owners meant the person at that address), and after `MAX_LINKS`.
    """
    email = valid_address(email)
    try:
        with transaction.atomic():
            user = _locked(access, user_id)
            require_staff(access)
            if not is_only_invited(user):
                raise CannotChangeAddress(_("This person has used the address. Propose the new one instead."))
            if user.assignments.exists():
                raise CannotChangeAddress(_("Remove the roles of this person first, and grant them anew afterwards."))
            if email == user.email:
                raise CannotChangeAddress(_("This is the current address already."))
            refuse_taken_address(email)
            drop_claims(access=access, email=email, at=at)
            before = user.email
            _replace(user, email, is_verified=False)
            _record(access, user, at, "address.corrected", before=before, after=email)
            queue_to(
                key=f"invitation-{user.pk}-{at.isoformat()}-withdrawn", email=before, language=user.language,
                template="invitation_withdrawn", context={}, at=at,
            )  # fmt: skip
            invite(access=access, user=user, at=at)
    except IntegrityError as taken:
        raise AddressTaken from taken
    return user


def invite(*, access: Access, user: User, at: datetime) -> None:
    """Mails the link that sets the first password and so proves the address. Inside a transaction that holds the
    person's row. Raises CannotChangeAddress after `MAX_LINKS` to the address."""
    _refuse_too_many_links(access, user, at)
    key = f"invitation-{user.pk}-{user.sessions_version}-{at.isoformat()}"
    queue(key=key, to=user, template="invitation", context={"user": user.pk, "address": user.email}, at=at)
    _record(access, user, at, "invitation.sent", email=user.email)


def mail_password_link(*, access: Access, user_id: int, at: datetime) -> User:
    """Mails a link that sets a new password, or the invitation again to who has not proven the address. Returns the
    person. Raises NotAllowed, and CannotChangeAddress for somebody not active and after `MAX_LINKS`."""
    with transaction.atomic():
        user = _locked(access, user_id)
        if not user.is_active:
            raise CannotChangeAddress(_("%(user)s is not active and cannot sign in.") % {"user": user})
        if is_proven(user):
            _refuse_too_many_links(access, user, at)
            queue_password_link(user, at=at)
            _record(access, user, at, "password.link_sent", email=user.email)
        else:
            invite(access=access, user=user, at=at)
    return user


def queue_password_link(user: User, *, at: datetime, language: str = "") -> None:
    """The link is made when the mail is sent, so that the secret in it is stored nowhere. ``language`` is that of the
    page on which it was asked for, for a person who has none yet."""
    queue_to(
        key=f"password-link-{user.pk}-{at.isoformat()}",
        email=user.email,
        language=user.language or language,
        template="password_link",
        context={"user": user.pk, "address": user.email},
        at=at,
    )


def set_password_by_link(*, user: User, password: str, at: datetime) -> None:
    """Stores the password chosen by a mailed link, which proves the address. Every session of the person ends.
    ``password`` has been validated, the link checked. Raises NotAllowed when address or password changed since ``user``
    was read, or the person may no longer sign in."""
    encoded = make_password(password)  # takes a while, so not under the lock
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if (person.email, person.password) != (user.email, user.password) or not person.is_active:
            raise NotAllowed(_("This link no longer works. Ask for a new one."))
        was_proven = is_proven(person)
        change_password(person=person, encoded=encoded, at=at, action="password.reset")
        _replace(person, person.email, is_verified=True)
        if not was_proven:
            _record(Access(user=person), person, at, "address.proven", email=person.email)


def change_password(*, person: User, encoded: str, at: datetime, action: str = "password.changed") -> None:
    """Stores the password that somebody chose while signed in. ``person`` is their locked row (`locked_person`),
    ``encoded`` the hash of a validated password. Every session ends. An address that waits to be confirmed is
    withdrawn: whoever asked for it may have known the old password."""
    access, is_first = Access(user=person), not person.has_usable_password()
    person.password = encoded
    person.save(update_fields=["password"])
    _record(access, person, at, "password.set" if is_first else action)
    _withdraw(access, EmailChange.objects.filter(user=person).select_related("user").first(), at)


def refuse_taken_address(email: str, *, besides: User | None = None) -> None:
    """For a new person. Raises AddressTaken when a user has the address; that somebody waits for it is no claim."""
    users, addresses = User.objects.filter(email__iexact=email), EmailAddress.objects.filter(email__iexact=email)
    if besides is not None:
        users, addresses = users.exclude(pk=besides.pk), addresses.exclude(user=besides)
    if users.exists() or addresses.exists():
        raise AddressTaken


def drop_claims(*, access: Access, email: str, at: datetime) -> None:
    """Withdraws what somebody who has not proven an address waits for, in favor of a person whom staff know there."""
    for change in EmailChange.objects.filter(email__iexact=email).select_related("user"):
        _withdraw(access, change, at)


def valid_address(email: str) -> str:
    """The address as it is stored. Raises CannotChangeAddress when it is none."""
    try:
        return canonical_address(email)
    except ValidationError as error:
        raise CannotChangeAddress(error.messages[0]) from error


def _locked(access: Access, user_id: int) -> User:
    """The person's row, locked, for the person and for staff; only superusers change members of staff."""
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    asker = fresh(access)
    if asker.user is not None and asker.user.pk == user.pk and user.is_active:
        return user
    if not asker.unlimited:
        raise NotAllowed(_("Only the person and our staff may do this."))
    if (user.is_staff or user.is_superuser) and not (asker.user is not None and asker.user.is_superuser):
        raise NotAllowed(_("Only a superuser may do this to a member of staff."))
    return user


def _refuse_taken(email: str, user: User) -> None:
    refuse_taken_address(email, besides=user)
    if EmailChange.objects.filter(email__iexact=email).exclude(user=user).exists():
        raise AddressTaken


def _refuse_too_many(user: User, at: datetime) -> None:
    actions = ("address.requested", "address.refused")
    if AuditEntry.objects.filter(person=user, action__in=actions, at__gt=at - WITHIN).count() >= MAX_REQUESTS:
        raise CannotChangeAddress(_("A change was asked for too often today. Try again tomorrow."))


def _refuse_too_many_links(access: Access, user: User, at: datetime) -> None:
    """Counts what was mailed about this person, and what whoever asks had mailed about others at the same address."""
    mailed = Q(person=user) if access.user is None else Q(person=user) | Q(actor=access.user)
    links = AuditEntry.objects.filter(mailed, action__in=LINKS, subject=user.email[:120], at__gt=at - LINKS_WITHIN)
    if links.count() >= MAX_LINKS:
        raise CannotChangeAddress(
            _("%(count)s links were mailed to %(email)s within an hour. Try again later.")
            % {"count": MAX_LINKS, "email": user.email}
        )


def _replace(user: User, email: str, *, is_verified: bool) -> None:
    """One address a person, in our row and in the library's. A new one ends every session but the current."""
    if user.email != email:
        user.email = email
        User.objects.filter(pk=user.pk).update(email=email)
        end_sessions(user)
    EmailAddress.objects.filter(user=user).exclude(email=email).delete()
    EmailAddress.objects.update_or_create(user=user, email=email, defaults={"verified": is_verified, "primary": True})


def _withdraw(access: Access, change: EmailChange | None, at: datetime) -> bool:
    """Whether there was something to withdraw: it may have been confirmed at the same moment."""
    if change is None or not EmailChange.objects.filter(pk=change.pk).delete()[0]:
        return False
    _record(access, change.user, at, "address.withdrawn", email=change.email)
    return True


def _record(access: Access, user: User, at: datetime, action: str, **detail: Any) -> None:
    audit.record(access=access, at=at, action=action, subject=user.email, person=user, **detail)

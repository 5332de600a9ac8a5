"""Erasing a person: afterwards nothing in the database says who they were, and the books are what they were.

The row of the person stays, without an address and a name, because payments and the audit trail point to it. Texts that
name the person are blanked where they stand, also in the audit trail (docs/decisions/013). What was issued to a
customer stays as it was issued. All of it is one transaction, which begins with the locks that every act of the person
would need.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, Q, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, access_of
from accounts.audit_words import thing_of
from accounts.email_addresses import ERASED_DOMAIN
from accounts.models import (
    AuditEntry,
    BillingAccount,
    BillingContact,
    BillingProfile,
    EmailChange,
    InvoiceSection,
    RoleAssignment,
    User,
    WireRequest,
)
from accounts.operations.contacts import CannotChangeContacts, remove_contact
from accounts.operations.people import places_owned_alone
from accounts.operations.roles import remove_role
from accounts.operations.second_factors import end_sessions
from billing_portal.core.append_only import ERASED
from billing_portal.core.models import OutgoingMail
from billing_portal.core.outbox import queue_to
from billing_portal.personal_data.export import require_power_over
from billing_portal.personal_data.held import TABLES
from billing_portal.personal_data.people import (
    ADDRESS,
    Person,
    Redaction,
    every_name,
    in_texts,
    names_in,
    person_of,
    sessions_of,
)
from invoices.models import CreditNote, Invoice
from invoices.states import InvoiceStatus
from payments.models import Payment
from payments.states import OPEN


class CannotErase(Exception):
    """The person was not erased, and nothing was changed. The message may be shown."""


@dataclass(frozen=True)
class Left:
    """What names a person and stays: documents and addresses of customers, and contacts that nobody chose to remove."""

    contacts: list[BillingContact] = field(default_factory=list)
    addresses: int = 0
    documents: int = 0

    def sentences(self) -> list[str]:
        """For whoever asks or has asked for the erasure. Without personal data."""
        sentences = []
        if self.contacts:
            names = ", ".join(sorted({contact.profile.name for contact in self.contacts}))
            still = _("The address is still a contact in accounts payable of: %(profiles)s.")
            sentences.append(still % {"profiles": names})
        if self.addresses:
            change = _("The name also stands in %(count)s addresses of customers. Change those on their own pages.")
            sentences.append(change % {"count": self.addresses})
        if self.documents:
            kept = _("%(count)s issued invoices and credit notes name the person and stay: tax law makes us keep them.")
            sentences.append(kept % {"count": self.documents})
        return sentences


@transaction.atomic
def why_not(access: Access, user: User) -> str:
    """Why this person cannot be erased now, in a sentence; else empty. It stays true while their locks are held."""
    if user.is_erased:
        return _("This person has been erased already.")
    if access.user == user:
        return _("You cannot erase yourself. Ask another superuser.")
    if alone := places_owned_alone(user):
        return _("%(user)s is the last owner of %(places)s. Make somebody else owner first.") % {
            "user": user,
            "places": ", ".join(alone),
        }
    payments = Payment.objects.filter(started_by=user)
    for rows, sentence in (
        (
            payments.filter(status__in=OPEN),
            _("A payment of this person has not ended: %(references)s. Try again when it has."),
        ),
        (
            payments.filter(disputed_at__isnull=False),
            _("A bank disputes a payment of this person: %(references)s. Try again when it has decided."),
        ),
    ):
        if references := list(rows.values_list("reference", flat=True)[:5]):
            return sentence % {"references": ", ".join(references)}
    return ""


def erase_person(*, access: Access, user_id: int, reason: str, at: datetime, contact_ids: Collection[int] = ()) -> Left:
    """Erases a person for good. For staff; only a superuser erases a member of staff.

    ``contact_ids`` are those of `contacts_of` to remove as well. The person is told by a mail, whose row goes with it.
    Returns what still names them. Raises User.DoesNotExist, NotAllowed, and CannotErase when `why_not` has an answer,
    without a reason, and for a contact that is not theirs or has to stay.
    """
    with transaction.atomic():
        _lock_everything_they_may_change(User.objects.get(pk=user_id), contact_ids)
        user = User.objects.select_for_update().get(pk=user_id)
        require_power_over(access, user)
        if refusal := why_not(access, user):
            raise CannotErase(refusal)
        if not reason.strip():
            raise CannotErase(_("Give the reason. It is recorded with the erasure."))
        kept = _remove_contacts(access, contacts_of(user), contact_ids, at)
        left = left_of(user, contacts=kept)
        _remove_roles(access, user, at)
        address, language, person = user.email, user.language, person_of(user)
        every_word = Redaction([*person.known, *person.addresses, *every_name(user)])
        counts = {
            "mails": _erase_mails(person, kept),
            "wire_requests": WireRequest.objects.filter(person.has("contact_email", moment="requested_at")).update(
                contact_name=ERASED, contact_email=_erased_address(user), contact_phone=""
            ),
            "sessions": len([session.delete() for session, _content in sessions_of(user)]),
            "second_factors": Authenticator.objects.filter(user=user).delete()[0],
            "addresses": EmailAddress.objects.filter(user=user).delete()[0],
        }
        EmailChange.objects.filter(user=user).delete()
        counts["entries"] = _blank_own_entries(user, every_word) + _blank_contact_names(person)
        counts["texts"] = _blank_own_texts(user, every_word)
        counts["texts"] += sum(_write(model, values) for model, values in texts_that_name(person))
        _erase_row(user)
        audit.record(
            access=access, at=at, action="person.erased", subject=f"user {user.pk}", person=user,
            reason=every_word.of(reason.strip()[:500]), erased={name: count for name, count in counts.items() if count},
        )  # fmt: skip
        key = f"person-erased:{user.pk}"
        queue_to(key=key, email=address, language=language, template="person_erased", context={}, at=at)
    return left


def _lock_everything_they_may_change(user: User, contact_ids: Collection[int]) -> None:
    """Invoices, then the scopes: the order in which every operation locks them."""
    visible = BillingProfile.objects.visible_to(access_of(user)).values("pk")
    list(Invoice.objects.filter(status=InvoiceStatus.OPEN, profile__in=visible).only("pk").locked())
    held = RoleAssignment.objects.filter(user=user)
    list(BillingAccount.objects.filter(pk__in=held.values("account")).only("pk").locked())
    of_contacts = BillingContact.objects.filter(pk__in=contact_ids).values("profile")
    list(BillingProfile.objects.filter(Q(pk__in=visible) | Q(pk__in=of_contacts)).only("pk").locked())
    list(InvoiceSection.objects.filter(pk__in=held.values("section")).only("pk").locked())


def _remove_contacts(
    access: Access, contacts: list[BillingContact], chosen: Collection[int], at: datetime
) -> list[BillingContact]:
    if set(chosen) - {contact.pk for contact in contacts}:
        raise CannotErase(_("The contacts have changed meanwhile. Look at them again."))
    for contact in contacts:
        if contact.pk in chosen:
            try:
                remove_contact(access=access, profile_id=contact.profile_id, contact_id=contact.pk, at=at)
            except CannotChangeContacts as refusal:
                raise CannotErase(f"{contact.profile.name}: {refusal}") from refusal
    return [contact for contact in contacts if contact.pk not in chosen]


def _remove_roles(access: Access, user: User, at: datetime) -> None:
    assignments = RoleAssignment.objects.filter(user=user).select_related("account", "profile", "section")
    for assignment in assignments.order_by("account_id", "profile_id", "section_id", "pk"):
        remove_role(access=access, assignment_id=assignment.pk, place=assignment.place, at=at)


def _erase_mails(person: Person, kept: list[BillingContact]) -> int:
    """Unsent mails are dropped, sent ones are left as bare facts; those of a contact that stays are left alone. To an
    unproven address go only mails that were written for this person."""
    own = Q(key__startswith=f"invitation-{person.user.pk}-") | Q(key__startswith=f"password-link-{person.user.pk}-")
    for address in {*person.known, *person.addresses}:
        own |= Q(template="address_confirm", context__old__iexact=address)
    theirs = OutgoingMail.objects.filter(person.has("to", moment="created_at"))
    for contact in kept:
        theirs = theirs.exclude(
            Q(key__endswith=f":contact-{contact.pk}") | Q(key__startswith=f"statement:{contact.pk}:")
        )
    mails = OutgoingMail.objects.filter(own | Q(pk__in=theirs.values("pk")))
    dropped, _by_model = mails.filter(sent_at=None).delete()
    return dropped + mails.update(to=_erased_address(person.user), context={}, last_error="")


def _blank_own_entries(user: User, redaction: Redaction) -> int:
    """Entries about the person name nobody. Where an act came from is erased if they, or nobody signed in, did it."""
    about = AuditEntry.objects.filter(person=user)
    changed = 0
    for entry in about.only("subject", "detail").order_by("pk").iterator(chunk_size=500):
        subject, detail = (
            in_texts(redaction.of(value), lambda text: ADDRESS.sub(ERASED, text))
            for value in (entry.subject, entry.detail)
        )
        subject = subject if len(subject) <= 120 else ERASED
        if (subject, detail) != (entry.subject, entry.detail):
            changed += AuditEntry.objects.filter(pk=entry.pk).update(subject=subject, detail=detail)
    own = AuditEntry.objects.filter(Q(actor=user) | Q(actor=None, person=user))
    return changed + own.exclude(ip_address=None, browser="").update(ip_address=None, browser="")


def _blank_own_texts(user: User, redaction: Redaction) -> int:
    """Texts under an address they may not have proven: the log of the staff pages, and mails to owners about roles."""
    granted = AuditEntry.objects.filter(person=user, action="role.granted").values("at")
    mails = OutgoingMail.objects.filter(
        template="role_granted", context__person__iexact=user.email, created_at__in=granted
    )
    log = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk))
    changed = 0
    for rows, columns in ((log, ("object_repr", "change_message")), (mails, ("context",))):
        for row in rows.values("pk", *columns):
            becomes = redaction.of(row)
            changed += _write(rows.model, becomes) if becomes != row else 0
    return changed


def _blank_contact_names(person: Person) -> int:
    """Only in entries about the contact: what customers call it may be another name, or that of a department."""
    entries = AuditEntry.objects.filter(
        person.has("subject", moment="at"), action__startswith=f"{thing_of(BillingContact)}."
    )
    changed = 0
    for entry in entries.only("detail").order_by("pk"):
        detail = Redaction(names_in(entry.detail)).of(entry.detail)
        if detail != entry.detail:
            changed += AuditEntry.objects.filter(pk=entry.pk).update(detail=detail)
    return changed


def _erase_row(user: User) -> None:
    user.set_unusable_password()
    user.email, user.name = _erased_address(user), ""
    user.language = user.theme = user.last_scope = ""
    user.last_login = None
    user.is_active = user.is_staff = user.is_superuser = False
    user.save()
    end_sessions(user)
    user.groups.clear()
    user.user_permissions.clear()


def words_to_blank(user: User) -> dict[str, int]:
    """Each address and name, with the number of other texts in which it stands. Reads whole tables."""
    person = person_of(user)
    words = dict.fromkeys([*person.addresses, *person.names], 0)
    for model, becomes in texts_that_name(person):
        text = model._default_manager.filter(pk=becomes["pk"]).values(*becomes).get()
        for word in words:
            words[word] += Redaction([word]).of(text) != text
    return words


def texts_that_name(person: Person) -> Iterator[tuple[type[Model], dict[str, Any]]]:
    """The other texts that name the person: of each row its table, its key as ``pk``, and its columns' new values."""
    needles = Redaction([*person.addresses, *person.names]).needles
    for table in TABLES:
        model, columns, moments = table.model, table.swept.split(), table.moments.split()
        rows = model._default_manager.annotate(**{f"{name}_text": Cast(name, TextField()) for name in columns})
        named = _any_holds([f"{name}_text" for name in columns], needles)
        for row in list(rows.filter(named).order_by("pk").values("pk", *columns, *moments)) if columns else ():
            redaction = Redaction(person.words_at([at for name in moments if (at := row[name]) is not None]))
            becomes = {
                name: redaction.of(row[name], getattr(model._meta.get_field(name), "max_length", None))
                for name in columns
            }
            if any(becomes[name] != row[name] for name in columns):
                yield model, {"pk": row["pk"], **becomes}


def _any_holds(columns: Collection[str], words: Collection[str]) -> Q:
    rows = Q(pk__in=[])
    for column in columns:
        for word in words:
            rows |= Q(**{f"{column}__icontains": word})
    return rows


def _write(model: type[Model], values: dict[str, Any]) -> int:
    key = values.pop("pk")
    return model._default_manager.filter(pk=key).update(**values)


def _erased_address(user: User) -> str:
    return f"erased-{user.pk}@{ERASED_DOMAIN}"


def contacts_of(user: User) -> list[BillingContact]:
    """The contacts in accounts payable that have the person's address, of whichever billing profile."""
    return list(
        BillingContact.objects.filter(person_of(user).has("email")).select_related("profile__account").order_by("pk")
    )


def left_of(user: User, *, contacts: list[BillingContact]) -> Left:
    names = every_name(user)
    attention = _any_holds(["attention"], names)
    return Left(
        contacts=contacts,
        addresses=sum(model.objects.filter(attention).count() for model in (BillingAccount, BillingProfile)),
        documents=_documents_that_name([*person_of(user).addresses, *names]),
    )


def _documents_that_name(words: list[str]) -> int:
    """A document keeps the addresses of its buyer as lines of text, a credit note its reason besides."""
    needles, buyer = Redaction(words).needles, Cast("buyer", TextField())
    invoices = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).annotate(buyer_text=buyer)
    notes = CreditNote.objects.annotate(buyer_text=buyer)
    return (
        invoices.filter(_any_holds(["buyer_text"], needles)).count()
        + notes.filter(_any_holds(["buyer_text", "reason"], needles)).count()
    )

"""Who is written to about a billing profile.

Owners, contributors and invoice managers of the profile itself get what is about its invoices; roles of the billing
account do not, because whoever owns an account with a hundred profiles would get a hundred reminders. Contacts in
accounts payable have no account here and get what was ticked for each.
"""

from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import Q

from accounts.models import BillingAccount, BillingContact, BillingProfile, InvoiceSection, RoleAssignment, User
from accounts.roles import Role

INVOICE_ROLES = (Role.PROFILE_OWNER, Role.PROFILE_CONTRIBUTOR, Role.INVOICE_MANAGER)


class Recipient(NamedTuple):
    """Where a mail goes and in which language. ``name`` tells addressees apart in the keys of mails."""

    name: str
    email: str
    language: str
    is_contact: bool = False


def invoice_people(profile: BillingProfile) -> list[User]:
    """Those whose role on the profile itself is about its invoices. One query."""
    held = RoleAssignment.objects.filter(profile=profile, role__in=INVOICE_ROLES)
    return list(User.objects.filter(is_active=True, pk__in=held.values("user")).order_by("pk"))


def owners(place: BillingAccount | BillingProfile | InvoiceSection) -> list[User]:
    """The owners of a scope and of what it belongs to. One query; a section needs its ``profile``."""
    match place:
        case BillingAccount():
            owning = Q(account=place, role=Role.ACCOUNT_OWNER)
        case BillingProfile():
            owning = Q(profile=place, role=Role.PROFILE_OWNER) | Q(account=place.account_id, role=Role.ACCOUNT_OWNER)
        case InvoiceSection():
            owning = (
                Q(section=place, role=Role.SECTION_OWNER)
                | Q(profile=place.profile_id, role=Role.PROFILE_OWNER)
                | Q(account=place.profile.account_id, role=Role.ACCOUNT_OWNER)
            )
    held = RoleAssignment.objects.filter(owning)
    return list(User.objects.filter(is_active=True, pk__in=held.values("user")).order_by("pk"))


def invoice_recipients(profile: BillingProfile) -> list[Recipient]:
    """Who gets the mail about a new invoice: nobody when the profile wants none."""
    if not profile.mails_invoices:
        return []
    return _people_and_contacts(profile, profile.contacts.filter(gets_invoices=True))


def reminder_recipients(profile: BillingProfile) -> list[Recipient]:
    """Nobody can switch off being told of what is past due; a contact can be removed."""
    return _people_and_contacts(profile, profile.contacts.filter(gets_reminders=True))


def _people_and_contacts(profile: BillingProfile, contacts: Iterable[BillingContact]) -> list[Recipient]:
    """Each address once: a contact who also holds a role is one reader."""
    recipients = {
        user.email.lower(): Recipient(str(user.pk), user.email, user.language or "en")
        for user in invoice_people(profile)
    }
    for contact in contacts:
        recipient = Recipient(f"contact-{contact.pk}", contact.email, contact.language, is_contact=True)
        recipients.setdefault(contact.email.lower(), recipient)
    return list(recipients.values())

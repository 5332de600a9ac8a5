"""Which mail a billing profile wants, and who in accounts payable gets it. Owners and contributors decide."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, fresh
from accounts.email_addresses import canonical_address
from accounts.models import BillingContact, BillingProfile
from accounts.roles import Permission
from billing_portal.core.time_zones import month_before, seller_day

MAX_CONTACTS = 20


class CannotChangeContacts(Exception):
    """Nothing was changed. The message may be shown."""


@transaction.atomic
def choose_mails(*, access: Access, profile_id: int, mails_invoices: bool, at: datetime) -> BillingProfile:
    """Whether each new invoice is mailed. Returns the profile. Raises BillingProfile.DoesNotExist, NotAllowed."""
    profile = _profile(access, profile_id)
    if profile.mails_invoices != mails_invoices:
        profile.mails_invoices = mails_invoices
        profile.save(update_fields=["mails_invoices"])
        _record(access, at, "mails.chosen", profile, str(profile), mails_invoices=mails_invoices)
    return profile


@transaction.atomic
def add_contact(
    *,
    access: Access,
    profile_id: int,
    name: str,
    email: str,
    language: str,
    at: datetime,
    gets_invoices: bool = True,
    gets_reminders: bool = True,
    gets_statements: bool = True,
) -> BillingContact:
    """Adds an address that gets the profile's mail; its first statement is of this month. Raises
    BillingProfile.DoesNotExist, NotAllowed, CannotChangeContacts for a wrong or known address, after `MAX_CONTACTS`."""
    profile = _profile(access, profile_id)
    try:
        email = canonical_address(email)
    except ValidationError as error:
        raise CannotChangeContacts(error.messages[0]) from error
    if profile.contacts.filter(email__iexact=email).exists():
        raise CannotChangeContacts(_("%(email)s is a contact already.") % {"email": email})
    if profile.contacts.count() >= MAX_CONTACTS:
        raise CannotChangeContacts(
            _("There are already %(count)s contacts, which is the maximum.") % {"count": MAX_CONTACTS}
        )
    contact = BillingContact.objects.create(
        profile=profile,
        name=name.strip()[:120],
        email=email,
        language=language,
        gets_invoices=gets_invoices,
        gets_reminders=gets_reminders,
        gets_statements=gets_statements,
        last_statement_on=month_before(seller_day(at))[0],
    )
    _record(access, at, "contact.added", profile, email)
    return contact


@transaction.atomic
def remove_contact(*, access: Access, profile_id: int, contact_id: int, at: datetime) -> None:
    """Raises BillingProfile.DoesNotExist, BillingContact.DoesNotExist, NotAllowed, and CannotChangeContacts for the
    last contact of a profile that pays by check or wire: somebody must get its statements."""
    profile = _profile(access, profile_id)
    contact = profile.contacts.get(pk=contact_id)
    if profile.pays_by_wire and profile.contacts.count() == 1:
        raise CannotChangeContacts(
            _("A billing profile that pays by check or wire needs at least one contact. Add another one first.")
        )
    contact.delete()
    _record(access, at, "contact.removed", profile, contact.email)


def _profile(access: Access, profile_id: int) -> BillingProfile:
    profile = BillingProfile.objects.visible_to(access).select_related("account").locked().get(pk=profile_id)
    fresh(access).require(Permission.PROPERTIES_UPDATE, profile)
    return profile


def _record(access: Access, at: datetime, action: str, profile: BillingProfile, subject: str, **detail: Any) -> None:
    audit.record(access=access, at=at, action=action, subject=subject, **audit.belongs_to(profile), **detail)

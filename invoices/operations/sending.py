"""How a billing profile wants its invoices: as PDF or electronic invoice, in which language, to which endpoint."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import audit
from accounts.access import Access, fresh
from accounts.models import BillingProfile
from accounts.models.sellers import validate_endpoint
from accounts.roles import Permission
from invoices.documents.einvoice.checks import missing_of_parties
from invoices.documents.einvoice.faults import About, Fault
from invoices.documents.einvoice.terms import Format

CHOSEN = ("invoice_format", "document_language", "buyer_reference", "endpoint_scheme", "endpoint_id")


class CannotChooseFormat(Exception):
    """Nothing was changed. ``faults`` are texts for the person, by the field that they are about."""

    def __init__(self, faults: dict[str, list[str]]) -> None:
        super().__init__(" ".join(text for texts in faults.values() for text in texts))
        self.faults = faults


def lacking(profile: BillingProfile) -> list[Fault]:
    """What customer and seller lack for the format that the profile has chosen, before there is an invoice. Needs
    ``account`` with ``seller``. One query, none for a PDF."""
    form = Format(profile.invoice_format)
    if form == Format.PDF:
        return []
    seller, buyer = profile.account.seller.as_printed(), profile.as_buyer()
    return missing_of_parties(seller, buyer, form, po_number=profile.po_number)


@transaction.atomic
def choose_sending(
    *,
    access: Access,
    profile_id: int,
    invoice_format: str,
    document_language: str,
    buyer_reference: str,
    endpoint_scheme: str,
    endpoint_id: str,
    at: datetime,
) -> BillingProfile:
    """Holds for invoices that are issued from then on. Returns the profile. Raises BillingProfile.DoesNotExist,
    NotAllowed, and CannotChooseFormat with what the customer lacks for that format."""
    profiles = BillingProfile.objects.visible_to(access).select_related("account__seller")
    profile = profiles.locked().get(pk=profile_id)
    fresh(access).require(Permission.PROPERTIES_UPDATE, profile)
    before = {name: getattr(profile, name) for name in CHOSEN}
    profile.invoice_format, profile.document_language = invoice_format, document_language
    profile.buyer_reference, profile.endpoint_scheme = " ".join(buyer_reference.split()), endpoint_scheme
    try:
        profile.endpoint_id = validate_endpoint(endpoint_scheme, endpoint_id)
    except ValidationError as error:
        raise CannotChooseFormat(error.message_dict) from error
    if faults := [fault for fault in lacking(profile) if fault.about == About.BUYER]:
        by_field: dict[str, list[str]] = {}
        for fault in faults:
            by_field.setdefault(_field_of(fault), []).append(fault.text)
        raise CannotChooseFormat(by_field)
    changed: dict[str, Any] = {
        name: [before[name], getattr(profile, name)] for name in CHOSEN if before[name] != getattr(profile, name)
    }
    if changed:
        profile.save(update_fields=CHOSEN)
        audit.record(
            access=access, at=at, action="sending.chosen", subject=str(profile), **audit.belongs_to(profile), **changed
        )
    return profile


def _field_of(fault: Fault) -> str:
    """The field of the form that a fault is about; empty for what stands elsewhere, such as the address."""
    if "endpoint" in fault.check:
        return "endpoint_id"
    return "buyer_reference" if "reference" in fault.check else ""

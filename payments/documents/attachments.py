"""The documents that mails carry, made when they are sent, so that a mail that waits keeps no file."""

from datetime import date
from typing import Any

from django.utils import timezone

from accounts.models import BillingProfile
from accounts.recipients import invoice_recipients
from billing_portal.core.outbox import Withdrawn
from invoices.models import CreditNote, Invoice
from invoices.operations.document_archive import File, files_of
from payments.documents.statement import statement_file
from payments.statements import statement_of


def attachments_of(context: dict[str, Any], address: str) -> list[File]:
    """Those of a mail with this context: ``invoice_id`` and ``credit_note_id`` stand for the documents of one,
    ``statement`` for the statement of a profile (its id) over the days of the mail. Never call it inside a transaction.
    Raises Withdrawn for an address that gets such mails no more: a mail can wait for days, and a role end meanwhile."""
    if "invoice_id" in context:
        invoice = Invoice.objects.select_related("profile__account").get(pk=context["invoice_id"])
        _check_recipient(invoice.profile, address)
        return files_of(invoice, at=timezone.now())
    if "credit_note_id" in context:
        note = CreditNote.objects.select_related("invoice", "profile__account").get(pk=context["credit_note_id"])
        _check_recipient(note.profile, address)
        return files_of(note, at=timezone.now())
    if "statement" in context:
        profile = BillingProfile.objects.select_related("account__seller").get(pk=context["statement"])
        if not profile.contacts.filter(gets_statements=True, email__iexact=address).exists():
            raise Withdrawn
        days = date.fromisoformat(context["first_on"]), date.fromisoformat(context["last_on"])
        return [statement_file(statement_of(profile, *days), at=timezone.now())]
    return []


def _check_recipient(profile: BillingProfile, address: str) -> None:
    if address.lower() not in {reader.email.lower() for reader in invoice_recipients(profile)}:
        raise Withdrawn

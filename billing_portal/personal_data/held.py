"""The list of what is held about people: what an export hands out, and what becomes of it in an erasure.

A new foreign key to `User`, a new address and a new column for free text each fail the tests until they stand here:
in `KINDS` or, with the reason, in `LEFT_OUT`; and in `OWN`, `SWEPT` or, with the reason, in `KEPT`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_noop as _

from accounts.models import AuditEntry, BillingContact, EmailChange, RoleAssignment, User, WireRequest
from billing_portal.core.models import JobRun, OutgoingMail
from billing_portal.personal_data.people import Person
from invoices.models import Charge, Credit, CreditEntry, CreditNote, Invoice
from payments.models import CardHold, MethodSetup, Payment, PaymentMethod, Refund

Row = dict[str, Any]


def _as_it_is(row: Row, _person: Person) -> Row:
    return row


@dataclass(frozen=True)
class Kind:
    """The rows of one table that are about a person, and what of them is theirs.

    ``by`` names the columns that point to the person: foreign keys, ``id`` of the person's own row, and columns that
    hold an address. ``what`` is
    translated where it is shown. ``shape`` may take out of a row what belongs to somebody else.

    An address may have been another person's before. Rows found by it alone are therefore only those that were written
    since (``moment`` names the column that says when), and only those that ``at_address`` lets through.
    """

    name: str
    what: str
    model: type[Model]
    by: tuple[str, ...]
    columns: tuple[str, ...]
    shape: Callable[[Row, Person], Row] = _as_it_is
    moment: str = ""
    at_address: Q = field(default_factory=Q)

    def rows(self, person: Person) -> QuerySet[Any, Row]:
        about = Q()
        for column in self.by:
            field = self.model._meta.get_field(column)
            if field.is_relation or column == "id":
                about |= Q(**{column: person.user.pk})
            else:
                about |= person.has(column, moment=self.moment) & self.at_address
        return self.model._default_manager.filter(about).order_by("pk").values(*self.columns)


def _activity(row: Row, person: Person) -> Row:
    """Where an act came from belongs to whoever did it; whom and what it was about to that person. What a record held
    that is about no user belongs to a customer, and may name people."""
    actor, about = row.pop("actor_id"), row.pop("person_id")
    row["by"] = "you" if actor == person.user.pk else "the portal" if actor is None else "somebody else"
    if actor not in (person.user.pk, None):
        row["ip_address"], row["browser"] = None, ""
    if about not in (person.user.pk, None):
        row["subject"], row["detail"] = "somebody else", {}
    elif about is None:
        row["detail"] = {name: value for name, value in row["detail"].items() if name not in ("before", "after")}
    return row


def _wire_request(row: Row, person: Person) -> Row:
    """A colleague who asked may have named you, and you may have named a colleague."""
    asked, decided = row.pop("requested_by_id"), row.pop("decided_by_id")
    row["you_asked"], row["you_decided"] = asked == person.user.pk, decided == person.user.pk
    if not person.had(row["contact_email"], row["requested_at"]):
        del row["contact_name"], row["contact_email"], row["contact_phone"]
    if not row["you_asked"]:
        del row["reason"], row["legal_name"], row["registration_number"], row["monthly_amount"]
    return row


def _contact(row: Row, person: Person) -> Row:
    """A contact goes on when its address passes to somebody else, and may still bear the name of the one before."""
    if person.had_somebody_before(row["email"]):
        del row["name"]
    return row


KINDS = (
    Kind(
        "account", _("Your account: address, name, preferences, and when you joined and last signed in."), User,
        ("id",), ("id", "email", "name", "language", "theme", "last_scope", "is_staff", "is_superuser", "is_active",
                     "joined_at", "last_login"),
    ),
    Kind("addresses", _("Your email addresses."), EmailAddress, ("user",), ("email", "verified", "primary")),
    Kind(
        "address_change", _("The address that you asked to have, and have not confirmed yet."), EmailChange, ("user",),
        ("email", "requested_at", "expires_at"),
    ),
    Kind(
        "roles", _("The roles that you hold."), RoleAssignment, ("user",),
        ("role", "account__code", "account__name", "profile__code", "profile__name", "section__name", "created_at"),
    ),
    Kind("staff_groups", _("The groups of staff that you belong to."), User.groups.through, ("user",),
         ("group__name",)),
    Kind("staff_permissions", _("What you may do as staff, besides your groups."), User.user_permissions.through,
         ("user",), ("permission__codename",)),
    Kind(
        "second_factors", _("Your second factors, without their secrets."), Authenticator, ("user",),
        ("type", "created_at", "last_used_at"),
    ),
    Kind(
        "activity", _("What you did and what was done with your account, from where, as our records have it."),
        AuditEntry, ("actor", "person", "subject"),
        ("at", "action", "subject", "account__code", "profile__code", "ip_address", "browser", "detail", "actor_id",
         "person_id"), _activity, "at", Q(person=None),
    ),
    Kind(
        "staff_pages", _("What you changed in the staff pages."), LogEntry, ("user",),
        ("action_time", "action_flag", "content_type__model", "object_id", "object_repr", "change_message"),
    ),
    Kind(
        "payments", _("The payments that you started."), Payment, ("started_by",),
        ("reference", "profile__code", "channel", "status", "amount_minor", "currency", "card_brand",
         "card_last_four", "bank_reference", "started_at", "finished_at"),
    ),
    Kind(
        "invoices", _("The invoices with a payment of yours in progress."), Invoice, ("payment_started_by",),
        ("number", "profile__code", "payment_started_at"),
    ),
    Kind(
        "cards", _("The cards that you stored."), PaymentMethod, ("created_by",),
        ("profile__code", "status", "brand", "last_four", "expiry_month", "expiry_year", "gateway", "created_at",
         "removed_at"),
    ),
    Kind(
        "cards_added", _("Your attempts to store a card."), MethodSetup, ("created_by",),
        ("profile__code", "status", "gateway", "decline_code", "created_at", "finished_at"),
    ),
    Kind(
        "card_holds", _("When you could try no cards for a while, and whom you released from that."), CardHold,
        ("person", "released_by"), ("reason", "tries", "since", "until", "released_at"),
    ),
    Kind(
        "refunds", _("The refunds that you started."), Refund, ("started_by",),
        ("payment__reference", "status", "amount_minor", "currency", "reason", "started_at"),
    ),
    Kind(
        "charges", _("The charges that you recorded."), Charge, ("created_by",),
        ("profile__code", "kind", "description", "source_reference", "created_at"),
    ),
    Kind(
        "credits", _("The credits that you granted."), Credit, ("created_by",),
        ("profile__code", "source", "amount_minor", "currency", "description", "created_at"),
    ),
    Kind(
        "credit_entries", _("What you did with credits."), CreditEntry, ("actor",),
        ("credit__profile__code", "kind", "amount_minor", "note", "at"),
    ),
    Kind(
        "credit_notes", _("The credit notes that you issued."), CreditNote, ("created_by",),
        ("number", "invoice__profile__code", "currency", "reason", "created_at"),
    ),
    Kind(
        "wire_requests", _("Requests to pay by check or wire that you made or decided, or that name you as contact."),
        WireRequest, ("requested_by", "decided_by", "contact_email"),
        ("profile__code", "status", "legal_name", "registration_number", "monthly_amount", "contact_name",
         "contact_email", "contact_phone", "reason", "requested_at", "decided_at", "requested_by_id", "decided_by_id"),
        _wire_request, "requested_at",
    ),
    Kind(
        "contacts", _("Billing profiles that have your address as a contact in accounts payable."), BillingContact,
        ("email",), ("profile__code", "name", "email", "language", "gets_invoices", "gets_reminders",
                     "gets_statements"), _contact,
    ),
    Kind(
        "mails", _("The mails that we sent to you or are about to send: which and when, not their text."), OutgoingMail,
        ("to",), ("to", "language", "template", "created_at", "sent_at", "tries"), moment="created_at",
    ),
)  # fmt: skip

# Foreign keys to people and columns for addresses and names that an export leaves out.
CUSTOMERS = "a customer's record, which its members see and manage on its pages"
OURS = "about us or about the portal, not about people"
LEFT_OUT = {
    "accounts.EmailChange.requested_by": "the new address of somebody else; the act itself is in the activity",
    "accounts.BillingAccount.name": CUSTOMERS,
    "accounts.BillingAccount.attention": CUSTOMERS,
    "accounts.BillingProfile.name": CUSTOMERS,
    "accounts.BillingProfile.attention": CUSTOMERS,
    "accounts.InvoiceSection.name": CUSTOMERS,
    "invoices.InvoiceLine.section_name": CUSTOMERS,
    "invoices.TaxRate.name": OURS,
    "invoices.RemittanceAccount.account_holder": OURS,
    "auth.Group.name": OURS,
    "auth.Permission.name": OURS,
}

# Columns whose text belongs to the person alone, or names them as somebody's contact: `erasure` has a step for each.
OWN = frozenset(
    {
        "accounts.User.email",
        "accounts.User.name",
        "accounts.User.password",
        "accounts.EmailChange.email",
        "accounts.BillingContact.email",
        "accounts.BillingContact.name",
        "accounts.WireRequest.contact_name",
        "accounts.WireRequest.contact_email",
        "accounts.AuditEntry.browser",
        "core.OutgoingMail.to",
        "account.EmailAddress.email",
        "account.EmailConfirmation.key",
        "mfa.Authenticator.data",
        "sessions.Session.session_data",
    }
)


class Texts(NamedTuple):
    """Columns of a table, and those that say when their texts were written."""

    columns: tuple[str, ...]
    moments: tuple[str, ...]


# Texts about other things in which a person may be named: the names and the addresses that they had when a text was
# written are blanked in it.
SWEPT = {
    AuditEntry: Texts(("subject", "detail"), ("at",)),
    OutgoingMail: Texts(("context", "last_error"), ("created_at",)),
    WireRequest: Texts(("legal_name", "reason", "answer"), ("requested_at", "decided_at")),
    LogEntry: Texts(("object_repr", "change_message"), ("action_time",)),
    JobRun: Texts(("failed",), ("started_at",)),
    Payment: Texts(("gateway_message",), ("started_at", "finished_at")),
    CardHold: Texts(("release_reason",), ("released_at",)),
    Refund: Texts(("reason", "gateway_message"), ("started_at", "finished_at")),
    Credit: Texts(("description",), ("created_at",)),
    Invoice: Texts(("void_reason",), ("voided_at",)),
}

DOCUMENT = "part of the books or of a document in them: tax law keeps it as it is"
GATEWAY = "an identifier or an address at a payment provider, who is told no person's name"
KEPT = {
    **dict.fromkeys(
        (
            *(f"accounts.{model}.{column}" for model in ("BillingAccount", "BillingProfile")
              for column in ("company", "attention", "street", "city", "region", "name")),
            "accounts.InvoiceSection.name",
        ),
        CUSTOMERS,
    ),
    **dict.fromkeys(
        (
            *(f"invoices.{name}" for name in ("Invoice.seller", "Invoice.buyer", "Invoice.remittance")),
            *(f"invoices.CreditNote.{column}" for column in ("seller", "buyer", "reason")),
            *(f"invoices.InvoiceLine.{column}" for column in ("section_name", "description", "tax_note")),
            *(f"invoices.Charge.{column}" for column in ("description", "tax_note", "source_reference")),
            "invoices.Invoice.source_reference",
            "invoices.CreditEntry.note",
            "invoices.IssuedDocument.content",
            "payments.Payment.bank_reference",
        ),
        DOCUMENT,
    ),
    **dict.fromkeys(
        (
            "payments.PaymentMethod.fingerprint",
            "payments.PaymentMethod.gateway_customer",
            "payments.PaymentMethod.gateway_method",
            "payments.Payment.gateway_id",
            "payments.Payment.next_url",
            "payments.PaymentEvent.detail",
            *(f"payments.WebhookDelivery.{column}"
              for column in ("event_id", "type", "object_id", "gateway_payment_id", "last_error")),
            "payments.Dispute.gateway_id",
            "payments.Dispute.reason",
            "payments.Refund.gateway_id",
            "payments.MethodSetup.setup_id",
            "payments.MethodSetup.next_url",
            "payments.Detachment.gateway_method",
            "payments.Detachment.last_error",
        ),
        GATEWAY,
    ),
    **dict.fromkeys(
        (
            "core.OutgoingMail.key",
            "core.JobRun.done",
            "invoices.Invoice.source_digest",
            "invoices.IssuedDocument.digest",
            "invoices.TaxRate.note",
            "invoices.RemittanceAccount.account_holder",
            "invoices.RemittanceAccount.bank",
            "invoices.RemittanceAccount.check_address",
            "admin.LogEntry.object_id",
            "auth.Permission.name",
            "auth.Permission.codename",
            "auth.Group.name",
        ),
        OURS,
    ),
}  # fmt: skip

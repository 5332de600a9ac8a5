"""What the portal holds about people, table by table: `export` hands it out, `erasure` takes it out of the database and
keeps the books whole. docs/personal-data.md says why it is held, and for how long.

The tests hold this list against the tables. A new foreign key to `User`, a new address and a new column for free text
each fail them until it stands here: exported or, with the reason, in `LEFT_OUT`; and its person's own, swept or, with
the reason, in `KEPT`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Model, Q
from django.utils.translation import gettext_noop as _

from accounts.models import AuditEntry, BillingContact, BillingProfile, EmailChange, RoleAssignment, User, WireRequest
from billing_portal.core.models import JobRun, OutgoingMail
from billing_portal.personal_data.people import Person
from invoices.models import Charge, Credit, CreditEntry, CreditNote, Invoice
from payments.models import CardHold, GatewayDifference, MethodSetup, Payment, PaymentMethod, Payout, Refund

Row = dict[str, Any]
EVERY_ROW = Q()


@dataclass(frozen=True)
class Table:
    """The columns of one table that have to do with people; each text holds names of columns, separated by spaces.

    Exported as the file ``name``, which ``what`` describes, are the ``columns`` of rows that are found by ``by``:
    foreign keys to the person, ``id`` of their own row, and columns that hold an address. ``shape`` may take out of a
    row what belongs to somebody else. An address may have been another person's before, so rows found by it alone are
    only those written since (the first of ``moments``), and only those that ``at_address`` lets through.

    In an erasure ``own`` columns belong to the person alone, or name them as a contact: there is a step for each.
    ``swept`` are texts about other things: the names and addresses that a person had at ``moments`` are blanked in it.
    """

    model: type[Model]
    name: str = ""
    what: str = ""
    by: str = ""
    columns: str = ""
    own: str = ""
    swept: str = ""
    moments: str = ""
    shape: Callable[[Row, Person], Row] = lambda row, _person: row
    at_address: Q = EVERY_ROW

    def rows(self, person: Person) -> Iterator[Row]:
        about, moment = Q(), self.moments.partition(" ")[0]
        for column in self.by.split():
            if column == "id" or self.model._meta.get_field(column).is_relation:
                about |= Q(**{column: person.user.pk})
            else:
                about |= person.has(column, moment=moment) & self.at_address
        rows = self.model._default_manager.filter(about).order_by("pk").values(*self.columns.split())
        for row in rows.iterator(chunk_size=500):
            yield person.without_others(self.shape(row, person))


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


TABLES = (
    Table(
        User, "account", _("Your account: address, name, preferences, and when you joined and last signed in."),
        by="id", columns="id email name language theme last_scope is_staff is_superuser is_active joined_at "
                         "last_login", own="email name password",
    ),
    Table(
        EmailAddress, "addresses", _("Your email addresses."), by="user", columns="email verified primary", own="email",
    ),
    Table(EmailConfirmation, own="key"),
    Table(
        EmailChange, "address_change", _("The address that you asked to have, and have not confirmed yet."), by="user",
        columns="email requested_at expires_at", own="email",
    ),
    Table(
        RoleAssignment, "roles", _("The roles that you hold."), by="user",
        columns="role account__code account__name profile__code profile__name section__name created_at",
    ),
    Table(
        User.groups.through, "staff_groups", _("The groups of staff that you belong to."), by="user",
        columns="group__name",
    ),
    Table(
        User.user_permissions.through, "staff_permissions", _("What you may do as staff, besides your groups."),
        by="user", columns="permission__codename",
    ),
    Table(
        Authenticator, "second_factors", _("Your second factors, without their secrets."), by="user",
        columns="type created_at last_used_at", own="data",
    ),
    Table(
        AuditEntry, "activity",
        _("What you did and what was done with your account, from where, as our records have it."),
        by="actor person subject", shape=_activity, at_address=Q(person=None),
        columns="at action subject account__code profile__code ip_address browser detail actor_id person_id",
        own="browser", swept="subject detail", moments="at",
    ),
    Table(
        LogEntry, "staff_pages", _("What you changed in the staff pages."), by="user",
        columns="action_time action_flag content_type__model object_id object_repr change_message",
        swept="object_repr change_message", moments="action_time",
    ),
    Table(
        Payment, "payments", _("The payments that you started."), by="started_by",
        columns="reference profile__code channel status amount_minor currency card_brand card_last_four bank_reference "
                "started_at finished_at",
        swept="gateway_message", moments="started_at finished_at",
    ),
    Table(
        Invoice, "invoices", _("The invoices with a payment of yours in progress."), by="payment_started_by",
        columns="number profile__code payment_started_at", swept="void_reason", moments="voided_at",
    ),
    Table(
        PaymentMethod, "cards", _("The cards that you stored."), by="created_by",
        columns="profile__code status brand last_four expiry_month expiry_year gateway created_at removed_at",
    ),
    Table(
        MethodSetup, "cards_added", _("Your attempts to store a card."), by="created_by",
        columns="profile__code status gateway decline_code created_at finished_at",
    ),
    Table(
        CardHold, "card_holds", _("When you could try no cards for a while, and whom you released from that."),
        by="person released_by", columns="reason tries since until released_at",
        swept="release_reason", moments="released_at",
    ),
    Table(
        Refund, "refunds", _("The refunds that you started."), by="started_by",
        columns="payment__reference status amount_minor currency reason started_at",
        swept="reason gateway_message", moments="started_at finished_at",
    ),
    Table(
        Payout, "payouts", _("The payouts of payment providers that you recorded."), by="created_by",
        columns="gateway reference currency amount_minor fees_minor paid_on reason created_at",
    ),
    Table(
        GatewayDifference, "differences", _("The differences with payment providers that you marked as handled."),
        by="ended_by", columns="gateway kind gateway_id note found_at ended_at", swept="note", moments="ended_at",
    ),
    Table(
        Charge, "charges", _("The charges that you recorded."), by="created_by",
        columns="profile__code kind description source_reference created_at",
    ),
    Table(
        Credit, "credits", _("The credits that you granted."), by="created_by",
        columns="profile__code source amount_minor currency description created_at",
        swept="description", moments="created_at",
    ),
    Table(
        CreditEntry, "credit_entries", _("What you did with credits."), by="actor",
        columns="credit__profile__code kind amount_minor note at",
    ),
    Table(
        CreditNote, "credit_notes", _("The credit notes that you issued."), by="created_by",
        columns="number invoice__profile__code currency reason created_at",
    ),
    Table(
        WireRequest, "wire_requests",
        _("Requests to pay by check or wire that you made or decided, or that name you as contact."),
        by="requested_by decided_by contact_email", shape=_wire_request,
        columns="profile__code status legal_name registration_number monthly_amount contact_name contact_email "
                "contact_phone reason requested_at decided_at requested_by_id decided_by_id",
        own="contact_name contact_email", swept="legal_name reason answer", moments="requested_at decided_at",
    ),
    Table(
        BillingContact, "contacts", _("Billing profiles that have your address as a contact in accounts payable."),
        by="email", columns="profile__code name email language gets_invoices gets_reminders gets_statements",
        own="email name", shape=_contact,
    ),
    Table(
        OutgoingMail, "mails", _("The mails that we sent to you or are about to send: which and when, not their text."),
        by="to", columns="to language template created_at sent_at tries",
        own="to", swept="context last_error", moments="created_at",
    ),
    Table(BillingProfile, swept="hold_reason", moments="held_at"),
    Table(JobRun, swept="failed", moments="started_at"),
    Table(Session, own="session_data"),
)  # fmt: skip
EXPORTED = tuple(table for table in TABLES if table.name)

CUSTOMERS = "a customer's record, which its members see and manage on its pages"
OURS = "about us or about the portal, not about people"
DOCUMENT = "part of the books or of a document in them: tax law keeps it as it is"
GATEWAY = "an identifier or an address at a payment provider, who is told no person's name"

# By the reason: foreign keys to people, and columns for addresses and names, that an export leaves out.
LEFT_OUT = {
    "the new address of somebody else; the act itself is in the activity": {"accounts.EmailChange": "requested_by"},
    CUSTOMERS: {
        "accounts.BillingAccount": "name attention",
        "accounts.BillingProfile": "name attention",
        "accounts.InvoiceSection": "name",
        "invoices.InvoiceLine": "section_name",
    },
    OURS: {
        "invoices.TaxRate": "name",
        "invoices.RemittanceAccount": "account_holder",
        "accounts.Seller": "attention email phone",
        "auth.Group": "name",
        "auth.Permission": "name",
    },
}
# By the reason: texts that an erasure keeps.
KEPT = {
    CUSTOMERS: {
        "accounts.BillingAccount": "company attention street city region name",
        "accounts.BillingProfile": "company attention street city region name endpoint_id",
        "accounts.InvoiceSection": "name",
    },
    DOCUMENT: {
        "invoices.Invoice": "seller buyer remittance exchange source_reference",
        "invoices.CreditNote": "seller buyer reason",
        "invoices.InvoiceLine": "section_name description exemption_reason",
        "invoices.Charge": "description exemption_reason source_reference",
        "invoices.InvoiceTax": "exemption_reason",
        "invoices.CreditNoteTax": "exemption_reason",
        "invoices.CreditEntry": "note",
        "invoices.Transfer": "reference key",
        "invoices.KeptStatement": "heading",
        "invoices.IssuedDocument": "content",
        "payments.Payment": "bank_reference",
        "payments.Refund": "bank_reference",
        "payments.Payout": "reason",
    },
    GATEWAY: {
        "payments.PaymentMethod": "fingerprint gateway_customer gateway_method",
        "payments.Payment": "gateway_id next_url",
        "payments.PaymentEvent": "detail",
        "payments.WebhookDelivery": "event_id type object_id gateway_payment_id last_error",
        "payments.Dispute": "gateway_id reason",
        "payments.GatewayDifference": "gateway_id theirs ours",
        "payments.Refund": "gateway_id",
        "payments.Payout": "reference",
        "payments.MethodSetup": "setup_id next_url",
        "payments.Detachment": "gateway_method last_error",
    },
    OURS: {
        "core.OutgoingMail": "key",
        "core.JobRun": "done",
        "payments.BooksCheck": "problems",
        "invoices.Invoice": "source_digest digest",
        "invoices.CreditNote": "digest",
        "invoices.NumberSeries": "last_digest",
        "invoices.IssuedDocument": "digest",
        "invoices.Delivery": "recipient reason contradiction answer_ids",
        "accounts.SellerLogo": "digest content",
        "accounts.Seller": "company attention street city region email endpoint_id notes_en notes_nl notes_de notes_fr",
        "invoices.TaxRate": "exemption_reason",
        "invoices.RemittanceAccount": "account_holder bank check_address",
        "admin.LogEntry": "object_id",
        "auth.Permission": "name codename",
        "auth.Group": "name",
    },
}

"""What names a person and stays when they are erased, because it is a customer's: documents, addresses, contacts."""

from dataclasses import dataclass, field

from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from accounts.models import BillingAccount, BillingContact, BillingProfile, User
from billing_portal.personal_data.people import Redaction, every_name, person_of
from invoices.models import CreditNote, Invoice
from invoices.states import InvoiceStatus


@dataclass(frozen=True)
class Left:
    """What names a person and stays: documents and addresses of customers, and contacts that nobody chose to remove."""

    contacts: list[BillingContact] = field(default_factory=list)
    addresses: int = 0
    documents: int = 0

    def sentences(self) -> list[str]:
        """For whoever asks or has asked for the erasure. Without personal data."""
        found = []
        if self.contacts:
            names = ", ".join(sorted({contact.profile.name for contact in self.contacts}))
            still = _("The address is still a contact in accounts payable of: %(profiles)s.")
            found.append(still % {"profiles": names})
        if self.addresses:
            found.append(
                _("The name also stands in %(count)s addresses of customers. Change those on their own pages.")
                % {"count": self.addresses}
            )
        if self.documents:
            found.append(
                _("%(count)s issued invoices and credit notes name the person and stay: tax law makes us keep them.")
                % {"count": self.documents}
            )
        return found


def contacts_of(user: User) -> list[BillingContact]:
    """The contacts in accounts payable that have the person's address, of whichever billing profile."""
    return list(
        BillingContact.objects.filter(person_of(user).has("email")).select_related("profile__account").order_by("pk")
    )


def left_of(user: User, *, contacts: list[BillingContact]) -> Left:
    """What will go on naming the person, or does so after an erasure."""
    names = every_name(user)
    attention = Q(pk__in=[])
    for name in names:
        attention |= Q(attention__icontains=name)
    return Left(
        contacts=contacts,
        addresses=sum(model.objects.filter(attention).count() for model in (BillingAccount, BillingProfile)),
        documents=_documents_that_name([*person_of(user).addresses, *names]),
    )


def _documents_that_name(words: list[str]) -> int:
    """A document keeps the addresses of its buyer as lines of text, a credit note its reason besides."""
    of_buyer, of_reason = Q(pk__in=[]), Q(pk__in=[])
    for needle in Redaction(words).needles:
        of_buyer |= Q(buyer_text__icontains=needle)
        of_reason |= Q(reason__icontains=needle)
    buyer = Cast("buyer", TextField())
    invoices = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).annotate(buyer_text=buyer).filter(of_buyer)
    return invoices.count() + CreditNote.objects.annotate(buyer_text=buyer).filter(of_buyer | of_reason).count()

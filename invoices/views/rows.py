"""One invoice as a row of the list: drawn fifty at a time by the list, and alone after a payment."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import Access
from accounts.models import BillingProfile
from accounts.roles import Permission
from invoices.models import Invoice
from invoices.payability import Reason, Why, day_text, disputed_text, why_not
from invoices.states import LOOK, Label, label_of
from invoices.summaries import summary_of

PLACE = "--number--"
ROUTES = {
    "detail": "invoices:detail",
    "pdf": "invoices:pdf",
    "pay": "payments:pay",
    "payment": "payments:latest",
}


def profile_of(access: Access) -> BillingProfile:
    """The profile that a page is inside."""
    assert access.profile is not None  # noqa: S101  profile_view gives one
    return access.profile


class Addresses:
    """The pages of the invoices of one profile. Resolved once, because resolving four names a row costs more than
    drawing the row."""

    def __init__(self, profile: BillingProfile) -> None:
        self.patterns = {name: reverse(route, args=[profile.code, PLACE]) for name, route in ROUTES.items()}

    def of(self, name: str, invoice: Invoice) -> str:
        return self.patterns[name].replace(PLACE, quote(invoice.number or "", safe=""))


class Rows:
    """Makes rows for one reader of one profile on one day."""

    def __init__(self, access: Access, at: datetime) -> None:
        self.access = access
        self.profile = profile_of(access)
        self.today = self.profile.day_of(at)
        self.addresses = Addresses(self.profile)
        self.may_download = access.can(Permission.INVOICE_DOWNLOAD)
        self.may_pay = access.can(Permission.INVOICE_PAY)
        self.pay_words = _("Pay now: %(number)s, %(amount)s")
        self.payment_words = _("View the payment of %(number)s")
        self.download_words = _("Download %(number)s")
        self.kinds = {value: str(name) for value, name in Invoice.Kind.choices}
        self.labels = {label: str(label.label) for label in Label}
        self.role_words = _("Your role does not include paying.")
        self.texts = {"due_heading": _("Due date"), "pay_text": _("Pay now"), "payment_text": _("View the payment")}

    def row(self, invoice: Invoice) -> dict[str, Any]:
        """What `invoices/_row.html` needs, all of it text by now: a template spends more on a filter than on a word.

        Needs ``invoice.payment_started_by`` loaded.
        """
        invoice.profile = self.profile
        label = label_of(invoice.status, due_on=invoice.due_on, is_being_paid=invoice.is_being_paid, today=self.today)
        why = why_not(invoice, self.access)
        amount_due = invoice.amount_due.format()
        return {
            **self.texts,
            "id": str(invoice.pk),
            "number": invoice.number,
            "kind": self.kinds[invoice.kind],
            "issued_on": day_text(invoice.issued_on),
            "due_on": day_text(invoice.due_on),
            "total": invoice.total.format(),
            "amount_due": amount_due,
            "is_zero": not invoice.amount_due_minor,
            "label": self.labels[label],
            "look": LOOK[label],
            "is_late": label == Label.PAST_DUE,
            "is_void": label == Label.VOID,
            "note": disputed_text(invoice),
            "why": self._short(why) if why else "",
            "detail_url": self.addresses.of("detail", invoice),
            "pay_url": "" if why else self.addresses.of("pay", invoice),
            "pay_label": self.pay_words % {"number": invoice.number, "amount": amount_due},
            "payment_url": self.addresses.of("payment", invoice) if label == Label.IN_PROGRESS and self.may_pay else "",
            "payment_label": self.payment_words % {"number": invoice.number},
            "pdf_url": self.addresses.of("pdf", invoice) if self.may_download else "",
            "download_label": self.download_words % {"number": invoice.number},
        }

    def _short(self, why: Reason) -> str:
        """The list names the roles that may pay once, above the rows."""
        return self.role_words if why.code == Why.ROLE else why.text


def row_context(invoice: Invoice, access: Access, at: datetime) -> dict[str, Any]:
    """What `invoices/_changed.html` needs to redraw a row of the list and the figures above it after a payment.

    ``access`` must be inside the invoice's profile.
    """
    rows = Rows(access, at)
    return {"row": rows.row(invoice), "summary": summary_of(rows.profile, rows.today)}

"""One invoice as a row of the list: drawn fifty at a time by the list, and alone after a payment."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.access import Access
from accounts.decorators import profile_of
from accounts.models import BillingProfile
from accounts.roles import Permission
from invoices.models import Invoice
from invoices.money import Money, format_minor
from invoices.payability import NotPayable, NotPayableReason, ProfilePayability, day_text, disputed_text
from invoices.states import BADGES, InvoiceStatus, Label
from invoices.summaries import summary_of
from invoices.tables import Cell

PLACE = "--number--"
ROUTES = {
    "detail": "invoices:detail", "pdf": "invoices:pdf", "xml": "invoices:xml", "document": "invoices:document",
    "pay": "payments:pay", "payment": "payments:latest",
}  # fmt: skip


class Addresses:
    """The pages of the invoices of one profile. Resolved once: four names a row cost more than drawing the row."""

    def __init__(self, profile: BillingProfile) -> None:
        self.parts = {name: reverse(route, args=[profile.code, PLACE]).split(PLACE) for name, route in ROUTES.items()}

    def of(self, name: str, invoice: Invoice) -> str:
        before, after = self.parts[name]
        return before + _quoted(invoice.number or "") + after


@lru_cache(maxsize=4096)
def _quoted(number: str) -> str:
    return quote(number, safe="")


def is_charged(profile: BillingProfile) -> bool:
    """Whether what is planned for its invoices is going to happen: the plan is looked at again only on its day."""
    return profile.charges_automatically and not profile.pays_by_wire and bool(settings.PAYMENT_GATEWAYS)


class Rows:
    """Makes rows for one reader of one profile on one day. What is the same for every row is found once, here."""

    def __init__(self, access: Access, at: datetime) -> None:
        self.access = access
        self.profile = profile_of(access)
        self.today = self.profile.day_of(at)
        self.language = get_language() or "en"
        self.addresses = Addresses(self.profile)
        self.payability = ProfilePayability(self.profile, access)
        self.may_download = access.can(Permission.INVOICE_DOWNLOAD)
        self.may_pay = access.can(Permission.INVOICE_PAY)
        self.pay_words = _("Pay now: %(number)s, %(amount)s")
        self.payment_words = _("View the payment of %(number)s")
        self.download_words = _("Download %(number)s")
        self.kinds = {value: str(name) for value, name in Invoice.Kind.choices}
        self.labels = {label: str(label.label) for label in Label}
        self.charges_cards = is_charged(self.profile)
        self.charge_words = _("Automatic charge on %(day)s")
        self.again_words = _("Card declined; charged again on %(day)s")
        self.declined_words = _("Automatic charge declined on %(day)s")
        self.role_words = _("Your role does not include paying.")
        self.second_factor_words = _("Set up two-factor authentication to pay")
        back = reverse("invoices:list", args=[self.profile.code])
        self.second_factor_url = f"{reverse('mfa_index')}?{urlencode({'next': back})}"
        self.texts = {"due_heading": _("Due date"), "pay_text": _("Pay now"), "payment_text": _("View the payment")}

    def row(self, invoice: Invoice) -> dict[str, Any]:
        """What `invoice_rows` draws: words and addresses, none of them escaped. Needs what `for_rows` loads."""
        invoice.profile = self.profile
        label = invoice.label_on(self.today)
        why = self.payability.reason_not_payable(invoice)
        amount_due = format_minor(invoice.amount_due_minor, invoice.currency, self.language)
        number = {"number": invoice.number, "amount": amount_due}
        address = self.addresses.of
        return {
            **self.texts,
            "id": str(invoice.pk),
            "number": invoice.number,
            "kind": self.kinds[invoice.kind],
            "issued_on": day_text(invoice.issued_on, language=self.language),
            "due_on": day_text(invoice.due_on, language=self.language),
            "total": format_minor(invoice.total_minor, invoice.currency, self.language),
            "amount_due": amount_due,
            "is_zero": not invoice.amount_due_minor,
            "label": self.labels[label],
            "look": BADGES[label],
            "is_late": label == Label.PAST_DUE,
            "is_void": label == Label.VOID,
            "note": disputed_text(invoice) or self._charged(invoice),
            "why": self._short(why) if why else "",
            "why_url": self.second_factor_url if why and why.code == NotPayableReason.SECOND_FACTOR else "",
            "detail_url": address("detail", invoice),
            "pay_url": "" if why else address("pay", invoice),
            "pay_label": "" if why else self.pay_words % number,
            "payment_url": address("payment", invoice) if label == Label.IN_PROGRESS and self.may_pay else "",
            "payment_label": self.payment_words % number,
            "pdf_url": address("pdf", invoice) if self.may_download else "",
            "download_label": self.download_words % number,
        }

    def cells(self, invoice: Invoice) -> list[Cell]:
        """The same invoice in a file."""
        is_paid = invoice.status == InvoiceStatus.PAID and invoice.paid_at is not None
        return [
            invoice.number, self.kinds[invoice.kind], invoice.issued_on, invoice.due_on, invoice.currency,
            invoice.total, invoice.amount_due, self.labels[invoice.label_on(self.today)],
            invoice.payment_reference, invoice.po_number,
            self.profile.day_of(invoice.paid_at) if is_paid and invoice.paid_at else None,
            Money(invoice.charges_minor, invoice.currency),
        ]  # fmt: skip

    def _charged(self, invoice: Invoice) -> str:
        """The day on which it is charged by itself, or was and its bank declined; Pay now is always possible."""
        if invoice.is_being_paid or invoice.status != InvoiceStatus.OPEN:
            return ""
        if invoice.autopay_on is not None and self.charges_cards:
            words, day = self.again_words if invoice.autopay_declined_on else self.charge_words, invoice.autopay_on
        elif invoice.autopay_declined_on is not None:
            words, day = self.declined_words, invoice.autopay_declined_on
        else:
            return ""
        pattern = "d MMM" if day.year == self.today.year else "d MMM y"
        return words % {"day": day_text(day, pattern, language=self.language)}

    def _short(self, why: NotPayable) -> str:
        """The list says once, above the rows, which roles may pay or that a second factor is demanded."""
        if why.code == NotPayableReason.SECOND_FACTOR:
            return self.second_factor_words
        return self.role_words if why.code == NotPayableReason.ROLE else why.text


def row_context(invoice: Invoice, access: Access, at: datetime) -> dict[str, Any]:
    """What `invoices/_changed.html` needs to redraw a row and the figures above. ``access`` is in the profile."""
    rows = Rows(access, at)
    summary = summary_of(rows.profile, rows.today)
    return {"rows": [rows.row(invoice)], "summary": summary, "profile": rows.profile, "may_pay": rows.may_pay}

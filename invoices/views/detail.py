"""One invoice: as a page of its own, or in the blade beside the list."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from stdnum import iban

from accounts.access import Access
from accounts.company_numbers import number_label
from accounts.decorators import profile_of, profile_view
from accounts.models import BillingAccount
from accounts.roles import Permission
from billing_portal.core.postal_addresses import address_lines
from invoices.documents.figures import counted
from invoices.documents.taxes import seller_tax_text, tax_label, tax_text
from invoices.models import CreditNote, Invoice, InvoiceLine
from invoices.money import Money, currency_pattern, exponent
from invoices.operations.document_archive import WITH_XML, format_of
from invoices.operations.usage import billed_before
from invoices.payability import NotPayableReason, disputed_text, reason_not_payable
from invoices.payment_codes import belgian_communication, code_of, has_code
from invoices.remittances import Remittance, current_remittance, in_fours
from invoices.states import BADGES, InvoiceStatus
from invoices.views.rows import Addresses, is_charged

PRICE_DECIMALS = 10


@require_safe
@profile_view(Permission.INVOICE_VIEW)
def invoice_detail(request: HttpRequest, access: Access, number: str) -> HttpResponse:
    profile = profile_of(access)
    invoices = Invoice.objects.visible_to(access).select_related(
        "payment_started_by", "replaces__closing", "replaced_by", "closing"
    )
    invoice = get_object_or_404(invoices, number=number)
    invoice.profile = profile
    today = profile.day_of(timezone.now())
    label = invoice.label_on(today)
    lines = list(invoice.lines.order_by("position", "pk"))
    notes = list(CreditNote.objects.visible_to(access).filter(invoice=invoice).order_by("pk"))
    noted_minor = sum(note.applied_minor for note in notes)
    language, has_xml = get_language() or "en", format_of(invoice) in WITH_XML
    why, addresses = reason_not_payable(invoice, access), Addresses(profile)
    is_being_paid = why is not None and why.code == NotPayableReason.IN_PROGRESS
    context = {
        "invoice": invoice,
        "profile": profile,
        "label": label.label,
        "look": BADGES[label],
        "sections": sections_of(lines, invoice.currency),
        "taxes": [
            (tax_label(row.as_tax), Money(row.tax_minor, invoice.currency)) for row in invoice.taxes.order_by("pk")
        ],
        "seller_tax": seller_tax_text(invoice, invoice.seller_tax_minor),
        "credits": Money(noted_minor + invoice.written_off_minor - invoice.credited_minor, invoice.currency),
        "written_off": -invoice.written_off,
        "noted": Money(-noted_minor, invoice.currency),
        "notes": notes,
        "closing": getattr(invoice, "closing", None),
        "replaced_by": _issued(getattr(invoice, "replaced_by", None)),
        "received": Money(-invoice.paid_minor - invoice.refunded_minor, invoice.currency),
        "refunded": invoice.refunded,
        "charged_back": invoice.charged_back,
        "sold_to": address_lines(invoice.buyer["sold_to"], language),
        "bill_to": address_lines(invoice.buyer["bill_to"], language),
        "numbers": [
            (number_label(number["kind"], invoice.buyer["sold_to"]["country"]), number["value"])
            for number in invoice.buyer["numbers"]
        ],
        "agreement": dict(BillingAccount.AgreementType.choices).get(invoice.buyer.get("agreement_type", "")),
        "why": why,
        "disputed": disputed_text(invoice),
        "is_being_paid": is_being_paid,
        "may_pay": access.can(Permission.INVOICE_PAY),
        "days_late": (today - invoice.due_on).days if invoice.due_on and invoice.status == InvoiceStatus.OPEN else 0,
        "transfer": transfer_of(invoice, today),
        "over_limit": why.text if why and why.code == NotPayableReason.CARD_LIMIT else "",
        "is_charged": invoice.autopay_on is not None and is_charged(profile),
        "pay_url": "" if why else addresses.of("pay", invoice),
        "payment_url": addresses.of("payment", invoice) if is_being_paid and access.can(Permission.INVOICE_PAY) else "",
        "may_download": access.can(Permission.INVOICE_DOWNLOAD),
        # Whatever closed a period was made from charges.
        "has_usage": bool(lines) and hasattr(billed_before(invoice), "closing"),
        "pdf_url": addresses.of("pdf", invoice) if access.can(Permission.INVOICE_DOWNLOAD) else "",
        "document_url": addresses.of("document", invoice) if access.can(Permission.INVOICE_DOWNLOAD) else "",
        "xml_url": addresses.of("xml", invoice) if access.can(Permission.INVOICE_DOWNLOAD) and has_xml else "",
        # A folder is the seller's own archive.
        "deliveries": invoice.deliveries.filter(is_repeated=False).exclude(channel="folder").order_by("pk"),
    }
    return render(request, "invoices/detail.html", context)


def _issued(invoice: Invoice | None) -> Invoice | None:
    """A draft is nobody's business yet."""
    return invoice if invoice is not None and invoice.status != InvoiceStatus.DRAFT else None


def sections_of(lines: Iterable[InvoiceLine], currency: str) -> list[dict[str, Any]]:
    """By section, in the order of their first lines: its name, what it comes to without tax, and its lines. Discounts
    on the whole invoice come last."""
    sections: dict[tuple[bool, str], dict[str, Any]] = {}
    for line in sorted(lines, key=attrgetter("is_allowance")):
        name = _("Discounts") if line.is_allowance else line.section_name
        new = {"name": name, "total": Money(0, currency), "lines": []}
        section = sections.setdefault((line.is_allowance, line.section_name), new)
        amount = Money(line.amount_minor, currency)
        section["total"] += amount
        section["lines"].append(
            {
                "description": line.description,
                "quantity": counted(line.quantity, line.unit),
                "price": price_text(line.unit_price, currency, get_language() or "en"),
                "tax": tax_text(line.tax_category, line.tax_rate),
                "amount": amount,
            }
        )
    return list(sections.values())


def transfer_of(invoice: Invoice, today: date) -> dict[str, Any] | None:
    """Where to send the money today; None when nothing is due, or a transfer now would pay twice. ``printed`` is the
    account on the document, where ours has changed since."""
    if not invoice.amount_due or invoice.is_being_paid:
        return None
    printed, now = (
        Remittance.printed_on(invoice),
        current_remittance(invoice.profile.account.seller_id, invoice.currency, today),
    )
    now = now or printed
    code_url = reverse("invoices:payment_code", args=[invoice.profile.code, invoice.number])
    return {
        "now": now,
        "is_iban": now is not None and iban.is_valid(now.iban),
        "printed": printed if now and printed and not now.is_same_account(printed) else None,
        "reference": in_fours(invoice.payment_reference),
        "communication": belgian_communication(now, invoice.payment_reference) if now else "",
        "code_url": code_url if now and has_code(invoice, now) else "",
        "contact": invoice.seller.get("email", ""),
    }


@require_safe
@profile_view(Permission.INVOICE_VIEW)
def payment_code_image(_request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """The payment code of what is due now; an image of its own, because pages allow none inside them."""
    profile = profile_of(access)
    invoice = get_object_or_404(Invoice.objects.visible_to(access), number=number)
    today, printed = profile.day_of(timezone.now()), Remittance.printed_on(invoice)
    remittance = current_remittance(profile.account.seller_id, invoice.currency, today) or printed
    if remittance is None or invoice.is_being_paid or not has_code(invoice, remittance):
        raise Http404(_("This invoice has no payment code."))
    response = HttpResponse(code_of(invoice, remittance), content_type="image/svg+xml")
    response["Cache-Control"] = "private, no-store"
    return response


@lru_cache(maxsize=2048)
def price_text(price: Decimal, currency: str, language: str) -> str:
    """A price of one unit, in major units with at least the currency's decimals: ``€1.25``, ``€0.0312``."""
    (pattern, locale), digits = currency_pattern(currency, language), exponent(currency)
    pattern.frac_prec = (digits, max(digits, PRICE_DECIMALS))
    return str(pattern.apply(price, locale, currency=currency, currency_digits=False))

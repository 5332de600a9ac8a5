"""Draws pictures of documents, each page a PNG: ``make document-pictures FOLDER=...``.

Invoices of sellers in seven countries, for buyers in five scripts, and of 24, 29 and 400 lines, a credit note, a
statement and a receipt: made in a database of their own from the parties of the tests.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from django.db import connection, transaction
from django.utils import translation

from accounts.access import system_access
from accounts.models import BillingProfile
from billing_portal.translations import compile_catalogues
from invoices.documents.credit_note import credit_note_pdf
from invoices.documents.invoice import invoice_pdf
from invoices.documents.typesetting import page_count, page_image
from invoices.models import Invoice
from invoices.operations.credit_notes import credit_note
from payments.documents.receipt import receipt_file
from payments.documents.statement import statement_file
from payments.statements import statement_of
from tests.factories import NOW, TODAY, BillingProfileFactory, issued
from tests.invoices.test_document import with_lines
from tests.invoices.test_document_law import CASES, invoice_of
from tests.payments.test_receipts import paid

SCRIPTS = {
    "japanese": ("株式会社さくら商事", "JP"),
    "arabic": ("شركة المثال للتجارة", "AE"),
    "hindi": ("उदाहरण ट्रेडिंग प्राइवेट लिमिटेड", "IN"),
    "thai": ("บริษัท ตัวอย่าง จำกัด", "TH"),
    "emoji": ("Bright Ideas 🚀 Ltd", "GB"),
}


def documents() -> Iterator[tuple[str, bytes]]:
    """Names and PDFs."""
    for country, case in CASES.items():
        with transaction.atomic(), translation.override(case.language):
            yield f"country-{country}", invoice_pdf(invoice_of(case), at=NOW)
            transaction.set_rollback(True)  # each brings the rates of exchange along
    for script, (company, country) in SCRIPTS.items():
        profile = BillingProfileFactory(company=company, country=country)
        yield f"script-{script}", invoice_pdf(_loaded(issued(profile, tax_rate="21")), at=NOW)
    for count in (24, 29, 400):
        rows = [(f"Project {row // 10 + 1}", f"Work {row + 1}", "1.5", "80", "21") for row in range(count)]
        yield f"lines-{count}", invoice_pdf(_loaded(with_lines(BillingProfileFactory(), *rows)), at=NOW)
    profile = BillingProfileFactory()
    invoice, other = issued(profile, "120.00", tax_rate="21"), issued(profile, "80.00", tax_rate="21")
    note = credit_note(
        access=system_access(), invoice_id=other.pk, amounts=None, reason="Billed twice", today=TODAY, at=NOW
    )
    yield "credit-note", credit_note_pdf(note, at=NOW)
    payment = paid(profile, (invoice, invoice.total_minor))
    for language in ("en", "de", "fr"):
        BillingProfile.objects.filter(pk=profile.pk).update(document_language=language)
        profile = payment.profile = BillingProfile.objects.select_related("account__seller").get(pk=profile.pk)
        yield f"receipt-{language}", receipt_file(payment, at=NOW).content
        statement = statement_of(profile, date(2026, 10, 1), date(2026, 10, 31))
        yield f"statement-{language}", statement_file(statement, at=NOW).content


def _loaded(invoice: Invoice) -> Invoice:
    return Invoice.objects.select_related("profile__account", "replaces").get(pk=invoice.pk)


def draw(folder: Path) -> None:
    """With the settings of the tests."""
    folder.mkdir(parents=True, exist_ok=True)
    compile_catalogues(Path(__file__).resolve().parent.parent.parent / "locale")
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        for title, pdf in documents():
            (folder / f"{title}.pdf").write_bytes(pdf)
            for page in range(1, page_count(pdf) + 1):
                (folder / f"{title}-{page}.png").write_bytes(page_image(pdf, page))
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)

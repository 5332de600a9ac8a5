"""Customers and their invoices, put into the tables by the database itself: a million rows in well under a minute."""

from collections.abc import Sequence
from itertools import batched
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import connection
from django.utils import timezone

from accounts.models import BillingAccount, BillingProfile, InvoiceSection, RoleAssignment, Seller, User
from accounts.roles import Role
from invoices import fingerprints
from invoices.models import Invoice
from payments.models import PaymentMethod

AMOUNT_MINOR = 12100

# Five years of invoices, the newest with the highest number. Most of the newest are open, two in three of those due and
# one past due; of the older ones one in a thousand is open still. The rest is paid, but for some that are void.
HISTORY = """
INSERT INTO invoices_invoice (
    profile_id, number, kind, status, currency, issued_on, due_on, period_start_on, period_end_on, po_number,
    source_reference, source_digest, seller, buyer, payment_terms_days, payment_reference, pays_by_wire,
    charges_minor, tax_minor, total_minor, credited_minor, paid_minor, refunded_minor,
    payment_started_at, payment_started_by_id, paid_at, paid_with, void_reason, voided_at, created_at)
SELECT
    %(profile)s, 'INV-' || lpad(n::text, 7, '0'), (ARRAY['service', 'service', 'marketplace', 'support'])[1 + n %% 4],
    status, 'EUR', issued_on, due_on, issued_on - 30, issued_on - 1, 'PO-2026-0042',
    '', '', %(seller)s, %(buyer)s, 30, 'RF18 5390 0754 7034', false,
    net, tax, net + tax, 0, CASE WHEN status = 'paid' THEN net + tax ELSE 0 END, 0,
    CASE WHEN status = 'open' AND n %% %(busy_every)s = 1 THEN now() END,
    CASE WHEN status = 'open' AND n %% %(busy_every)s = 1 THEN %(user)s::bigint END,
    CASE WHEN status = 'paid' THEN issued_on + 20 END, CASE WHEN status = 'paid' THEN 'Visa •••• 4242' ELSE '' END,
    CASE WHEN status = 'void' THEN 'Billed twice' ELSE '' END, CASE WHEN status = 'void' THEN now() END, issued_on
FROM (
    SELECT
        n, current_date - ((%(rows)s - n) * 1825 / %(rows)s)::int AS issued_on,
        CASE
            WHEN n > %(rows)s - %(recent)s THEN current_date + (n %% 60)::int - 20
            ELSE current_date - ((%(rows)s - n) * 1825 / %(rows)s)::int + 30
        END AS due_on,
        1000 + (n * 7919) %% 90000 AS net,
        CASE
            WHEN n %% %(void_every)s = 3 THEN 'void'
            WHEN n > %(rows)s - %(recent)s AND n %% 10 <> 0 THEN 'open'
            WHEN n %% 1000 = 1 THEN 'open'
            ELSE 'paid'
        END AS status
    FROM generate_series(1, %(rows)s::bigint) AS n
) AS made, LATERAL (SELECT (net * 21 + 50) / 100 AS tax) AS rounded
"""

# A line on the section for every invoice whose id can be divided by a number.
LINES = """
INSERT INTO invoices_invoiceline (
    invoice_id, section_id, section_name, position, description, quantity, unit, unit_price, tax_category, tax_rate,
    exemption_reason, exemption_code, amount_minor)
SELECT id, %(section)s, %(name)s, 1, 'Hosting', 1, 'C62', charges_minor / 100.0, 'S', 21, '', '', charges_minor
FROM invoices_invoice WHERE profile_id = %(profile)s AND id %% %(every)s = 0
"""
TAXES = """
INSERT INTO invoices_invoicetax (
    invoice_id, category, rate, taxable_minor, tax_minor, exemption_reason, exemption_code)
SELECT id, 'S', 21, charges_minor, tax_minor, '', '' FROM invoices_invoice WHERE profile_id = %(profile)s
"""

# Open invoices of one amount, to be paid. Their ids are larger than any other number in a payment's statements.
TO_PAY = """
INSERT INTO invoices_invoice (
    id, profile_id, number, is_numbered_elsewhere, kind, status, currency, issued_on, due_on, po_number,
    source_reference, source_digest, seller, buyer, payment_terms_days, payment_reference, pays_by_wire,
    charges_minor, tax_minor, total_minor, credited_minor, paid_minor, refunded_minor,
    paid_with, void_reason, created_at)
SELECT
    1000000000 + %(profile)s * 1000000 + n, %(profile)s, 'PAY' || %(profile)s || '-' || lpad(n::text, 7, '0'),
    true, 'service', 'open', 'EUR', current_date, current_date + 30, '', '', '', %(seller)s, %(buyer)s, 30,
    'RF' || %(profile)s || 'P' || lpad(n::text, 7, '0'), false,
    %(net)s, %(tax)s, %(net)s + %(tax)s, 0, 0, 0, '', '', now()
FROM generate_series(1, %(rows)s::bigint) AS n
RETURNING id
"""

# What the issue of those invoices would have booked.
BOOKED = """
INSERT INTO invoices_transfer (
    profile_id, kind, debit, credit, amount_minor, currency, booked_on, booked_at, key, invoice_id, reference)
SELECT
    profile_id, 'invoice', 'receivable', side.account, side.minor, currency, issued_on, created_at,
    'invoice:' || id || '/' || side.account, id, ''
FROM invoices_invoice, LATERAL (VALUES ('revenue', charges_minor), ('tax:S:21', tax_minor)) AS side (account, minor)
WHERE profile_id = %(profile)s AND id >= 1000000000
"""

SELLER = (
    '{"code": "NL", "name": "Example Cloud B.V.", "street": "Voorbeeldkade 1", "postal_code": "1011 AA", '
    '"city": "Amsterdam", "region": "", "country": "NL", "numbers": [], "contact": "", "phone": "", '
    '"email": "billing@example.com", "endpoint": {}, "notes": {}, "logo": "", "tax_currency": "EUR"}'
)
PLACE = (
    '{"company": "Example Trading B.V.", "attention": "", "street": "Voorbeeldstraat 1", "postal_code": "", '
    '"city": "Amsterdam", "region": "", "country": "NL"}'
)
BUYER = (
    f'{{"sold_to": {PLACE}, "bill_to": {PLACE}, "numbers": [], "reference": "", "endpoint": {{}}, '
    '"language": "en", "format": "pdf", "is_payable_online": true, "card_limit_minor": null}'
)


def the_seller() -> Seller:
    place = {"street": "Voorbeeldkade 1", "postal_code": "1011 AA", "city": "Amsterdam", "country": "NL"}
    facts = {"company": "Example Cloud B.V.", "email": "billing@example.com", "vat_number": "NL000000001B64", **place}
    return Seller.objects.get_or_create(code="NL", defaults={**facts, "company_number": "00000000"})[0]


def make_profile(name: str) -> BillingProfile:
    """A profile with an invoice manager and a card at each gateway."""
    account = BillingAccount.objects.create(seller=the_seller(), name=name, company=name, country="NL")
    profile = BillingProfile.objects.create(account=account, name=name, currency="EUR", company=name, country="NL")
    user = User.objects.create(email=f"{profile.code}@example.com", password=make_password(None))
    RoleAssignment.objects.create(user=user, role=Role.INVOICE_MANAGER, profile=profile)
    for gateway in ("null", "sandbox"):
        PaymentMethod.objects.create(
            profile=profile,
            brand="visa",
            last_four="4242",
            expiry_month=12,
            expiry_year=timezone.now().year + 3,
            gateway=gateway,
            gateway_method=f"card_4242_{profile.code}",
            created_at=timezone.now(),
        )
    return profile


def add_history(profile: BillingProfile, rows: int) -> dict[str, InvoiceSection]:
    """So many invoices, with their lines. Returns the two sections by how often they occur.

    Of a hundred thousand and more, 95 in 100 are paid. A short list has more of the others: whatever is filtered then
    fills a page, and pages of as many rows are compared.
    """
    page = 60
    values: dict[str, Any] = {
        "recent": max(rows * 3 // 100, 5 * page),
        "void_every": min(50, rows // page),
        "busy_every": 50 if rows > 10_000 else 4,
    }
    user = profile.assignments.get().user
    sections = {}
    with connection.cursor() as cursor:
        values |= {"profile": profile.pk, "rows": rows, "user": user.pk, "seller": SELLER, "buyer": BUYER}
        cursor.execute(HISTORY, values)
        cursor.execute(TAXES, values)
        for name, every in (("common", 1), ("rare", min(1000, rows // page))):
            sections[name] = InvoiceSection.objects.create(profile=profile, name=name.title())
            cursor.execute(LINES, _line(profile, sections[name], every))
    tidy_up()
    return sections


def add_open_invoices(profile: BillingProfile, rows: int) -> list[int]:
    """The ids of so many invoices of `AMOUNT_MINOR` each."""
    tax = AMOUNT_MINOR * 21 // 121
    values = {"profile": profile.pk, "rows": rows, "seller": SELLER, "buyer": BUYER}
    with connection.cursor() as cursor:
        cursor.execute(TO_PAY, values | {"net": AMOUNT_MINOR - tax, "tax": tax})
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(LINES, _line(profile, None, 1))
        cursor.execute(TAXES, values)
        cursor.execute(BOOKED, values)
    for some in batched(ids, 500):
        _add_fingerprints(some)
    return ids


def _add_fingerprints(invoice_ids: Sequence[int]) -> None:
    """As issuing leaves them, so that the books add up: of invoices that are in no series of numbers."""
    lines = fingerprints.of_lines(invoice_ids)
    for row in Invoice.objects.filter(pk__in=invoice_ids).values(*fingerprints.INVOICE_COLUMNS):
        digest = fingerprints.of_invoice(row, lines[row["id"]], "")
        Invoice.objects.filter(pk=row["id"]).update(digest=digest)


def _line(profile: BillingProfile, section: InvoiceSection | None, every: int) -> dict[str, Any]:
    found = {"section": section.pk, "name": section.name} if section else {"section": None, "name": ""}
    return {"profile": profile.pk, "every": every, **found}


def tidy_up() -> None:
    """What a database in use has had done to it: dead rows removed, statistics gathered."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")

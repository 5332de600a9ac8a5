"""Issuing: numbers without gaps, a snapshot that never changes, amounts rounded once a line."""

from datetime import date
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.access import system_access
from accounts.models import AuditEntry, InvoiceSection, Seller, TaxId
from invoices.models import Invoice, InvoiceLine, InvoiceTax, NumberSeries
from invoices.numbering import creditor_reference
from invoices.operations.issuing import CannotIssue, issue, issue_many, recompute_draft
from invoices.states import WrongState
from tests.factories import (
    NOW,
    TODAY,
    BillingAccountFactory,
    BillingProfileFactory,
    SellerFactory,
    draft,
    exchange_rate,
    issued,
)
from tests.payments.acts import at_once


def issue_now(invoice: Invoice) -> Invoice:
    return issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)


@pytest.mark.django_db
def test_many_drafts_whose_lines_are_right_are_issued_without_writing_their_lines(profile):
    right, wrong = draft(profile), draft(profile)
    recompute_draft(invoice_id=right.pk)
    InvoiceLine.objects.filter(invoice=wrong).update(unit_price=7)
    with CaptureQueriesContext(connection) as queries:
        issue_many(access=system_access(), invoice_ids=[right.pk], at=NOW)
    assert not [query["sql"] for query in queries if query["sql"].startswith('UPDATE "invoices_invoiceline"')]
    ((invoice,), _refused) = issue_many(access=system_access(), invoice_ids=[wrong.pk], at=NOW)
    assert (invoice.total_minor, wrong.lines.get().amount_minor) == (700, 700)


@pytest.mark.django_db
def test_an_issued_invoice_has_its_number_dates_sums_and_reference(profile):
    invoice = issue_now(draft(profile, "100.00", tax_rate="21"))
    assert (invoice.number, invoice.status) == ("INV-000001", "open")
    assert (invoice.issued_on, invoice.due_on) == (date(2026, 10, 26), date(2026, 11, 25))
    assert (invoice.charges_minor, invoice.tax_minor, invoice.total_minor) == (10000, 2100, 12100)
    assert invoice.amount_due_minor == 12100
    assert invoice.payment_reference == creditor_reference("INV-000001")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.detail) == ("invoice.issued", "INV-000001", {"total": 12100})


@pytest.mark.django_db
def test_the_payment_reference_passes_the_banks_check(profile):
    reference = creditor_reference("INV-000148")
    moved = reference[4:] + reference[:4]
    assert int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


@pytest.mark.django_db
def test_the_snapshot_stays_when_the_profile_moves(profile):
    TaxId.objects.create(account=profile.account, value="NL000000000B00")
    invoice = issue_now(draft(profile))
    before = (invoice.seller, invoice.buyer, invoice.payment_terms_days, invoice.due_on, invoice.pays_by_wire)
    assert invoice.buyer["numbers"] == [{"kind": "vat", "value": "NL000000000B00"}]
    profile.account.street = "Elders 9"
    profile.account.save()
    profile.name, profile.company, profile.payment_terms_days = "New name", "New company", 14
    profile.default_method = "check_wire"
    profile.save()
    Seller.objects.update(company="Another B.V.")
    invoice.refresh_from_db()
    assert (invoice.seller, invoice.buyer, invoice.payment_terms_days, invoice.due_on, invoice.pays_by_wire) == before


@pytest.mark.django_db
def test_section_names_are_copied_into_the_lines(profile):
    section = InvoiceSection.objects.create(profile=profile, name="Web shop")
    invoice = draft(profile)
    invoice.lines.update(section=section)
    issue_now(invoice)
    InvoiceSection.objects.update(name="Renamed")
    assert invoice.lines.get().section_name == "Web shop"


@pytest.mark.django_db
def test_an_invoice_of_zero_is_settled_at_once(profile):
    invoice = issue_now(draft(profile, "0.00"))
    assert (invoice.status, invoice.amount_due_minor, invoice.number) == ("paid", 0, "INV-000001")


@pytest.mark.django_db
def test_a_negative_total_is_refused_and_takes_no_number(profile):
    invoice = draft(profile, "-1.00")
    with pytest.raises(CannotIssue, match="negative"):
        issue_now(invoice)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.number) == ("draft", None)
    assert issue_now(draft(profile)).number == "INV-000001"


@pytest.mark.django_db
def test_a_draft_without_lines_and_an_issued_invoice_are_refused(profile):
    empty = Invoice.objects.create(profile=profile, currency="EUR")
    with pytest.raises(CannotIssue, match="at least one line"):
        issue_now(empty)
    done = issued(profile)
    with pytest.raises(WrongState):
        issue_now(done)
    assert NumberSeries.objects.get().next_number == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("currency", "line", "sums"),
    [
        ("EUR", ("3", "0.335", "21"), (101, 21)),
        ("EUR", ("1", "0.005", "0"), (1, 0)),
        ("EUR", ("1240.5", "0.0312", "21"), (3870, 813)),
        ("JPY", ("3", "33.5", "10"), (101, 10)),
        ("KWD", ("1", "1.2345", "5"), (1235, 62)),
        ("EUR", ("123456789.123456789012", "0.0000000001", "21"), (1, 0)),
    ],
)
def test_each_line_is_rounded_half_up_once(currency, line, sums):
    quantity, price, rate = line
    exchange_rate("JPY")
    exchange_rate("KWD")
    invoice = draft(BillingProfileFactory(currency=currency), price, tax_rate=rate)
    invoice.lines.update(quantity=Decimal(quantity))
    issued_invoice = issue_now(invoice)
    assert InvoiceLine.objects.values_list("amount_minor", flat=True).get() == sums[0]
    assert InvoiceTax.objects.values_list("taxable_minor", "tax_minor").get() == sums
    assert issued_invoice.total_minor == sum(sums)


@pytest.mark.django_db
def test_a_rolled_back_issue_leaves_no_gap(profile):
    first, second, third = draft(profile), draft(profile), draft(profile)
    issue_now(first)
    with transaction.atomic():
        issue_now(second)
        transaction.set_rollback(True)
    assert issue_now(third).number == "INV-000002"
    second.refresh_from_db()
    assert second.number is None


@pytest.mark.django_db
def test_a_prefix_in_small_letters_makes_numbers_in_capitals(profile):
    seller = profile.account.seller
    seller.invoice_prefix = "ab-"
    seller.full_clean()
    seller.save()
    assert issue_now(draft(profile)).number == "AB-000001"


@pytest.mark.django_db
def test_each_seller_has_its_own_series(profile):
    other = SellerFactory(code="DE", invoice_prefix="DE-", credit_note_prefix="DEC-")
    theirs = BillingProfileFactory(account=BillingAccountFactory(seller=other))
    drafts = [draft(of) for of in (profile, theirs, profile)]
    issued_now, refused = issue_many(access=system_access(), invoice_ids=[made.pk for made in drafts], at=NOW)
    assert (sorted(invoice.number for invoice in issued_now), refused) == (
        ["DE-000001", "INV-000001", "INV-000002"],
        [],
    )


@pytest.mark.django_db
def test_electronic_invoices_are_issued_among_others_and_one_that_lacks_something_alone_stays_a_draft(profile):
    Seller.objects.update(endpoint_scheme="0106", endpoint_id="00000000")
    place = {"street": "Voorbeeldstraat 1", "postal_code": "1011 AA", "city": "Amsterdam"}
    electronic = {"invoice_format": "ubl", "buyer_reference": "DEPT-42", **place}
    whole = BillingProfileFactory(**electronic, endpoint_scheme="0106", endpoint_id="00000001")
    lacking = BillingProfileFactory(**electronic)
    drafts = [draft(of, tax_rate="21") for of in (lacking, profile, whole)]
    issued_now, refused = issue_many(access=system_access(), invoice_ids=[made.pk for made in drafts], at=NOW)
    assert [(invoice.pk, invoice.number) for invoice in issued_now] == [
        (drafts[1].pk, "INV-000001"), (drafts[2].pk, "INV-000002")
    ]  # fmt: skip
    ((invoice, refusal),) = refused
    assert (invoice.pk, invoice.number, invoice.status) == (drafts[0].pk, None, "draft")
    assert "endpoint" in str(refusal)
    assert [made.taxes.count() for made in drafts] == [0, 1, 1]


@pytest.mark.django_db
def test_a_draft_that_was_issued_meanwhile_is_not_recomputed(profile):
    invoice = issued(profile)
    with pytest.raises(WrongState, match="has been issued"):
        recompute_draft(invoice_id=invoice.pk)


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_with_a_rollback_in_between_get_numbers_without_gaps():
    profile = BillingProfileFactory()
    drafts = [draft(profile) for _index in range(20)]
    doomed = drafts[7]

    def run(invoice: Invoice) -> None:
        with transaction.atomic():
            issue_now(invoice)
            transaction.set_rollback(invoice.pk == doomed.pk)

    assert at_once(*[partial(run, invoice) for invoice in drafts]) == [None] * 20
    numbers = sorted(Invoice.objects.filter(status="open").values_list("number", flat=True))
    assert numbers == [f"INV-{number:06d}" for number in range(1, 20)]
    doomed.refresh_from_db()
    assert doomed.status == "draft"


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_the_series_of_two_sellers_are_locked_in_one_order():
    """Electronic invoices are issued one by one: here that of the second series comes first."""
    first, second = SellerFactory(), SellerFactory(code="DE", invoice_prefix="ZZ-", credit_note_prefix="ZC-")
    for seller in (first, second):
        seller.endpoint_scheme, seller.endpoint_id = "0106", "00000000"
        seller.save()
    place = {"street": "Voorbeeldstraat 1", "postal_code": "1011 AA", "city": "Amsterdam", "buyer_reference": "1"}
    ours, theirs = (
        BillingProfileFactory(
            account=BillingAccountFactory(seller=seller), invoice_format="ubl", endpoint_scheme="0106",
            endpoint_id="00000001", **place,
        )
        for seller in (first, second)
    )  # fmt: skip
    batches = [[draft(of, tax_rate="21").pk for of in order] for order in ((theirs, ours), (ours, theirs)) * 4]
    results = at_once(*[partial(issue_many, access=system_access(), invoice_ids=ids, at=NOW) for ids in batches])
    assert [refused for _issued, refused in results] == [[]] * len(batches)
    assert Invoice.objects.filter(status="open").count() == 2 * len(batches)

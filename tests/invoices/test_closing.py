"""Closing a billing period: what becomes of the charges."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from accounts.models import AuditEntry, BillingProfile
from invoices.models import Charge, Invoice, NumberSeries, PeriodClosing, RemittanceAccount
from invoices.money import Money
from invoices.operations.credits import add_credit
from tests.factories import BillingAccountFactory, BillingProfileFactory, SellerFactory, tax_rate
from tests.invoices.billing_runs import billed_profile, charged, noon, periods, run, totals

pytestmark = pytest.mark.django_db


def test_the_charges_of_a_period_become_an_issued_invoice():
    profile = billed_profile(po_number="PO-7", payment_terms_days=14, charges_automatically=False)
    rate = tax_rate("21")
    charged(profile, "0.125", on=date(2026, 10, 31), quantity=Decimal(744), unit="HUR", tax_rate=rate)
    charged(profile, "2.5", on=date(2026, 10, 5), section="Backups", description="Storage", is_creditable=False)
    assert run(noon(2026, 11, 5)).billed == 1
    invoice = Invoice.objects.get()
    assert (invoice.number, invoice.status, invoice.kind) == ("INV-000001", "open", "service")
    assert (invoice.charges_minor, invoice.tax_minor, invoice.total_minor) == (9550, 1953, 11503)
    assert (invoice.issued_on, invoice.due_on) == (date(2026, 11, 5), date(2026, 11, 19))
    assert (invoice.period_start_on, invoice.period_end_on) == (date(2026, 10, 5), date(2026, 11, 4))
    assert (invoice.po_number, invoice.payment_terms_days, invoice.autopay_on) == ("PO-7", 14, None)
    assert invoice.next_reminder_on == date(2026, 11, 16)
    assert invoice.buyer["sold_to"]["company"] == "Example Trading B.V."
    assert invoice.seller["name"] == "Example Cloud B.V."
    storage, hosting = invoice.lines.order_by("position")
    assert (storage.section_name, storage.position, storage.is_creditable) == ("Backups", 1, False)
    assert (hosting.section_name, hosting.position, hosting.happened_on) == ("Web shop", 2, date(2026, 10, 31))
    assert (hosting.quantity, hosting.unit, hosting.unit_price) == (Decimal(744), "HUR", Decimal("0.125"))
    assert (hosting.tax_category, hosting.tax_rate, hosting.amount_minor) == ("S", Decimal(21), 9300)
    assert list(invoice.taxes.order_by("pk").values_list("category", "rate", "taxable_minor", "tax_minor")) == [
        ("S", 21, 9300, 1953),
        ("Z", 0, 250, 0),
    ]
    assert set(Charge.objects.values_list("invoice", flat=True)) == {invoice.pk}
    entry = AuditEntry.objects.get(action="invoice.issued")
    assert (entry.subject, entry.profile, entry.actor) == ("INV-000001", profile, None)
    assert entry.detail == {"total": 11503, "period": "2026-10-05/2026-11-04"}
    closing = PeriodClosing.objects.get()
    assert (closing.invoice, closing.outcome, closing.closed_at) == (invoice, "billed", noon(2026, 11, 5))


def test_the_profile_says_what_is_next():
    profile = billed_profile()
    run(noon(2026, 11, 5))
    profile.refresh_from_db()
    assert (profile.billed_until_on, profile.next_invoice_on) == (date(2026, 11, 5), date(2026, 12, 5))


def test_a_run_before_the_day_changes_nothing():
    profile = billed_profile()
    charged(profile, on=date(2026, 10, 6))
    assert run(noon(2026, 11, 4)).periods == 0
    assert not Invoice.objects.exists()
    assert not PeriodClosing.objects.exists()
    assert not NumberSeries.objects.exists()


def test_a_run_a_second_time_changes_nothing():
    profile = billed_profile()
    charged(profile, on=date(2026, 10, 6))
    assert run(noon(2026, 11, 5)).periods == 1
    charged(profile, on=date(2026, 10, 7))
    assert run(noon(2026, 11, 5)).periods == 0
    assert totals(profile) == [1000]


def test_a_late_charge_is_on_the_next_invoice_and_a_later_one_waits():
    profile = billed_profile()
    charged(profile, "1", on=date(2026, 10, 6))
    charged(profile, "2", on=date(2026, 11, 5))
    run(noon(2026, 11, 5))
    charged(profile, "4", on=date(2026, 10, 6))
    charged(profile, "8", on=date(2026, 12, 4))
    charged(profile, "16", on=date(2026, 12, 5))
    run(noon(2026, 12, 5))
    assert totals(profile) == [100, 1400]
    assert Charge.objects.filter(invoice=None).get().exact_amount == 16


def test_a_period_without_charges_makes_no_invoice():
    profile = billed_profile()
    assert run().nothing == 1
    assert periods(profile) == [(date(2026, 10, 5), date(2026, 11, 5), "nothing")]
    assert not Invoice.objects.exists()
    assert not AuditEntry.objects.exists()


def test_charges_of_less_than_half_a_cent_wait_until_there_are_more():
    profile = billed_profile()
    charged(profile, "0.004", on=date(2026, 10, 6))
    assert run(noon(2026, 11, 5)).nothing == 1
    assert Charge.objects.get().invoice is None
    charged(profile, "0.004", on=date(2026, 11, 6))
    assert run(noon(2026, 12, 5)).billed == 1
    assert totals(profile) == [1]
    assert not Charge.objects.filter(invoice=None).exists()


def test_a_profile_that_wants_one_gets_an_invoice_of_zero_that_is_settled_at_once():
    profile = billed_profile(issues_empty_invoices=True)
    assert run().billed == 1
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.total_minor, invoice.amount_due_minor) == ("paid", 0, 0)
    assert (invoice.autopay_on, invoice.next_reminder_on) == (None, None)
    assert not invoice.lines.exists()
    assert periods(profile)[0][2] == "billed"


def test_charges_that_come_to_nothing_are_an_invoice_of_zero_with_its_lines():
    profile = billed_profile()
    charged(profile, "5", on=date(2026, 10, 6))
    charged(profile, "-5", on=date(2026, 10, 7), kind="return")
    run()
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.total_minor) == ("paid", 0)
    assert (invoice.lines.get().quantity, invoice.lines.get().amount_minor) == (0, 0)


@pytest.mark.parametrize("wants_empty", [True, False])
def test_returns_that_outweigh_the_charges_wait_for_the_next_period(wants_empty):
    profile = billed_profile(issues_empty_invoices=wants_empty)
    charged(profile, "5", on=date(2026, 10, 6))
    charged(profile, "-20", on=date(2026, 10, 7))
    assert run(noon(2026, 11, 5)).carried == 1
    assert not Invoice.objects.exists()
    assert Charge.objects.filter(invoice=None).count() == 2
    charged(profile, "18", on=date(2026, 11, 6))
    run(noon(2026, 12, 5))
    assert totals(profile) == [300]
    assert Invoice.objects.get().lines.count() == 3
    assert [outcome for _start, _end, outcome in periods(profile)] == ["carried", "billed"]


def test_one_profile_in_a_chunk_that_is_carried_leaves_the_others_alone():
    profiles = [billed_profile() for _number in range(3)]
    for profile, price in zip(profiles, ("1", "-1", "3"), strict=True):
        charged(profile, price, on=date(2026, 10, 6))
    done = run()
    assert (done.billed, done.carried, done.lines) == (2, 1, 2)
    assert [totals(profile) for profile in profiles] == [[100], [], [300]]


@pytest.mark.parametrize(("currency", "total"), [("JPY", 13), ("EUR", 1250), ("KWD", 12500)])
def test_amounts_are_in_the_minor_units_of_the_currency(currency, total):
    profile = billed_profile(currency=currency)
    charged(profile, "12.5", on=date(2026, 10, 6))
    run()
    invoice = Invoice.objects.get()
    assert (invoice.currency, invoice.total_minor) == (currency, total)


def test_a_total_is_told_for_each_currency():
    for currency in ("EUR", "EUR", "KWD"):
        charged(billed_profile(currency=currency), "1.5", on=date(2026, 10, 6))
    assert [(total.currency, total.minor) for total in run().totals] == [("EUR", 300), ("KWD", 1500)]


def test_a_disabled_profile_is_billed_for_what_it_used():
    profile = billed_profile(status="disabled")
    charged(profile, on=date(2026, 10, 6))
    run()
    assert totals(profile) == [1000]


def test_a_closed_profile_is_passed_over_until_it_is_opened_again():
    profile = billed_profile()
    charged(profile, on=date(2026, 10, 6))
    BillingProfile.objects.filter(pk=profile.pk).update(status="closed")
    assert run(noon(2026, 11, 5)).periods == 0
    BillingProfile.objects.filter(pk=profile.pk).update(status="active")
    assert run(noon(2026, 12, 5)).periods == 2
    assert totals(profile) == [1000]


def test_a_card_profile_is_charged_after_the_delay_and_a_wire_profile_is_not():
    by_card, by_wire = billed_profile(), billed_profile(default_method="check_wire")
    for profile in (by_card, by_wire):
        charged(profile, on=date(2026, 10, 6))
    run(noon(2026, 11, 5))
    assert Invoice.objects.get(profile=by_card).autopay_on == date(2026, 11, 8)
    invoice = Invoice.objects.get(profile=by_wire)
    assert (invoice.autopay_on, invoice.pays_by_wire) == (None, True)


def test_the_invoice_is_that_of_its_own_customer():
    for name in ("First", "Second"):
        account = BillingAccountFactory(name=name, company=f"{name} B.V.")
        charged(billed_profile(account=account, name=name), on=date(2026, 10, 6))
    run()
    for invoice in Invoice.objects.select_related("profile__account"):
        assert invoice.buyer["sold_to"]["company"] == invoice.profile.account.company
        assert invoice.lines.get().section.profile_id == invoice.profile_id


def test_only_one_profile_when_one_is_named():
    one, other = billed_profile(), billed_profile()
    for profile in (one, other):
        charged(profile, on=date(2026, 10, 6))
    assert run(only=one).billed == 1
    assert (totals(one), totals(other)) == ([1000], [])


def test_a_profile_that_cannot_be_closed_is_named_and_holds_up_nobody():
    profiles = [billed_profile() for _number in range(5)]
    for profile in profiles:
        charged(profile, on=date(2026, 10, 6))
    for _number in range(2):  # each fits, both together are more than an invoice holds
        charged(profiles[2], "999999999999", on=date(2026, 10, 6), quantity=Decimal(10))
    done = run()
    assert list(done.failed) == [profiles[2].code]
    assert done.billed == 4
    assert [len(totals(profile)) for profile in profiles] == [1, 1, 0, 1, 1]
    assert sorted(Invoice.objects.values_list("number", flat=True)) == [f"INV-{n:06d}" for n in range(1, 5)]
    assert not PeriodClosing.objects.filter(profile=profiles[2]).exists()


def test_a_new_invoice_is_announced_unless_the_profile_wants_no_mail():
    told, quiet = billed_profile(), billed_profile(mails_invoices=False)
    for profile in (told, quiet):
        charged(profile, on=date(2026, 10, 6))
    run(noon(2026, 11, 5))
    assert [Invoice.objects.get(profile=one).announce_on for one in (told, quiet)] == [date(2026, 11, 5), None]


def test_the_invoice_keeps_where_to_send_the_money_on_its_day():
    for day, iban in ((date(2026, 10, 1), "NL26EXAM0000000001"), (date(2026, 11, 6), "NL96EXAM0000000002")):
        RemittanceAccount.objects.create(
            seller=SellerFactory(), currency="EUR", valid_from_on=day, account_holder="Example", iban=iban
        )
    charged(billed_profile(), on=date(2026, 10, 6))
    charged(billed_profile(currency="JPY"), on=date(2026, 10, 6))
    run(noon(2026, 11, 5))
    kept = dict(Invoice.objects.values_list("currency", "remittance"))
    assert kept["EUR"]["iban"] == "NL26EXAM0000000001"
    assert kept["JPY"] == {}  # our account takes euro


def test_credits_pay_for_the_invoice_when_it_is_made():
    profile = billed_profile()
    add_credit(
        profile=profile, amount=Money(400, "EUR"), source="goodwill", description="Goodwill", at=noon(2026, 10, 20)
    )
    charged(profile, on=date(2026, 10, 6))
    run()
    invoice = Invoice.objects.get()
    assert (invoice.total_minor, invoice.credited_minor, invoice.amount_due_minor) == (1000, 400, 600)


def test_a_dry_run_tells_all_of_it_and_leaves_nothing():
    late = billed_profile(since=date(2026, 8, 5), next_on=date(2026, 9, 5))
    new = BillingProfileFactory(created_at=noon(2026, 10, 20), invoice_day=5)
    for profile in (late, new):
        charged(profile, "3", on=date(2026, 8, 6))
    done = run(noon(2026, 11, 5), dry_run=True, chunk=1)
    assert (done.billed, done.nothing, done.totals[0].minor) == (2, 2, 600)
    assert not Invoice.objects.exists()
    assert not PeriodClosing.objects.exists()
    assert not NumberSeries.objects.exists()
    assert Charge.objects.filter(invoice=None).count() == 2
    new.refresh_from_db()
    assert new.next_invoice_on is None


def test_electronic_invoices_cost_as_many_queries_however_many_there_are():
    """While they are checked everybody who issues waits for the series of numbers."""
    SellerFactory(endpoint_scheme="0106", endpoint_id="00000000")
    place = {"street": "Voorbeeldstraat 1", "postal_code": "1011 AA", "city": "Amsterdam", "buyer_reference": "1"}
    electronic = {"invoice_format": "ubl", "endpoint_scheme": "0106", "endpoint_id": "00000001", **place}

    def cost(count):
        for _profile in range(count):
            charged(billed_profile(**electronic), "100", on=date(2026, 10, 6), tax_rate=tax_rate("21"))
        statements = []
        with connection.execute_wrapper(lambda execute, *query: statements.append(query) or execute(*query)):
            assert run().billed == count
        return len(statements)

    cost(1)  # the first of all makes the series
    assert cost(2) == cost(8)

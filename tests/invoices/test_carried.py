"""Totals below zero, or too small to be paid, wait for the next invoice, and everybody sees that."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import translation

from accounts.access import system_access
from invoices.documents.invoice import invoice_data
from invoices.models import Charge, Invoice, PeriodClosing, TaxRate
from invoices.operations.charges import CannotCharge, remove_charge
from invoices.operations.closing import close_periods
from invoices.summaries import Carried, summary_of
from payments.documents.statement import statement_data
from payments.operations.integrity import check_books
from payments.statements import heading_of, statement_of
from tests.factories import UserFactory, member
from tests.invoices.billing_runs import billed_profile, charged, noon, run, totals
from tests.payments.acts import books_are_clean

pytestmark = pytest.mark.django_db


@pytest.fixture
def profile():
    """Of which September is to be closed."""
    return billed_profile(since=date(2026, 9, 1), next_on=date(2026, 10, 1))


def closed(profile) -> list[tuple]:
    rows = PeriodClosing.objects.filter(profile=profile).order_by("start_on")
    return list(rows.values_list("outcome", "carried_minor", "brought_minor", "brought_from_on"))


def text_of(client, profile, name: str, *more) -> str:
    client.force_login(member(profile, "invoice_manager"))
    return " ".join(client.get(reverse(name, args=[profile.code, *more])).content.decode().split())


def test_what_returns_come_to_is_noted_with_tax_and_brought_to_the_next_period(profile):
    rate = TaxRate.objects.create(name="High", percent=Decimal(21))
    charged(profile, "-30", on=date(2026, 9, 10), tax_rate=rate)
    charged(profile, "20", on=date(2026, 9, 11), tax_rate=rate)
    charged(profile, "50", on=date(2026, 10, 2), tax_rate=rate)
    run(noon(2026, 10, 1))
    (closing,) = PeriodClosing.objects.all()
    assert (closing.carried.minor, closing.currency, closing.booked_on) == (-1210, "EUR", date(2026, 10, 1))
    run(noon(2026, 11, 1))
    assert closed(profile) == [("carried", -1210, 0, None), ("billed", 0, -1210, date(2026, 9, 1))]
    assert totals(profile) == [4840]
    assert books_are_clean()


def test_it_goes_on_for_several_periods_that_close_at_once(profile):
    charged(profile, "-30", on=date(2026, 9, 10))
    charged(profile, "10", on=date(2026, 10, 10))
    charged(profile, "25", on=date(2026, 11, 10))
    run(noon(2026, 12, 1))
    assert closed(profile) == [
        ("carried", -3000, 0, None),
        ("carried", -2000, -3000, date(2026, 9, 1)),
        ("billed", 0, -2000, date(2026, 9, 1)),
    ]
    assert totals(profile) == [500]
    assert books_are_clean()


@pytest.mark.parametrize(
    ("currency", "price", "outcome"),
    [
        ("EUR", "0.49", "carried"),
        ("EUR", "0.50", "billed"),
        ("GBP", "0.29", "carried"),
        ("GBP", "0.30", "billed"),
        ("JPY", "49", "carried"),
        ("JPY", "50", "billed"),
    ],
)
def test_a_total_that_no_card_can_be_charged_is_carried(settings, currency, price, outcome):
    settings.DUNNING_FLOORS = {"EUR": "0.50", "GBP": "0.30", "JPY": "50"}
    profile = billed_profile(currency=currency)
    charged(profile, price, on=date(2026, 10, 6))
    run()
    assert [row[0] for row in closed(profile)] == [outcome]


def test_the_floor_is_the_one_of_reminders(settings, profile):
    settings.DUNNING_FLOORS = {"EUR": "20"}
    charged(profile, "19.99", on=date(2026, 9, 10))
    charged(profile, "0.01", on=date(2026, 10, 10))
    run(noon(2026, 11, 1))
    assert closed(profile) == [("carried", 1999, 0, None), ("billed", 0, 1999, date(2026, 9, 1))]


def test_charges_and_returns_that_come_to_nothing_are_billed_as_before(profile):
    charged(profile, "30", on=date(2026, 9, 10))
    charged(profile, "-30", on=date(2026, 9, 11))
    run(noon(2026, 10, 1))
    assert closed(profile) == [("billed", 0, 0, None)]
    assert totals(profile) == [0]


@pytest.mark.parametrize(("price", "outcome"), [(None, "billed"), ("0.20", "carried"), ("-5", "carried")])
def test_a_profile_that_wants_empty_invoices_gets_none_in_place_of_what_is_carried(settings, price, outcome):
    settings.DUNNING_FLOORS = {"EUR": "0.50"}
    profile = billed_profile(issues_empty_invoices=True)
    if price:
        charged(profile, price, on=date(2026, 10, 6))
    run()
    assert [row[0] for row in closed(profile)] == [outcome]


def test_a_carried_charge_stays_and_one_of_the_running_period_can_be_removed(profile):
    carried = charged(profile, "-30", on=date(2026, 9, 10))
    running = charged(profile, "10", on=date(2026, 10, 1))
    run(noon(2026, 10, 1))
    remove_charge(access=system_access(), charge_id=running.pk, at=noon(2026, 10, 2))
    with pytest.raises(CannotCharge, match="carried to the next invoice"):
        remove_charge(access=system_access(), charge_id=carried.pk, at=noon(2026, 10, 2))
    assert Charge.objects.get() == carried


def test_the_list_of_invoices_says_what_waits(client, profile):
    assert "carried" not in text_of(client, profile, "invoices:list")
    charged(profile, "-12.30", on=date(2026, 9, 10))
    run(noon(2026, 10, 1))
    assert summary_of(profile, date(2026, 10, 2)).carried == Carried(
        PeriodClosing.objects.get().carried, date(2026, 9, 1), date(2026, 9, 30)
    )
    text = "12.30 from 1 Sep 2026 to 30 Sep 2026 is carried to your next invoice."
    assert text in text_of(client, profile, "invoices:list")
    charged(profile, "20", on=date(2026, 10, 10))
    run(noon(2026, 11, 1))
    assert "is carried to your next invoice" not in text_of(client, profile, "invoices:list")


def test_the_next_invoice_says_what_it_includes_on_its_page_and_in_its_document(client, profile):
    charged(profile, "-12.30", on=date(2026, 9, 10))
    charged(profile, "20", on=date(2026, 10, 10))
    charged(profile, "20", on=date(2026, 11, 10))
    run(noon(2026, 12, 1))
    with_it, without = Invoice.objects.order_by("number")
    assert (with_it.total_minor, without.total_minor) == (770, 2000)
    words = "12.30 from 1 Sep 2026 to 30 Sep 2026, included in the charges"
    assert words in text_of(client, profile, "invoices:detail", with_it.number)
    assert "included in the charges" not in text_of(client, profile, "invoices:detail", without.number)
    rows = [dict(invoice_data(invoice)["summary"]["rows"]) for invoice in (with_it, without)]
    assert "12.30 from 1 September 2026 to 30 September 2026, included in the charges" in rows[0]["Carried over"]
    assert "Carried over" not in rows[1]
    with translation.override("nl"):
        assert "12,30 van 1 september 2026 t/m 30 september 2026" in str(invoice_data(with_it)["summary"])


def test_the_file_of_invoices_has_a_column_for_it(client, profile):
    charged(profile, "-12.30", on=date(2026, 9, 10))
    charged(profile, "20", on=date(2026, 10, 10))
    charged(profile, "20", on=date(2026, 11, 10))
    run(noon(2026, 12, 1))
    client.force_login(member(profile, "invoice_manager"))
    file = b"".join(client.get(reverse("invoices:csv", args=[profile.code])).streaming_content).decode("utf-8-sig")
    lines = [line.split(",") for line in file.splitlines()]
    assert [line[-1] for line in lines] == ["Of it carried over", "0.00", "-12.30"]


def test_the_statement_of_the_day_it_was_closed_on_says_so_for_ever(client, profile):
    charged(profile, "-12.30", on=date(2026, 9, 10))
    run(noon(2026, 10, 1))
    months = [(date(2026, 9, 1), date(2026, 9, 30)), (date(2026, 10, 1), date(2026, 10, 31))]
    text = (
        "12.30 from 1 September 2026 to 30 September 2026 is carried to the next invoice and is not part of it either."
    )

    def printed():
        statements = [statement_of(profile, *days) for days in months]
        return [statement_data(one, heading_of(one, at=noon(2026, 12, 15))) for one in statements]

    september, october = printed()
    assert text not in september["note"]
    assert text in october["note"]
    charged(profile, "20", on=date(2026, 10, 10))
    run(noon(2026, 12, 1))
    assert printed() == [september, october]
    client.force_login(member(profile, "invoice_manager"))
    page = client.get(reverse("payments:statement", args=[profile.code]), {"month": "2026-10"}).content.decode()
    assert text.replace("September", "Sep") in " ".join(page.split())


def test_staff_see_it_in_the_closed_periods(client, profile):
    charged(profile, "-12.30", on=date(2026, 9, 10))
    run(noon(2026, 10, 1))
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    page = client.get(reverse("admin:invoices_periodclosing_changelist")).content.decode()
    assert "12.30" in page
    closing = PeriodClosing.objects.get()
    page = client.get(reverse("admin:invoices_periodclosing_change", args=[closing.pk])).content.decode()
    assert "Carried to the next invoice" in page
    assert "12.30" in page


def test_a_closing_that_brings_what_nobody_carried_is_named(profile):
    charged(profile, "-12.30", on=date(2026, 9, 10))
    run(noon(2026, 10, 1))
    facts = {"closed_at": noon(2026, 11, 1), "booked_on": date(2026, 11, 1), "currency": "EUR", "outcome": "nothing"}
    PeriodClosing.objects.create(profile=profile, start_on=date(2026, 10, 1), end_on=date(2026, 11, 1), **facts)
    assert (
        f"Billing profile {profile.code}: 0 was brought to the period from 2026-10-01, the one before carried -1230."
        in check_books()
    )


def test_many_profiles_cost_as_many_queries_as_one(profile, django_assert_max_num_queries):
    profiles = [billed_profile() for _number in range(20)]
    for one in profiles:
        charged(one, "-5", on=date(2026, 10, 6))
    with django_assert_max_num_queries(25):
        (chunk,) = close_periods(access=system_access(), at=noon(2026, 11, 5), only=None, until=date(2026, 11, 5))
    assert chunk.carried >= 20

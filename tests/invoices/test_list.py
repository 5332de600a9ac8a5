"""The list of invoices: who sees it, what its rows say, filters, search, empty states, how much it costs."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import BillingProfile, InvoiceSection
from invoices.forms import Filters, Period
from invoices.models import Invoice
from invoices.operations.invoice_payments import mark_payment_started
from tests.factories import NOW, BillingProfileFactory, draft, issued, member
from tests.invoices.pages import list_url, numbers

pytestmark = pytest.mark.django_db
LONG_AGO, FAR_OFF = date(2020, 1, 31), date(2999, 12, 31)


@pytest.fixture
def manager(client, payer):
    client.force_login(payer)
    return client


def get(client, profile, **query):
    response = client.get(list_url(profile, **query))
    assert response.status_code == 200
    return response


def test_a_payer_sees_the_row_with_a_link_to_pay(manager, profile):
    invoice = issued(profile, "1250.00", due_on=LONG_AGO)
    text = get(manager, profile).content.decode()
    pay = f"/profiles/{profile.code}/invoices/{invoice.number}/pay/"
    assert f'href="{pay}" hx-get="{pay}" hx-target="#blade"' in text
    assert 'aria-label="Pay now: INV-000001, €1,250.00"' in text
    assert f'id="invoice-{invoice.pk}"' in text
    assert '<span class="late">31 Jan 2020</span>' in text
    assert "Past due" in text
    assert f'href="/profiles/{profile.code}/invoices/{invoice.number}/pdf"' in text


def test_a_reader_sees_the_reason_and_no_link_to_pay(client, profile):
    issued(profile)
    client.force_login(member(profile, "profile_reader"))
    text = get(client, profile).content.decode()
    assert "/pay/" not in text
    assert "Your role does not include paying. These roles do: Billing account owner, Billing profile owner" in text
    assert "You can see these invoices, but not pay them" in text


@pytest.mark.parametrize(
    ("state", "words", "link"),
    [
        (
            {"status": "held", "hold_reason": "Dispute", "held_at": NOW},
            "This billing profile is on hold (Dispute).",
            True,
        ),
        ({"status": "closed"}, "The oldest was due", False),
    ],
)
def test_what_is_past_due_is_told_with_the_hold_and_leads_to_paying_where_that_is_possible(
    manager, profile, state, words, link
):
    issued(profile, due_on=LONG_AGO)
    BillingProfile.objects.filter(pk=profile.pk).update(**state)
    text = get(manager, profile).content.decode()
    assert words in text
    assert ("See what is past due and pay" in text) is link


@pytest.mark.parametrize("path", ["", "csv", "INV-000001/"])
def test_a_stranger_gets_404_and_nobody_signed_in_the_sign_in_page(client, profile, path):
    issued(profile)
    assert client.get(list_url(profile) + path).status_code == 302
    client.force_login(member(BillingProfileFactory(), "profile_owner"))
    assert client.get(list_url(profile) + path).status_code == 404


def test_a_section_owner_sees_no_invoices(client, profile):
    section = InvoiceSection.objects.create(profile=profile, name="Web shop")
    client.force_login(member(section, "section_owner"))
    assert client.get(list_url(profile)).status_code in {403, 404}


def test_drafts_and_invoices_of_other_profiles_are_not_shown(manager, profile):
    draft(profile)
    other = issued(BillingProfileFactory(account=profile.account))
    assert numbers(get(manager, profile)) == []
    assert manager.get(f"{list_url(profile)}{other.number}/").status_code == 404


def test_status_filters_show_what_the_labels_say(manager, profile):
    due, late = issued(profile, due_on=FAR_OFF), issued(profile, due_on=LONG_AGO)
    busy, paid, void = issued(profile, due_on=LONG_AGO), issued(profile, "0.00"), issued(profile)
    mark_payment_started(busy, by=None, at=NOW)
    Invoice.objects.filter(pk=void.pk).update(status="void", void_reason="Sent twice")
    for status, row in {"due": due, "past_due": late, "in_progress": busy, "paid": paid, "void": void}.items():
        assert numbers(get(manager, profile, status=status)) == [row.number]


def test_the_period_is_that_of_the_invoice_date(manager, profile):
    today = profile.day_of(timezone.now())
    recent = issued(profile, today=today)
    last_year = issued(profile, today=date(today.year - 1, 1, 1))
    assert numbers(get(manager, profile, period="this_year")) == [recent.number]
    assert numbers(get(manager, profile, period="last_year")) == [last_year.number]
    assert numbers(get(manager, profile, period="3_months")) == [recent.number]


@pytest.mark.parametrize(
    ("period", "today", "first", "last"),
    [
        (Period.MONTHS_3, date(2026, 5, 31), date(2026, 3, 1), date(2026, 5, 31)),
        (Period.MONTHS_3, date(2026, 2, 15), date(2025, 11, 16), date(2026, 2, 15)),
        (Period.MONTHS_12, date(2024, 2, 29), date(2023, 3, 1), date(2024, 2, 29)),
        (Period.MONTHS_12, date(2026, 12, 31), date(2026, 1, 1), date(2026, 12, 31)),
        (Period.THIS_YEAR, date(2026, 5, 31), date(2026, 1, 1), date(2026, 12, 31)),
        (Period.LAST_YEAR, date(2026, 5, 31), date(2025, 1, 1), date(2025, 12, 31)),
    ],
)
def test_periods_in_days(period, today, first, last):
    assert period.days(today) == (first, last)


def test_the_section_filter_finds_invoices_with_a_line_of_the_section(manager, profile):
    section = InvoiceSection.objects.create(profile=profile, name="Web shop")
    with_it, _without = draft(profile), issued(profile)
    with_it.lines.update(section=section)
    assert numbers(get(manager, profile, section=str(section.pk))) == []
    found = issued(profile)
    found.lines.update(section=section)
    assert numbers(get(manager, profile, section=str(section.pk))) == [found.number]
    foreign = InvoiceSection.objects.create(profile=BillingProfileFactory(), name="Foreign")
    assert len(numbers(get(manager, profile, section=str(foreign.pk)))) == 2


@pytest.mark.parametrize("text", ["INV-0000", "inv-00000", "inv"])
def test_a_number_is_found_by_its_beginning_however_it_is_typed(manager, profile, text):
    first, second = issued(profile), issued(profile)
    assert numbers(get(manager, profile, number=text)) == [second.number, first.number]
    assert numbers(get(manager, profile, number="inv-000002")) == [second.number]


def test_the_beginning_of_a_number_is_one_range_of_its_index(profile):
    """With an alternative, the database would collect and sort what it finds instead of reading in order."""
    assert " OR " not in str(Invoice.objects.numbered("INV-00").query)
    assert " OR " in str(Invoice.objects.numbered("INV-25").query)


@pytest.mark.parametrize("text", ["2", "02", "000002", "inv-2", "INV-02", " inv-000002 "])
def test_a_figure_stands_for_the_number_that_ends_with_it(manager, profile, text):
    """As in the search box."""
    for _number in range(3):
        issued(profile)
    assert numbers(get(manager, profile, number=text)) == ["INV-000002"]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "lost"}, {"status": "draft"}, {"period": "ever"}, {"section": "x"}, {"section": "9" * 30},
        {"sort": "seller"}, {"sort": "-"}, {"number": "%25"}, {"number": "_"}, {"number": "%00"}, {"number": "x" * 99},
        {"number": "'; drop"},
    ],
)  # fmt: skip
def test_nonsense_in_the_address_never_breaks_the_page(manager, profile, query):
    issued(profile)
    get(manager, profile, **query)


def test_a_profile_without_invoices_says_so_and_offers_no_pager(manager, profile):
    text = get(manager, profile).content.decode()
    assert "There are no invoices yet" in text
    assert "Clear filters" not in text


def test_a_filter_that_nothing_matches_offers_to_clear_it(manager, profile):
    issued(profile)
    text = get(manager, profile, status="void").content.decode()
    assert "No invoice matches these filters" in text
    assert f'<a class="btn" href="{list_url(profile)}">Clear filters</a>' in text


def test_htmx_gets_the_grid_alone_and_the_address_that_shows_the_same(manager, profile):
    issued(profile)
    headers = {"HX-Request": "true", "HX-Target": "invoice-grid"}
    response = manager.get(list_url(profile, number="", status="due", sort=""), headers=headers)
    text = response.content.decode()
    assert text.lstrip().startswith('<div id="invoice-grid" data-grid>')
    assert response["HX-Replace-Url"] == list_url(profile, status="due")
    assert f'id="invoice-csv" href="/profiles/{profile.code}/invoices/csv?status=due" hx-swap-oob="true"' in text
    whole = manager.get(list_url(profile), headers={**headers, "HX-History-Restore-Request": "true"})
    assert "<html" in whole.content.decode()


def test_the_day_is_the_profiles_own_whatever_the_servers(client, monkeypatch):
    """At 23:30 on 26 October in Amsterdam it is the 27th in Tokyo and still the 26th in New York."""
    moment = datetime(2026, 10, 26, 23, 30, tzinfo=ZoneInfo("Europe/Amsterdam"))
    monkeypatch.setattr(timezone, "now", lambda: moment)
    labels = {}
    for zone in ("Asia/Tokyo", "Europe/Amsterdam", "America/New_York"):
        profile = BillingProfileFactory(time_zone=zone)
        issued(profile, due_on=date(2026, 10, 26))
        client.force_login(member(profile, "profile_owner"))
        labels[zone] = get(client, profile).context["rows"][0]["label"]
    assert labels == {"Asia/Tokyo": "Past due", "Europe/Amsterdam": "Due", "America/New_York": "Due"}


def test_a_page_of_fifty_costs_as_many_queries_as_one_of_five(manager, profile):
    def fill(count):
        for index in range(count):
            busy = issued(profile, due_on=NOW.date() + timedelta(days=index))
            mark_payment_started(busy, by=member(profile, "profile_reader"), at=NOW)

    fill(5)
    get(manager, profile)
    with CaptureQueriesContext(connection) as few:
        assert len(numbers(get(manager, profile))) == 5
    fill(50)
    with CaptureQueriesContext(connection) as many:
        assert len(numbers(get(manager, profile))) == 50
    assert len(many) <= 8
    assert len(many) == len(few) + 1  # the count, which a page that is the whole list knows by itself


def test_the_count_stops_at_a_thousand(manager, profile, monkeypatch):
    monkeypatch.setattr("invoices.views.listing.COUNT_LIMIT", 52)
    for _index in range(52):
        issued(profile)
    assert "52 invoices" in get(manager, profile).content.decode()
    issued(profile)
    assert "52+ invoices" in get(manager, profile).content.decode()


def test_filters_write_the_address_that_reads_back_as_themselves(profile):
    section = InvoiceSection.objects.create(profile=profile, name="Web shop")
    data = {"number": "INV-1", "status": "paid", "period": "this_year", "section": str(section.pk), "sort": "due"}
    filters = Filters.read(data, [section])
    assert filters.query() == f"?number=INV-1&status=paid&period=this_year&section={section.pk}&sort=due"

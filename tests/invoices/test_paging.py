"""Paging by key: no row twice, none lost, whatever the order and however many rows are alike."""

import base64
import json
from datetime import date, timedelta
from itertools import chain

import pytest

from billing_portal.core.paging import Sort, page_of, read_cursor
from invoices.forms import SORTS
from invoices.models import Invoice
from tests.factories import BillingProfileFactory, issued
from tests.invoices.pages import list_url, numbers

pytestmark = pytest.mark.django_db
BY_DATE = Sort("issued_on")


@pytest.fixture
def eleven(profile):
    """Eleven invoices on three dates, with three totals."""
    for index in range(11):
        day = date(2026, 10, 1) + timedelta(days=index % 3)
        issued(profile, f"{100 + index % 3}.00", today=day)
    return profile


def walk(sort: Sort, size: int, *, back: bool = False) -> list[list[int]]:
    """The ids of each page from the first to the last, or from the last back to the first."""
    page, pages = page_of(Invoice.objects.all(), sort=sort, size=size), []
    while page.older:
        pages.append([row.pk for row in page.rows])
        page = page_of(Invoice.objects.all(), page.older, sort=sort, size=size)
    pages.append([row.pk for row in page.rows])
    if not back:
        return pages
    backwards = [pages[-1]]
    while page.newer:
        page = page_of(Invoice.objects.all(), page.newer, sort=sort, size=size)
        backwards.insert(0, [row.pk for row in page.rows])
    return backwards


@pytest.mark.parametrize("column", SORTS.values())
@pytest.mark.parametrize("descending", [True, False])
def test_all_pages_together_are_the_whole_list_in_order(eleven, column, descending):
    sort = Sort(column, descending)
    whole = list(Invoice.objects.order_by(*sort.order()).values_list("pk", flat=True))
    forwards = walk(sort, 4)
    assert [len(page) for page in forwards] == [4, 4, 3]
    assert list(chain.from_iterable(forwards)) == whole
    assert walk(sort, 4, back=True) == forwards


def test_a_full_last_page_offers_no_page_after_it(eleven):
    assert [len(page) for page in walk(BY_DATE, 11)] == [11]


def test_going_back_past_the_beginning_shows_a_whole_first_page(eleven):
    first = page_of(Invoice.objects.all(), sort=BY_DATE, size=4)
    second = page_of(Invoice.objects.all(), first.older, sort=BY_DATE, size=4)
    Invoice.objects.filter(pk=Invoice.objects.order_by(*BY_DATE.order())[0].pk).update(issued_on="2020-01-01")
    page = page_of(Invoice.objects.all(), second.newer, sort=BY_DATE, size=4)
    assert len(page.rows) == 4
    assert page.newer == ""


def test_a_row_that_arrives_meanwhile_moves_nothing_on_the_next_page(eleven):
    first = page_of(Invoice.objects.all(), sort=BY_DATE, size=4)
    expected = [row.pk for row in page_of(Invoice.objects.all(), first.older, sort=BY_DATE, size=4).rows]
    issued(eleven, today=date(2026, 12, 1))
    assert [row.pk for row in page_of(Invoice.objects.all(), first.older, sort=BY_DATE, size=4).rows] == expected


def packed(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


GARBAGE = [
    "x", "%", "é", "====", "bnVsbA", "W10", "\x00", "a" * 5000,
    packed("issued_on", True, "2026-13-01", 1, False),
    packed("issued_on", True, 5, 1, False),
    packed("issued_on", True, "2026-10-01", "1", False),
    packed("issued_on", True, "2026-10-01", 2**63, False),
    packed("issued_on", True, "2026-10-01", True, False),
    packed("issued_on", True, "2026-10-01", 1, "no"),
    packed("issued_on", False, "2026-10-01", 1, False),
    packed("total_minor", True, 1, 1, False),
    packed("issued_on", True, "2026-10-01", 1),
    packed("issued_on", True, "2026-10-01", 1, False, 0),
    packed({"issued_on": 1}),
    base64.urlsafe_b64encode(b"[" * 100_000).decode(),
]  # fmt: skip


@pytest.mark.parametrize("word", GARBAGE, ids=range(len(GARBAGE)))
def test_a_word_that_means_nothing_gives_page_one(word):
    assert read_cursor(word, Invoice, BY_DATE) is None


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        (Sort("total_minor"), 2**63),
        (Sort("total_minor"), 1.5),
        (Sort("total_minor"), "1"),
        (Sort("number"), "\x00"),
        (Sort("number"), "x" * 41),
        (Sort("number"), 1),
    ],
)
def test_values_that_no_column_holds_give_page_one(sort, value):
    assert read_cursor(packed(sort.column, True, value, 1, False), Invoice, sort) is None


def test_garbage_in_the_address_shows_page_one(client, eleven, payer):
    client.force_login(payer)
    response = client.get(list_url(eleven, page="garbage"))
    assert response.status_code == 200
    assert len(numbers(response)) == 11


def test_a_word_made_for_another_profile_still_shows_only_ones_own_rows(client, payer, profile):
    issued(profile)
    foreign = issued(BillingProfileFactory(), today=date(2027, 1, 1))
    word = packed("issued_on", True, "2027-01-01", foreign.pk + 1, False)
    client.force_login(payer)
    assert numbers(client.get(list_url(profile, page=word))) == ["INV-000001"]


def test_the_pager_leads_there_and_back_and_keeps_the_filters(client, profile, payer):
    for _index in range(51):
        issued(profile)
    client.force_login(payer)
    first = client.get(list_url(profile, period="this_year", sort="due"))
    if not numbers(first):  # the clock of the machine is in another year than the invoices
        first = client.get(list_url(profile, sort="due"))
    older = first.context["older_url"]
    assert "sort=due" in older
    second = client.get(older)
    assert len(numbers(second)) == 1
    assert numbers(client.get(second.context["newer_url"])) == numbers(first)

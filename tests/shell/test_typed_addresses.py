"""Addresses of staff pages that somebody typed by hand. What means nothing in them is never a failure of ours."""

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import issued

pytestmark = [pytest.mark.django_db]
HUGE = "1" + "0" * 30


@pytest.mark.parametrize("value", ["x", "-1", "0", HUGE, "1.5", ""])
@pytest.mark.parametrize(
    "address",
    [
        "/admin/invoices/invoice/add/?profile={value}",
        "/admin/accounts/roleassignment/add/?user={value}",
        "/admin/accounts/roleassignment/add/?section={value}",
        "/admin/accounts/billingprofile/add/?account={value}",
        "/admin/accounts/user/add/?groups={value}",
        "/admin/accounts/roleassignment/add/?nothing={value}",
    ],
)
def test_a_form_begins_without_a_row_that_there_is_not(admin_client, address, value):
    assert admin_client.get(address.format(value=value)).status_code == 200


def test_a_form_begins_with_the_row_that_the_address_names(admin_client, profile):
    page = admin_client.get(f"/admin/invoices/invoice/add/?profile={profile.pk}").content.decode()
    assert f'<option value="{profile.pk}" selected>' in page


@pytest.mark.parametrize(
    "query",
    [
        f"issued_on__year={HUGE}",
        "issued_on__year=9999",
        "issued_on__year=0",
        "issued_on__year=x",
        f"issued_on__year=2026&issued_on__month={HUGE}",
        "issued_on__year=2026&issued_on__month=13",
        "issued_on__year=9999&issued_on__month=12&issued_on__day=31",
        f"issued_on__year=2026&issued_on__month=1&issued_on__day={HUGE}",
    ],
)
def test_days_outside_the_calendar_are_answered_with_the_whole_list(admin_client, profile, query):
    issued(profile)
    answer = admin_client.get(f"/admin/invoices/invoice/?{query}")
    assert (answer.status_code, answer.url) == (302, "/admin/invoices/invoice/?e=1")


@pytest.mark.parametrize(
    "address",
    [
        f"/admin/invoices/credit/?created_at__year={HUGE}",
        "/admin/invoices/credit/?created_at__year=1",
        "/admin/payments/payment/?started_at__gte=0001-01-01%2000:00%2B05:00",
        f"/admin/invoices/invoice/?profile__account__id__exact={HUGE}",
        f"/admin/invoices/invoice/?issued_on__month={HUGE}",
        f"/admin/invoices/invoice/?p={HUGE}",
        f"/admin/invoices/invoice/?o={HUGE}",
    ],
)
def test_other_lists_do_not_fail_either(admin_client, address):
    assert admin_client.get(address).status_code in {200, 302}


SEARCHED = [options for options in site._registry.values() if options.search_fields]


@pytest.mark.parametrize("options", SEARCHED, ids=lambda options: options.opts.label_lower)
def test_a_page_that_was_pasted_into_a_search_is_looked_for_by_its_first_words(admin_client, options):
    address = reverse(f"admin:{options.opts.app_label}_{options.opts.model_name}_changelist")
    with CaptureQueriesContext(connection) as queries:
        assert admin_client.get(f"{address}?q={'+'.join(['a'] * 1900)}").status_code == 200
    assert max(len(query["sql"]) for query in queries) < 20_000

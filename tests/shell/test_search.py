"""The search box finds pages by their words, and of everything else only what the person may see."""

import pytest
from django.db import connection
from django.urls import reverse

from billing_portal.search import MAX_SHOWN, find
from invoices.models import Invoice
from tests.factories import BillingProfileFactory, UserFactory, access_for, granted, issued, member

pytestmark = pytest.mark.django_db


def labels(user, query):
    return {str(hit.label) for group in find(access_for(user), query) for hit in group.hits}


@pytest.mark.parametrize(
    "query", ["cost management", "Cost Management + Billing", "kostenbeheer", "BILLING", "cost man"]
)
def test_cost_management_is_found_by_its_words_in_either_language(payer, query):
    assert "Cost Management + Billing" in labels(payer, query)


@pytest.mark.parametrize("query", ["invoices", "facturen", "pay your bill", "rekeningen"])
def test_invoices_are_found_by_other_words_for_them(payer, query):
    assert "Invoices" in labels(payer, query)


def test_a_page_that_the_role_does_not_open_is_not_offered(profile):
    section_reader = UserFactory()
    assert "Invoices" not in labels(section_reader, "invoices")


def test_pages_lead_into_the_profile_that_was_open_last(profile):
    user = member(profile, "profile_owner")
    other = BillingProfileFactory(account=profile.account, name="Another one")
    user.assignments.create(role="profile_owner", profile=other)
    user.last_scope = f"profile:{profile.code}"
    user.save()
    hits = [hit for group in find(access_for(user), "invoices") for hit in group.hits]
    assert [hit.url for hit in hits if str(hit.label) == "Invoices"] == [reverse("invoices:list", args=[profile.code])]


def test_an_invoice_is_found_by_the_beginning_of_its_number_in_any_case(profile, payer):
    invoice = issued(profile)
    assert invoice.number in labels(payer, invoice.number[:-1].lower())


def test_an_invoice_is_found_by_its_plain_figure(profile, payer):
    invoice = issued(profile)
    assert invoice.number in labels(payer, str(int(invoice.number.rpartition("-")[2])))


@pytest.mark.parametrize("query", ["INV-1", "inv-01", "000001", "1"])
def test_the_search_box_and_the_number_filter_find_the_same_number(profile, payer, query):
    assert issued(profile).number in labels(payer, query)


@pytest.mark.parametrize(
    "query", ["1944.84", "1944,84", "1,944.84", "1.944,84", "1 944,84", "€ 1.944,84", "EUR 1944.84"]
)
def test_an_invoice_is_found_by_its_amount_as_either_language_writes_it(profile, payer, query):
    other, invoice = issued(profile, "1944.85"), issued(profile, "1944.84")
    assert labels(payer, query) == {invoice.number}
    assert other.number not in labels(payer, query)


def test_an_amount_has_the_decimals_of_its_currency():
    yen, dinar = (BillingProfileFactory(name=code, currency=code) for code in ("JPY", "KWD"))
    user = member(yen, "profile_owner")
    user.assignments.create(role="profile_owner", profile=dinar)
    in_yen, in_dinar = issued(yen, "94484"), issued(dinar, "944.840")
    assert labels(user, "94484") == {in_yen.number}
    assert labels(user, "944.84") == labels(user, "944,840") == {in_dinar.number}


def test_what_is_left_to_pay_is_found_too(profile, payer):
    granted(profile, 2000)
    invoice = issued(profile)
    assert labels(payer, "100.00") == labels(payer, "120.00") == {invoice.number}


def test_a_billing_profile_is_found_by_the_name_of_its_account(profile, payer):
    assert labels(payer, "example trading") == {profile.name}


def test_a_strangers_invoice_and_profile_are_not_found(profile):
    invoice = issued(profile)
    stranger = member(BillingProfileFactory(name="Elsewhere"), "profile_owner")
    assert labels(stranger, invoice.number) == set()
    assert labels(stranger, "Operations") == set()
    assert labels(stranger, "Elsewhere") == {"Elsewhere"}


def test_a_draft_is_not_found(profile, payer):
    Invoice.objects.create(profile=profile, currency="EUR")
    assert labels(payer, "1") == set()


def test_at_most_ten_of_a_kind_are_shown(profile, payer):
    for _ in range(MAX_SHOWN + 2):
        issued(profile)
    (group,) = [group for group in find(access_for(payer), "INV-0") if str(group.title) == "Invoices"]
    assert len(group.hits) == MAX_SHOWN


def test_the_number_of_queries_does_not_depend_on_what_is_found(
    profile, payer, client, django_assert_max_num_queries, django_assert_num_queries
):
    client.force_login(payer)
    with django_assert_max_num_queries(8) as few:
        client.get(reverse("search"), {"q": "INV-0"})
    for _ in range(5):
        issued(profile)
    with django_assert_num_queries(len(few)):
        client.get(reverse("search"), {"q": "INV-0"})


def test_while_typing_only_the_suggestions_are_sent(payer, client):
    client.force_login(payer)
    headers = {"HX-Request": "true", "HX-Target": "suggestions"}
    response = client.get(reverse("search"), {"q": "kostenbeheer"}, headers=headers)
    assert "<html" not in response.text
    assert reverse("accounts:scopes") in response.text


@pytest.mark.parametrize("query", ["", "   ", "\x00", "%", "'", "<script>alert(1)</script>", "x" * 5000, "٣"])
def test_any_text_may_be_asked_for(payer, client, query):
    client.force_login(payer)
    response = client.get(reverse("search"), {"q": query})
    assert response.status_code == 200
    assert "<script>alert" not in response.text


def test_who_has_not_signed_in_is_asked_to(client):
    response = client.get(reverse("search"), {"q": "INV"})
    assert response.status_code == 302


@pytest.mark.two_connections  # of PostgreSQL, whose plans these are
def test_an_amount_is_found_in_indexes_though_there_are_a_million_invoices_of_all_profiles(profile):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # of a few rows it reads all, which is right
        # These begin with the profile. Of a few rows they cost as much, and statistics decide.
        cursor.execute("DROP INDEX invoice_by_total, invoice_by_amount_due")
    issued(profile, "944.84")
    plan = Invoice.objects.of_amount("944,84").explain()
    assert "on invoice_of_amount " in plan
    assert "on invoice_of_amount_left " in plan
    assert "Seq Scan" not in plan

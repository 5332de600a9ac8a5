"""The staff pages of invoices: a draft is written, issued and voided; what was issued is only looked at."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.access import system_access
from accounts.models import AuditEntry, InvoiceSection
from invoices.models import Credit, Invoice, InvoiceLine, NumberSeries
from invoices.operations.invoice_payments import mark_payment_started
from invoices.operations.issuing import issue_many
from tests.factories import NOW, BillingProfileFactory, UserFactory, draft, issued, tax_rate

LIST = "/admin/invoices/invoice/"


@pytest.fixture
def staff(client, db):
    user = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


def page(invoice: Invoice) -> str:
    return reverse("admin:invoices_invoice_change", args=[invoice.pk])


def act(client, action: str, *invoices: Invoice, **data):
    chosen = [invoice.pk for invoice in invoices]
    return client.post(LIST, {"action": action, "_selected_action": chosen, "index": 0, **data}, follow=True)


def lines_data(*lines: dict, existing: int = 0) -> dict:
    data = {
        "kind": "service",
        "po_number": "",
        "source_reference": "",
        "lines-TOTAL_FORMS": len(lines),
        "lines-INITIAL_FORMS": existing,
    }
    for index, line in enumerate(lines):
        filled = {
            "position": 0,
            "description": "Hosting",
            "quantity": "1",
            "unit": "C62",
            "unit_price": "10",
            "tax": tax_rate().pk,
            **line,
        }
        data |= {f"lines-{index}-{name}": value for name, value in filled.items()}
    return data


def test_a_new_draft_takes_the_currency_of_its_profile_and_goes_on_to_its_lines(staff):
    profile = BillingProfileFactory(currency="JPY")
    response = staff.post(f"{LIST}add/", {"profile": profile.pk, "kind": "support", "po_number": "PO-7"}, follow=True)
    invoice = Invoice.objects.get()
    assert (invoice.currency, invoice.status, invoice.number) == ("JPY", "draft", None)
    assert response.redirect_chain[-1][0] == page(invoice)
    assert "lines-TOTAL_FORMS" in response.content.decode()


def test_one_invoice_in_a_withdrawn_currency_leaves_the_list_and_its_page_open(staff):
    invoice = issued(BillingProfileFactory(currency="BGN"), "120.00")
    assert "BGN\N{NO-BREAK SPACE}120.00" in staff.get(LIST).content.decode()
    assert staff.get(page(invoice)).status_code == 200


def test_who_may_only_look_finds_no_buttons(client, profile):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_invoice"))
    client.force_login(clerk)
    for invoice in (draft(profile), issued(profile)):
        assert 'name="action"' not in client.get(page(invoice)).content.decode()


def test_numbers_have_no_trailing_zeros(staff, profile):
    invoice = draft(profile, "0.5", tax_rate="21")
    form = staff.get(page(invoice)).content.decode()
    assert 'name="lines-0-quantity" value="1"' in form
    assert 'name="lines-0-unit_price" value="0.5"' in form
    assert '<option value="" selected>21%</option>' in form
    rows = staff.get(page(issued(profile, "100.00", tax_rate="21"))).content.decode()
    for text in ("<p>1</p>", "<p>100.00</p>", "<p>21%</p>"):
        assert text in rows
    assert "1.0000" not in rows


def test_a_tax_rate_that_is_reversed_and_not_zero_is_refused_in_a_sentence(staff):
    form = {"name": "Reverse charge", "percent": "21", "tax_category": "AE", "is_active": "on"}
    response = staff.post("/admin/invoices/taxrate/add/", form)
    assert "A rate above zero is “taxed at a rate”; every other category has none." in response.content.decode()
    assert "tax_rate_fits_its_category" not in response.content.decode()


def test_an_action_on_many_ends_in_time_and_says_how_many_are_left(staff, profile, monkeypatch):
    monkeypatch.setattr("invoices.admin.invoices.MAX_SECONDS", 0)
    monkeypatch.setattr("invoices.admin.invoices.BATCH", 2)
    drafts = [draft(profile) for _index in range(5)]
    response = act(staff, "issue_selected", *drafts, confirmed="yes")
    assert {str(message) for message in response.context["messages"]} == {
        "2 invoices issued.",
        "3 invoices are left. Choose the action once more for them.",
    }
    assert Invoice.objects.filter(status="draft").count() == 3
    monkeypatch.setattr("invoices.admin.invoices.MAX_SECONDS", 15)
    act(staff, "issue_selected", *drafts[2:], confirmed="yes")
    numbers = Invoice.objects.order_by("pk").values_list("number", flat=True)
    assert list(numbers) == [f"INV-{number:06d}" for number in range(1, 6)]


def test_one_draft_that_cannot_be_issued_keeps_none_of_the_others_back(staff, profile):
    empty = Invoice.objects.create(profile=profile, currency="EUR")
    negative = draft(profile, "-5")
    good = [draft(profile), draft(BillingProfileFactory(currency="JPY"), "5000")]
    response = act(staff, "issue_selected", empty, negative, *good, issued(profile), confirmed="yes")
    assert {str(message) for message in response.context["messages"]} == {
        f"Draft {empty.pk}: Add at least one line before you issue the invoice.",
        f"Draft {negative.pk}: The total is negative. Give the customer a credit instead.",
        "INV-000001: An invoice cannot go from “Due” to “Due”.",
        "2 invoices issued.",
    }
    assert [Invoice.objects.get(pk=one.pk).status for one in (empty, negative, *good)] == ["draft"] * 2 + ["open"] * 2
    assert NumberSeries.objects.get().next_number == 4


def test_issuing_many_drafts_costs_one_query_for_each(profile):
    def queries(count):
        ids = [draft(profile).pk for _index in range(count)]
        with CaptureQueriesContext(connection) as queries:
            issued_now, refused = issue_many(access=system_access(), invoice_ids=ids, at=NOW)
        assert (len(issued_now), refused) == (count, [])
        return len(queries)

    assert queries(22) - queries(2) <= 25


def test_a_new_line_needs_a_tax_rate_and_an_old_one_keeps_its_own(staff, profile):
    invoice = draft(profile, "100.00", tax_rate="7.7")
    old = {"id": invoice.lines.get().pk, "unit_price": "200", "tax": ""}
    response = staff.post(page(invoice), lines_data(old, {"tax": ""}, existing=1))
    assert "Choose a tax rate." in response.content.decode()
    exempt = tax_rate(name="Education", tax_category="E", exemption_reason="Article 11")
    assert staff.post(page(invoice), lines_data(old, {"tax": exempt.pk}, existing=1)).status_code == 302
    columns = ("tax_category", "tax_rate", "exemption_reason", "amount_minor")
    assert list(invoice.lines.order_by("pk").values_list(*columns)) == [
        ("S", Decimal("7.7"), "", 20000),
        ("E", 0, "Article 11", 1000),
    ]
    assert f'<option value="{exempt.pk}" selected>Education</option>' in staff.get(page(invoice)).text


def test_changing_the_lines_of_a_draft_recomputes_its_sums(staff, profile):
    invoice = draft(profile)
    line = invoice.lines.get()
    first = {"id": line.pk, "invoice": invoice.pk, "unit_price": "100", "tax": tax_rate("21").pk}
    response = staff.post(page(invoice), lines_data(first, {"quantity": "3", "unit_price": "0.335"}, existing=1))
    assert response.status_code == 302
    invoice.refresh_from_db()
    assert (invoice.charges_minor, invoice.tax_minor, invoice.total_minor) == (10101, 2100, 12201)
    assert "€122.01" in staff.get(page(invoice)).content.decode()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"unit_price": "-10"}, "The total is negative. Give the customer a credit instead."),
        ({"unit_price": "9999999999999", "quantity": "999999999999"}, "An amount is too large."),
        ({"unit_price": "9999999999999", "quantity": "10000"}, "An amount is too large."),
    ],
)
def test_lines_that_make_no_invoice_are_refused_on_the_page(staff, profile, line, words):
    invoice = draft(profile)
    InvoiceLine.objects.all().delete()
    response = staff.post(page(invoice), lines_data(line))
    assert response.status_code == 200
    assert words in response.content.decode()
    assert not InvoiceLine.objects.exists()


def test_sections_to_choose_from_are_those_of_the_profile(staff, profile):
    InvoiceSection.objects.create(profile=profile, name="Web shop")
    foreign = InvoiceSection.objects.create(profile=BillingProfileFactory(), name="Somebody else's")
    invoice = draft(profile)
    text = staff.get(page(invoice)).content.decode()
    assert "Web shop" in text
    assert "Somebody else" not in text
    response = staff.post(page(invoice), lines_data({"section": foreign.pk}))
    assert "Select a valid choice" in response.content.decode()


def test_a_period_that_ends_before_it_starts_and_a_reference_used_before_are_refused(staff, profile):
    draft(profile, source_reference="A-1")
    invoice = draft(profile)
    data = lines_data() | {"source_reference": "A-1", "period_start_on": "2026-10-01", "period_end_on": "2026-09-01"}
    text = staff.post(page(invoice), data).content.decode()
    assert "Another invoice of this billing profile has this reference." in text
    assert "The billing period ends before it starts." in text


def test_issuing_is_confirmed_on_a_page_with_the_number_of_invoices_and_their_totals(staff, profile):
    first, second = draft(profile, "100.00"), draft(BillingProfileFactory(currency="JPY"), "5000")
    for invoice in (first, second):
        staff.post(page(invoice), lines_data({"id": invoice.lines.get().pk, "unit_price": "100"}, existing=1))
    response = act(staff, "issue_selected", first, second)
    text = response.content.decode()
    assert "1 invoice, €100.00 in total" in text
    assert "1 invoice, ¥100 in total" in text
    assert not Invoice.objects.exclude(status="draft").exists()
    response = act(staff, "issue_selected", first, second, confirmed="yes")
    assert "2 invoices issued." in response.content.decode()
    assert [invoice.number for invoice in Invoice.objects.order_by("pk")] == ["INV-000001", "INV-000002"]
    assert AuditEntry.objects.filter(action="invoice.issued").count() == 2


def test_a_draft_without_lines_and_an_invoice_issued_before_are_named_and_the_rest_is_issued(staff, profile):
    empty, done, good = draft(profile), issued(profile), draft(profile)
    empty.lines.all().delete()
    text = act(staff, "issue_selected", empty, done, good, confirmed="yes").content.decode()
    assert f"Draft {empty.pk}: Add at least one line before you issue the invoice." in text
    assert f"{done.number}: " in text
    assert "1 invoice issued." in text
    assert list(Invoice.objects.order_by("pk").values_list("status", flat=True)) == ["draft", "open", "open"]


def test_voiding_asks_for_a_reason_and_shows_it(staff, profile):
    invoice = issued(profile)
    assert 'name="reason"' in act(staff, "void_selected", invoice).content.decode()
    text = act(staff, "void_selected", invoice, confirmed="yes", reason="  ").content.decode()
    assert "This field is required." in text
    invoice.refresh_from_db()
    assert invoice.status == "open"
    assert (
        "1 invoice voided." in act(staff, "void_selected", invoice, confirmed="yes", reason="Double").content.decode()
    )
    invoice.refresh_from_db()
    assert (invoice.status, invoice.void_reason) == ("void", "Double")


@pytest.mark.parametrize("action", ["void_selected", "rebill_selected"])
def test_voiding_needs_the_permission_to_make_credit_notes(client, profile, action):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_invoice", "change_invoice"]))
    client.force_login(clerk)
    invoice = issued(profile)
    act(client, action, invoice, confirmed="yes", reason="Double")
    invoice.refresh_from_db()
    assert (invoice.status, invoice.credit_notes.count()) == ("open", 0)
    offered = client.get(page(invoice)).content.decode()
    assert action not in offered
    assert "apply_credits_selected" in offered
    clerk.user_permissions.add(Permission.objects.get(codename="add_creditnote"))
    act(client, action, invoice, confirmed="yes", reason="Double")
    invoice.refresh_from_db()
    assert (invoice.status, invoice.credit_notes.count()) == ("void", 1)


def test_an_action_on_one_invoice_leads_back_to_it(staff, profile):
    invoice = issued(profile)
    response = act(staff, "void_selected", invoice, confirmed="yes", reason="Double")
    assert response.redirect_chain[-1][0] == page(invoice)
    both = act(staff, "void_selected", issued(profile), issued(profile), confirmed="yes", reason="Double")
    assert both.redirect_chain[-1][0] == LIST


def test_voiding_in_the_wrong_state_is_a_message(staff, profile):
    busy, new = issued(profile), draft(profile)
    mark_payment_started(busy, by=None, at=NOW)
    text = act(staff, "void_selected", busy, new, confirmed="yes", reason="Double").content.decode()
    assert f"{busy.number}: A payment is in progress" in text
    assert f"Draft {new.pk}: An invoice cannot go from “Draft” to “Void”." in text
    assert "voided" not in text


def test_an_issued_invoice_is_read_only_and_a_late_write_is_a_message(staff, profile):
    invoice = issued(profile, "120.00")
    text = staff.get(page(invoice)).content.decode()
    assert 'name="_save"' not in text
    assert 'name="kind"' not in text
    assert "€120.00" in text
    response = staff.post(page(invoice), lines_data({"unit_price": "1"}), follow=True)
    assert f"Invoice {invoice.number} has been issued and does not change any more." in response.content.decode()
    invoice.refresh_from_db()
    assert invoice.total_minor == 12000


def test_only_drafts_can_be_deleted(staff, profile):
    kept, gone = issued(profile), draft(profile)
    assert staff.post(reverse("admin:invoices_invoice_delete", args=[kept.pk]), {"post": "yes"}).status_code == 403
    assert staff.post(reverse("admin:invoices_invoice_delete", args=[gone.pk]), {"post": "yes"}).status_code == 302
    assert list(Invoice.objects.all()) == [kept]
    response = staff.post(
        LIST, {"action": "delete_selected", "_selected_action": [kept.pk], "post": "yes"}, follow=True
    )
    assert "No action selected." in response.content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=inv-000001", ["INV-000001"]),
        ("q=rf69+inv0+0000+1", ["INV-000001"]),
        ("q=SAP-2", ["INV-000002"]),
        ("q=Operations", ["INV-000001", "INV-000002"]),
        ("label=past_due", ["INV-000001"]),
        ("label=draft", []),
        ("label=nonsense", ["INV-000001", "INV-000002"]),
        ("issued_on__year=2026", ["INV-000001", "INV-000002"]),
    ],
)
def test_the_list_is_searched_and_filtered(staff, profile, query, found):
    issued(profile, due_on=NOW.date().replace(year=2020))
    Invoice.objects.filter(pk=issued(profile).pk).update(source_reference="SAP-2", due_on="2999-01-01")
    invoices = staff.get(f"{LIST}?{query}", follow=True).context["cl"].result_list
    assert sorted(invoice.number for invoice in invoices) == found


@pytest.mark.parametrize("query", ["944.84", "944,84", "fabrikam", "Fabrikam Holding"])
def test_the_list_is_searched_by_amount_and_by_customer(staff, profile, query):
    issued(profile)
    other = BillingProfileFactory(account__name="Fabrikam", account__company="Fabrikam Holding")
    invoice = issued(other, "944.84")
    assert list(staff.get(LIST, {"q": query}).context["cl"].result_list) == [invoice]


def test_the_list_costs_the_same_however_long_it_is(staff, profile, django_assert_num_queries):
    issued(profile)
    staff.get(LIST)
    with CaptureQueriesContext(connection) as few:
        staff.get(LIST)
    for _index in range(9):
        issued(profile)
    with django_assert_num_queries(len(few)):
        staff.get(LIST)


def test_series_and_credits_are_only_looked_at(staff, profile):
    issued(profile)
    series = NumberSeries.objects.get()
    credit = Credit.objects.create(
        profile=profile, currency="EUR", amount_minor=500, remaining_minor=250, description="Overpaid", created_at=NOW
    )
    assert "€2.50" in staff.get("/admin/invoices/credit/").content.decode()
    for row in (series, credit):
        name = f"admin:invoices_{row._meta.model_name}"
        assert staff.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
        assert staff.post(reverse(f"{name}_change", args=[row.pk]), {"next_number": 1}).status_code == 403
        assert staff.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert staff.get(reverse("admin:invoices_numberseries_add")).status_code == 403
    assert Decimal(credit.remaining.amount) == Decimal("2.50")


def test_staff_who_may_only_look_can_neither_issue_nor_void(client, profile):
    from django.contrib.auth.models import Permission

    user = UserFactory(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_invoice"))
    client.force_login(user)
    invoice = draft(profile)
    assert client.get(page(invoice)).status_code == 200
    act(client, "issue_selected", invoice, confirmed="yes")
    invoice.refresh_from_db()
    assert invoice.status == "draft"

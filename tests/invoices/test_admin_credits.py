"""The staff pages of credits and credit notes: each act asks first, is refused in words, and needs its permission."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.access import system_access
from invoices.models import Credit, CreditNote, Invoice, InvoiceLine
from invoices.operations.issuing import issue
from tests.factories import NOW, TODAY, UserFactory, draft, granted, issued, taxed
from tests.payments.acts import books_are_clean

pytestmark = pytest.mark.django_db
ADD = "/admin/invoices/credit/add/"


@pytest.fixture
def staff(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def onlooker(client):
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    return client


def grant_form(profile, **fields):
    return {
        "profile": profile.pk, "source": "goodwill", "amount": "12.50", "description": "For the delay",
        "starts_on": "", "expires_on": "", **fields,
    }  # fmt: skip


def take_back(credit):
    return reverse("admin:invoices_credit_take_back", args=[credit.pk])


def correct(invoice):
    return reverse("admin:invoices_invoice_credit_note", args=[invoice.pk])


def act(client, action, *invoices, **data):
    chosen = [invoice.pk for invoice in invoices]
    data = {"action": action, "_selected_action": chosen, "index": 0, **data}
    return client.post("/admin/invoices/invoice/", data, follow=True)


def test_staff_grant_a_credit(staff, profile):
    assert staff.get(ADD).status_code == 200
    response = staff.post(ADD, grant_form(profile, expires_on="2030-01-01"), follow=True)
    credit = Credit.objects.get()
    assert (credit.amount_minor, credit.currency, credit.created_by.is_superuser) == (1250, "EUR", True)
    assert "For the delay" in response.content.decode()
    page = staff.get(reverse("admin:invoices_credit_change", args=[credit.pk])).content.decode()
    assert "Granted" in page
    assert take_back(credit) in page
    assert books_are_clean()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"amount": "12.505"}, "Write the amount as digits"),
        ({"amount": "0"}, "must be more than zero"),
        ({"source": "overpayment"}, "Select a valid choice"),
        ({"expires_on": "2020-01-01"}, "would expire before it can be used"),
        ({"description": ""}, "This field is required"),
        ({"starts_on": "2030-02-01", "expires_on": "2030-01-31"}, "The credit expires before it starts."),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused_in_words(staff, profile, fields, words):
    response = staff.post(ADD, grant_form(profile, **fields), follow=True)
    assert words in response.content.decode()
    assert not Credit.objects.exists()


def test_sent_twice_it_is_granted_once(staff, profile):
    staff.post(ADD, grant_form(profile))
    response = staff.post(ADD, grant_form(profile), follow=True)
    assert "a moment ago" in response.content.decode()
    assert Credit.objects.count() == 1


def test_staff_take_back_what_is_left(staff, profile):
    credit = granted(profile, 5000)
    page = staff.get(take_back(credit)).content.decode()
    assert "€50.00 is taken away" in page
    assert profile.name in page
    assert staff.post(take_back(credit), {"reason": ""}).status_code == 422
    response = staff.post(take_back(credit), {"reason": "Granted by mistake"}, follow=True)
    assert "The rest of the credit was taken back." in response.content.decode()
    credit.refresh_from_db()
    assert credit.remaining_minor == 0
    again = staff.post(take_back(credit), {"reason": "Again"})
    assert "Nothing is left of this credit." in again.text
    assert 'value="Again"' in again.text


def test_a_credit_note_is_made_after_showing_what_will_come_of_it(staff, profile):
    invoice = issued(profile, "100.00")
    line = f"line_{invoice.lines.get().pk}"
    page = staff.get(correct(invoice))
    assert "at most €100.00" in page.content.decode()
    data = {"reason": "Billed too much", line: "40", "shown_rest": page.context["form"]["shown_rest"].value()}
    asked = staff.post(correct(invoice), data).content.decode()
    assert "Due afterwards" in asked
    assert "€60.00" in asked
    assert not CreditNote.objects.exists()
    done = staff.post(correct(invoice), data | {"confirmed": "yes"}, follow=True).content.decode()
    assert "Credit note CN-000001 was made." in done
    assert reverse("admin:invoices_creditnote_change", args=[CreditNote.objects.get().pk]) in done
    twice = staff.post(correct(invoice), data | {"confirmed": "yes"}, follow=True).content.decode()
    assert "A credit note was made meanwhile" in twice
    assert 'value="Billed too much"' in twice
    assert f'name="{line}" value="40"' in twice
    assert "at most €60.00" in twice
    invoice.refresh_from_db()
    assert (CreditNote.objects.count(), invoice.amount_due_minor) == (1, 6000)


def test_a_refused_last_step_keeps_what_was_typed_and_can_be_sent_again(staff, profile):
    invoice = issued(profile, "100.00")
    line = f"line_{invoice.lines.get().pk}"
    data = {"reason": "Billed too much", line: "40", "shown_rest": 10000, "confirmed": "yes"}
    staff.post(correct(invoice), data)

    refused = staff.post(correct(invoice), data)

    assert refused.status_code == 422
    assert "at most €60.00" in refused.text
    form = refused.context["form"]
    typed = {name: form[name].value() for name in ("reason", line, "shown_rest")}
    assert typed == {"reason": "Billed too much", line: "40", "shown_rest": "6000"}
    staff.post(correct(invoice), typed | {"confirmed": "yes"})
    assert CreditNote.objects.count() == 2


@pytest.mark.parametrize(
    ("amount", "words"), [("100.01", "€100.00 is left"), ("x", "digits"), ("", "nothing to credit")]
)
def test_amounts_that_do_not_fit_are_refused_on_the_page(staff, profile, amount, words):
    invoice = issued(profile, "100.00")
    data = {"reason": "Test", f"line_{invoice.lines.get().pk}": amount, "shown_rest": 10000, "confirmed": "yes"}
    response = staff.post(correct(invoice), data)
    assert (response.status_code, words in response.content.decode()) == (422, True)
    assert not CreditNote.objects.exists()


def test_a_line_is_credited_with_its_discount_or_not_at_all(staff, profile):
    invoice = draft(profile, "100.00", tax_rate="21")
    for position, (price, rate) in enumerate((("-50.00", "21"), ("100.00", "9")), start=1):
        InvoiceLine.objects.create(
            invoice=invoice, description="Line", unit_price=Decimal(price), position=position, **taxed(rate)
        )
    issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    names = [f"line_{line.pk}" for line in invoice.lines.order_by("position")]
    data = {"reason": "Test", "shown_rest": 16950, "confirmed": "yes"}
    refused = staff.post(correct(invoice), data | dict(zip(names, ("100", "0", "0"), strict=True)))
    assert (refused.status_code, "€50.00 is left of the lines at 21% together" in refused.text) == (422, True)
    staff.post(correct(invoice), data | dict(zip(names, ("100", "-50", "100"), strict=True)))
    assert CreditNote.objects.get().total_minor == 16950


def test_bill_again_opens_the_draft(staff, profile):
    invoice = issued(profile)
    assert "a draft with the same lines" in act(staff, "rebill_selected", invoice).content.decode()
    response = act(staff, "rebill_selected", invoice, confirmed="yes", reason="Wrong department")
    new = Invoice.objects.get(replaces=invoice)
    assert response.redirect_chain[-1][0] == reverse("admin:invoices_invoice_change", args=[new.pk])
    assert invoice.number in response.content.decode()
    again = act(staff, "rebill_selected", invoice, confirmed="yes", reason="Again")
    assert "already replaces it" in again.content.decode()


def test_credits_are_applied_to_chosen_invoices(staff, profile):
    invoice, other = issued(profile), issued(profile)
    granted(profile, 5000)
    act(staff, "apply_credits_selected", invoice)
    assert Credit.objects.get().remaining_minor == 5000
    page = act(staff, "apply_credits_selected", invoice, other, confirmed="yes").content.decode()
    assert "Credits applied to 1 invoice." in page
    assert "There is no credit that may pay for this invoice." in page
    invoice.refresh_from_db()
    assert invoice.credited_minor == 5000


def test_who_may_only_look_can_do_none_of_it(onlooker, profile):
    credit, invoice = granted(profile, 500), issued(profile, "1.00")
    Invoice.objects.update(paid_at=NOW)
    assert onlooker.get(reverse("admin:invoices_credit_change", args=[credit.pk])).status_code == 200
    assert onlooker.get(ADD).status_code == 403
    assert onlooker.post(ADD, grant_form(profile)).status_code == 403
    for address in (take_back(credit), correct(invoice)):
        assert onlooker.get(address).status_code == 403
        assert onlooker.post(address, {"reason": "Test"}).status_code == 403
    act(onlooker, "rebill_selected", invoice, confirmed="yes", reason="Test")
    act(onlooker, "apply_credits_selected", invoice, confirmed="yes")
    assert (Credit.objects.get().remaining_minor, CreditNote.objects.count(), Invoice.objects.count()) == (400, 0, 1)

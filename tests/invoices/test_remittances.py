"""Where an invoice says to send the money: which account, kept how, shown how; and the code for banking apps."""

from datetime import date
from io import BytesIO

import pytest
from django.utils import timezone
from pypdf import PdfReader

from invoices.documents.invoice import invoice_data, invoice_pdf
from invoices.models import Invoice, RemittanceAccount
from invoices.money import Money
from invoices.operations.invoice_payments import mark_payment_started
from invoices.remittances import (
    Remittance,
    Remittances,
    current_remittance,
    has_payment_code,
    is_account_number,
    payment_code_svg,
)
from tests.factories import (
    NOW,
    TODAY,
    BillingAccountFactory,
    BillingProfileFactory,
    SellerFactory,
    UserFactory,
    draft,
    issued,
    member,
)
from tests.invoices.bookings import apply_payment
from tests.invoices.payment_codes import read_code

pytestmark = pytest.mark.django_db

OLD, NEW = "NL26EXAM0000000001", "NL96EXAM0000000002"


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)


def account(iban=OLD, since=date(2026, 1, 1), currency="EUR", **fields):
    fields = {"account_holder": "Example Cloud B.V.", "bic": "EXAMNL2A", "bank": "Example Bank", **fields}
    seller = SellerFactory()
    return RemittanceAccount.objects.create(seller=seller, currency=currency, valid_from_on=since, iban=iban, **fields)


def detail(client, invoice, user=None):
    client.force_login(user or member(invoice.profile, "invoice_manager"))
    return client.get(f"/profiles/{invoice.profile.code}/invoices/{invoice.number}/").content.decode()


def printed(invoice):
    loaded = Invoice.objects.select_related("profile__account", "payment_started_by").get(pk=invoice.pk)
    return invoice_data(loaded)["pay"]


def test_the_account_that_holds_on_the_invoice_date_is_kept(profile):
    account(OLD, date(2026, 1, 1))
    account(NEW, date(2026, 10, 1))
    account("GB00EXAM0000000003", date(2026, 10, 1), "GBP")
    assert issued(profile, today=date(2026, 9, 30)).remittance["iban"] == OLD
    assert issued(profile, today=date(2026, 10, 1)).remittance == {
        "holder": "Example Cloud B.V.",
        "iban": NEW,
        "bic": "EXAMNL2A",
        "bank": "Example Bank",
        "check_address": "",
        "since": "2026-10-01",
    }


def test_before_the_first_dated_account_the_one_from_the_start_is_kept(profile):
    account(since=date(2026, 10, 1))
    first = issued(profile, today=date(2026, 9, 30)).remittance
    assert (first["iban"], first["since"]) == ("NL53EXAM0000000000", "")
    assert issued(profile, today=date(2026, 10, 1)).remittance["iban"] == OLD


def test_each_seller_has_its_own_account(profile):
    other = SellerFactory(code="DE", company="Example Cloud GmbH", invoice_prefix="DE-", credit_note_prefix="DEC-")
    RemittanceAccount.objects.filter(seller=other).update(iban=NEW)
    theirs = BillingProfileFactory(account=BillingAccountFactory(seller=other))
    assert (issued(profile).remittance["iban"], issued(theirs).remittance["iban"]) == ("NL53EXAM0000000000", NEW)


def test_an_account_is_for_its_own_currencies(client):
    """A Kuwaiti invoice printed the Dutch account, which takes euro."""
    invoice = issued(BillingProfileFactory(currency="KWD"))
    assert invoice.remittance == {}
    text = f"For a wire transfer in KWD, ask us for our bank details: {invoice.seller['email']}."
    assert printed(invoice)["bank"] is None
    assert text in printed(invoice)["sentences"]
    assert text in detail(client, invoice)
    assert current_remittance(SellerFactory().pk, "KWD", TODAY) is None


def test_staff_are_warned_before_they_issue_an_invoice_without_an_account(client, admin_user):
    client.force_login(admin_user)
    for currency, is_warned in (("KWD", True), ("EUR", False)):
        chosen = {"action": "issue_selected", "_selected_action": draft(BillingProfileFactory(currency=currency)).pk}
        page = client.post("/admin/invoices/invoice/", chosen).content.decode()
        assert (
            "There is no bank account for payments in KWD. The invoices tell customers to contact us." in page
        ) == is_warned


@pytest.mark.parametrize(
    ("number", "is_one"),
    [("NL53 EXAM 0000 0000 00", True), ("NL54EXAM0000000000", False), ("000123456789", True), ("banana", False),
     ("NLS3EXAM0000000000", False), ("ABNA_NL2", False), ("021000021 / 12-3456", True), ("ABC 12", False),
     ("", False)],
)  # fmt: skip
def test_an_account_number_has_digits_and_an_iban_the_right_ones(number, is_one):
    assert is_account_number(number) == is_one


def test_where_there_is_no_account_the_invoice_says_to_ask(client, profile):
    RemittanceAccount.objects.all().delete()
    invoice = issued(profile)
    assert invoice.remittance == {}
    text = "For a wire transfer in EUR, ask us for our bank details: billing@example.com."
    assert printed(invoice)["bank"] is None
    assert text in printed(invoice)["sentences"]
    assert text in detail(client, invoice)


def test_a_changed_account_reaches_new_invoices_and_the_portal_and_no_document(client, profile):
    """Scenario 43."""
    account(OLD, date(2026, 1, 1))
    old = issued(profile, today=date(2026, 10, 1))
    account(NEW, date(2026, 10, 20))
    new = issued(profile, today=date(2026, 10, 21))
    assert [dict(printed(invoice)["bank"]["rows"])["IBAN"] for invoice in (old, new)] == [
        "NL26 EXAM 0000 0000 01",
        "NL96 EXAM 0000 0000 02",
    ]
    page = detail(client, old)
    assert "NL96 EXAM 0000 0000 02" in page
    assert "Please use the account below, which is valid since 20 Oct 2026." in page
    assert "The PDF of this invoice still shows NL26 EXAM 0000 0000 01." in page
    assert "Our bank details have changed" not in detail(client, new)


def test_one_that_holds_from_tomorrow_is_not_shown_today(client, profile):
    account(OLD, date(2026, 1, 1))
    account(NEW, date(2026, 10, 27))
    assert current_remittance(SellerFactory().pk, "EUR", TODAY).iban == OLD
    assert "0000 0000 02" not in detail(client, issued(profile))


def test_a_check_is_sent_to_the_address_of_the_account(client, profile):
    account(check_address="Example Cloud B.V.\nP.O. Box 1\nAmsterdam")
    invoice = issued(profile)
    assert printed(invoice)["bank"]["check"]["lines"] == ["Example Cloud B.V.", "P.O. Box 1", "Amsterdam"]
    assert "P.O. Box 1" in detail(client, invoice)


def test_many_invoices_read_the_accounts_once(profile, django_assert_num_queries):
    account()
    with django_assert_num_queries(1):
        remittances = Remittances()
        for _invoice in range(100):
            assert remittances.copy_for(profile.account.seller_id, "EUR", TODAY)["iban"] == OLD


@pytest.mark.parametrize(
    ("amount", "printed_amount"),
    [("0.01", "EUR0.01"), ("120.00", "EUR120"), ("12345.6", "EUR12345.6"), ("999999999.99", "EUR999999999.99")],
)
def test_the_code_reads_as_a_transfer(amount, printed_amount):
    remittance = Remittance("Example Cloud B.V.", OLD, "EXAMNL2A")
    assert has_payment_code(remittance, Money.parse(amount, "EUR"))
    text = read_code(payment_code_svg(remittance, Money.parse(amount, "EUR"), "RF69INV000001"))
    lines = ["BCD", "002", "1", "SCT", "EXAMNL2A", "Example Cloud B.V.", OLD, printed_amount, "", "RF69INV000001"]
    assert text.split("\n") == lines
    assert len(text.encode()) <= 331


def test_a_holder_of_another_script_and_of_seventy_letters_is_read_too():
    remittance = Remittance("Ünïcode Ελληνικά " * 6, OLD)
    text = read_code(payment_code_svg(remittance, Money(100, "EUR"), "RF69INV000001"))
    assert text.split("\n")[5] == ("Ünïcode Ελληνικά " * 6)[:70].strip()


@pytest.mark.parametrize(
    ("iban", "minor", "currency"),
    [
        (OLD, 0, "EUR"),
        (OLD, 100_000_000_000, "EUR"),
        (OLD, 100, "GBP"),
        ("123456789", 100, "EUR"),
        ("NL00EXAM0000000001", 100, "EUR"),
    ],
)
def test_there_is_no_code_for_nothing_too_much_other_money_and_other_accounts(iban, minor, currency):
    assert not has_payment_code(Remittance("Example", iban), Money(minor, currency))


def test_the_page_shows_the_code_of_what_is_due_now(client, profile, payer):
    account()
    invoice = issued(profile)
    apply_payment(invoice, Money(2000, "EUR"), at=NOW, paid_with="Wire transfer", ends_attempt=False)
    address = f"/profiles/{profile.code}/invoices/{invoice.number}/payment-code.svg"
    assert f'src="{address}"' in detail(client, invoice, payer)
    answer = client.get(address)
    assert answer["Content-Type"] == "image/svg+xml"
    assert "EUR100\n" in read_code(answer.content.decode())
    apply_payment(invoice, Money(10000, "EUR"), at=NOW, paid_with="Wire transfer", ends_attempt=False)
    assert client.get(address).status_code == 404
    assert address not in detail(client, invoice, payer)


def test_the_document_holds_the_code_and_stays_accessible(profile):
    account()
    invoice = issued(profile)
    loaded = Invoice.objects.select_related("profile__account", "payment_started_by").get(pk=invoice.pk)
    reader = PdfReader(BytesIO(invoice_pdf(loaded, at=NOW)))
    text = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
    assert "Scan with your banking app" in text
    assert b"pdfuaid" in reader.trailer["/Root"]["/Metadata"].get_data()
    assert read_code(printed(invoice)["bank"]["code"]["svg"]).split("\n")[7] == "EUR120"
    account("GB00EXAM0000000003", currency="GBP")
    assert printed(issued(BillingProfileFactory(currency="GBP")))["bank"]["code"] is None
    mark_payment_started(invoice, by=None, at=NOW)
    assert printed(invoice)["bank"]["code"] is not None, "a document is as it was issued"


def test_above_the_card_limit_the_reason_stands_where_the_card_would(client, settings):
    settings.CARD_LIMITS_FOR_WIRE = {"EUR": "100.00"}
    invoice = issued(BillingProfileFactory(default_method="check_wire"))
    text = "Above the card limit of €100.00. Pay by wire transfer."
    assert text in printed(invoice)["sentences"]
    assert detail(client, invoice).count(text) == 2  # above, and under "By card"


@pytest.fixture
def admin(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def add(admin, **changes):
    form = {
        "seller": SellerFactory().pk, "currency": "eur", "valid_from_on": "2026-11-01",
        "account_holder": "Example Cloud B.V.",
        "iban": "GB82 WEST 1234 5698 7654 32", "bic": "", "bank": "", "check_address": "", **changes,
    }  # fmt: skip
    return admin.post("/admin/invoices/remittanceaccount/add/", form)


def test_staff_add_an_account_and_a_wrong_digit_is_refused(admin):
    assert (
        b"This is not an account number, or its check digits are wrong."
        in add(admin, iban="GB83 WEST 1234 5698 7654 32").content
    )
    assert b"This is not a BIC." in add(admin, bic="WESTGB").content
    assert RemittanceAccount.objects.exclude(valid_from_on=None).count() == 0
    assert add(admin).status_code == 302
    added = RemittanceAccount.objects.exclude(valid_from_on=None).get()
    assert (added.iban, added.currency) == ("GB82WEST12345698765432", "EUR")


def test_staff_see_which_currency_lacks_an_account(admin):
    BillingProfileFactory(currency="JPY")
    BillingProfileFactory(currency="EUR")
    account()
    page = admin.get("/admin/invoices/remittanceaccount/").content.decode()
    assert "There is no bank account for payments in JPY." in page

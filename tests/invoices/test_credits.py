"""The page of credits: what may be spent, where it came from, every movement of it, and nothing of another profile."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from invoices.models import Credit
from invoices.money import Money
from invoices.operations.credits import expire_credits, take_back_credit
from invoices.states import CreditState
from payments.operations.manual_payments import record_payment
from tests.factories import NOW, BillingProfileFactory, billed_until, granted, issued
from tests.payments.acts import staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(client, payer, profile):
    """The text of the page, spaces evened out."""
    client.force_login(payer)

    def get(**query) -> str:
        response = client.get(reverse("invoices:credits", args=[profile.code]), query)
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    return get


def overpay(profile, surplus):
    record_payment(
        access=staff(),
        invoice_id=issued(profile, "100.00").pk,
        amount=Money(10000 + surplus, profile.currency),
        channel="wire",
        bank_reference=uuid4().hex,
        received_on=NOW.date(),
        attempt_key=uuid4(),
        at=NOW,
    )


def one_of_each(profile):
    """A lot in every state, each named after it."""
    today = profile.day_of(timezone.now())
    days = {
        "spent": {},
        "gone": {"expires_on": today - timedelta(days=1)},
        "past": {"expires_on": today - timedelta(days=1)},
        "soon": {"expires_on": today + timedelta(days=30)},
        "active": {"expires_on": today + timedelta(days=31)},
        "later": {"starts_on": today + timedelta(days=1)},
    }
    lots = {name: granted(profile, 1100, description=f"Lot {name}", **fields) for name, fields in days.items()}
    take_back_credit(access=staff(), credit_id=lots["spent"].pk, reason="Test", at=NOW)
    billed_until(profile, today)
    assert expire_credits(at=timezone.now(), limit=1) == 1
    return today


def test_what_was_paid_too_much_is_shown_with_its_source_and_the_sum(profile, read):
    overpay(profile, 150)
    page = read()
    for words in ("€1.50", "Overpayment", "INV-000001", "Granted", "Never"):
        assert words in page


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ("active", {"active", "soon"}),
        ("soon", {"soon"}),
        ("later", {"later"}),
        ("used", {"spent"}),
        ("expired", {"gone", "past"}),
        ("", {"spent", "gone", "past", "soon", "active", "later"}),
        ("nonsense", {"spent", "gone", "past", "soon", "active", "later"}),
    ],
)
def test_lots_are_found_by_their_state(profile, read, state, names):
    one_of_each(profile)
    table = read(status=state).split("Transactions")[0]
    assert {name for name in ("spent", "gone", "past", "soon", "active", "later") if f"Lot {name}" in table} == names


def test_the_state_of_a_row_and_the_filter_agree(profile):
    today = one_of_each(profile)
    rows = Credit.objects.with_expiry()
    for state in CreditState:
        for lot in rows.in_state(state, today):
            own = lot.state_on(today, profile=profile, has_expired=lot.has_expired)
            assert own == state or (state, own) == (CreditState.ACTIVE, CreditState.SOON)


def test_balances_are_of_today_and_for_each_currency(profile, read):
    one_of_each(profile)
    granted(profile, 300, currency="USD")
    page = read()
    assert 'Available</span><span class="tile-value">€22.00' in page
    assert 'Expiring soon</span><span class="tile-value">€11.00' in page
    assert 'Not yet started</span><span class="tile-value">€11.00' in page
    assert 'Available</span><span class="tile-value">$3.00' in page


def test_every_movement_is_in_the_ledger_with_its_invoice(profile, read):
    granted(profile, 5000, description="For the delay")
    invoice = issued(profile, "20.00")
    ledger = read().split("Transactions")[1]
    assert "Applied to an invoice" in ledger
    assert "-€20.00" in ledger
    assert reverse("invoices:detail", args=[profile.code, invoice.number]) in ledger


def test_the_ledger_goes_on_over_pages(profile, read, client, payer):
    lots = [granted(profile, 100 + index, description=f"Lot {index:03}") for index in range(120)]
    seen, word = [], ""
    for _page in range(3):
        response = client.get(reverse("invoices:credits", args=[profile.code]), {"page": word})
        seen += [entry.credit_id for entry in response.context["entries"].rows]
        word = response.context["entries"].older
    assert seen == [lot.pk for lot in reversed(lots)]
    assert word == ""
    back = (
        client.get(reverse("invoices:credits", args=[profile.code]), {"page": response.context["entries"].newer})
        .context["entries"]
        .rows
    )
    assert [entry.credit_id for entry in back] == seen[50:100]


@pytest.mark.parametrize("word", ["x", "o", "o0", "n0", "o999999999999999999", "n999999999999999999", "o1;--", "o٣"])
def test_a_word_that_means_nothing_is_no_error(profile, read, word):
    granted(profile, 100)
    assert "Your credits" in read(page=word, credits=word)


def test_the_ledger_as_csv(profile, client, payer):
    granted(profile, 5000, description="=HYPERLINK()")
    issued(profile, "20.00")
    client.force_login(payer)
    response = client.get(reverse("invoices:credits_csv", args=[profile.code]))
    rows = b"".join(response).decode("utf-8-sig").splitlines()
    assert rows == [
        "Date,Movement,Credit,Source,Invoice,Currency,Amount,Note",
        "2026-10-26,Applied to an invoice,'=HYPERLINK(),Goodwill,INV-000001,EUR,-20.00,",
        "2026-10-26,Granted,'=HYPERLINK(),Goodwill,,EUR,50.00,",
    ]


def test_credits_of_another_profile_of_the_same_account_are_not_shown(profile, read, client):
    overpay(BillingProfileFactory(account=profile.account), 777)
    page = read()
    assert "7.77" not in page
    assert "No credits" in page
    file = b"".join(client.get(reverse("invoices:credits_csv", args=[profile.code]))).decode()
    assert len(file.splitlines()) == 1

"""The page of a payment, the way back from the bank, cancelling, and the history."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from invoices.money import Money
from payments.gateways.base import Outcome, Result
from payments.models import Payment, PaymentEvent
from payments.operations.manual_payments import record_payment
from payments.operations.refunds import refund
from payments.operations.settlement import settle
from tests.factories import NOW, BillingProfileFactory, issued, member
from tests.payments.acts import card, charges, press_pay, staff
from tests.payments.pages import BLADE, browser, page_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(profile):
    return issued(profile, "120.00")


@pytest.fixture
def client(payer):
    return browser(payer)


@pytest.fixture
def waiting(payer, invoice):
    """A payment that waits for bank approval."""
    return press_pay(payer, invoice, token="tok_3155_x", at=timezone.now())


def now_is(payment, result, **outcome):
    return settle(
        payment_id=payment.pk,
        outcome=Outcome(result, **outcome),
        source=PaymentEvent.Source.WEBHOOK,
        at=timezone.now(),
    )


def test_an_invoice_leads_those_who_may_pay_to_the_payment_that_waits(client, profile, waiting, invoice):
    rows = reverse("invoices:list", args=[profile.code])
    link = reverse("payments:latest", args=[profile.code, invoice.number])
    assert f'hx-get="{link}"' in client.get(rows).content.decode()
    assert f'hx-get="{link}"' not in browser(member(profile, "profile_reader")).get(rows).content.decode()
    response = client.get(link, headers=BLADE, follow=True)
    assert response.redirect_chain == [(page_of(waiting), 302)]
    assert waiting.next_url in response.content.decode()


def test_an_invoice_leads_to_its_open_payment_else_to_its_last_one_else_nowhere(client, payer, profile, invoice):
    link = reverse("payments:latest", args=[profile.code, invoice.number])
    assert client.get(link).url == reverse("invoices:detail", args=[profile.code, invoice.number])
    press_pay(payer, invoice, card(profile, "0002"))
    last = press_pay(payer, invoice, card(profile, "0002"), at=NOW + timedelta(minutes=5))
    assert client.get(link).url == page_of(last)
    waiting = press_pay(payer, invoice, token="tok_3155_x", at=NOW + timedelta(minutes=3))
    assert client.get(link).url == page_of(waiting)


def test_a_payment_that_waits_offers_the_check_and_a_way_out(client, waiting):
    response = client.get(page_of(waiting))
    html = response.content.decode()
    assert waiting.next_url in html
    assert reverse("payments:cancel", args=[waiting.profile.code, waiting.reference]) in html
    assert "Nothing has been charged yet." in text_of(response)


def test_a_reader_sees_the_payment_but_cannot_end_it(profile, waiting):
    client = browser(member(profile, "profile_reader"))
    response = client.get(page_of(waiting))
    assert response.status_code == 200
    assert waiting.next_url not in response.content.decode()
    cancel = reverse("payments:cancel", args=[profile.code, waiting.reference])
    assert client.post(cancel).status_code == 403
    waiting.refresh_from_db()
    assert waiting.status == "needs_customer"


def test_cancelling_closes_the_payment_and_offers_to_pay_again(client, waiting, invoice):
    cancel = reverse("payments:cancel", args=[waiting.profile.code, waiting.reference])
    assert client.get(cancel).status_code == 405
    response = client.post(cancel, follow=True)
    assert "The payment was not completed" in text_of(response)
    assert 'name="attempt"' in response.content.decode()
    waiting.refresh_from_db()
    assert (waiting.status, charges(invoice)) == ("expired", [])


def test_the_address_of_the_return_page_claims_nothing(client, waiting):
    back = reverse("payments:return", args=[waiting.profile.code, waiting.reference])
    response = client.get(back, {"status": "succeeded", "redirect_status": "succeeded"})
    waiting.refresh_from_db()
    assert waiting.status == "needs_customer"
    assert response.url == page_of(waiting)


def test_a_foreign_reference_does_not_exist(waiting):
    foreign = BillingProfileFactory()
    client = browser(member(foreign, "profile_owner"))
    for name in ("detail", "return", "receipt"):
        assert client.get(reverse(f"payments:{name}", args=[foreign.code, waiting.reference])).status_code == 404
        assert (
            client.get(reverse(f"payments:{name}", args=[waiting.profile.code, waiting.reference])).status_code == 404
        )
    assert client.post(reverse("payments:cancel", args=[foreign.code, waiting.reference])).status_code == 404
    waiting.refresh_from_db()
    assert waiting.status == "needs_customer"


def test_a_forged_reference_does_not_exist(client, profile):
    assert client.get(reverse("payments:return", args=[profile.code, "PAY-AAAAAAAAAA"])).status_code == 404


@pytest.mark.parametrize("result", [Result.PENDING, Result.UNKNOWN])
def test_what_is_not_known_yet_is_asked_again_and_never_called_failed(client, waiting, result):
    payment = now_is(waiting, result)
    response = client.get(page_of(payment), headers=BLADE)
    html = response.content.decode()
    assert 'hx-trigger="every 2s"' in html
    assert f"?seen={payment.status}" in html
    for word in ("failed", "declined", "Nothing was charged"):
        assert word not in text_of(response)


def test_the_page_tells_of_an_unknown_outcome_that_it_is_checked(client, waiting):
    text = text_of(client.get(page_of(now_is(waiting, Result.UNKNOWN))))
    assert "We are asking your bank" in text
    assert "You cannot be charged twice from here." in text
    assert "Next look-up" in text
    assert "Refresh" in text


def test_nothing_is_sent_while_nothing_has_moved(client, waiting):
    asked = page_of(waiting) + "?seen=needs_customer"
    assert client.get(asked, headers=BLADE).status_code == 204
    assert client.get(asked).status_code == 200
    now_is(waiting, Result.SUCCEEDED, amount=Money(12000, "EUR"))
    response = client.get(asked, headers=BLADE)
    assert "Invoice paid" in text_of(response)
    assert "hx-trigger" not in response.content.decode()


def test_the_page_shows_refunds_and_what_happened(client, payer, profile, invoice):
    payment = press_pay(payer, invoice, card(profile))
    payment.refunds.create(amount_minor=500, currency="EUR", reason="Agreed", started_at=NOW, status="succeeded")
    text = text_of(client.get(page_of(payment)))
    assert all(words in text for words in ("Agreed", "€5.00", "Payment started", "Payment succeeded", "Receipt"))


def test_a_declined_payment_offers_to_pay_in_another_way(client, payer, profile, invoice):
    payment = press_pay(payer, invoice, card(profile, "0002"))
    response = client.get(page_of(payment))
    assert f"pay/?after={payment.reference}" in response.content.decode()
    assert "Nothing was charged." in text_of(response)


def history_url(profile):
    return reverse("payments:history", args=[profile.code])


def test_the_history_lists_every_attempt_newest_first(client, payer, profile, invoice):
    declined = press_pay(payer, invoice, card(profile, "0002"))
    paid = press_pay(payer, invoice, card(profile), at=NOW + timedelta(minutes=5))
    response = client.get(history_url(profile))
    assert [row.reference for row in response.context["page"].rows] == [paid.reference, declined.reference]
    only = client.get(history_url(profile), {"status": "declined"})
    assert [row.reference for row in only.context["page"].rows] == [declined.reference]
    assert "No payments with this status" in text_of(client.get(history_url(profile), {"status": "expired"}))


def test_an_empty_history_says_where_to_go(client, profile):
    assert "No payments yet" in text_of(client.get(history_url(profile)))


def test_the_history_never_shows_another_profile(client, profile, payer):
    other = BillingProfileFactory()
    press_pay(member(other, "profile_owner"), issued(other, "7.00"), card(other))
    assert "No payments yet" in text_of(client.get(history_url(profile)))


@pytest.fixture
def many(profile):
    Payment.objects.bulk_create(
        Payment(profile=profile, amount_minor=1, currency="EUR", started_at=NOW + timedelta(minutes=number // 2))
        for number in range(120)
    )
    return list(Payment.objects.order_by("-started_at", "-id").values_list("reference", flat=True))


def test_paging_by_key_shows_every_payment_once_in_both_directions(client, profile, many):
    forth, word = [], ""
    while True:
        page = client.get(history_url(profile), {"page": word}).context["page"]
        forth.append([row.reference for row in page.rows])
        if not page.older:
            break
        word = page.older
    assert [len(rows) for rows in forth] == [50, 50, 20]
    assert [reference for rows in forth for reference in rows] == many
    back = client.get(history_url(profile), {"page": page.newer}).context["page"]
    assert [row.reference for row in back.rows] == forth[1]


@pytest.mark.parametrize("word", ["x", "bnVsbA", "W10", "WzEsMiwzXQ", "é", "=" * 3000])
def test_a_page_word_that_means_nothing_gives_the_first_page(client, profile, many, word):
    page = client.get(history_url(profile), {"page": word}).context["page"]
    assert [row.reference for row in page.rows] == many[:50]


def test_the_attempts_of_an_invoice_come_as_a_fragment_or_a_page(client, payer, profile, invoice):
    press_pay(payer, invoice, card(profile, "0002"))
    url = reverse("payments:for_invoice", args=[profile.code, invoice.number])
    fragment = client.get(url, headers={"HX-Request": "true", "HX-Target": "invoice-payments"})
    assert fragment.content.decode().count("<h1") == 0
    assert "Declined" in text_of(fragment)
    assert "<html" in client.get(url).content.decode()


def test_the_attempts_of_an_invoice_show_what_was_paid_back_of_each(client, payer, profile, invoice):
    payment = press_pay(payer, invoice, card(profile))
    refund(
        access=staff(),
        payment_id=payment.pk,
        amount=Money(4000, "EUR"),
        reason="Agreed",
        attempt_key=uuid4(),
        at=NOW,
    )
    payment.refunds.create(amount_minor=700, currency="EUR", reason="More", started_at=NOW, status="pending")
    text = text_of(client.get(reverse("payments:for_invoice", args=[profile.code, invoice.number])))
    assert "Visa •••• 4242 Succeeded €120.00 26 Oct 2026 Refund Agreed Refunded -€40.00" in text
    assert "Refund More On its way -€7.00" in text


def test_more_attempts_on_an_invoice_cost_no_more_queries(client, payer, profile, invoice, django_assert_num_queries):
    url = reverse("payments:for_invoice", args=[profile.code, invoice.number])
    for _visit in range(2):
        press_pay(payer, invoice, card(profile, "0002"))
        with CaptureQueriesContext(connection) as one:
            client.get(url)
    press_pay(payer, invoice, card(profile, "0002"))
    with django_assert_num_queries(len(one)):
        client.get(url)


def test_a_part_payment_does_not_say_that_the_invoice_is_paid(client, profile, invoice):
    payment = record_payment(
        access=staff(),
        invoice_id=invoice.pk,
        amount=Money(5000, "EUR"),
        channel="wire",
        bank_reference="LINE 3",
        received_on=NOW.date(),
        attempt_key=uuid4(),
        at=NOW,
    )
    text = text_of(client.get(page_of(payment), headers=BLADE))
    assert "Payment received" in text
    assert "Invoice paid" not in text
    assert all(words in text for words in ("€50.00", "Wire transfer", "LINE 3", "Recorded by our staff"))

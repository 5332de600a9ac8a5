"""Staff pages of payments: what they show, what they do, and what they refuse."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission as DjangoPermission
from django.urls import reverse

from invoices.models import Credit
from invoices.money import Money
from payments.gateways.base import Outcome, Result
from payments.models import Payment, PaymentEvent, PaymentMethod, Refund, WebhookDelivery
from payments.operations.settlement import settle
from payments.operations.webhooks import receive
from tests.factories import NOW, BillingProfileFactory, UserFactory, issued, member
from tests.payments.acts import card, charges, messages, press_pay, sandbox
from tests.payments.pages import browser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return browser(UserFactory(is_staff=True, is_superuser=True))


@pytest.fixture
def invoice(profile):
    return issued(profile, "120.00")


@pytest.fixture
def paid(payer, profile, invoice):
    return press_pay(payer, invoice, card(profile))


def url(row, deed="change"):
    return reverse(f"admin:payments_{row._meta.model_name}_{deed}", args=[row.pk])


def record_url():
    return reverse("admin:payments_payment_record")


def recording(row, **changes):
    return {
        "attempt_key": str(uuid4()),
        "invoice": row.number,
        "amount": "120.00",
        "channel": "wire",
        "bank_reference": "STATEMENT-7 LINE-3",
        "received_on": "2026-10-26",
    } | changes


def test_a_number_is_found_however_it_is_typed(client, invoice):
    typed = f" {invoice.number.lower()} "
    client.post(record_url(), recording(invoice, invoice=typed) | {"confirmed": "yes"})
    assert Payment.objects.get(channel="wire").allocations.get().invoice == invoice


def test_an_invoice_is_found_by_the_reference_that_it_asks_the_payer_to_name(client, invoice, profile):
    other = issued(profile)
    assert (invoice.number, invoice.payment_reference) == ("INV-000001", "RF69INV000001")
    for typed in ("RF70INV000001", "RF69INV000009", "RF69", other.payment_reference[:-1]):
        refused = client.post(record_url(), recording(invoice, invoice=typed))
        assert "There is no issued invoice with this number or payment reference." in text_of(refused)
    client.post(record_url(), recording(invoice, invoice=" rf69 inv0 0000 1") | {"confirmed": "yes"})
    assert Payment.objects.get(channel="wire").allocations.get().invoice == invoice


@pytest.mark.parametrize("name", ["payment", "refund", "paymentmethod", "webhookdelivery"])
def test_the_lists_open_and_offer_nothing_to_add(client, paid, name):
    response = client.get(reverse(f"admin:payments_{name}_changelist"), {"q": "PAY"})
    assert response.status_code == 200
    assert f"/payments/{name}/add/" not in response.content.decode()


def test_a_payment_is_found_by_its_invoice_number(client, paid, invoice):
    response = client.get(reverse("admin:payments_payment_changelist"), {"q": invoice.number})
    assert paid.reference in text_of(response)
    assert "€120.00" in text_of(response)


@pytest.mark.parametrize("typed", ["RF18 5390 0754", "rf1853900754", "RF18\u00a053900754"])
def test_a_payment_is_found_by_its_bank_reference_in_any_spelling(client, invoice, typed):
    client.post(record_url(), recording(invoice, bank_reference="RF18 5390 0754") | {"confirmed": "yes"})
    rows, reference = reverse("admin:payments_payment_changelist"), Payment.objects.get().reference
    assert reference in text_of(client.get(rows, {"q": typed}))
    assert reference not in text_of(client.get(rows, {"q": "RF18"}))


def test_the_page_of_a_payment_shows_all_of_it_and_has_no_fields(client, paid, invoice):
    response = client.get(url(paid))
    text = text_of(response)
    assert all(words in text for words in (paid.reference, "€120.00", invoice.number, "Payment succeeded"))
    assert 'type="text"' not in response.content.decode()


def test_what_happened_to_a_payment_is_told_in_the_language_of_staff(paid, payer, invoice, profile):
    declined = press_pay(payer, issued(profile), card(profile, "9995"))
    nl = browser(UserFactory(is_staff=True, is_superuser=True, language="nl"))
    page = text_of(nl.get(url(declined)))
    assert "onvoldoende saldo" in page
    assert "Bedrag: € 120,00" in page
    for code in ("insufficient_funds", "amount_minor", "{"):
        assert code not in page


def test_the_first_page_leads_to_the_staff_queue(client, paid):
    assert "Nothing waits for staff." in text_of(client.get("/admin/"))
    Payment.objects.update(needs_staff=True)
    response = client.get("/admin/")
    assert "1 payment needs staff" in text_of(response)
    queue = reverse("admin:payments_payment_changelist") + "?needs_staff__exact=1"
    assert queue in response.content.decode()
    assert paid.reference in text_of(client.get(queue))


def test_a_refund_in_part_pays_back_through_the_gateway_once(client, paid, invoice):
    assert "At most €120.00" in text_of(client.get(url(paid, "refund")))
    form = {"attempt_key": str(uuid4()), "amount": "20.00", "reason": "Agreed by phone"}
    for _press in range(2):
        assert client.post(url(paid, "refund"), form).status_code == 302
    refund = Refund.objects.get()
    assert (refund.status, refund.amount_minor) == ("succeeded", 2000)
    invoice.refresh_from_db()
    assert invoice.amount_due_minor == 2000
    assert "Agreed by phone" in text_of(client.get(url(refund)))


def test_a_refund_that_is_refused_keeps_what_was_typed(client, paid):
    Payment.objects.filter(pk=paid.pk).update(disputed_at=NOW)
    form = {"attempt_key": str(uuid4()), "amount": "20.00", "reason": "Agreed by phone"}
    page = client.post(url(paid, "refund"), form)
    assert "A refund now could pay it back twice." in text_of(page)
    for typed in ("Agreed by phone", "20.00"):
        assert f'value="{typed}"' in page.content.decode()
    assert not Refund.objects.exists()


def test_a_refund_takes_the_invoice_back_when_staff_say_so(client, paid, invoice):
    assert "Otherwise it is due again, and reminders follow." in text_of(client.get(url(paid, "refund")))
    form = {"attempt_key": str(uuid4()), "amount": "120.00", "reason": "Sent twice", "takes_back_invoices": "on"}
    client.post(url(paid, "refund"), form)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_due_minor, invoice.next_reminder_on) == ("paid", 0, None)
    assert invoice.credit_notes.get().reason == "Sent twice"


def test_who_makes_no_credit_notes_takes_no_invoice_back_by_a_refund(paid, invoice):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.set(DjangoPermission.objects.filter(codename__in=["view_payment", "change_payment"]))
    client = browser(clerk)
    fields = {"attempt_key": str(uuid4()), "amount": "120.00", "reason": "Test"}
    page = client.post(url(paid, "refund"), fields | {"takes_back_invoices": "on"})
    assert "Your staff account may not make credit notes." in text_of(page)
    assert not Refund.objects.exists()
    client.post(url(paid, "refund"), fields)
    assert (Refund.objects.get().status, invoice.credit_notes.count()) == ("succeeded", 0)


def test_a_refund_that_failed_says_what_became_of_the_invoice(client, paid):
    sandbox().faults.arm("decline", on="refund")
    form = {"attempt_key": str(uuid4()), "amount": "120.00", "reason": "Sent twice", "takes_back_invoices": "on"}
    response = client.post(url(paid, "refund"), form, follow=True)
    assert "The money is a credit now, and can be refunded again." in text_of(response)


def test_money_by_wire_that_was_paid_back_is_recorded(client, invoice):
    client.post(record_url(), recording(invoice, amount="150.00") | {"confirmed": "yes"})
    payment = Payment.objects.get()
    shown = client.get(url(payment)).content.decode()
    assert url(payment, "paid_back") in shown
    assert url(payment, "refund") not in shown
    assert url(payment) in client.get(reverse("admin:invoices_credit_change", args=[Credit.objects.get().pk])).text
    assert "Overpayment, which goes back first €30.00" in text_of(client.get(url(payment, "paid_back")))
    form = {"attempt_key": str(uuid4()), "amount": "30.00", "reason": "Too much", "bank_reference": "OUT 25"}
    for day in ("2026-10-25", "2999-01-01"):
        refused = client.post(url(payment, "paid_back"), form | {"paid_on": day})
        assert refused.status_code == 422
        assert "The day must lie between the day on which the money came and today." in text_of(refused)
    for _press in range(2):
        done = client.post(url(payment, "paid_back"), form | {"paid_on": "2026-10-26"}, follow=True)
    assert "The repayment of €30.00 was recorded." in text_of(done)
    refund = Refund.objects.get()
    assert (refund.bank_reference, Credit.objects.get().remaining_minor) == ("OUT 25", 0)
    shown = client.get(url(refund))
    assert "OUT 25" in text_of(shown)
    assert url(refund, "look_up") not in shown.content.decode()
    invoice.refresh_from_db()
    assert invoice.status == "paid"


@pytest.mark.parametrize("amount", ["120.01", "0", "-1", "12,50", "1.234", "lots", ""])
def test_an_amount_that_cannot_be_refunded_is_refused_beside_the_field(client, paid, amount):
    form = {"attempt_key": str(uuid4()), "amount": amount, "reason": "Because"}
    assert client.post(url(paid, "refund"), form).status_code == 422
    assert not Refund.objects.exists()


def test_a_payment_that_was_declined_cannot_be_refunded(client, payer, profile, invoice):
    declined = press_pay(payer, invoice, card(profile, "0002"))
    form = {"attempt_key": str(uuid4()), "amount": "1.00", "reason": "Because"}
    response = client.post(url(declined, "refund"), form, follow=True)
    assert "Only a payment that succeeded can be refunded." in text_of(response)
    assert not Refund.objects.exists()


def test_looking_up_asks_first_and_settles(client, payer, invoice):
    waiting = press_pay(payer, invoice, token="tok_3155_x")
    assert client.get(url(waiting, "look_up")).status_code == 200
    waiting.refresh_from_db()
    events = waiting.events.count()
    assert waiting.status == "needs_customer"
    response = client.post(url(waiting, "look_up"), follow=True)
    assert "The gateway was asked." in text_of(response)
    assert waiting.events.count() >= events


def test_the_reference_of_another_customer_is_asked_about(client, invoice):
    other = issued(BillingProfileFactory(currency="EUR", name="Fabrikam"))
    client.post(record_url(), recording(other, bank_reference="WIRE-1") | {"confirmed": "yes"})
    form = recording(invoice, bank_reference="wire-1 ")
    for sent in (form, form | {"confirmed": "yes"}, form | {"confirmed": "yes", "is_other_money": "False"}):
        response = client.post(record_url(), sent)
        assert response.status_code == 422
        assert "This reference was recorded for another customer" in text_of(response)
        assert 'type="checkbox" name="is_other_money"' in response.content.decode()
    asked = client.post(record_url(), form | {"is_other_money": "on"})
    assert (asked.status_code, 'name="is_other_money" value="on"' in asked.content.decode()) == (200, True)
    client.post(record_url(), form | {"is_other_money": "on", "confirmed": "yes"})
    assert Payment.objects.filter(profile=invoice.profile).count() == 1


def test_the_reference_of_a_refund_to_another_customer_is_asked_about(client, invoice):
    other = issued(BillingProfileFactory(currency="EUR", name="Fabrikam"))
    for one, reference in ((other, "WIRE-1"), (invoice, "WIRE-2")):
        client.post(record_url(), recording(one, bank_reference=reference) | {"confirmed": "yes"})
    first, second = (Payment.objects.get(profile=one.profile) for one in (other, invoice))
    form = {"amount": "20.00", "reason": "Charged twice", "paid_on": "2026-10-26", "bank_reference": "OUT-1"}
    client.post(url(first, "paid_back"), form | {"attempt_key": str(uuid4())})
    form |= {"attempt_key": str(uuid4()), "bank_reference": "out -1"}
    response = client.post(url(second, "paid_back"), form)
    assert response.status_code == 422
    assert "This reference was recorded for another customer" in text_of(response)
    assert "of Fabrikam." in text_of(response)
    assert 'type="checkbox" name="is_other_money"' in response.content.decode()
    client.post(url(second, "paid_back"), form | {"is_other_money": "on"})
    assert set(Refund.objects.values_list("payment", flat=True)) == {first.pk, second.pk}
    assert Refund.objects.count() == 2


def test_a_day_in_the_future_is_refused_beside_the_field(client, invoice):
    response = client.post(record_url(), recording(invoice, received_on="2999-01-01"))
    assert response.status_code == 422
    assert "The money cannot have arrived in the future." in text_of(response)


def test_money_for_the_whole_invoice_is_recorded_after_asking(client, invoice):
    form = recording(invoice)
    asked = client.post(record_url(), form)
    assert "The invoice is then paid in full." in text_of(asked)
    assert not Payment.objects.exists()
    client.post(record_url(), form | {"confirmed": "yes"})
    payment = Payment.objects.get()
    invoice.refresh_from_db()
    assert (payment.channel, payment.status, invoice.status) == ("wire", "succeeded", "paid")


def test_too_little_says_what_stays_due(client, invoice):
    form = recording(invoice, amount="100.00")
    assert "Less than what is due: €20.00 stays due." in text_of(client.post(record_url(), form))
    client.post(record_url(), form | {"confirmed": "yes"})
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_due_minor) == ("open", 2000)


def test_too_much_says_that_the_rest_becomes_a_credit(client, invoice):
    form = recording(invoice, amount="150.00")
    assert "€30.00 becomes a credit" in text_of(client.post(record_url(), form))
    client.post(record_url(), form | {"confirmed": "yes"})
    assert Credit.objects.get().remaining_minor == 3000


@pytest.mark.parametrize(
    "wrong",
    [
        {"invoice": "INV-999999"},
        {"amount": "x"},
        {"amount": "1.234"},
        {"channel": "card"},
        {"received_on": "9999-01-01"},
    ],
    ids=str,
)
def test_a_recording_that_cannot_be_is_refused(client, invoice, wrong):
    response = client.post(record_url(), recording(invoice, **wrong) | {"confirmed": "yes"})
    assert response.status_code == 422
    assert not Payment.objects.exists()


def test_the_same_statement_line_is_recorded_once(client, invoice, profile):
    client.post(record_url(), recording(invoice) | {"confirmed": "yes"})
    again = client.post(record_url(), recording(issued(profile, "120.00")) | {"confirmed": "yes"})
    assert "recorded already" in text_of(again)
    assert Payment.objects.count() == 1


@pytest.fixture
def mismatched(payer, invoice):
    """120.00 was asked, 100.00 was taken."""
    payment = press_pay(payer, invoice, token="tok_3155_x")
    outcome = Outcome(Result.SUCCEEDED, amount=Money(10000, "EUR"))
    return settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.WEBHOOK, at=NOW)


def test_a_mismatch_shows_both_amounts_and_accepting_books_what_was_taken(client, mismatched, invoice):
    page = text_of(client.get(url(mismatched, "mismatch")))
    assert "Asked: €120.00" in page.replace("Asked €", "Asked: €")
    assert "€100.00" in page
    client.post(url(mismatched, "mismatch"), {"accept": "yes"})
    mismatched.refresh_from_db()
    invoice.refresh_from_db()
    assert (mismatched.status, mismatched.amount_minor, invoice.amount_due_minor) == ("succeeded", 10000, 2000)


def test_refusing_a_mismatch_ends_the_payment(client, mismatched, invoice):
    client.post(url(mismatched, "mismatch"), {"accept": "no"})
    mismatched.refresh_from_db()
    invoice.refresh_from_db()
    assert (mismatched.status, invoice.amount_due_minor, invoice.is_being_paid) == ("declined", 12000, False)


@pytest.mark.parametrize("answer", [{}, {"accept": "maybe"}])
def test_a_mismatch_needs_a_clear_answer(client, mismatched, answer):
    assert "Accept or refuse." in text_of(client.post(url(mismatched, "mismatch"), answer, follow=True))
    mismatched.refresh_from_db()
    assert mismatched.status == "mismatch"


def test_a_payment_that_waits_for_no_decision_gets_none(client, paid):
    response = client.post(url(paid, "mismatch"), {"accept": "no"}, follow=True)
    assert "not waiting for a decision" in text_of(response)
    paid.refresh_from_db()
    assert paid.status == "succeeded"


def test_a_card_is_removed_after_asking(client, profile):
    method = card(profile)
    assert client.get(url(method, "remove")).status_code == 200
    method.refresh_from_db()
    assert method.status == "active"
    client.post(url(method, "remove"))
    assert PaymentMethod.objects.get().status == "removed"
    assert "removed before" in text_of(client.post(url(method, "remove"), follow=True))


def test_a_message_is_processed_again(client, payer, invoice):
    press_pay(payer, invoice, token="tok_4242_x")
    for body, headers in messages():
        receive(gateway_slug="sandbox", body=body, headers=headers, at=NOW)
    delivery = WebhookDelivery.objects.first()
    client.post(url(delivery, "process"))
    delivery.refresh_from_db()
    assert delivery.status == "processed"


def test_a_payment_leaves_the_staff_queue_with_a_note(client, paid):
    Payment.objects.filter(pk=paid.pk).update(needs_staff=True)
    assert client.get(url(paid, "handled")).status_code == 200
    assert client.post(url(paid, "handled"), {"note": ""}).status_code == 422
    client.post(url(paid, "handled"), {"note": "Called the customer"})
    paid.refresh_from_db()
    assert not paid.needs_staff


def test_staff_who_may_only_look_see_no_deeds_and_cannot_do_them(paid, invoice):
    reader = UserFactory(is_staff=True)
    reader.user_permissions.set(DjangoPermission.objects.filter(codename__startswith="view_"))
    client = browser(reader)
    page = client.get(url(paid))
    assert page.status_code == 200
    assert url(paid, "refund") not in page.content.decode()
    form = {"attempt_key": str(uuid4()), "amount": "1.00", "reason": "Because"}
    assert client.post(url(paid, "refund"), form).status_code == 403
    assert client.post(record_url(), recording(invoice) | {"confirmed": "yes"}).status_code == 403
    assert not Refund.objects.exists()
    assert Payment.objects.count() == 1


def test_customers_reach_none_of_it(paid, profile):
    client = browser(member(profile, "profile_owner"))
    for address in (url(paid), url(paid, "refund"), record_url()):
        assert client.get(address).status_code in {302, 403}
    assert charges(paid.allocations.get().invoice) == [12000]

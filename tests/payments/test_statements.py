"""The statement of account: its lines add up to what is due, whatever happened; who sees it; the mail of each month."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from uuid import uuid4

import pytest
from django.core import mail
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone, translation

from accounts.access import system_access
from accounts.models import BillingContact, Seller
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from invoices.models import Invoice, KeptStatement
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.credits import apply_credits
from invoices.operations.voiding import void
from payments.documents.statement import statement_data, statement_file
from payments.models import PaymentEvent
from payments.operations.disputes import book_dispute
from payments.operations.integrity import check_books
from payments.operations.manual_payments import record_payment
from payments.operations.notifications import send_statements
from payments.operations.refunds import CannotRefund, refund
from payments.statements import heading_of, statement_of
from tests.factories import NOW, BillingProfileFactory, granted, issued, member
from tests.payments.acts import books_are_clean, card, messages, press_pay, staff
from tests.payments.pages import text_of
from tests.payments.test_disputes import told

pytestmark = pytest.mark.django_db


ALWAYS = (date(2026, 1, 1), date(2026, 12, 31))


def billed(profile, day, amount="120.00"):
    """An invoice that was issued on a day."""
    return issued(profile, amount, today=day, at=datetime.combine(day, time(12), UTC))


def wire(invoice, minor, at=NOW, received_on=date(2026, 10, 20)):
    return record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(minor, invoice.currency), channel="wire",
        bank_reference=f"TRF {uuid4().hex[:8]}", received_on=received_on, attempt_key=uuid4(), at=at,
    )  # fmt: skip


def give_back(payment, minor, at=NOW):
    return refund(
        access=staff(), payment_id=payment.pk, amount=Money(minor, payment.currency), reason="Test",
        attempt_key=uuid4(), at=at,
    )  # fmt: skip


def bank_decides(payment, outcome, at=NOW):
    book_dispute(payment_id=payment.pk, facts=told(payment, outcome), source=PaymentEvent.Source.WEBHOOK, at=at)


def due(profile):
    return Invoice.objects.filter(profile=profile).aggregate(due=Sum("amount_due_minor"))["due"] or 0


def lines(profile, first_on=ALWAYS[0], last_on=ALWAYS[1]):
    return [
        (line.on.isoformat(), line.kind.value, line.amount.minor, line.balance.minor)
        for line in statement_of(profile, first_on, last_on).lines
    ]


def test_it_tells_a_whole_story(profile, payer):
    """Billed, paid, refunded, taken back by the bank, void: on the day each was booked."""
    first = billed(profile, date(2026, 9, 1))
    second = billed(profile, date(2026, 10, 1))
    payment = press_pay(payer, first, card(profile), at=NOW)
    messages()
    give_back(payment, 2000, at=NOW + timedelta(days=1))
    bank_decides(payment, "open", at=NOW + timedelta(days=2))
    bank_decides(payment, "lost", at=NOW + timedelta(days=3))
    void(access=system_access(), invoice_id=second.pk, reason="Sent twice", at=NOW + timedelta(days=4))
    assert lines(profile) == [
        ("2026-09-01", "invoice", 12000, 12000),
        ("2026-10-01", "invoice", 12000, 24000),
        ("2026-10-26", "payment", -12000, 12000),
        ("2026-10-27", "refund", 2000, 14000),
        ("2026-10-29", "chargeback", 10000, 24000),
        ("2026-10-30", "credit_note", -12000, 12000),
    ]
    assert due(profile) == 12000


def test_a_period_begins_with_what_was_owed_before_it(profile):
    old = billed(profile, date(2026, 9, 1))
    wire(old, 5000)
    billed(profile, date(2026, 11, 2))
    october = statement_of(profile, date(2026, 10, 1), date(2026, 10, 31))
    assert (october.opening.minor, october.closing.minor) == (12000, 7000)
    november = statement_of(profile, date(2026, 11, 1), date(2026, 11, 30))
    assert (november.opening.minor, november.closing.minor) == (7000, 19000)
    assert (november.charged, november.settled) == (Money(12000, "EUR"), Money(0, "EUR"))


def test_money_recorded_later_stands_on_the_day_it_was_recorded(profile):
    """Or a statement that was sent would change."""
    wire(billed(profile, date(2026, 9, 1)), 12000, at=NOW, received_on=date(2026, 9, 29))
    assert statement_of(profile, date(2026, 9, 1), date(2026, 9, 30)).closing.minor == 12000
    assert lines(profile, date(2026, 10, 1), date(2026, 10, 31)) == [("2026-10-26", "payment", -12000, 0)]


def test_the_day_ends_where_the_seller_is():
    """Wherever the profile is, and whoever reads it: what was booked late in the evening of the 31st stays there."""
    late = datetime(2026, 10, 31, 22, 30, tzinfo=UTC)
    for zone in ("Asia/Tokyo", "Europe/Amsterdam"):
        profile = BillingProfileFactory(time_zone=zone)
        invoice = billed(profile, date(2026, 9, 1))
        wire(invoice, 2000, at=late)
        wire(invoice, 3000, at=late + timedelta(hours=1))
        assert [line[0] for line in lines(profile)] == ["2026-09-01", "2026-10-31", "2026-11-01"]
        before = lines(profile)
        type(profile).objects.filter(pk=profile.pk).update(time_zone="Pacific/Auckland")
        assert lines(profile) == before


def test_more_than_was_due_and_what_never_came_are_no_part_of_it(profile, payer):
    invoice = issued(profile)
    press_pay(payer, invoice, card(profile, "0002"), at=NOW)
    wire(invoice, 20000)
    assert lines(profile) == [("2026-10-26", "invoice", 12000, 12000), ("2026-10-26", "payment", -12000, 0)]


def test_credits_and_credit_notes_lower_what_is_owed(profile):
    """And a credit note of more than is due gives back what credits had paid."""
    invoice = issued(profile)
    granted(profile, 5000)
    apply_credits(access=staff(), invoice_id=invoice.pk, at=NOW)
    for minor in (7500, 1000):
        credit_note(
            access=staff(), invoice_id=invoice.pk, amounts={invoice.lines.get().pk: minor}, reason="Billed too much",
            today=NOW.date(), at=NOW,
        )  # fmt: skip
    assert [line[1:] for line in lines(profile)] == [
        ("invoice", 12000, 12000),
        ("credit_applied", -5000, 7000),
        ("credit_given_back", 500, 7500),
        ("credit_note", -7500, 0),
        ("credit_given_back", 1000, 1000),
        ("credit_note", -1000, 0),
    ]
    assert due(profile) == 0
    assert books_are_clean()


def test_the_page_and_the_file_show_the_month_that_is_asked_for(client, profile, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    billed(profile, date(2026, 9, 1))
    wire(billed(profile, date(2026, 10, 1)), 2000)
    client.force_login(member(profile, "profile_reader"))
    url = reverse("payments:statement", args=[profile.code])
    september = client.get(url, {"month": "2026-09"}).content.decode()
    assert "INV-000001" in september
    assert "INV-000002" not in september
    october = client.get(url)
    assert (october.context["first_on"], october.context["last_on"]) == (date(2026, 10, 1), date(2026, 10, 31))
    assert "€220.00" in october.content.decode()
    answer = client.get(october.context["pdf_url"])
    assert answer["Content-Type"] == "application/pdf"
    assert "statement-2026-10-01-2026-10-31.pdf" in answer["Content-Disposition"]


def test_a_month_that_is_not_over_has_a_balance_so_far(client, profile, monkeypatch):
    client.force_login(member(profile, "profile_reader"))
    url = reverse("payments:statement", args=[profile.code])
    october = date(2026, 10, 1), date(2026, 10, 31)
    for at, label, day in [
        (datetime(2026, 10, 31, 12, tzinfo=UTC), "Balance so far", 31),
        (datetime(2026, 11, 1, 2, tzinfo=UTC), "Balance so far", 31),  # what was begun before midnight may follow
        (datetime(2026, 11, 1, 12, tzinfo=UTC), "Closing balance", 31),
    ]:
        monkeypatch.setattr(timezone, "now", lambda at=at: at)
        page = text_of(client.get(url, {"month": "2026-10"}))
        assert f"{label} €0.00 {day} Oct 2026" in page
        statement = statement_of(profile, *october)
        found = statement_data(statement, heading_of(statement, at=at))
        assert (found["amount"]["label"], found["amount"]["note"]) == (label, f"On {day} October 2026")
        assert found["lines"]["closing"][0] == label


def test_a_statement_of_days_that_have_ended_is_the_same_bytes_whatever_happens_later(client, profile, payer, settings):
    """Refunds, disputes and wires of the months after it, another name, address, language, time zone and seller;
    whoever reads it."""
    type(profile).objects.update(document_language="de")
    profile.refresh_from_db()
    story = Story(profile, payer, 7)
    for day in range(-40, -10):
        story.go_on(NOW + timedelta(days=day))
    days = date(2026, 9, 1), date(2026, 9, 30)
    first = {language: printed(profile, days, language) for language in ("en", "nl")}
    assert first["en"] == first["nl"]
    assert first["en"].name == "kontoauszug-2026-09-01-2026-09-30.pdf"
    for day in range(-10, 60):
        story.go_on(NOW + timedelta(days=day))
    type(profile).objects.update(
        name="Renamed", company="Renamed B.V.", street="Elsewhere 1", time_zone="Asia/Tokyo", country="JP",
        document_language="fr",
    )  # fmt: skip
    profile.refresh_from_db()
    Seller.objects.update(company="Another seller")
    assert {language: printed(profile, days, language) for language in first} == first
    assert books_are_clean()


def test_letters_that_no_font_has_are_said_on_the_page_of_the_statement(client, profile):
    type(profile).objects.update(name="\U000f0000")
    client.force_login(member(profile, "profile_reader"))
    address = reverse("payments:statement_pdf", args=[profile.code])
    answer = client.get(address, {"from": "2026-09-01", "to": "2026-09-30"}, follow=True)
    back = reverse("payments:statement", args=[profile.code])
    assert answer.redirect_chain == [(f"{back}?from=2026-09-01&to=2026-09-30", 302)]
    assert "cannot print" in answer.text
    type(profile).objects.update(name="Corrected")
    assert client.get(address, {"from": "2026-09-01", "to": "2026-09-30"})["Content-Type"] == "application/pdf"


def test_the_days_and_the_currency_of_a_kept_statement_are_those_of_its_first_time(profile, settings):
    """Made late in the evening, of a profile that owed nothing; then the seller moves and the currency changes."""
    days, at = (date(2026, 9, 1), date(2026, 9, 30)), datetime(2026, 10, 26, 22, 30, tzinfo=UTC)
    first = statement_file(statement_of(profile, *days), at=at)
    settings.TIME_ZONE = "Pacific/Auckland"
    type(profile).objects.update(currency="JPY")
    profile.refresh_from_db()
    assert statement_file(statement_of(profile, *days), at=NOW + timedelta(days=90)) == first


def printed(profile, days, language):
    with translation.override(language):
        return statement_file(statement_of(profile, *days), at=timezone.now())


def test_what_is_booked_around_midnight_is_waited_for(profile):
    """A statement is kept some hours after its last day, when no transaction of that day is under way any more."""
    statement = statement_of(profile, date(2026, 10, 1), date(2026, 10, 31))
    heading_of(statement, at=datetime(2026, 11, 1, 2, tzinfo=UTC))
    assert not KeptStatement.objects.exists()
    heading_of(statement, at=datetime(2026, 11, 1, 6, tzinfo=UTC))
    assert KeptStatement.objects.get().last_on == date(2026, 10, 31)


def test_a_transfer_that_somebody_books_into_a_kept_statement_is_found(profile):
    billed(profile, date(2026, 9, 1))
    heading_of(statement_of(profile, date(2026, 9, 1), date(2026, 9, 30)), at=NOW)
    assert books_are_clean()
    billed(profile, date(2026, 9, 15))
    assert [problem for problem in check_books() if problem.startswith(f"Statement of {profile.code}")]


@pytest.mark.parametrize(
    "query", [{"month": "2026-13"}, {"month": "x"}, {"from": "2026-10-09", "to": "2026-10-01"}, {"from": "0001-01-01"},
              {"month": "9999-12"}, {"from": "2026-10-01", "to": "\x00"}],
)  # fmt: skip
def test_what_means_nothing_is_this_month(client, profile, monkeypatch, query):
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    client.force_login(member(profile, "profile_reader"))
    answer = client.get(reverse("payments:statement", args=[profile.code]), query)
    assert (answer.status_code, answer.context["first_on"]) == (200, date(2026, 10, 1))


def test_a_year_is_the_most(client, profile):
    client.force_login(member(profile, "profile_reader"))
    url = reverse("payments:statement", args=[profile.code])
    answer = client.get(url, {"from": "2024-01-01", "to": "2026-12-31"})
    assert answer.context["last_on"] == date(2024, 12, 31)


@pytest.fixture
def by_wire():
    profile = BillingProfileFactory(default_method="check_wire")
    BillingContact.objects.create(profile=profile, name="Payable", email="payable@example.com", language="nl")
    billed(profile, date(2026, 10, 5))
    return profile


def month(number):
    return datetime(2026, number, 3, 9, tzinfo=UTC)


def test_each_contact_gets_each_months_statement_once(by_wire):
    BillingContact.objects.create(profile=by_wire, email="archive@example.com", gets_statements=False)
    assert [send_statements(at=month(11), limit=10) for _run in range(2)] == [1, 0]
    assert [send_statements(at=month(12), limit=10) for _run in range(2)] == [1, 0]
    assert list(OutgoingMail.objects.values_list("to", flat=True)) == ["payable@example.com"] * 2
    assert [row.context["closing_minor"] for row in OutgoingMail.objects.all()] == [12000, 12000]
    assert [len(row.context["lines"]) for row in OutgoingMail.objects.order_by("pk")] == [1, 0]


def test_the_mail_itself_says_everything(by_wire):
    BillingContact.objects.update(language="en")
    wire(Invoice.objects.get(profile=by_wire), 2000)
    send_statements(at=month(11), limit=10)
    send_due(at=NOW + timedelta(days=30))
    (message,) = mail.outbox
    assert message.subject == "Statement of account 1 Oct 2026 to 31 Oct 2026 · Operations NL"
    assert "5 Oct 2026 · Invoice INV-000001: €120.00" in " ".join(message.body.split())
    assert "26 Oct 2026 · Payment INV-000001: -€20.00" in " ".join(message.body.split())
    assert "31 Oct 2026 · Closing balance: €100.00" in message.body


def test_nothing_owed_and_nothing_happened_makes_no_mail():
    BillingContact.objects.create(profile=BillingProfileFactory(default_method="check_wire"), email="a@example.com")
    assert [send_statements(at=month(11), limit=10) for _run in range(2)] == [1, 0]
    assert not OutgoingMail.objects.exists()


@pytest.mark.parametrize("change", [{"default_method": "card"}, {"status": "closed"}])
def test_who_pays_by_card_or_is_closed_gets_none(by_wire, change):
    type(by_wire).objects.update(**change)
    assert send_statements(at=month(11), limit=10) == 0
    assert not OutgoingMail.objects.exists()


def test_the_month_ends_where_the_seller_is(by_wire):
    type(by_wire).objects.update(time_zone="Asia/Tokyo")
    """And some hours later, when nothing is booked on it any more."""
    send_statements(at=month(10), limit=10)
    assert send_statements(at=datetime(2026, 10, 31, 22, 30, tzinfo=UTC), limit=10) == 0
    assert send_statements(at=datetime(2026, 11, 1, 4, 30, tzinfo=UTC), limit=10) == 0
    assert send_statements(at=datetime(2026, 11, 1, 5, 30, tzinfo=UTC), limit=10) == 1


def test_two_workers_that_read_the_same_contact_send_one(by_wire):
    from payments.operations import notifications

    stale = BillingContact.objects.select_related("profile").get()
    assert notifications._send_statement(stale, {}, at=month(11)) == 1
    assert notifications._send_statement(stale, {}, at=month(11)) == 0
    assert OutgoingMail.objects.count() == 1


ACTS = ["issue", "issue", "card", "card", "wire", "refund", "lose", "win", "void"]


class Story:
    """Random acts on one profile."""

    def __init__(self, profile, payer, seed):
        self.profile, self.payer, self.chance = profile, payer, Random(seed)
        self.card, self.payments = card(profile), []

    def go_on(self, at: datetime) -> None:
        opened = list(Invoice.objects.filter(profile=self.profile, status="open").order_by("pk"))
        act = self.chance.choice(ACTS)
        if act == "issue" or not opened:
            amount = f"{self.chance.randint(1, 300)}.00"
            issued(self.profile, amount, today=self.profile.day_of(at), at=at)
        elif act in ("refund", "lose", "win"):
            self.move_back(act, at)
        else:
            self.settle(act, self.chance.choice(opened), at)

    def settle(self, act, invoice, at):
        if act == "card":
            self.payments.append(press_pay(self.payer, invoice, self.card, at=at))
            messages()
        elif act == "wire":
            wire(invoice, self.chance.randint(1, 30000), at=at, received_on=at.date())
        elif not invoice.paid_minor:
            void(access=system_access(), invoice_id=invoice.pk, reason="Test", at=at)

    def move_back(self, act, at):
        if not self.payments:
            return
        payment = self.chance.choice(self.payments)
        payment.refresh_from_db()
        if act == "refund":
            with suppress(CannotRefund):  # nothing is left of it
                give_back(payment, self.chance.randint(1, payment.rest.minor or 1), at=at)
        else:
            word = "lost" if act == "lose" else "won"
            dispute = told(payment, word, dispute_id=f"dp_{payment.reference}", minor=payment.amount_minor)
            book_dispute(payment_id=payment.pk, facts=dispute, source=PaymentEvent.Source.WEBHOOK, at=at)


@pytest.mark.parametrize("seed", range(4))
def test_the_closing_balance_is_what_is_due(profile, payer, seed):
    """Forty acts, a day apart; and cut anywhere, the second half begins with what the first ended with."""
    story = Story(profile, payer, seed)
    for day in range(40):
        story.go_on(NOW + timedelta(days=day))
    assert books_are_clean()
    end = profile.day_of(NOW + timedelta(days=40))
    whole = statement_of(profile, date(2026, 1, 1), end)
    assert (whole.opening.minor, whole.closing.minor) == (0, due(profile))
    cut = profile.day_of(NOW + timedelta(days=story.chance.randint(0, 39)))
    before, after = statement_of(profile, date(2026, 1, 1), cut), statement_of(profile, cut + timedelta(days=1), end)
    assert before.closing.minor == after.opening.minor
    assert [line.amount.minor for line in (*before.lines, *after.lines)] == [line.amount.minor for line in whole.lines]

"""Tries of cards that are sent at the same moment, on PostgreSQL: they are counted one after the other."""

from collections import Counter
from threading import Event
from time import sleep
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry
from payments.gateways.sandbox.models import CardPayment, CardSetup
from payments.models import CardHold, MethodSetup, Payment
from payments.operations import card_holds
from payments.operations.attempts import CannotPay
from tests.factories import BillingProfileFactory, issued, member
from tests.payments.acts import at_once, books_are_clean, card, charges, press_pay, sandbox, state
from tests.payments.pages import browser, filled_in, pay_url

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]


def declined_token():
    return f"tok_0002_{uuid4().hex[:8]}"


def tries_at_the_bank():
    """Every card that the sandbox's own books say was tried, in paying or adding."""
    return CardPayment.objects.count() + CardSetup.objects.count()


@pytest.fixture
def profiles(profile):
    return [profile, *(BillingProfileFactory(account=profile.account) for _more in range(5))]


def thirty_posts(profiles):
    """One person sends thirty forms at once, each with a card of its own: five for each of six profiles, and every
    third of them adds the card instead of paying with it. Returns how many of each answer there were."""
    tester = member(profiles[0].account, "account_owner")
    acts = []
    for index in range(30):
        where, client = profiles[index % 6], browser(tester)
        if index % 3:
            invoice = issued(where)
            url, form = pay_url(invoice), filled_in(invoice, card_token=declined_token())
        else:
            url = reverse("payments:add_method", args=[where.code])
            form = {"attempt": uuid4(), "card_token": declined_token()}
        acts.append(lambda client=client, url=url, form=form: client.post(url, form).status_code)
    return Counter(at_once(*acts))


def slow_after_counting(monkeypatch):
    """Opens the gap between counting and writing, so that a missing lock shows."""
    real = card_holds.refuse_too_many

    def slowly(*arguments, **more):
        sleep(0.1)
        real(*arguments, **more)

    for module in ("attempts", "card_setups"):
        monkeypatch.setattr(f"payments.operations.{module}.refuse_too_many", slowly)


def test_thirty_forms_of_one_person_over_six_profiles_try_ten_cards(profiles, monkeypatch):
    slow_after_counting(monkeypatch)
    assert thirty_posts(profiles) == {303: 10, 422: 20}
    assert tries_at_the_bank() == 10
    assert Payment.objects.count() + MethodSetup.objects.count() == 10
    assert CardHold.objects.count() == AuditEntry.objects.filter(action__endswith=".held").count() == 1


def take_turns(monkeypatch, *kinds):
    """Only these of the two locks are taken, by paying and by adding a card."""
    locks = {"person": lambda person, _profile: person.pk, "profile": lambda _person, profile: profile}

    def take(person, profile):
        with connection.cursor() as cursor:
            for kind in kinds:
                text = f"card tries of {kind} {locks[kind](person, profile)}"
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [text])

    def with_turn(rows, person):
        take(person, rows.order_by().values_list("profile_id", flat=True)[0])
        return rows

    monkeypatch.setattr("payments.operations.attempts.with_turn", with_turn)
    monkeypatch.setattr("payments.operations.card_setups.take_turn", lambda person, profile: take(person, profile.pk))


def test_without_the_lock_more_would_reach_the_bank(profiles, monkeypatch):
    """The negative control: this load does find a missing lock."""
    slow_after_counting(monkeypatch)
    take_turns(monkeypatch)
    thirty_posts(profiles)
    assert tries_at_the_bank() > 10


def refused_at_once(profiles, monkeypatch):
    """Eight forms of somebody who has reached the limit, with a gap between looking for a hold and writing one."""
    tester = member(profiles[0].account, "account_owner")
    for _time in range(10):
        press_pay(tester, issued(profiles[0]), token=declined_token())
    real = CardHold.objects.create

    def slowly(**values):
        sleep(0.2)
        return real(**values)

    monkeypatch.setattr(CardHold.objects, "create", slowly)
    invoices = [issued(profiles[index % 6]) for index in range(8)]
    return at_once(*[lambda each=each: press_pay(tester, each, token=declined_token()) for each in invoices])


def test_refused_forms_at_once_are_one_hold_and_one_entry_in_the_audit(profiles, monkeypatch):
    assert {type(result) for result in refused_at_once(profiles, monkeypatch)} == {CannotPay}
    assert CardHold.objects.count() == AuditEntry.objects.filter(action="payment.held").count() == 1


def presses_of_four_colleagues(profile):
    """Four people try six cards each, for which the profile has room for twelve."""
    people = [member(profile, "profile_owner") for _person in range(4)]
    presses = []
    for index in range(24):
        who, invoice = people[index % 4], issued(profile)
        presses.append(lambda who=who, invoice=invoice: press_pay(who, invoice, token=declined_token()))
    return Counter(type(result) for result in at_once(*presses))


def test_the_tries_of_colleagues_on_one_profile_are_counted_one_after_the_other(profile, settings, monkeypatch):
    settings.CARD_TRIES_PER_HOUR_OF_PROFILE = 12
    slow_after_counting(monkeypatch)
    assert presses_of_four_colleagues(profile) == {Payment: 12, CannotPay: 12}
    assert tries_at_the_bank() == 12


def test_with_the_lock_of_the_person_alone_colleagues_would_try_more(profile, settings, monkeypatch):
    """Ten is no multiple of four: four in step, who count 0, 4 and 8 tries before them, would end at twelve."""
    settings.CARD_TRIES_PER_HOUR_OF_PROFILE = 10
    slow_after_counting(monkeypatch)
    take_turns(monkeypatch, "person")
    presses_of_four_colleagues(profile)
    assert tries_at_the_bank() > 10


def test_with_the_lock_of_the_profile_alone_one_person_would_try_more(profiles, monkeypatch):
    slow_after_counting(monkeypatch)
    take_turns(monkeypatch, "profile")
    thirty_posts(profiles)
    assert tries_at_the_bank() > 10


def test_a_stored_card_that_is_declined_reaches_the_bank_ten_times_at_once_too(profile):
    bad, owner = card(profile, "0002"), member(profile, "profile_owner")
    invoices = [issued(profile) for _invoice in range(20)]
    results = at_once(*[lambda invoice=invoice: press_pay(owner, invoice, bad) for invoice in invoices])
    assert Counter(type(result) for result in results) == {Payment: 10, CannotPay: 10}
    assert tries_at_the_bank() == 10


def test_forty_invoices_paid_at_once_with_good_cards_are_all_paid_in_the_end(profile):
    """Six at a time, as a browser sends them, by two people; nobody waits for another's bank."""
    visa = card(profile)
    people = [member(profile, "profile_owner") for _person in range(2)]
    for _round in range(4):
        invoices = [issued(profile) for _invoice in range(10)]
        presses = enumerate(invoices)
        results = at_once(
            *[lambda i=i, invoice=invoice: press_pay(people[i % 2], invoice, visa) for i, invoice in presses]
        )
        assert {result.status for result in results} == {"succeeded"}
    assert not CardHold.objects.exists()


def test_paying_waits_for_no_bank_of_somebody_elses_payment(profile):
    """The turn ends with the commit that writes the try down, before the gateway is called."""
    owner, slow, quick = member(profile, "profile_owner"), issued(profile), issued(profile)
    visa, is_slow, ended = card(profile), Event(), []
    sandbox().faults.arm("delay", times=1, value=1500)

    def first():
        is_slow.set()
        press_pay(owner, slow, visa)
        ended.append("slow")

    def second():
        is_slow.wait(10)
        sleep(0.5)
        press_pay(owner, quick, visa)
        ended.append("quick")

    at_once(first, second)
    assert ended == ["quick", "slow"]


def test_the_turn_is_taken_before_anything_is_counted(profile):
    from django.test.utils import CaptureQueriesContext

    owner = member(profile, "profile_owner")
    with CaptureQueriesContext(connection) as captured:
        press_pay(owner, issued(profile), card(profile))
    statements = [query["sql"] for query in captured]
    [turn] = [index for index, text in enumerate(statements) if "pg_advisory_xact_lock" in text]
    [count] = [index for index, text in enumerate(statements) if "UNION ALL" in text]
    assert turn < count
    assert statements[turn].index(f"person {owner.pk}'") < statements[turn].index("card tries of profile ")


def test_thirty_posts_by_three_members_make_one_charge_and_no_error_page(profile):
    invoice, visa = issued(profile), card(profile)
    people = [member(profile, role) for role in ("profile_owner", "profile_contributor", "invoice_manager")]
    url = reverse("payments:pay", args=[profile.code, invoice.number])
    clients = []
    for index in range(30):
        client = Client()
        client.force_login(people[index % 3])
        clients.append(client)
    pages = [uuid4() for _page in range(10)]  # every third post is a page of its own, the others are sent again

    def post(index):
        form = {"attempt": pages[index // 3], "amount": 12000, "currency": "EUR", "method": visa.pk}
        return lambda: clients[index].post(url, form).status_code

    statuses = Counter(at_once(*[post(index) for index in range(30)]))

    assert set(statuses) <= {303, 422}
    assert statuses[303] >= 1
    assert charges(invoice) == [12000]
    assert Payment.objects.count() == 1
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()

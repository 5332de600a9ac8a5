"""Cards that are kept for later: saved while paying, added without paying, and forgotten."""

from dataclasses import replace
from uuid import uuid4

from payments.gateways.base import Result
from tests.payments.contract.benches import an_attempt


def add(bench, token, **changes):
    """Adds a card without charging it."""
    asked = {"key": str(uuid4()), "profile": "BP-TEST", "gateway_customer": "", "return_url": "http://testserver/back"}
    return bench.gateway.begin_setup(token=token, **asked | changes)


def test_a_card_saved_while_paying_can_be_charged_again(bench):
    saved = bench.gateway.charge(an_attempt(bench, save_method=True)).method

    again = an_attempt(
        bench, method=saved.gateway_method, gateway_customer=saved.gateway_customer, customer_present=False
    )

    assert saved.gateway_method
    assert bench.gateway.charge(again).result == Result.SUCCEEDED
    assert bench.taken(again.reference) == [(1000, "EUR")]


def test_a_saved_card_is_told_of_after_a_lost_answer_too(bench):
    attempt = an_attempt(bench, save_method=True)
    bench.lose_answer()
    bench.gateway.charge(attempt)

    assert bench.gateway.lookup(attempt).method.gateway_method


def test_a_card_is_not_kept_unless_asked(bench):
    assert bench.gateway.charge(an_attempt(bench)).method.gateway_method == ""


def test_the_same_number_has_the_same_fingerprint(bench):
    first = bench.gateway.charge(an_attempt(bench, save_method=True)).method
    second = bench.gateway.charge(an_attempt(bench, save_method=True)).method

    assert first.fingerprint == second.fingerprint != ""
    assert first.gateway_method != second.gateway_method


def test_a_card_is_added_without_charging(bench):
    step = add(bench, bench.good_card())

    assert step.method.last_four == "4242"
    assert 1 <= step.method.expiry_month <= 12
    assert step.method.expiry_year > 2000
    assert step.next_url == ""
    assert bench.gateway.charge(an_attempt(bench, method=step.method.gateway_method)).result == Result.SUCCEEDED


def test_a_card_added_twice_under_one_key_is_one_card(bench):
    token, key = bench.good_card(), str(uuid4())

    assert add(bench, token, key=key) == add(bench, token, key=key)


def test_a_card_that_the_bank_refuses_is_not_added(bench):
    step = add(bench, bench.declined_card())

    assert step.decline
    assert step.method is None


def test_a_card_that_the_bank_checks_is_added_once_the_check_is_passed(bench):
    step = add(bench, bench.challenge_card())

    assert step.next_url
    assert step.method is None
    assert bench.gateway.finish_setup(step.setup_id).next_url == step.next_url


def test_a_card_that_the_bank_checks_inside_the_page_waits_without_an_address(bench):
    step = add(bench, bench.challenge_card(), in_page=True)

    assert (step.method, step.decline) == (None, None)
    assert bool(step.next_url) != bool(bench.gateway.browser.challenge_template)
    assert bool(bench.gateway.setup_challenge(step.setup_id)) == bool(bench.gateway.browser.challenge_template)
    assert bench.gateway.finish_setup(step.setup_id) == step


def test_there_is_nothing_to_pass_in_the_page_for_a_card_that_is_checked_elsewhere_or_not_at_all(bench):
    for step in (add(bench, bench.challenge_card()), add(bench, bench.good_card(), in_page=True)):
        assert not bench.gateway.setup_challenge(step.setup_id)


def test_a_card_being_added_that_was_closed_is_never_kept(bench):
    for in_page in (False, True):
        step = add(bench, bench.challenge_card(), in_page=in_page)

        closed = bench.gateway.expire_setup(step.setup_id)

        assert closed.decline
        assert (closed.method, closed.next_url) == (None, "")
        assert not bench.gateway.setup_challenge(step.setup_id)
        assert bench.gateway.finish_setup(step.setup_id) == bench.gateway.expire_setup(step.setup_id) == closed


def test_a_card_that_was_added_cannot_be_closed_any_more(bench):
    step = add(bench, bench.good_card())

    assert bench.gateway.expire_setup(step.setup_id).method == step.method


def look_up(bench, method, **changes):
    asked = {"gateway_method": method.gateway_method, "gateway_customer": method.gateway_customer}
    return bench.gateway.lookup_method(**asked | changes)


def test_a_stored_card_is_looked_up_as_the_provider_has_it(bench):
    for method in (
        add(bench, bench.good_card()).method,
        bench.gateway.charge(an_attempt(bench, save_method=True)).method,
    ):
        assert look_up(bench, method) == method


def test_a_card_that_is_gone_or_never_was_is_not_found(bench):
    method = add(bench, bench.good_card()).method
    bench.gateway.detach(gateway_method=method.gateway_method)

    assert look_up(bench, method) is None
    assert look_up(bench, method, gateway_method="no_such_card") is None


def test_a_card_is_not_found_for_another_payer(bench):
    method = add(bench, bench.good_card()).method
    other = add(bench, bench.good_card(), profile="BP-OTHER").method

    assert look_up(bench, method, gateway_customer=other.gateway_customer) is None


def test_a_forgotten_card_cannot_be_charged_and_can_be_forgotten_again(bench):
    card = add(bench, bench.good_card()).method.gateway_method

    bench.gateway.detach(gateway_method=card)
    bench.gateway.detach(gateway_method=card)

    attempt = an_attempt(bench, method=card)
    outcome = bench.gateway.charge(attempt)
    assert outcome.result == Result.DECLINED
    assert outcome.decline.code == "method_gone"
    assert bench.taken(attempt.reference) == []


def test_a_card_of_another_payer_cannot_be_charged(bench):
    card = add(bench, bench.good_card()).method.gateway_method
    theirs = replace(an_attempt(bench, method=card), profile="BP-OTHER")

    assert bench.gateway.charge(theirs).result == Result.DECLINED
    assert bench.taken(theirs.reference) == []

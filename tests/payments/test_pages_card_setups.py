"""The page that adds a card, and the way through the bank's approval."""

from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from payments.declines import EXPLANATIONS, OTHER_CARD, explain_adding
from payments.models import MethodSetup, PaymentMethod
from tests.factories import BillingProfileFactory, member
from tests.payments.acts import sandbox
from tests.payments.pages import BLADE, browser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(profile):
    return browser(member(profile, "profile_owner"))


def url(name, profile, *args):
    return reverse(f"payments:{name}", args=[profile.code, *args])


def send(client, profile, last_four="4242", *, headers=None, **changes):
    data = {"attempt": str(uuid4()), "card_token": f"tok_{last_four}_{uuid4().hex[:8]}"} | changes
    return client.post(url("add_method", profile), data, headers=headers or {})


def path_of_check(setup):
    return sandbox().setup_challenge(setup.setup_id)["path"]


def test_the_methods_page_leads_to_it(owner, profile):
    page = owner.get(url("methods", profile)).content.decode()
    assert page.count(f'href="{url("add_method", profile)}"') == 2  # above, and where there are no cards


def test_who_may_not_manage_cards_is_not_led_to_it_and_is_told_why(profile):
    reader = browser(member(profile, "profile_reader"))
    assert url("add_method", profile) not in reader.get(url("methods", profile)).content.decode()
    for response in (reader.get(url("add_method", profile)), send(reader, profile)):
        assert response.status_code == 403
        assert "Your role does not include: Manage payment methods." in text_of(response)
    assert not MethodSetup.objects.exists()


def test_a_stranger_finds_nothing(profile):
    stranger = browser(member(BillingProfileFactory(), "profile_owner"))
    assert stranger.get(url("add_method", profile)).status_code == 404


def test_the_page_shows_the_card_field_and_loads_its_script(owner, profile):
    page = owner.get(url("add_method", profile)).content.decode()
    assert "data-card-field" in page
    assert "gateways/sandbox/card.js" in page
    assert 'name="in_page" data-in-page="sandbox"' in page


def test_without_a_gateway_the_page_says_so_and_nothing_leads_to_it(owner, profile, settings):
    from payments.gateways.registry import get_gateway

    settings.PAYMENT_GATEWAYS = {}
    get_gateway.cache_clear()
    assert url("add_method", profile) not in owner.get(url("methods", profile)).content.decode()
    assert "Cards cannot be added at the moment." in text_of(owner.get(url("add_method", profile)))
    assert "Cards cannot be added at the moment." in text_of(send(owner, profile))


def test_a_card_is_added_and_the_list_says_so(owner, profile):
    response = send(owner, profile, make_default="on")
    assert (response.status_code, response.url) == (303, url("methods", profile))
    text = text_of(owner.get(response.url))
    assert "Visa •••• 4242 was added." in text
    assert "Visa •••• 4242 Default" in text


def test_from_the_blade_the_list_is_drawn_anew(owner, profile):
    assert send(owner, profile, headers=BLADE).headers["HX-Redirect"] == url("methods", profile)


def test_a_refused_card_is_explained_in_words_that_fit(owner, profile):
    response = send(owner, profile, "9995", headers=BLADE)
    assert response.status_code == 303
    text = text_of(owner.get(response.url, headers=BLADE))
    assert "The card was not added" in text
    assert "The reason the bank gave: not enough funds." in text
    assert "Add another card." in text
    assert "Pay with another card." not in text


@pytest.mark.parametrize("code", [*EXPLANATIONS, "", "unheard_of"])
def test_no_advice_about_adding_a_card_speaks_of_paying(code):
    explanation = explain_adding(code)
    assert explanation.advice
    assert OTHER_CARD not in explanation.advice
    assert not [
        text for text in (explanation.reason, *explanation.advice) if "pay" in str(text) or "amount" in str(text)
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"card_token": ""}, "Enter the details of the new card."),
        ({"card_token": "t" * 201}, "at most 200"),
        ({"attempt": "nonsense"}, "This page was out of date."),
    ],
)
def test_what_cannot_be_sent_is_said_and_writes_nothing(owner, profile, changes, sentence):
    response = send(owner, profile, **changes)
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert not MethodSetup.objects.exists()


def test_ten_refused_cards_show_the_sentence(owner, profile):
    for _time in range(10):
        send(owner, profile, "0002")
    response = send(owner, profile)
    assert response.status_code == 422
    assert (
        "Too many of your attempts to pay or to add a card failed within an hour. You can try again in 60 minutes."
        in text_of(response)
    )


def test_the_check_in_the_page_and_back(owner, profile):
    response = send(owner, profile, "3184", in_page="sandbox", headers=BLADE)
    setup = MethodSetup.objects.get()
    assert (response.status_code, response.url) == (303, url("adding", profile, setup.key))
    page = owner.get(response.url, headers=BLADE)
    assert path_of_check(setup) in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    assert path_of_check(setup) not in str(MethodSetup.objects.values().get())

    back = owner.post(path_of_check(setup), {"answer": "approve"}, headers=BLADE).url
    assert back == f"http://testserver{url('added', profile, setup.key)}"
    assert owner.get(back, headers=BLADE).headers["HX-Redirect"] == url("methods", profile)
    assert PaymentMethod.objects.get().last_four == "3184"
    assert owner.get(url("adding", profile, setup.key)).url == url("methods", profile)


def test_the_check_at_the_bank_and_back(owner, profile):
    response = send(owner, profile, "3184")
    setup = MethodSetup.objects.get()
    assert response.url == setup.next_url
    assert setup.next_url in owner.get(url("adding", profile, setup.key)).content.decode()
    back = owner.post(setup.next_url, {"answer": "fail"}).url
    response = owner.get(back, follow=True)
    assert "The reason the bank gave: the approval was not completed." in text_of(response)


@pytest.mark.parametrize("in_page", ["sandbox", ""])
def test_back_without_an_answer_leads_to_the_check_again(owner, profile, in_page):
    send(owner, profile, "3184", in_page=in_page)
    setup = MethodSetup.objects.get()
    page = owner.get(url("added", profile, setup.key))
    assert "Your bank has no answer from you yet." in text_of(page)
    assert (setup.next_url or url("adding", profile, setup.key)) in page.content.decode()


def test_a_gateway_that_does_not_answer_is_tried_again_by_the_reader(owner, profile):
    send(owner, profile, "3184", in_page="sandbox")
    setup = MethodSetup.objects.get()
    for name, operation in (("adding", "challenge"), ("added", "finish_setup")):
        sandbox().faults.arm("drop_before", on=operation)
        response = owner.get(url(name, profile, setup.key))
        assert response.status_code == 503
        assert "We could not reach the payment provider." in text_of(response)
        assert owner.get(url(name, profile, setup.key)).status_code == 200


def test_an_attempt_that_was_left_too_long_leads_back_to_the_card_field(owner, profile):
    send(owner, profile, "3184", in_page="sandbox")
    setup = MethodSetup.objects.get()
    MethodSetup.objects.update(status="expired", finished_at=timezone.now())
    response = owner.get(url("adding", profile, setup.key), follow=True)
    assert "Your bank's approval was not given in time." in text_of(response)


def test_another_persons_attempt_is_not_found_and_not_told_of(owner, profile):
    send(owner, profile, "3184", in_page="sandbox")
    setup = MethodSetup.objects.get()
    colleague = browser(member(profile, "profile_owner"))
    for name in ("adding", "added"):
        assert colleague.get(url(name, profile, setup.key)).status_code == 404
    MethodSetup.objects.update(status="declined", decline_code="insufficient_funds")
    assert "not enough funds" not in text_of(colleague.get(f"{url('add_method', profile)}?after={setup.key}"))
    assert "not enough funds" not in text_of(owner.get(f"{url('add_method', profile)}?after=nonsense"))

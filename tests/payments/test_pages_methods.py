"""The page of payment methods, and who may change them."""

import pytest
from django.urls import reverse

from payments.models import PaymentMethod
from tests.factories import BillingProfileFactory, member
from tests.payments.acts import card
from tests.payments.pages import BLADE, browser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(profile):
    return browser(member(profile, "profile_owner"))


def url(name, profile, *args):
    return reverse(f"payments:{name}", args=[profile.code, *args])


def test_the_page_shows_the_default_and_the_other_cards(owner, profile):
    card(profile, is_default=True)
    card(profile, "0005", brand="amex", expiry_year=2025)
    card(profile, "9999", status="removed")
    text = text_of(owner.get(url("methods", profile)))
    assert "Visa •••• 4242 Default" in text
    assert "American Express •••• 0005 Expired" in text
    assert "9999" not in text


def test_a_profile_without_cards_is_told_what_to_do(owner, profile):
    assert "No default yet" in text_of(owner.get(url("methods", profile)))


def test_a_profile_that_pays_by_wire_says_so(owner, profile):
    profile.default_method = "check_wire"
    profile.save()
    assert "Check or wire transfer" in text_of(owner.get(url("methods", profile)))


def test_another_card_becomes_the_default(owner, profile):
    first, second = card(profile, is_default=True), card(profile, "4444", brand="mastercard")
    response = owner.post(url("make_default", profile, second.pk), follow=True)
    assert "Mastercard •••• 4444 is now the default." in text_of(response)
    assert list(PaymentMethod.objects.filter(is_default=True)) == [second]
    assert first.pk != second.pk


def test_an_expired_card_cannot_become_the_default(owner, profile):
    old = card(profile, expiry_year=2025)
    assert "has expired" in text_of(owner.post(url("make_default", profile, old.pk), follow=True))
    assert not PaymentMethod.objects.filter(is_default=True).exists()


def test_a_card_is_removed_after_asking(owner, profile):
    method = card(profile)
    assert "Remove Visa •••• 4242?" in text_of(owner.get(url("remove_method", profile, method.pk), headers=BLADE))
    assert PaymentMethod.objects.get().status == "active"
    response = owner.post(url("remove_method", profile, method.pk), follow=True)
    assert "Visa •••• 4242 was removed." in text_of(response)
    assert PaymentMethod.objects.get().status == "removed"


def test_the_default_stays_while_another_card_could_take_its_place(owner, profile):
    default = card(profile, is_default=True)
    card(profile, "4444")
    response = owner.post(url("remove_method", profile, default.pk))
    assert response.status_code == 422
    assert "Make another card the default first." in text_of(response)
    assert PaymentMethod.objects.filter(status="active").count() == 2


@pytest.mark.parametrize("role", ["profile_reader", "invoice_manager"])
def test_who_may_not_manage_cards_sees_why_and_no_buttons(profile, role):
    method = card(profile)
    client = browser(member(profile, role))
    page = client.get(url("methods", profile))
    assert "Your role does not include: Manage payment methods. These roles do:" in text_of(page)
    assert url("remove_method", profile, method.pk) not in page.content.decode()
    for name in ("make_default", "remove_method"):
        assert client.post(url(name, profile, method.pk)).status_code == 403
    method.refresh_from_db()
    assert (method.status, method.is_default) == ("active", False)


def test_a_card_of_another_profile_does_not_exist(owner, profile):
    foreign = card(BillingProfileFactory())
    for name in ("make_default", "remove_method"):
        assert owner.post(url(name, profile, foreign.pk)).status_code == 404
    foreign.refresh_from_db()
    assert foreign.status == "active"

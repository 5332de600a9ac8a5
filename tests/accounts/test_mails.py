"""What mails about an account say: from where, when, what to do, and where to look."""

import re

import pytest

from accounts.access import staff_access, system_access
from accounts.operations.roles import grant_role
from accounts.operations.second_factors import demand_second_factor
from accounts.roles import Role
from billing_portal.core.mail import render
from billing_portal.core.models import OutgoingMail
from tests.factories import NOW, BillingProfileFactory, UserFactory, member, with_second_factor

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NOTICE = {"event": "password_changed", "moment": NOW.isoformat(), "ip_address": "192.0.2.7", "browser": FIREFOX}
pytestmark = pytest.mark.django_db  # a mail is signed by a seller
LANGUAGES = pytest.mark.parametrize("language", ["en", "nl"])


def test_a_notice_says_when_from_where_and_with_what_in_words():
    text = render("security_notice", NOTICE, "en").text
    assert "Time: 26 Oct 2026, 09:00 (Central European Standard Time)" in text
    assert "Browser: Firefox 140 on Linux" in text
    assert "IP address: 192.0.2.7" in text
    assert "Mozilla" not in text


@LANGUAGES
def test_a_notice_about_what_came_from_nowhere_names_no_place(language):
    text = render("security_notice", NOTICE | {"ip_address": "", "browser": ""}, language).text
    assert "Browser" not in text
    assert "nternet" not in text
    assert not re.search(r" [,.]|: *$", text.partition("-- ")[0].replace(":\nhttp", ""), re.MULTILINE)


@LANGUAGES
@pytest.mark.parametrize(
    ("template", "context"),
    [
        ("security_notice", NOTICE),
        ("address_requested", {"old": "a@example.com", "new": "b@example.com", "change": 1, "by_staff": False}),
        ("address_requested", {"old": "a@example.com", "new": "b@example.com", "change": 1, "by_staff": True}),
        ("second_factor_demand", {"place": "Acme", "code": "AAAA-BBBB", "demanded": True, "by": ""}),
        ("second_factor_removed", {"email": "a@example.com"}),
    ],
)
def test_a_button_says_what_it_does_in_a_few_words(template, context, language):
    buttons = re.findall(r'class="button"[^>]*>([^<]*)<', render(template, context, language).html)
    assert buttons
    assert [button for button in buttons if len(button.split()) > 5 or button.endswith(".")] == []


def test_a_change_of_address_that_staff_proposed_does_not_speak_of_the_password():
    facts = {"old": "a@example.com", "new": "b@example.com", "change": 1}
    asked = render("address_requested", facts | {"by_staff": False}, "en").text
    proposed = render("address_requested", facts | {"by_staff": True}, "en").text
    assert "somebody may know your password" in asked
    assert "password" not in proposed
    assert "If you did not ask our staff for this" in proposed


@pytest.mark.django_db
def test_a_new_demand_leads_to_access_control_and_to_a_second_factor(profile):
    account = profile.account
    by, other = member(account, "account_owner"), member(account, "account_owner")
    with_second_factor(by)
    demand_second_factor(access=system_access(), account_id=account.pk, demanded=True, at=NOW)
    mail = OutgoingMail.objects.get(to=other.email)
    text = render(mail.template, mail.context, "en").text
    assert f"/billing-accounts/{account.code}/access/" in text
    assert "/account/2fa/" in text
    assert "/account/2fa/" not in render(mail.template, mail.context | {"demanded": False}, "en").text


@pytest.mark.django_db
@pytest.mark.parametrize("on", ["account", "profile", "section"])
def test_a_new_role_leads_to_access_control(on):
    profile = BillingProfileFactory()
    section = profile.sections.create(name="Web shop")
    place, owner, role, page = {
        "account": (
            profile.account,
            "account_owner",
            Role.ACCOUNT_READER,
            f"/billing-accounts/{profile.account.code}/access/",
        ),
        "profile": (profile, "profile_owner", Role.PROFILE_READER, f"/profiles/{profile.code}/access/"),
        "section": (section, "section_owner", Role.SECTION_READER, ""),
    }[on]
    member(place, owner)
    grant_role(access=staff_access(UserFactory(is_staff=True)), user=UserFactory(), role=role, place=place, at=NOW)
    mail = OutgoingMail.objects.get(template="role_granted")
    text = render(mail.template, mail.context, "en").text
    assert page in text
    assert ("See who has access" in text) == bool(page)


def test_a_sentence_that_ends_with_an_abbreviation_has_one_full_stop():
    context = {"place": "Acme B.V.", "code": "", "demanded": False, "by": ""}
    rendered = render("second_factor_demand", context, "en")
    assert "profiles of Acme B.V.\n" in rendered.text
    assert "B.V.." not in rendered.html
    assert "wait ..." in render("second_factor_demand", context | {"by": "wait ..."}, "en").text


def test_an_amount_in_a_subject_stays_together():
    context = {"amount_minor": 12500, "currency": "EUR", "invoices": ["INV-1"], "profile": "Operations NL"}
    assert "€\xa0125,00" in render("payment_succeeded", context, "nl").subject

"""An address is written in one way, at every door, so that a mailbox is one person's and is counted once."""

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.access import staff_access
from accounts.email_addresses import canonical_address
from accounts.models import BillingContact, User, WireRequest
from accounts.operations.addresses import CannotChangeAddress, request_email_change
from accounts.operations.contacts import CannotChangeContacts, add_contact
from accounts.operations.people import invite_person
from accounts.operations.wire import CannotAskForWire, decide_wire_request, request_wire
from billing_portal.core.mail import send_due
from billing_portal.personal_data.erasure import erase_person
from tests.factories import NOW, UserFactory, access_for, member, who_signs_in
from tests.staff_forms import as_shown

PASSWORD = "seven purple bicycles"
# As typed, and as it is written here.
THE_SAME = [
    (" Alice@EXAMPLE.com ", "alice@example.com"),
    ("alice@ｅxample.com", "alice@example.com"),
    ("ſales@example.com", "sales@example.com"),
    ("ali\u212ae@example.com", "alike@example.com"),  # the sign for kelvin
    ("alice@bücher.example", "alice@xn--bcher-kva.example"),
    ("alice@BÜCHER.example", "alice@xn--bcher-kva.example"),
    ("alice@bu\u0308cher.example", "alice@xn--bcher-kva.example"),  # the dots are a character of their own
    ("alice@XN--BCHER-KVA.example", "alice@xn--bcher-kva.example"),
]
NONE = {
    "a quoted name": '"alice"@example.com',
    "a dotless i": "al\u0131ce@example.com",
    "an invisible hyphen in the name": "al\u00adice@example.com",
    "an invisible hyphen": "alice@exam\u00adple.com",
    "an invisible space": "alice@exam\u200bple.com",
    "an invisible joiner": "alice@exam\u200dple.com",
    "a Chinese dot": "alice@example\u3002com",
    "a sharp s": "alice@straße.example",
    "a dot at the end": "alice@example.com.",
    "a number for a domain": "alice@[192.0.2.1]",
    "the domain of erased persons": "erased-17@Erased.invalid",
    "the same with a Chinese dot": "erased-17@erased\u3002invalid",
    "half a character": "alice@exam\ud800ple.com",
    "a label that is too long": f"alice@{'ü' * 63}.example",
    "too long altogether": f"alice@{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 63}.example",
    "no domain": "alice@",
    "nothing": "",
}
LOOK_ALIKES = [NONE[kind] for kind in ("a quoted name", "an invisible hyphen", "a Chinese dot")]


@pytest.mark.parametrize(("typed", "written"), THE_SAME)
def test_other_ways_to_write_an_address_are_the_one(typed, written):
    assert canonical_address(typed) == canonical_address(written) == written


@pytest.mark.parametrize("typed", NONE.values(), ids=NONE.keys())
def test_what_would_turn_into_another_address_is_none(typed):
    with pytest.raises(ValidationError, match=r"Enter a valid e-mail address\."):
        canonical_address(typed)


def test_two_domains_of_other_letters_stay_two():
    """A Cyrillic a makes another domain, and is seen as one."""
    assert canonical_address("alice@ex\u0430mple.com") == "alice@xn--exmple-4nf.com"


# The doors ----------------------------------------------------------------------------------------------------------

FACTS = {
    "legal_name": "Example Trading B.V.",
    "registration_number": "12345678",
    "monthly_amount": "EUR 2,500",
    "contact_name": "Anna",
    "contact_phone": "",
    "reason": "Our bank asks for it",
}


@pytest.fixture
def clerk(db):
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def owner(profile):
    return member(profile, "profile_owner", email="owner@example.com")


def ask_for_wire(owner, profile, typed):
    access, facts = access_for(owner, profile), FACTS | {"contact_email": typed}
    return request_wire(access=access, profile_id=profile.pk, facts=facts, at=NOW)


def add(clerk, profile, typed):
    access = staff_access(clerk)
    return add_contact(access=access, profile_id=profile.pk, name="Anna", email=typed, language="en", at=NOW)


@pytest.mark.parametrize("typed", LOOK_ALIKES)
def test_every_operation_refuses_what_is_none(clerk, owner, profile, typed):
    doors = [
        (lambda: invite_person(access=staff_access(clerk), email=typed, name="", language="", at=NOW)),
        (lambda: request_email_change(access=staff_access(clerk), user_id=owner.pk, email=typed, at=NOW)),
        (lambda: add(clerk, profile, typed)),
        (lambda: ask_for_wire(owner, profile, typed)),
        (lambda: User.objects.create_user(typed)),
        (lambda: User.objects.create_superuser(typed, PASSWORD)),
    ]
    for door in doors:
        with pytest.raises(
            (CannotChangeAddress, CannotChangeContacts, CannotAskForWire, ValidationError), match="valid e-mail"
        ):
            door()
    assert set(User.objects.all()) == {clerk, owner}
    assert not BillingContact.objects.exists()
    assert not WireRequest.objects.exists()


@pytest.mark.parametrize(("typed", "written"), THE_SAME[1:5:3])
def test_every_operation_stores_the_one_way(clerk, owner, profile, typed, written):
    assert invite_person(access=staff_access(clerk), email=typed, name="", language="", at=NOW).email == written
    with pytest.raises(CannotChangeAddress, match="belongs to another user"):
        request_email_change(access=staff_access(clerk), user_id=owner.pk, email=typed, at=NOW)
    request = ask_for_wire(owner, profile, typed)
    assert request.contact_email == written
    decide_wire_request(access=staff_access(clerk), request_id=request.pk, approve=True, answer="Fine", at=NOW)
    assert profile.contacts.get().email == written
    with pytest.raises(CannotChangeContacts, match="is a contact already"):
        add(clerk, profile, typed)
    User.objects.filter(email=written).update(email="gone@example.com")
    assert User.objects.create_user(typed).email == written


@pytest.mark.django_db
def test_the_first_member_of_staff_gets_an_address_in_the_one_way(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--no-input", "--email", "Boss@bücher.example", verbosity=0)
    assert User.objects.get().email == "boss@xn--bcher-kva.example"
    with pytest.raises(CommandError, match="valid e-mail"):
        call_command("createsuperuser", "--no-input", "--email", NONE["a quoted name"], verbosity=0)


def test_contacts_that_staff_write_on_the_page_of_a_profile_are_written_in_the_one_way(admin_client, profile):
    page = reverse("admin:accounts_billingprofile_change", args=[profile.pk])

    def save(email):
        added = {"name": "Anna", "email": email, "language": "en"}
        form = as_shown(admin_client.get(page)) | {f"contacts-0-{name}": value for name, value in added.items()}
        return admin_client.post(page, form | {"contacts-TOTAL_FORMS": "1"})

    assert "Enter a valid e-mail address." in save(NONE["an invisible hyphen"]).text
    assert not profile.contacts.exists()
    assert save("anna@bücher.example").status_code == 302
    assert profile.contacts.get().email == "anna@xn--bcher-kva.example"


@pytest.mark.parametrize("typed", LOOK_ALIKES)
def test_the_form_of_a_request_to_pay_by_wire_says_what_is_wrong(client, owner, profile, typed):
    client.force_login(owner)
    page = client.post(reverse("accounts:wire_request", args=[profile.code]), FACTS | {"contact_email": typed})
    assert page.status_code == 422
    assert page.context["form"].errors.keys() == {"contact_email"}


def test_somebody_whose_address_would_be_that_of_an_erased_person_cannot_be_invited(admin_client, admin_user):
    victim = UserFactory(email="victim@example.com")
    fields = {"email": f"erased-{victim.pk}@erased.invalid", "name": "", "language": ""}
    page = admin_client.post(reverse("admin:accounts_user_add"), fields)
    assert "Enter a valid e-mail address." in page.text
    erase_person(access=staff_access(admin_user), user_id=victim.pk, reason="By letter", at=NOW)
    victim.refresh_from_db()
    assert victim.is_erased


# Signing in and resetting -------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["alice@bücher.example", "Alice@xn--bcher-kva.EXAMPLE"])
def test_whoever_writes_their_address_in_another_way_signs_in(client, typed):
    who_signs_in(PASSWORD, email="alice@xn--bcher-kva.example")
    client.post(reverse("account_login"), {"login": typed, "password": PASSWORD})
    assert "_auth_user_id" in client.session


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["account_login", "account_reset_password"])
@pytest.mark.parametrize("typed", [*LOOK_ALIKES, "a" * 300 + "@example.com"])
def test_what_is_no_address_is_said_so(client, page, typed):
    response = client.post(reverse(page), {"login": typed, "email": typed, "password": PASSWORD})
    assert response.status_code == 200
    assert response.context["form"].errors.keys() == {"login" if page == "account_login" else "email"}


@pytest.mark.django_db
@pytest.mark.parametrize("is_known", [True, False])
def test_one_mailbox_gets_no_more_mails_when_its_address_is_written_in_several_ways(mailoutbox, is_known):
    cache.clear()  # nobody has asked so far
    if is_known:
        who_signs_in(PASSWORD, email="alice@xn--bcher-kva.example")
    for number, (typed, _written) in enumerate(THE_SAME[4:] * 2):
        where = f"203.0.113.{number}"
        Client().post(reverse("account_reset_password"), {"email": typed}, REMOTE_ADDR=where)
    send_due(at=timezone.now(), limit=100)
    assert [message.to for message in mailoutbox] == [["alice@xn--bcher-kva.example"]] * 5

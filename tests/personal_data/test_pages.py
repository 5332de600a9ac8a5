"""Exporting and erasing where people press buttons: the staff pages, and a person's own page."""

import io
import zipfile
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry, BillingContact, User
from tests.factories import NOW, BillingProfileFactory, UserFactory, member, proven
from tests.payments.pages import text_of

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-enough-password"
REASON = {"reason": "By letter of 2 November"}


@pytest.fixture
def person():
    return UserFactory(email="finance@example.com", name="Finance")


def clerk(*codenames):
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user", *codenames]))
    client = Client()
    client.force_login(user)
    return client


def at(way, person):
    return reverse(f"admin:accounts_user_{way}", args=[person.pk])


def files_of(response):
    return zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))).namelist()


def test_staff_with_the_permission_export_and_say_why(person):
    desk = clerk("export_user")
    page = desk.get(at("change", person))
    assert at("export", person) in page.text
    assert at("erase", person) not in page.text
    asked = desk.get(at("export", person))
    assert (asked.status_code, AuditEntry.objects.filter(action="person.exported").count()) == (200, 0)
    assert desk.post(at("export", person), {"reason": ""}).status_code == 422
    response = desk.post(at("export", person), REASON)
    assert response.headers["Content-Disposition"].startswith(f'attachment; filename="personal-data-{person.pk}-')
    assert response.headers["Cache-Control"] == "private, no-store" or "no-store" in response.headers["Cache-Control"]
    assert "account.json" in files_of(response)
    assert AuditEntry.objects.get(action="person.exported").person == person


def test_the_page_says_which_words_go_and_in_how_many_records_before_anything_is_erased():
    person = proven(UserFactory(email="finance@example.com", name="Jan Jansen", joined_at=NOW), PASSWORD)
    for subject in ("finance@example.com", "ask Jan Jansen", "Jan Jansen, finance@example.com"):
        AuditEntry.objects.create(at=NOW, action="wire.requested", subject=subject)
    page = text_of(clerk("erase_user").get(at("erase", person)))
    assert "Is blanked finance@example.com (in other records: 2)" in page
    assert "Is blanked Jan Jansen (in other records: 2)" in page


def test_staff_with_the_permission_erase_and_choose_the_contacts(person):
    proven(person, PASSWORD)
    kept, ticked = (
        BillingContact.objects.create(profile=BillingProfileFactory(name=name), email=person.email)
        for name in ("Operations NL", "Operations UK")
    )
    desk = clerk("erase_user")
    assert at("erase", person) in desk.get(at("change", person)).text
    page = desk.get(at("erase", person))
    assert "Operations NL" in page.text
    assert "Operations UK" in page.text
    response = desk.post(at("erase", person), REASON | {"contacts": [ticked.pk]}, follow=True)
    assert "The person was erased." in text_of(response)
    assert "still a contact in accounts payable of: Operations NL" in text_of(response)
    assert list(BillingContact.objects.all()) == [kept]
    assert User.objects.get(pk=person.pk).is_erased


def test_a_refusal_is_shown_with_the_form_and_nothing_is_written(profile):
    owner = member(profile, "profile_owner")
    desk = clerk("erase_user")
    assert "last owner" in text_of(desk.get(at("erase", owner), follow=True))
    response = desk.post(at("erase", owner), REASON)
    assert (response.status_code, "last owner" in text_of(response)) == (422, True)
    assert not User.objects.get(pk=owner.pk).is_erased


@pytest.mark.parametrize(("way", "other"), [("export", "erase_user"), ("erase", "export_user")])
def test_without_the_permission_there_is_no_button_and_no_page(person, way, other):
    desk = clerk(other)
    assert at(way, person) not in desk.get(at("change", person)).text
    before = AuditEntry.objects.count()
    assert (desk.get(at(way, person)).status_code, desk.post(at(way, person), REASON).status_code) == (403, 403)
    assert AuditEntry.objects.count() == before
    assert not User.objects.get(pk=person.pk).is_erased


@pytest.mark.parametrize("way", ["export", "erase"])
@pytest.mark.parametrize("powers", [{"is_staff": True}, {"is_superuser": True, "is_staff": True}])
def test_a_clerk_with_both_permissions_does_neither_with_staff(way, powers):
    colleague, desk = UserFactory(**powers), clerk("export_user", "erase_user")
    assert desk.post(at(way, colleague), REASON).status_code == 403
    assert not User.objects.get(pk=colleague.pk).is_erased
    assert not AuditEntry.objects.filter(person=colleague).exists()


@pytest.mark.parametrize("way", ["export", "erase"])
def test_a_customer_gets_neither_page(client, person, way):
    client.force_login(UserFactory())
    assert client.post(at(way, person), REASON, follow=True).status_code == 403
    assert not User.objects.get(pk=person.pk).is_erased


@pytest.mark.parametrize("number", ["0", "99999999", "9" * 30, "x", "١"])
def test_a_number_that_nobody_has_is_not_found(admin_client, number):
    assert admin_client.get(f"/admin/accounts/user/{number}/erase/").status_code == 404


def test_who_was_erased_can_be_looked_at_but_not_changed_even_by_a_superuser(admin_client, person):
    admin_client.post(at("erase", person), REASON)
    page = admin_client.get(at("change", person))
    assert f"Erased person {person.pk}" in page.text
    assert 'name="_save"' not in page.text
    assert at("erase", person) not in page.text
    assert admin_client.post(at("change", person), {"email": "new@example.com", "is_active": "on"}).status_code == 403
    assert User.objects.get(pk=person.pk).email == f"erased-{person.pk}@erased.invalid"
    again = admin_client.post(at("erase", person), REASON)
    assert "erased already" in text_of(again)


def signed_in(person):
    proven(person, PASSWORD)
    client = Client()
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    return client


def confirm(client, page):
    """As the page asks that the person is sent to."""
    asked = client.get(page)
    assert urlsplit(asked.url).path == reverse("account_reauthenticate")
    return client.post(asked.url, {"password": PASSWORD})


def test_a_person_takes_their_own_data_away_after_their_password(person):
    client, page = signed_in(person), reverse("own_data")
    assert confirm(client, page).url == page
    text = client.get(page)
    assert text.status_code == 200
    assert f'href="{page}"' in text.text
    response = client.post(page)
    assert response.headers["Content-Disposition"].startswith(f'attachment; filename="personal-data-{person.pk}-')
    assert {"account.json", "README.txt"} <= set(files_of(response))
    entry = AuditEntry.objects.get(action="person.exported")
    assert (entry.actor, entry.person) == (person, person)


def test_without_the_password_nothing_leaves(person):
    client = signed_in(person)
    assert urlsplit(client.post(reverse("own_data")).url).path == reverse("account_reauthenticate")
    assert not AuditEntry.objects.filter(action="person.exported").exists()


def test_somebody_who_takes_it_too_often_is_told_so(person):
    client = signed_in(person)
    confirm(client, reverse("own_data"))
    for _time in range(5):
        assert files_of(client.post(reverse("own_data")))
    response = client.post(reverse("own_data"), follow=True)
    assert "several times within an hour" in text_of(response)
    assert AuditEntry.objects.filter(action="person.exported").count() == 5

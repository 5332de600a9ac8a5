"""Error pages: the right status, the portal's look, what to do next, and nothing that was not meant to be read."""

import logging
import re

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from billing_portal.errors import server_error
from tests.factories import SellerFactory, UserFactory

pytestmark = [pytest.mark.urls("tests.shell.broken_urls")]
PAGES = [("/suspicious/", 400), ("/denied/", 403), ("/nowhere/", 404), ("/broken/", 500)]


@pytest.fixture
def calm_client(client):
    """A client that shows the error page instead of raising, as a browser would see it."""
    client.raise_request_exception = False
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    yield client
    logging.getLogger("django.request").setLevel(logging.NOTSET)


def assert_in_our_look(response, status):
    assert response.status_code == status
    assert "css/base.css" in response.text
    assert "<h1>" in response.text
    assert 'href="/"' in response.text
    assert "a secret detail" not in response.text


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "status"), PAGES)
def test_a_visitor_sees_the_page_in_our_look(calm_client, address, status):
    assert_in_our_look(calm_client.get(address), status)


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "status"), PAGES)
def test_a_signed_in_person_sees_the_page_in_our_look(calm_client, address, status):
    calm_client.force_login(UserFactory())
    assert_in_our_look(calm_client.get(address), status)


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/nowhere/", "/scopes/nothing/here"])
def test_a_demo_shows_a_missing_page_in_our_look_too(calm_client, settings, address):
    settings.DEBUG = settings.DEMO = True
    calm_client.force_login(UserFactory())
    assert_in_our_look(calm_client.get(address), 404)


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "status"), PAGES[:3])
def test_in_the_blade_the_error_is_drawn_in_the_blade(calm_client, address, status):
    calm_client.force_login(UserFactory())
    response = calm_client.get(address, headers={"HX-Request": "true", "HX-Target": "blade"})
    assert response.status_code == status
    assert "<html" not in response.text
    assert 'id="blade-title"' in response.text


def test_the_page_for_our_own_fault_needs_neither_a_person_nor_the_database(rf):
    """Without the database mark a query would fail this test, and the request has neither user nor session."""
    response = server_error(rf.get("/broken/"))
    assert_in_our_look(response, 500)
    assert "do not pay again yet" in response.text


@pytest.mark.django_db
def test_the_reason_written_for_people_is_shown(calm_client):
    assert "Your role does not include paying." in calm_client.get("/refused/").text


@pytest.mark.django_db
def test_every_page_that_speaks_of_roles_says_that_staff_give_them_and_where_to_write(calm_client):
    SellerFactory(email="help@example.com")
    calm_client.force_login(UserFactory())
    for address in ("/nowhere/", "/refused/", "/scopes/"):
        page = calm_client.get(address)
        assert re.search(r"Roles are given by our staff|Our staff give roles", page.text)
        assert "an owner" not in page.text
        assert 'href="mailto:help@example.com"' in page.text


def test_a_form_without_its_token_says_what_to_do():
    response = Client(enforce_csrf_checks=True).post(reverse("preferences"), {"theme": "dark"})
    assert response.status_code == 403
    assert "load the page again" in response.text
    assert "css/base.css" in response.text


@pytest.mark.django_db
def test_too_many_sign_ins_are_answered_with_429_in_our_look(client):
    cache.clear()
    for _ in range(40):
        response = client.post(reverse("account_login"), {"login": "owner@example.com", "password": "wrong-guess"})
    cache.clear()
    assert response.status_code == 429
    assert "Too many attempts" in response.text
    assert "css/base.css" in response.text

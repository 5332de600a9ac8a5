"""What may be sent to the portal: files by staff alone, where one is asked for; nothing large or of unknown size."""

import logging
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client
from django.urls import reverse

from accounts.models import BillingAccount
from payments.models import Payment, WebhookDelivery
from tests.factories import UserFactory, issued, member
from tests.payments.pages import browser, filled_in, pay_url

pytestmark = pytest.mark.django_db

LIMIT = 256 * 1024
FORM = "application/x-www-form-urlencoded"


class Spool(TemporaryFileUploadHandler):
    """Django's own handler for large files, which here remembers what it put on the disk."""

    files: list[Path] = []

    def new_file(self, *args, **kwargs):
        super().new_file(*args, **kwargs)
        self.files.append(Path(self.file.file.name))


class Body:
    """A body on its way: how much of it was read."""

    def __init__(self, size):
        self.size, self.read_so_far = size, 0

    def read(self, size=-1):
        part = b"x" * min(self.size - self.read_so_far, self.size if size is None or size < 0 else size)
        self.read_so_far += len(part)
        return part

    readline = read


@pytest.fixture
def spooled(settings, tmp_path):
    """The files that reached the disk."""
    settings.FILE_UPLOAD_HANDLERS = [f"{__name__}.Spool"]
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    Spool.files.clear()
    return Spool.files


@pytest.fixture(autouse=True)
def _calm():
    for name in ("django.request", "django.security"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    yield
    for name in ("django.request", "django.security"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def with_token(client):
    """A client as a browser is: it has the cookie and sends the token, so that the portal reads its forms."""
    client.handler.enforce_csrf_checks = True
    client.get("/search/" if "session" in client.cookies else "/account/login/")
    return client, client.cookies["csrf"].value


def upload(client, address, **fields):
    client, token = with_token(client)
    client.raise_request_exception = False
    file = SimpleUploadedFile("invoices.csv", b"x" * 100_000)
    return client.post(address, {**fields, "csrfmiddlewaretoken": token, "file": file})


def send(client, address, size, content_type=FORM, **headers):
    """A body of so many bytes, and what was read of it."""
    body = Body(size)
    response = client.generic(
        "POST", address, content_type=content_type, **{"wsgi.input": body, "CONTENT_LENGTH": str(size)}, **headers
    )
    return response, body.read_so_far


def test_no_other_form_takes_a_file(profile, spooled):
    staff = UserFactory(is_staff=True, is_superuser=True)
    payer = member(profile, "profile_owner")
    answers = [
        upload(Client(), "/account/login/", login="owner@example.com", password="a-long-guess"),
        upload(Client(), reverse("preferences"), theme="dark"),
        upload(browser(payer), pay_url(issued(profile))),
        upload(browser(payer), reverse("payments:add_method", args=[profile.code])),
        upload(browser(staff), "/admin/accounts/billingaccount/add/", name="Example B.V."),
        upload(browser(staff), "/admin/accounts/billingaccount/", action="delete_selected"),
        upload(browser(payer), "/admin/accounts/seller/add/"),
        upload(Client(), "/admin/accounts/seller/add/"),
    ]
    assert [answer.status_code for answer in answers] == [415] * len(answers)
    assert spooled == []
    assert not BillingAccount.objects.filter(name="Example B.V.").exists()


def test_a_file_among_what_a_payment_needs_pays_nothing(profile, spooled):
    invoice = issued(profile)
    client = browser(member(profile, "profile_owner"))
    assert upload(client, pay_url(invoice), **filled_in(invoice)).status_code == 415
    assert not Payment.objects.exists()
    assert spooled == []


def test_a_file_for_a_provider_or_a_missing_page_is_not_read(client, spooled):
    client.handler.enforce_csrf_checks = True
    file = {"file": SimpleUploadedFile("invoices.csv", b"x" * 100_000)}
    assert client.post("/webhooks/sandbox", file).status_code == 400
    assert client.post("/webhooks/nobody", file).status_code == 404
    assert client.post("/nowhere/", file).status_code in (302, 404)
    assert spooled == []
    assert not WebhookDelivery.objects.exists()


def test_the_same_form_without_a_file_is_taken():
    client, token = with_token(Client())
    answer = client.post(reverse("preferences"), {"theme": "dark", "csrfmiddlewaretoken": token})  # multipart
    assert answer.status_code == 302
    assert answer.cookies["theme"].value == "dark"


@pytest.mark.parametrize("content_type", [FORM, "multipart/form-data; boundary=x", "application/json", "text/plain"])
@pytest.mark.parametrize("address", ["/account/login/", "/preferences/", "/webhooks/sandbox", "/admin/", "/nowhere/"])
def test_a_body_that_says_it_is_large_is_refused_before_any_of_it_is_read(client, address, content_type):
    answer, was_read = send(client, address, 80_000_000, content_type)
    assert (answer.status_code, was_read) == (413, 0)
    assert not WebhookDelivery.objects.exists()


def test_a_signed_in_person_is_refused_too(profile):
    invoice = issued(profile)
    answer, was_read = send(browser(member(profile, "profile_owner")), pay_url(invoice), LIMIT + 1)
    assert (answer.status_code, was_read) == (413, 0)
    assert not Payment.objects.exists()


def test_the_largest_body_that_is_taken():
    client, token = with_token(Client())
    fields = f"csrfmiddlewaretoken={token}&theme=dark&padding="
    padding = "x" * (LIMIT - len(fields))
    assert client.post(reverse("preferences"), fields + padding, content_type=FORM).status_code == 302
    assert client.post(reverse("preferences"), fields + padding + "x", content_type=FORM).status_code == 413


@pytest.mark.parametrize("address", ["/account/login/", "/webhooks/sandbox", "/preferences/"])
def test_a_body_of_unknown_size_is_refused_before_any_of_it_is_read(client, address):
    body = Body(1000)
    answer = client.generic("POST", address, **{"wsgi.input": body}, headers={"Transfer-Encoding": "chunked"})
    assert (answer.status_code, body.read_so_far) == (411, 0)
    assert not WebhookDelivery.objects.exists()


def test_a_form_with_thousands_of_fields_is_refused():
    client, token = with_token(Client())
    client.raise_request_exception = False
    fields = f"csrfmiddlewaretoken={token}&theme=dark" + "&x=1" * 1000
    assert client.post(reverse("preferences"), fields, content_type=FORM).status_code == 413


def test_all_rows_of_a_staff_list_may_be_chosen_at_once():
    """The longest list that staff see on one page has 200 rows."""
    staff = UserFactory(is_staff=True, is_superuser=True)
    client, token = with_token(browser(staff))
    data = {"action": "", "csrfmiddlewaretoken": token, "_selected_action": [str(pk) for pk in range(1, 201)]}
    assert client.post("/admin/accounts/user/", data).status_code in (200, 302)


@pytest.mark.parametrize(("language", "words"), [("en", "256.0 KB"), ("nl", "256,0 KB")])
def test_the_refusal_of_a_large_body_is_a_page_that_says_how_much_is_taken(client, language, words):
    answer, _ = send(client, "/account/login/", LIMIT + 1, HTTP_ACCEPT_LANGUAGE=language)
    assert words in answer.text.replace("\xa0", " ")
    assert "css/base.css" in answer.text
    assert "<h1>" in answer.text
    assert 'href="/"' in answer.text


def test_the_refusal_of_a_file_is_a_page_that_says_what_to_do():
    answer = upload(Client(), reverse("preferences"))
    assert "This page does not accept files" in answer.text
    assert "load the page again" in answer.text
    assert "css/base.css" in answer.text


def test_in_the_blade_the_refusal_is_drawn_in_the_blade(profile):
    client = browser(member(profile, "profile_owner"))
    answer, _ = send(
        client, pay_url(issued(profile)), LIMIT + 1, HTTP_HX_REQUEST="true", HTTP_HX_TARGET="blade"
    )  # fmt: skip
    assert answer.status_code == 413
    assert "<html" not in answer.text
    assert 'id="blade-title"' in answer.text

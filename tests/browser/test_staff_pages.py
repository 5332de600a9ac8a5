"""Every page of staff: no accessibility finding, no sideways scrolling, no blocked script, in both themes, on a phone.

Which pages there are, the admin's registry says: the list of every model, and the page of one row in every state. From
there the links are followed that the pages offer: add, delete, history, and what a model has of its own. So a model or
a page that comes later is looked at too, and the test fails when no row of `busy_day` leads to it.
"""

import pytest
from django.contrib import admin
from django.urls import reverse

from accounts.models import User
from payments.models import BooksCheck
from tests.browser.accessibility import LIGHT, PHONE, problems_of
from tests.browser.office import busy_day
from tests.browser.tour import Tour, actions_of, addresses_of, models_of, name_of, names_of, request_of
from tests.factories import UserFactory, proven

PASSWORD = "seven purple bicycles"
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

APPS = sorted({model._meta.app_label for model in admin.site._registry})
# What the site itself has, and what of that is no page to look at.
PAGES = {"index", "login", "password_change", "password_change_done", "app_list"}
NO_PAGES = {"logout", "jsi18n", "autocomplete", "view_on_site", None}
# The pictures of a document's page, and its downloads.
FILES = {f"invoices_{model}_{kind}" for model in ("invoice", "creditnote") for kind in ("page", "download")}
CLOSED = {"auth_user_password_change"}  # Django's own; nobody sets the password of somebody else


@pytest.fixture
def boss(transactional_db, sign_in):
    """A superuser who is signed in and reads Dutch, whose words are the longer ones."""
    boss = proven(busy_day(language="nl"), PASSWORD)
    sign_in(boss)
    return boss


@pytest.fixture
def tour(boss, page, live_server):
    return Tour(page, live_server.url)


@pytest.mark.long
@pytest.mark.parametrize("app", APPS)
def test_every_page_of_an_app(boss, tour, app):
    tour.walk([reverse("admin:app_list", args=[app]), *addresses_of(app)], inside=f"/admin/{app}/")
    for model in models_of(app):
        for action in actions_of(model, boss):
            tour.choose(action, reverse(f"admin:{name_of(model, 'changelist')}"))
        assert names_of(model, boss) - tour.names - FILES == CLOSED & names_of(model, boss), "no page leads there"
    assert tour.found == {}


def test_every_page_of_the_site_itself(boss, tour):
    assert {pattern.name for pattern in admin.site.get_urls() if hasattr(pattern, "name")} == PAGES | NO_PAGES
    tour.walk(["/admin/", "/admin/password_change/", "/admin/password_change/done/"])
    tour.page.goto(f"{tour.server}/admin/password_change/")
    assert "/account/password/" in tour.page.url  # the portal's own
    tour.open("/admin/nowhere/", status=404)
    assert tour.found == {}


@pytest.mark.parametrize("report", ["journal", "trial-balance", "providers", "receivables"])
def test_a_report_of_the_ledger(tour, report):
    address = reverse(f"admin:invoices_{report}")
    tour.open(f"{address}?first_on=2026-10-01&last_on=2026-10-31")
    assert tour.page.locator("tbody tr").count() > 1
    tour.open(f"{address}?first_on=2020-01-01&last_on=2020-01-31")
    assert tour.page.locator("table").count() == 0
    tour.open(f"{address}?first_on=2026-10-01&last_on=2999-12-31")
    assert tour.page.locator(".errorlist").count() == 1
    assert tour.found == {}


def test_every_check_of_the_books(tour):
    texts = ["De boeken kloppen.", "INV-2026-000001", "De controle is nog niet klaar."]
    for check, text in zip(BooksCheck.objects.order_by("day"), texts, strict=True):
        tour.open(reverse("admin:payments_bookscheck_change", args=[check.pk]))
        assert tour.page.get_by_text(text).is_visible()
    assert tour.found == {}


def test_what_a_clerk_sees_who_may_only_look(boss, tour, sign_in):
    clerk = User.objects.get(groups__name="Clerks")
    clerk.language = "nl"
    clerk.save()
    sign_in(clerk)
    tour.looks = [LIGHT, PHONE]
    for model, model_admin in admin.site._registry.items():
        if model_admin.has_change_permission(request_of(boss)):
            tour.open(reverse(f"admin:{name_of(model, 'change')}", args=[model.objects.first().pk]))
            assert tour.page.locator("[name=_save]").count() == 0
    tour.open("/admin/payments/payment/record/", status=403)
    assert tour.found == {}


def test_what_a_customer_sees_who_is_no_staff(page, live_server, sign_in, transactional_db):
    sign_in(UserFactory())
    page.goto(f"{live_server.url}/admin/")
    assert problems_of(page) == []

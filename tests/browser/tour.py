"""A tour of the staff's pages: which there are, and what is wrong with each."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from django.contrib import admin
from django.db.models import Model
from django.test import RequestFactory
from django.urls import resolve, reverse

from accounts.models import User
from tests.browser.accessibility import LOOKS, bring_axe, problems_of

# Acts beside a title, ways to delete, and what opens in a window of its own to add or change a row that is pointed to.
WAYS_ON = ".object-tools a, a.deletelink, a.related-widget-wrapper-link[href]"


class Tour:
    """Opens pages, and notes which kinds of addresses were seen and what was wrong."""

    def __init__(self, page, server: str) -> None:
        self.page, self.server, self.looks = page, server, LOOKS
        bring_axe(page)
        self.seen: set[tuple[str, bool]] = set()
        self.found: dict[str, list[str]] = {}

    @property
    def names(self) -> set[str]:
        return {name for name, _is_popup in self.seen}

    def walk(self, addresses: Iterable[str], inside: str = "/admin/") -> None:
        """Opens all of these, then what they lead to that is of another kind. Empty forms are also sent as they are."""
        ways_on = [way for address in addresses for way in self.open(address)]
        while ways_on:
            way = ways_on.pop(0)
            if kind_of(way) not in self.seen and (way.startswith(inside) or "_popup" in way):
                ways_on += self.open(way)
                if urlsplit(way).path.endswith("/add/") and "_popup" not in way:
                    self.press("[name=_save]", f"{way} sent empty")

    def open(self, address: str, *, status: int = 200) -> list[str]:
        """One page with everything unfolded, and a row added to each table that takes one. Returns where it leads."""
        self.seen.add(kind_of(address))
        response = self.page.goto(self.server + address)
        assert response.status == status, f"{address} answers {response.status}"
        for button in self.page.locator("main details:not([open]) > summary, .add-row a:visible").all():
            button.click()
        self.check(address)
        links = self.page.locator(WAYS_ON).evaluate_all("links => links.map(link => link.pathname + link.search)")
        return [link for link in links if link.startswith("/admin/")]

    def check(self, name: str) -> None:
        problems = problems_of(self.page, self.looks)
        if self.page.locator("html").get_attribute("lang") != "nl":
            problems.append("is not in Dutch")
        if problems:
            self.found[name] = problems

    def press(self, button: str, name: str) -> None:
        """Sends a form, and checks what comes."""
        with self.page.expect_navigation():
            self.page.locator(button).click()
        self.check(name)

    def choose(self, action: str, address: str) -> None:
        """Chooses an action for every row of a list, up to the page that asks whether that is meant."""
        self.page.goto(self.server + address)
        self.page.locator("#action-toggle").check()
        self.page.locator("select[name=action]").select_option(action)
        self.press(".actions [type=submit]", f"{action} in {address}")


def kind_of(address: str) -> tuple[str, bool]:
    """The name of an address, and whether it is for a window of its own."""
    parts = urlsplit(address)
    return resolve(parts.path).url_name, "_popup" in parts.query


def models_of(app: str) -> list[type[Model]]:
    return [model for model in admin.site._registry if model._meta.app_label == app]


def name_of(model: type[Model], kind: str) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}_{kind}"


def rows_of(model: type[Model]) -> list[Model]:
    """One row for each state: rows that differ in a choice, or in a yes or no, may show other things."""
    fields = [f.attname for f in model._meta.concrete_fields if f.choices or f.get_internal_type() == "BooleanField"]
    rows: dict[tuple, Model] = {}
    for row in model._default_manager.order_by("pk"):
        rows.setdefault(tuple(getattr(row, name) for name in fields), row)
    assert rows, f"there is no {model._meta.label} whose page could be opened"
    return list(rows.values())


def addresses_of(app: str) -> Iterator[str]:
    """The lists of an app's models, with the counts beside the filters, and the pages of its rows."""
    for model in models_of(app):
        has_filters = bool(admin.site._registry[model].list_filter)
        yield reverse(f"admin:{name_of(model, 'changelist')}") + ("?_facets=True" if has_filters else "")
        for row in rows_of(model):
            yield reverse(f"admin:{name_of(model, 'change')}", args=[row.pk])


def request_of(user: User):
    request = RequestFactory().get("/admin/")
    request.user = user
    return request


def names_of(model: type[Model], user: User) -> set[str]:
    """The names of all addresses of a model that this person may open."""
    model_admin, request = admin.site._registry[model], request_of(user)
    names = {pattern.name for pattern in model_admin.get_urls() if pattern.name}
    if not model_admin.has_add_permission(request):
        names.discard(name_of(model, "add"))
    if not any(model_admin.has_delete_permission(request, row) for row in rows_of(model)):
        names.discard(name_of(model, "delete"))
    return names


def actions_of(model: type[Model], user: User) -> list[str]:
    return list(admin.site._registry[model].get_actions(request_of(user)))

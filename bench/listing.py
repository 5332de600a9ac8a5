"""The invoice list and its filters, as a browser asks for them, with few and with very many invoices in the profile.

Every size has a database of its own, with one profile in it. A round asks one page of each size in turns, so a busy
moment of the machine falls on all of them; what is compared are the times of one round.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import NamedTuple

from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import BillingProfile, InvoiceSection
from bench.filling import add_history, make_profile
from billing_portal.core.paging import Sort, write_cursor
from invoices.models import Invoice
from invoices.summaries import summary_of

HTMX = {"HX-Request": "true", "HX-Target": "invoice-grid"}


@dataclass
class Place:
    """A database with so many invoices in one profile, and somebody signed in who may pay them."""

    rows: int
    database: str
    profile: BillingProfile = field(init=False)
    sections: dict[str, InvoiceSection] = field(init=False)
    browser: Client = field(init=False)

    def __post_init__(self) -> None:
        self.connection = connections.create_connection("default")
        self.connection.settings_dict = {**self.connection.settings_dict, "NAME": self.database}
        self.enter()
        self.profile = make_profile(f"{self.rows} invoices")
        self.sections = add_history(self.profile, self.rows)
        self.browser = Client()
        self.browser.force_login(self.profile.assignments.get().user)

    def enter(self) -> None:
        """From now on this is Django's database."""
        connections["default"] = self.connection

    def get(self, path: str, **headers: str) -> None:
        response = self.browser.get(path, headers=headers)
        if response.status_code != 200:
            raise RuntimeError(f"{path} answered {response.status_code}.")

    def path(self, query: str = "") -> str:
        return reverse("invoices:list", args=[self.profile.code]) + query


class Task(NamedTuple):
    """Something measured. ``prepare`` is not timed and gives what is; ``aim`` is the highest ratio of the sizes."""

    name: str
    prepare: Callable[[Place], Callable[[], object]]
    aim: float | None = None


class Measured(NamedTuple):
    task: Task
    milliseconds: list[list[float]]  # by size, by round
    queries: int

    @property
    def ratio(self) -> float:
        """The largest size against the smallest, round by round."""
        return median(large / small for small, large in zip(self.milliseconds[0], self.milliseconds[-1], strict=True))

    def middle(self, size: int) -> float:
        return median(self.milliseconds[size])


def pages() -> Iterator[Task]:
    """What people do with the list."""
    yield Task("first page", lambda place: lambda: place.get(place.path()), aim=1.1)
    yield Task("next page by key", after(0.0), aim=1.1)
    yield Task("deep page by key", after(0.9), aim=1.1)
    for status in ("due", "past_due", "in_progress", "paid", "void"):
        yield Task(f"status {status}", filtered(f"?status={status}"), aim=1.1)
    for period in ("this_year", "last_year", "3_months"):
        yield Task(f"period {period}", filtered(f"?period={period}"), aim=1.1)
    yield Task("paid, last year", filtered("?status=paid&period=last_year"), aim=1.1)
    yield Task("number, beginning", filtered("?number=INV-0000"), aim=1.1)
    yield Task("number, whole", filtered("?number=INV-0000500"), aim=1.1)
    for name in ("common", "rare"):
        yield Task(f"section, {name}", in_section(name), aim=1.1)
    for sort in ("issued", "-due", "due", "-billed", "billed", "-amount", "amount"):
        yield Task(f"sorted {sort}", filtered(f"?sort={sort}"), aim=1.1)
    yield Task("figures above it", figures)
    yield Task("CSV, first row", first_row_of_csv, aim=1.1)


def comparisons() -> Iterator[Task]:
    """Pages with nothing in them, to be taken off."""
    yield Task("signed in, nothing", lambda place: lambda: place.get("/bench/nothing"))
    yield Task("the frame alone", lambda place: lambda: place.get(f"/bench/{place.profile.code}/frame"))


def filtered(query: str) -> Callable[[Place], Callable[[], object]]:
    """What htmx asks for when a filter or the order changes."""
    return lambda place: lambda: place.get(place.path(query), **HTMX)


def after(part: float) -> Callable[[Place], Callable[[], object]]:
    """The page that begins where so large a part of the list is over."""

    def prepare(place: Place) -> Callable[[], object]:
        sort = Sort("issued_on")
        rows = Invoice.objects.filter(profile=place.profile).order_by(*sort.order())
        number = max(49, int(place.rows * part))
        edge = rows[number]
        path = place.path("?page=" + write_cursor(edge, sort))
        return lambda: place.get(path, **HTMX)

    return prepare


def in_section(name: str) -> Callable[[Place], Callable[[], object]]:
    return lambda place: filtered(f"?section={place.sections[name].pk}")(place)


def figures(place: Place) -> Callable[[], object]:
    today = place.profile.day_of(timezone.now())
    return lambda: summary_of(place.profile, today)


def first_row_of_csv(place: Place) -> Callable[[], object]:
    path = reverse("invoices:csv", args=[place.profile.code])

    def read() -> None:
        response = place.browser.get(path)
        lines = iter(response.streaming_content)
        next(lines), next(lines)
        response.close()

    return read


def measure(places: Sequence[Place], tasks: Sequence[Task], *, rounds: int) -> list[Measured]:
    """Each task so often with each place in turns, after two times to warm up."""
    return [_measure(places, task, rounds) for task in tasks]


def _measure(places: Sequence[Place], task: Task, rounds: int) -> Measured:
    acts = []
    for place in places:
        place.enter()
        acts.append((place, act := task.prepare(place), []))
        act()
        with CaptureQueriesContext(place.connection) as log:
            act()
        queries = len(log)  # a list that the next request empties
    for _ in range(rounds):
        for place, act, times in acts:
            place.enter()
            started = perf_counter()
            act()
            times.append((perf_counter() - started) * 1000)
    return Measured(task, [times for *_, times in acts], queries)

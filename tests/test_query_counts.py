"""How many queries each page and a payment cost: a number that may fall, and that rises only on purpose.

A page is opened twice and the second time counts, because the first visit remembers the scope on the person. Each
number includes the session, the person, the roles and the profile, which every page of a profile reads.
"""

from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.access import Access, system_access
from accounts.models import InvoiceSection
from invoices.models import InvoiceLine
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from payments.operations.attempts import pay
from tests.factories import (
    TODAY,
    BillingAccountFactory,
    BillingProfileFactory,
    PaymentMethodFactory,
    UserFactory,
    access_for,
    granted,
    issued,
    member,
)
from tests.payments.acts import card, press_pay

GRID = {"HX-Request": "true", "HX-Target": "invoice-grid"}
BLADE = {"HX-Request": "true", "HX-Target": "blade"}

PAGES = {
    "scopes": ("accounts:scopes", "", "", {}, 6),
    "account": ("accounts:account", "account", "", {}, 6),
    "account access": ("accounts:account_access", "account", "", {}, 5),
    "properties": ("accounts:properties", "profile", "", {}, 5),
    "mail and contacts": ("accounts:contacts", "profile", "", {}, 6),
    "asking for wire": ("accounts:wire_request", "profile", "", {}, 5),
    "access": ("accounts:access", "profile", "", {}, 5),
    "section": ("accounts:section", "section", "", {}, 4),
    "invoices": ("invoices:list", "profile", "", {}, 7),
    "invoices, past due": ("invoices:list", "profile", "?status=past_due", GRID, 6),
    "invoices by number": ("invoices:list", "profile", "?number=INV-25", GRID, 6),
    "invoices by section": ("invoices:list", "profile", "?section={section}", GRID, 6),
    "invoices as CSV": ("invoices:csv", "profile", "", {}, 7),
    # One more than before there were deliveries: any number of rows, of a table that nothing else on the page reads.
    "invoice": ("invoices:detail", "profile number", "", {}, 10),
    "invoice in the blade": ("invoices:detail", "profile number", "", BLADE, 10),
    "credits": ("invoices:credits", "profile", "", {}, 7),
    "credits that expire soon": ("invoices:credits", "profile", "?status=soon", {}, 7),
    "credits as CSV": ("invoices:credits_csv", "profile", "", {}, 5),
    "pay": ("payments:pay", "profile number", "", BLADE, 8),
    "payments of an invoice": ("payments:for_invoice", "profile number", "", {}, 6),
    "payments": ("payments:history", "profile", "", {}, 6),
    "payment": ("payments:detail", "profile reference", "", {}, 10),
    "statement": ("payments:statement", "profile", "", {}, 7),
    "payment methods": ("payments:methods", "profile", "", {}, 8),
    # The address to write to is that of a seller, which is a row; the page is of a person and of no billing account.
    "security activity": ("security_activity", "", "", {}, 4),
    "search": ("search", "", "?q=IN", {}, 5),
    "search of a number": ("search", "", "?q=INV-00", {}, 6),
    "scopes in the menu": ("scope-menu", "profile", "", {}, 4),
}


class World:
    """An account whose owner sees everything: one profile with so many invoices, payments, cards, people, sections."""

    def __init__(self, size: int) -> None:
        self.account = BillingAccountFactory()
        self.profile = BillingProfileFactory(account=self.account)
        self.section = InvoiceSection.objects.create(profile=self.profile, name="Web shop")
        self.invoice = issued(self.profile)
        payment = None
        for number in range(size):
            invoice = issued(self.profile)
            InvoiceLine.objects.filter(invoice=invoice).update(section=self.section)
            method = PaymentMethodFactory(profile=self.profile)
            InvoiceSection.objects.create(profile=self.profile, name=f"Section {number}")
            payer = member(self.profile, "invoice_manager")
            payment = press_pay(payer, invoice, method, at=timezone.now())
            granted(self.profile, 100)
            issued(self.profile)
            noted = issued(self.profile)
            credit_note(access=system_access(), invoice_id=noted.pk, reason="Test", today=TODAY, at=timezone.now())
        self.payment = payment
        self.browser = Client()
        owner = member(self.account, "account_owner")
        for _number in range(size):
            audit.record(
                access=Access(user=UserFactory()), at=timezone.now(), action="role.granted", subject="x", person=owner
            )
        self.browser.force_login(owner)

    def address(self, route: str, words: str) -> str:
        known = {
            "account": self.account.code,
            "section": self.section.pk,
            "profile": self.profile.code,
            "number": self.invoice.number,
            "reference": self.payment.reference,
        }
        return reverse(route, kwargs={word: known[word] for word in words.split()})

    def queries(self, page: str) -> list[str]:
        route, words, query, headers, _expected = PAGES[page]
        address = self.address(route, words) + query.format(section=self.section.pk)
        for _visit in range(2):
            with CaptureQueriesContext(connection) as log:
                response = self.browser.get(address, headers=headers)
                b"".join(response) if response.streaming else response.content
            assert response.status_code == 200, address
        return [query["sql"] for query in log.captured_queries]


@pytest.fixture
def few(db):
    return World(size=3)


@pytest.fixture
def many(db):
    return World(size=12)


def test_a_page_costs_as_many_queries_as_ever(few):
    counts = {page: len(few.queries(page)) for page in PAGES}
    assert counts == {page: expected for page, (*_, expected) in PAGES.items()}


def test_a_page_costs_as_many_queries_however_much_is_on_it(few, many):
    assert {page: len(few.queries(page)) for page in PAGES} == {page: len(many.queries(page)) for page in PAGES}


def test_fifty_invoices_cost_as_many_queries_as_five(profile, payer):
    browser = Client()
    browser.force_login(payer)
    address = reverse("invoices:list", args=[profile.code])
    browser.get(address)
    counts = []
    for wanted in (5, 50):
        while profile.invoices.count() < wanted:
            issued(profile)
        with CaptureQueriesContext(connection) as log:
            response = browser.get(address)
        assert response.content.count(b'<tr id="invoice-') == wanted
        counts.append(len(log))
    assert counts[0] == counts[1] <= 8


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_payment_commits_twice(profile, payer):
    begun, *statements = statements_of_a_payment(profile, payer)
    assert begun.startswith("BEGIN")
    assert statements.count("COMMIT") == 2
    assert [text for text in statements if text.startswith(("SAVEPOINT", "ROLLBACK"))] == []


def test_a_payment_costs_sixteen_queries(profile, payer):
    """Whatever is on the profile besides: earlier payments, other cards, other people."""
    expected = 16
    assert len(queries_of(statements_of_a_payment(profile, payer))) == expected
    PaymentMethodFactory(profile=profile)
    member(profile, "profile_owner")
    assert len(queries_of(statements_of_a_payment(profile, payer))) == expected


def statements_of_a_payment(profile, payer) -> list[str]:
    invoice, method, access = issued(profile), card(profile), access_for(payer, profile)
    with CaptureQueriesContext(connection) as log:
        payment = pay(
            access=access,
            invoice_ids=[invoice.pk],
            shown=Money(12000, "EUR"),
            attempt_key=uuid4(),
            method_id=method.pk,
            at=timezone.now(),
            return_url=lambda payment: f"http://testserver/back/{payment.reference}",
        )
    assert payment.status == "succeeded"
    return [query["sql"] for query in log.captured_queries]


def queries_of(statements: list[str]) -> list[str]:
    """Without what only bounds a transaction."""
    return [text for text in statements if text.split()[0] not in {"BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"}]

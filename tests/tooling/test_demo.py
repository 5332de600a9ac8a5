"""The demo: built by the portal's own operations, so its books add up; something to see in every state."""

from collections import defaultdict
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.access import access_of
from accounts.models import BillingProfile, RoleAssignment, TaxId, User, WireRequest
from billing_portal.core.models import OutgoingMail
from billing_portal.demo.data import PASSWORD, SIGN_INS
from invoices.documents.einvoice.checks import missing
from invoices.documents.einvoice.terms import Format, terms_of, terms_of_note
from invoices.models import Charge, CreditNote, Delivery, Invoice
from invoices.operations.closing import close_due
from invoices.operations.deliveries import deliver_due
from invoices.states import InvoiceStatus, Label
from payments.models import AutomaticCharge, Payment, PaymentMethod
from payments.operations.autopay import charge_due
from payments.operations.integrity import check_books
from payments.operations.notifications import announce_due
from tests.invoices.einvoice.judge import judged, written
from tests.invoices.einvoice.test_terms import with_parties

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on_a_developers_machine(settings):
    settings.DEBUG = True


FACTS = []


def fact(check):
    """Something that is true of the demo once it is built."""
    FACTS.append(check)
    return check


def test_the_demo(subtests):
    """Built once, because that takes longer than all that is looked at; each look leaves it as it was."""
    call_command("demo_data", verbosity=0)
    for check in FACTS:
        with subtests.test(check.__name__), transaction.atomic():
            check()
            transaction.set_rollback(True)


def labels_by_profile():
    found = defaultdict(set)
    for invoice in Invoice.objects.select_related("profile"):
        today = invoice.profile.day_of(timezone.now())
        found[invoice.profile.name].add(invoice.label_on(today))
    return found


@fact
def documents_of_the_past_are_shown_as_mailed_and_none_waits_for_staff():
    deliver_due(at=timezone.now(), limit=100)
    mailed = Delivery.objects.filter(channel="mail")
    assert set(mailed.values_list("status", flat=True)) == {"sent"}
    assert all(delivery.sent_at == delivery.created_at for delivery in mailed)


@fact
def every_state_can_be_seen():
    labels = labels_by_profile()
    assert labels["Operations NL"] >= {Label.DUE, Label.PAST_DUE, Label.PAID, Label.VOID}
    assert labels["Marketing UK"] >= {Label.IN_PROGRESS, Label.PAID}
    assert labels["New venture"] == set()
    assert set(Invoice.objects.values_list("currency", flat=True)) == {"EUR", "GBP", "JPY", "KWD"}
    assert BillingProfile.objects.filter(default_method="check_wire").exists()
    assert Payment.objects.filter(needs_staff=True).exists()
    today = timezone.localdate()
    expired = [method.profile.name for method in PaymentMethod.objects.all() if method.is_expired(today)]
    assert expired == ["Labs"]


@fact
def what_was_agreed_can_be_seen():
    """One profile is warned, one pays by wire with contacts and our account, one waits for our answer."""
    assert list(BillingProfile.objects.exclude(status="active").values_list("name", "status")) == [("Labs", "warned")]
    wire = BillingProfile.objects.get(default_method="check_wire")
    assert wire.is_wire_approved
    assert wire.contacts.count() == 2
    assert {invoice.remittance["bank"] for invoice in wire.invoices.all()} == {"Example Bank"}
    assert WireRequest.objects.get().status == "open"


@fact
def the_books_add_up():
    assert check_books() == []


@fact
def the_invoice_manager_has_one_profile_with_a_past_due_invoice_and_a_card_that_works():
    manager = User.objects.get(email="manager@example.com")
    (profile,) = BillingProfile.objects.visible_to(access_of(manager))
    assert Label.PAST_DUE in labels_by_profile()[profile.name]
    assert profile.invoices.count() >= 14
    assert profile.payment_methods.get(is_default=True).last_four == "4242"


@fact
def staff_can_save_every_tax_number():
    for tax_id in TaxId.objects.select_related("account"):
        tax_id.full_clean()


@fact
def everybody_can_sign_in():
    for person in SIGN_INS:
        answer = Client().post("/account/login/", {"login": person.email, "password": PASSWORD})
        assert answer.status_code == 302, person.email


@fact
def the_stranger_belongs_to_another_customer():
    (own,) = RoleAssignment.objects.filter(user__email="stranger@example.com")
    assert own.profile.account.profiles.count() == 1


@fact
def something_waits_for_the_next_invoice_day():
    """Half a period later every profile with a history gets an invoice more."""
    before = Invoice.objects.count()
    later = timezone.now() + timedelta(days=32)
    assert close_due(at=later) >= 7
    assert Invoice.objects.count() == before + 7
    assert not Charge.objects.filter(invoice=None).exists()
    assert check_books() == []


@fact
def invoice_numbers_follow_the_dates():
    dates = list(Invoice.objects.order_by("number").values_list("issued_on", flat=True))
    assert dates == sorted(dates)


@fact
def nobody_is_sent_mail_about_what_never_happened():
    assert not OutgoingMail.objects.exists()


@fact
def nothing_is_charged_or_told_by_itself_before_somebody_who_tries_it():
    assert charge_due(at=timezone.now(), limit=10) == 0
    assert announce_due(at=timezone.now(), limit=10) == 0


@fact
def one_charge_is_planned_and_one_was_refused_and_comes_again():
    planned = Invoice.objects.filter(autopay_on__gt=timezone.localdate()).order_by("profile__name")
    assert [invoice.profile.name for invoice in planned] == ["Kuwait branch", "Tokyo office"]
    refused = AutomaticCharge.objects.get()
    assert (refused.invoice, refused.status, refused.tries) == (planned[0], "planned", 1)
    assert refused.last_payment.decline_code == "insufficient_funds"


@fact
def every_document_can_be_an_e_invoice():
    """In the eyes of both judges, but for dinars, which have a third decimal: as Factur-X as it is kept, in the other
    formats once seller and buyer have what these ask for."""
    issued = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).select_related("profile__account", "replaces")
    notes = CreditNote.objects.select_related("invoice")
    documents = [(terms_of(invoice), terms_of(with_parties(invoice))) for invoice in issued]
    documents += [(terms_of_note(note), terms_of_note(with_parties(note))) for note in notes]
    assert len(documents) > 30
    for kept, complete in documents:
        for form, terms in ((Format.FACTURX, kept), (Format.UBL, complete), (Format.XRECHNUNG, complete)):
            lacking = [fault.check for fault in missing(terms, form)]
            assert (terms.number, form, lacking) == (terms.number, form, ["decimals"] if kept.currency == "KWD" else [])
            broken = set() if lacking else judged(written(terms, form)).broken
            assert (terms.number, form, broken) == (terms.number, form, set())


def test_nothing_is_made_where_debug_is_off(settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="DEBUG on only"):
        call_command("demo_data")
    assert not User.objects.exists()


def test_a_database_with_data_is_left_alone(profile):
    with pytest.raises(CommandError, match="holds data already"):
        call_command("demo_data")
    assert BillingProfile.objects.count() == 1


def test_no_other_provider_hears_of_what_the_demo_plays(settings):
    other = {"class": "bench.null_gateway.NullGateway"}
    settings.PAYMENT_GATEWAYS = {"null": other, **settings.PAYMENT_GATEWAYS}
    call_command("demo_data", verbosity=0)
    assert not Payment.objects.filter(gateway="null").exists()
    assert Invoice.objects.filter(status="open").count() > 10
    assert check_books() == []

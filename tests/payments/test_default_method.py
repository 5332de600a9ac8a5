"""Choosing what a profile pays with by default: who may, what it takes, and what it leaves alone."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.access import NotAllowed, system_access
from accounts.models import AuditEntry, BillingProfile
from invoices.models import Invoice
from invoices.operations.issuing import issue
from payments.models import Payment
from payments.operations import CannotChangeMethod, set_default_method
from tests.factories import NOW, BillingProfileFactory, access_for, draft, issued, member
from tests.payments.acts import books_are_clean, card
from tests.payments.autopaying import CHARGED, planned_on, run, story

pytestmark = pytest.mark.django_db


@pytest.fixture
def approved(profile):
    BillingProfile.objects.update(is_wire_approved=True)
    profile.refresh_from_db()
    return profile


def choose(user, profile, method):
    access = access_for(user, profile)
    return set_default_method(access=access, profile_id=profile.pk, method=method, at=NOW).default_method


def default_of(profile):
    return BillingProfile.objects.get(pk=profile.pk).default_method


@pytest.mark.parametrize("role", ["profile_owner", "profile_contributor"])
def test_an_approved_profile_goes_to_wire_and_back_to_its_card(client, approved, role):
    client.force_login(member(approved, role))
    stored = card(approved, is_default=False)
    url = reverse("payments:set_default_method", args=[approved.code])
    assert client.post(url, {"method": "check_wire"}).status_code == 302
    assert default_of(approved) == "check_wire"
    client.post(url, {"method": "card"})
    assert default_of(approved) == "card"
    stored.refresh_from_db()
    assert stored.is_default
    assert [entry.detail["method"] for entry in AuditEntry.objects.order_by("pk")] == ["check_wire", "card"]


def test_one_that_is_not_approved_is_told_to_ask(profile):
    with pytest.raises(CannotChangeMethod, match="Ask for it first"):
        choose(member(profile, "profile_owner"), profile, "check_wire")
    assert default_of(profile) == "card"
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("role", ["profile_reader", "invoice_manager"])
def test_who_does_not_manage_methods_changes_nothing(approved, role):
    with pytest.raises(NotAllowed):
        choose(member(approved, role), approved, "check_wire")
    assert default_of(approved) == "card"


def test_a_role_that_went_since_the_page_was_drawn_changes_nothing(approved):
    owner = member(approved, "profile_owner")
    access = access_for(owner, approved)
    owner.assignments.all().delete()
    with pytest.raises(NotAllowed):
        set_default_method(access=access, profile_id=approved.pk, method="check_wire", at=NOW)
    assert default_of(approved) == "card"


def test_a_stranger_finds_nothing(approved):
    with pytest.raises(BillingProfile.DoesNotExist):
        choose(member(BillingProfileFactory(), "profile_owner"), approved, "check_wire")
    assert default_of(approved) == "card"


def test_back_to_card_needs_a_card_that_has_not_expired():
    profile = BillingProfileFactory(default_method="check_wire", is_wire_approved=True)
    owner = member(profile, "profile_owner")
    with pytest.raises(CannotChangeMethod, match="Add a card"):
        choose(owner, profile, "card")
    expired = card(profile, expiry_year=2025, is_default=True)
    with pytest.raises(CannotChangeMethod, match="Add a card"):
        choose(owner, profile, "card")
    assert default_of(profile) == "check_wire"
    good = card(profile)
    assert choose(owner, profile, "card") == "card"
    expired.refresh_from_db()
    good.refresh_from_db()
    assert (expired.is_default, good.is_default) == (False, True)


def test_an_agreement_that_pays_by_no_card_stays_with_wire():
    profile = BillingProfileFactory(
        default_method="check_wire", is_wire_approved=True, account__agreement_type="enterprise"
    )
    card(profile)
    with pytest.raises(CannotChangeMethod, match="Enterprise agreement"):
        choose(member(profile, "profile_owner"), profile, "card")
    assert default_of(profile) == "check_wire"


def test_choosing_what_is_chosen_writes_nothing(approved):
    choose(member(approved, "profile_owner"), approved, "card")
    assert not AuditEntry.objects.exists()


def test_a_word_that_is_no_method_changes_nothing(client, approved):
    client.force_login(member(approved, "profile_owner"))
    client.post(reverse("payments:set_default_method", args=[approved.code]), {"method": "cash"})
    assert default_of(approved) == "card"


def test_drafts_follow_the_switch_and_issued_invoices_keep_what_they_say(approved):
    """Scenario 42: a draft issued afterwards says where to send the money and is not charged; one issued before stays
    as it was."""
    before, waiting = issued(approved), draft(approved)
    kept = {"pays_by_wire": False, "remittance": before.remittance}
    choose(member(approved, "profile_owner"), approved, "check_wire")
    after = issue(access=system_access(), invoice_id=waiting.pk, today=before.issued_on, at=NOW)
    assert (after.pays_by_wire, after.autopay_on) == (True, None)
    assert after.remittance["iban"] == "NL53EXAM0000000000"
    assert Invoice.objects.filter(pk=before.pk).values(*kept).get() == kept


def test_what_was_going_to_be_charged_is_not_after_the_switch_to_wire(approved):
    """And no page or blocker says so any more; a payment in progress goes on."""
    stored = card(approved, "9995", is_default=True)
    tried, waiting = issued(approved), issued(approved)
    Invoice.objects.filter(pk=waiting.pk).update(autopay_on=CHARGED.date() + timedelta(days=1))
    run()
    assert story(tried)[0] == "planned"
    choose(member(approved, "profile_owner"), approved, "check_wire")
    assert (planned_on(tried), planned_on(waiting)) == (None, None)
    assert story(tried) == ("stopped", "by_wire", 1)
    assert run(CHARGED + timedelta(days=30)) == 0
    assert Payment.objects.filter(method=stored).count() == 1
    assert books_are_clean()


def test_going_back_to_card_charges_what_is_issued_next(approved):
    card(approved, is_default=True)
    before, owner = issued(approved), member(approved, "profile_owner")
    choose(owner, approved, "check_wire")
    choose(owner, approved, "card")
    approved.refresh_from_db()
    assert planned_on(before) is None
    assert issued(approved).autopay_on is not None

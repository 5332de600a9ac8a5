"""Cards of a profile: the default is changed and cards are removed by those who may, one at a time."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from accounts.access import NotAllowed, system_access
from accounts.models import AuditEntry, BillingProfile, Seller
from invoices.documents.einvoice.terms import Means, terms_of
from invoices.models import Invoice
from invoices.operations.issuing import issue, issue_many
from payments.models import Payment, PaymentMethod
from payments.operations.methods import CannotChangeMethod, make_default, remove_method, set_default_method
from tests.factories import NOW, BillingProfileFactory, access_for, draft, issued, member
from tests.payments.acts import books_are_clean, card, press_pay, sandbox
from tests.payments.autopaying import CHARGED, planned_on, run, story

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(profile):
    return access_for(member(profile, "profile_owner"), profile)


def test_one_card_is_the_default_at_a_time(profile, owner):
    first, second = card(profile, is_default=True), card(profile)
    make_default(access=owner, method_id=second.pk, at=NOW)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.is_default, second.is_default) == (False, True)
    assert AuditEntry.objects.filter(action="method.made_default").count() == 1


def test_an_expired_card_cannot_be_the_default(profile, owner):
    expired = card(profile, expiry_month=9, expiry_year=2026)
    with pytest.raises(CannotChangeMethod):
        make_default(access=owner, method_id=expired.pk, at=NOW)
    assert not PaymentMethod.objects.filter(is_default=True).exists()


def test_removing_a_card_forgets_it_at_the_gateway_too(profile, owner):
    kept = card(profile)
    remove_method(access=owner, method_id=kept.pk, at=NOW)
    kept.refresh_from_db()
    assert (kept.status, kept.removed_at) == ("removed", NOW)
    invoice = issued(profile)
    PaymentMethod.objects.filter(pk=kept.pk).update(status="active")
    payment = press_pay(member(profile, "profile_owner"), invoice, kept)
    assert (payment.status, payment.decline_code) == ("declined", "method_gone")


def test_a_gateway_that_is_away_does_not_keep_the_card_on_the_profile(profile, owner):
    kept = card(profile)
    sandbox().faults.arm("drop_before", on="detach")
    assert remove_method(access=owner, method_id=kept.pk, at=NOW).status == "removed"


def test_the_default_gives_way_to_another_first(profile, owner):
    first, second = card(profile, is_default=True), card(profile)
    with pytest.raises(CannotChangeMethod, match="default"):
        remove_method(access=owner, method_id=first.pk, at=NOW)
    make_default(access=owner, method_id=second.pk, at=NOW)
    assert remove_method(access=owner, method_id=first.pk, at=NOW).status == "removed"


def test_a_card_in_use_stays(profile, owner):
    waiting = card(profile, "3184")
    press_pay(owner.user, issued(profile), waiting)
    with pytest.raises(CannotChangeMethod, match="in progress"):
        remove_method(access=owner, method_id=waiting.pk, at=NOW)
    waiting.refresh_from_db()
    assert waiting.status == "active"


@pytest.mark.parametrize("role", ["invoice_manager", "profile_reader"])
@pytest.mark.parametrize("act", [make_default, remove_method])
def test_who_may_not_manage_cards_changes_nothing(profile, role, act):
    kept = card(profile)
    person = access_for(member(profile, role), profile)
    with pytest.raises(PermissionDenied):
        act(access=person, method_id=kept.pk, at=NOW)
    kept.refresh_from_db()
    assert (kept.status, kept.is_default) == ("active", False)


@pytest.mark.parametrize("act", [make_default, remove_method])
def test_a_card_of_another_profile_does_not_exist(profile, owner, act):
    foreign = card(BillingProfileFactory(account=profile.account))
    with pytest.raises(PaymentMethod.DoesNotExist):
        act(access=owner, method_id=foreign.pk, at=NOW)


def test_a_card_that_was_renewed_is_charged_by_its_new_id(profile):
    """The new card has the number of the old one, so it is the same row; the old id expires at the gateway."""
    owner = member(profile, "profile_owner")
    press_pay(owner, issued(profile), token=f"tok_4444_{uuid4().hex}", save_method=True)
    before = PaymentMethod.objects.get()
    press_pay(owner, issued(profile), token=f"tok_4444_{uuid4().hex}", save_method=True)
    after = PaymentMethod.objects.get()
    assert after.pk == before.pk
    assert after.gateway_method != before.gateway_method
    assert press_pay(owner, issued(profile), after).status == "succeeded"


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


def test_a_backup_card_that_becomes_the_default_leaves_the_backups(approved):
    owner, backup = member(approved, "profile_owner"), card(approved, is_default=False, backup_order=1)
    choose(owner, approved, "check_wire")
    assert choose(owner, approved, "card") == "card"
    backup.refresh_from_db()
    assert (backup.is_default, backup.backup_order) == (True, None)


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


def test_an_electronic_invoice_names_the_card_that_will_be_charged(profile):
    Seller.objects.update(endpoint_scheme="0106", endpoint_id="00000000")
    place = {"street": "Voorbeeldstraat 1", "postal_code": "1011 AA", "city": "Amsterdam"}
    electronic = {"invoice_format": "ubl", "buyer_reference": "DEPT-42", "charges_automatically": True, **place}
    charged, without, manual, paper = (
        BillingProfileFactory(**electronic | other, endpoint_scheme="0106", endpoint_id="00000001")
        for other in ({}, {}, {"charges_automatically": False}, {"invoice_format": "pdf"})
    )
    for one in (charged, manual, paper):
        card(one, is_default=True)
        card(one, "5556")
    drafts = [draft(one, tax_rate="21") for one in (charged, without, manual, paper)]
    issued_now, refused = issue_many(access=system_access(), invoice_ids=[made.pk for made in drafts], at=NOW)
    assert refused == []
    of_profile = {invoice.profile_id: invoice for invoice in issued_now}
    visa = {"last_four": "4242", "network": "VISA"}
    assert [of_profile[one.pk].buyer.get("card") for one in (charged, without, manual, paper)] == [visa, *[None] * 3]
    PaymentMethod.objects.all().delete()
    means = [terms_of(of_profile[one.pk]).payment.means for one in (charged, without, manual)]
    assert means == [Means.CARD, Means.STANDING_AGREEMENT, Means.SEPA_TRANSFER]

"""Only who started a payment can approve it with the bank; colleagues see that it waits, and can cancel it."""

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils import timezone

from accounts.models import RoleAssignment
from payments.gateways.sandbox.card_payments import answer_challenge
from payments.gateways.sandbox.models import CardPayment, transaction
from payments.models import Payment, PaymentMethod
from payments.operations.methods import detach_due
from payments.operations.reconciliation import challenge_of
from tests.factories import NOW, UserFactory, access_for, issued, member
from tests.payments.acts import books_are_clean, card, charges, deliver, press_pay, sandbox, state
from tests.payments.adding import cards_at_the_gateway
from tests.payments.pages import BLADE, browser, page_of, text_of

pytestmark = pytest.mark.django_db


PAYING_ROLES = ("profile_owner", "profile_contributor", "invoice_manager")


@pytest.fixture
def invoice(profile):
    return issued(profile)


@pytest.fixture(params=["in our page", "at the bank"])
def waiting(request, payer, profile, invoice):
    """A payment that waits for the bank's approval."""
    in_page = "sandbox" if request.param == "in our page" else ""
    return press_pay(payer, invoice, card(profile, "3184"), in_page=in_page, at=timezone.now())


def url(name, payment):
    return reverse(f"payments:{name}", args=[payment.profile.code, payment.reference])


def secret_of(payment):
    """The address at which the sandbox's bank is answered, on whose page it ever stands."""
    return CardPayment.objects.get(reference=payment.reference).challenge


def everything_that_a_browser_gets(client, payment):
    """Every page and address about a payment, followed to its end, with and without the blade."""
    invoice = payment.allocations.get().invoice
    addresses = [url(name, payment) for name in ("detail", "return", "challenge")]
    addresses += [reverse(f"payments:{name}", args=[payment.profile.code, invoice.number]) for name in NAMES]
    addresses.append(reverse("invoices:detail", args=[payment.profile.code, invoice.number]))
    addresses += [reverse(name, args=[payment.profile.code]) for name in ("payments:history", "invoices:list")]
    for address in addresses:
        for headers in ({}, BLADE):
            response = client.get(address, headers=headers, follow=True)
            chain = [step for step, _status in response.redirect_chain]
            yield f"{chain} {dict(response.headers)} {b''.join(response).decode(errors='replace')}"


NAMES = ("pay", "for_invoice", "latest")


@pytest.mark.parametrize("role", [*PAYING_ROLES, "profile_reader"])
def test_no_colleague_gets_the_secret_from_any_page(waiting, profile, role):
    secret = secret_of(waiting)
    colleague = browser(member(profile, role))
    assert [text for text in everything_that_a_browser_gets(colleague, waiting) if secret in text] == []


def test_the_starter_gets_it(waiting, payer):
    secret = secret_of(waiting)
    assert any(secret in text for text in everything_that_a_browser_gets(browser(payer), waiting))


def test_staff_pages_show_it_nowhere(waiting):
    client = browser(UserFactory(is_staff=True, is_superuser=True))
    pages = [
        reverse("admin:payments_payment_change", args=[waiting.pk]),
        reverse("admin:payments_payment_changelist"),
        reverse("admin:payments_payment_look_up", args=[waiting.pk]),
        reverse("admin:accounts_auditentry_changelist"),
    ]
    assert [page for page in pages if secret_of(waiting) in client.get(page).content.decode()] == []


@pytest.mark.parametrize("role", PAYING_ROLES)
def test_a_colleague_is_told_why_the_approval_is_not_for_them(waiting, profile, role):
    response = browser(member(profile, role)).get(url("challenge", waiting))
    assert response.status_code == 403
    assert "Only the person who started this payment can approve it with the bank." in text_of(response)
    assert "Roles are given by our staff" not in text_of(response)
    assert f'href="{page_of(waiting)}"' in response.text
    with pytest.raises(PermissionDenied):
        challenge_of(access=access_for(member(profile, role), profile), reference=waiting.reference)


def test_an_approval_of_an_automatic_charge_is_refused_in_words_that_fit(waiting, profile):
    type(waiting).objects.filter(pk=waiting.pk).update(started_by=None)
    response = browser(member(profile, "profile_owner")).get(url("challenge", waiting))
    assert response.status_code == 403
    assert "This card was charged automatically, so nobody can approve it here." in text_of(response)
    assert "the person who started" not in text_of(response)
    assert f'href="{page_of(waiting)}"' in response.text


def test_a_colleague_sees_for_whom_it_waits_and_since_when_and_can_cancel_it(waiting, payer, profile, invoice):
    payer.name = "Invoice Manager"
    payer.save()
    colleague = browser(member(profile, "profile_owner"))
    text = text_of(colleague.get(page_of(waiting)))
    assert "This payment waits for bank approval" in text
    assert "Invoice Manager started it on" in text
    assert "and is the only one who can approve it with the bank." in text
    assert "To pay the invoice yourself, cancel this payment first." in text
    assert "Go on with" not in text
    cancelled = colleague.post(url("cancel", waiting), follow=True)
    assert cancelled.status_code == 200
    waiting.refresh_from_db()
    assert (waiting.status, charges(invoice), state(invoice)[0]) == ("expired", [], "open")
    assert press_pay(member(profile, "profile_owner"), invoice, card(profile)).status == "succeeded"


def test_cancelling_gives_a_colleague_no_secret_even_when_the_bank_cannot_be_reached(waiting, profile):
    secret = secret_of(waiting)
    sandbox().faults.arm("drop_before", on="expire")
    cancelled = browser(member(profile, "profile_owner")).post(url("cancel", waiting), follow=True)
    chain = [step for step, _status in cancelled.redirect_chain]
    assert secret not in f"{chain} {cancelled.content.decode()}"


def test_a_reader_is_told_for_whom_it_waits_and_offered_nothing(waiting, profile):
    text = text_of(browser(member(profile, "profile_reader")).get(page_of(waiting)))
    assert "is the only one who can approve it with the bank." in text
    assert "cancel" not in text.lower()


def test_the_return_page_leads_a_colleague_back_to_the_payment(waiting, profile):
    response = browser(member(profile, "profile_owner")).get(url("return", waiting))
    assert (response.status_code, response.url) == (303, page_of(waiting))


def test_an_automatic_charge_is_approved_by_nobody_and_cancelled_by_whoever_may_pay(profile, waiting, invoice):
    Payment.objects.update(started_by=None, is_automatic=True)
    owner = browser(member(profile, "profile_owner"))
    assert owner.get(url("challenge", waiting)).status_code == 403
    text = text_of(owner.get(page_of(waiting)))
    assert "It is an automatic charge of" in text
    assert secret_of(waiting) not in owner.get(page_of(waiting)).content.decode()
    owner.post(url("cancel", waiting))
    waiting.refresh_from_db()
    assert (waiting.status, state(invoice)[0]) == ("expired", "open")


def test_staff_who_also_have_a_role_see_no_more_than_a_colleague(waiting, profile):
    boss = member(profile, "profile_owner", is_staff=True, is_superuser=True)
    assert browser(boss).get(url("challenge", waiting)).status_code == 403


def test_a_page_that_a_colleague_sends_with_the_starters_key_leads_to_no_bank(waiting, payer, profile, invoice):
    from tests.payments.pages import filled_in, pay_url

    form = filled_in(invoice, attempt=str(waiting.attempt_key), method=str(waiting.method_id))
    response = browser(member(profile, "profile_owner")).post(pay_url(invoice), form)
    assert response.status_code == 422
    assert secret_of(waiting) not in response.content.decode()


@pytest.mark.parametrize("still", ["", "invoice_manager"])
def test_a_card_is_not_kept_for_somebody_who_may_not_keep_one_any_more(profile, still):
    owner, invoice = member(profile, "profile_owner"), issued(profile)
    payment = press_pay(owner, invoice, token="tok_3184_x", save_method=True, make_default=True)
    owner.assignments.all().delete()
    if still:
        RoleAssignment.objects.create(user=owner, role=still, profile=profile)
    with transaction() as at:
        answer_challenge(CardPayment.objects.get(), approved=True, at=at)
    deliver()
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert state(invoice)[0] == "paid"
    assert not PaymentMethod.objects.active().exists()
    detach_due(at=NOW)
    assert cards_at_the_gateway() == 0
    assert books_are_clean()

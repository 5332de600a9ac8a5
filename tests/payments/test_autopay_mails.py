"""Mails of new invoices, of automatic charges and of cards that expire: each once, to those whom it concerns."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.access import system_access
from accounts.models import BillingContact, BillingProfile
from billing_portal.core.mail import render
from billing_portal.core.models import OutgoingMail
from invoices.models import Invoice, RemittanceAccount
from invoices.operations.voiding import void
from payments.models import Payment
from payments.operations.notifications import announce_due, warn_of_expiring_cards
from tests.factories import NOW, BillingProfileFactory, SellerFactory, issued, member
from tests.payments.acts import card, sandbox
from tests.payments.autopaying import CHARGED, mails, run, story

pytestmark = pytest.mark.django_db


def announce(at=NOW) -> int:
    return announce_due(at=at, limit=10)


def text_of(mail: OutgoingMail, language: str = "en") -> str:
    rendered = render(mail.template, mail.context, language)
    assert rendered.subject
    assert "{{" not in rendered.html + rendered.text
    return " ".join(f"{rendered.subject}. {rendered.text}".split())


def test_a_new_invoice_is_told_once_with_the_day_on_which_it_is_charged(profile, payer):
    member(profile, "profile_reader")
    owner = member(profile, "profile_owner")
    card(profile, is_default=True)
    invoice = issued(profile)

    assert announce() == 1
    assert announce() == 0

    assert sorted(mails("invoice_ready")) == sorted([owner.email, payer.email])
    text = text_of(OutgoingMail.objects.first())
    assert f"Invoice {invoice.number} of €120.00 · due 25 Nov 2026" in text
    assert "It will be charged to Visa •••• 4242 on 29 Oct 2026." in text


def test_an_invoice_that_is_not_charged_says_how_to_pay_it(profile, payer):
    BillingProfile.objects.update(charges_automatically=False)
    profile.refresh_from_db()
    invoice = issued(profile)
    announce()
    text = text_of(OutgoingMail.objects.get())
    assert "Pay it by card in the portal, or by wire transfer." in text
    assert invoice.payment_reference in text
    assert f"/profiles/{profile.code}/invoices/{invoice.number}/pay/" in text


def test_an_invoice_that_is_to_be_charged_without_a_card_asks_for_one(profile, payer):
    issued(profile)
    announce()
    assert "there is no default card" in text_of(OutgoingMail.objects.get())


def test_contacts_get_it_in_their_language_and_without_a_way_in(profile):
    BillingContact.objects.create(profile=profile, email="payables@example.com", language="nl")
    BillingContact.objects.create(profile=profile, email="silent@example.com", gets_invoices=False)
    issued(profile)
    announce()
    mail = OutgoingMail.objects.get()
    assert (mail.to, mail.language) == ("payables@example.com", "nl")
    assert "/pay/" not in text_of(mail, "nl")


def test_the_mail_names_the_account_that_the_invoice_prints(profile, payer):
    """Not the one from the start, where another one holds by now."""
    BillingProfile.objects.update(default_method="check_wire")
    RemittanceAccount.objects.create(
        seller=SellerFactory(), currency="EUR", account_holder="Harbor Cloud Collections", iban="NL58EXAM0000000007",
        bic="EXAMNL2C",        valid_from_on=date(2026, 1, 1),
    )  # fmt: skip
    issued(BillingProfile.objects.get())
    announce()
    text = text_of(OutgoingMail.objects.get())
    assert "Account holder: Harbor Cloud Collections IBAN: NL58 EXAM 0000 0000 07 BIC: EXAMNL2C" in text
    assert "NL53 EXAM 0000 0000 00" not in text


def test_an_address_that_is_a_member_and_a_contact_is_written_to_once(profile, payer):
    BillingContact.objects.create(profile=profile, email=payer.email.upper())
    issued(profile)
    announce()
    assert mails("invoice_ready") == [payer.email]


def test_a_profile_that_wants_no_mail_gets_none(profile, payer):
    BillingProfile.objects.update(mails_invoices=False)
    profile.refresh_from_db()
    issued(profile)
    assert announce() == 0
    BillingProfile.objects.update(mails_invoices=True)
    issued(BillingProfile.objects.get())
    BillingProfile.objects.update(mails_invoices=False)
    assert announce() == 1
    assert mails() == []


def test_history_and_what_is_void_is_not_news(profile, payer):
    issued(profile, today=date(2026, 9, 1))
    gone = issued(profile)
    void(access=system_access(), invoice_id=gone.pk, reason="Sent twice", at=NOW)
    announce()
    assert mails() == ["credit_note"]
    assert not Invoice.objects.filter(announce_on__isnull=False).exists()


def test_one_invoice_in_trouble_does_not_keep_the_others_waiting(profile, payer, monkeypatch):
    from payments.operations import notifications

    bad, good = issued(profile), issued(profile)
    real = notifications.notify_new_invoice

    def tell(invoice, *, at):
        if invoice.pk == bad.pk:
            raise RuntimeError
        real(invoice, at=at)

    monkeypatch.setattr(notifications, "notify_new_invoice", tell)
    assert announce() == 1
    assert OutgoingMail.objects.get().context["number"] == good.number
    monkeypatch.undo()
    assert announce(NOW + timedelta(days=1)) == 1


@pytest.mark.parametrize("last_four", ["9995", "9979", "3184"])
@pytest.mark.parametrize("language", ["en", "nl"])
def test_what_became_of_a_charge_is_rendered_in_both_languages(profile, payer, last_four, language):
    if last_four == "9979":
        card(profile, "4444", backup_order=1)
    card(profile, last_four, is_default=True)
    invoice = issued(profile)
    run()
    for mail in OutgoingMail.objects.all():
        assert invoice.number in text_of(mail, language)


def test_the_first_failure_names_the_next_day(profile, payer):
    card(profile, "9995", is_default=True)
    issued(profile)
    run()
    run(CHARGED + timedelta(days=3))
    text = text_of(OutgoingMail.objects.get())
    assert "We will try the same card again on 1 Nov 2026." in text
    assert "not enough funds" in text


def warned(at) -> int:
    return warn_of_expiring_cards(at=at, limit=10)


def test_a_card_that_expires_is_told_twice_to_those_who_manage_cards(profile, payer):
    owner = member(profile, "profile_owner")
    card(profile, is_default=True, expiry_month=12, expiry_year=2026)
    assert warned(datetime(2026, 10, 31, tzinfo=UTC)) == 0
    for day in (1, 2, 30):
        warned(datetime(2026, 11, day, 12, tzinfo=UTC))
    assert mails("card_expiring") == [owner.email]
    for day in (1, 2, 31):
        warned(datetime(2026, 12, day, 12, tzinfo=UTC))
    assert mails("card_expiring") == [owner.email] * 2
    assert warned(datetime(2027, 1, 1, 12, tzinfo=UTC)) == 0
    assert "The default card of Operations NL can be charged until the end of 12/2026." in text_of(
        OutgoingMail.objects.first()
    )


def test_only_cards_that_are_relied_on_are_warned_of(profile):
    member(profile, "profile_owner")
    card(profile, expiry_month=11, expiry_year=2026)
    card(BillingProfileFactory(), status="removed", expiry_month=11, expiry_year=2026)
    assert warned(datetime(2026, 11, 5, tzinfo=UTC)) == 0
    card(profile, "4444", backup_order=1, expiry_month=11, expiry_year=2026)
    assert warned(datetime(2026, 11, 5, tzinfo=UTC)) == 1
    assert mails() == ["card_expiring"]


def test_a_renewed_card_is_warned_of_again_when_its_new_date_comes(profile):
    member(profile, "profile_owner")
    visa = card(profile, is_default=True, expiry_month=11, expiry_year=2026)
    warned(datetime(2026, 11, 5, tzinfo=UTC))
    visa.expiry_year = 2029
    visa.save(update_fields=["expiry_year"])
    assert warned(datetime(2026, 12, 5, tzinfo=UTC)) == 0
    assert warned(datetime(2029, 11, 5, tzinfo=UTC)) == 1
    assert len(mails("card_expiring")) == 2


def test_a_mail_server_that_is_away_delays_the_receipt_and_nothing_else(profile, payer, settings):
    """The charge stands in its own commit; the mail goes out later, once."""
    from django.core import mail as sent

    from billing_portal.core.mail import send_due

    card(profile, is_default=True)
    invoice = issued(profile)
    run()
    invoice.refresh_from_db()
    assert invoice.status == "paid"

    settings.MAILERS = {"default": {"BACKEND": "tests.core.test_mail.AwayBackend"}}
    send_due(at=CHARGED, limit=10)
    assert sent.outbox == []
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    for minutes in (2, 3, 60):
        send_due(at=CHARGED + timedelta(minutes=minutes), limit=10)
    assert [message.to for message in sent.outbox if "120.00" in message.subject] == [[payer.email]]


@pytest.mark.parametrize(("code", "words"), [("too_small", "too small"), ("too_large", "too large")])
def test_an_amount_that_no_card_can_pay_is_told_with_the_wire_and_no_pay_button(profile, payer, code, words):
    card(profile, is_default=True)
    invoice = issued(profile)
    sandbox().faults.arm("decline", on="charge", value=code)
    run(CHARGED)
    assert story(invoice) == ("stopped", code, 1)
    assert Payment.objects.get().needs_staff
    text = text_of(OutgoingMail.objects.get(template="charge_stopped"))
    assert f"The reason: the amount is {words} for a card." in text
    assert "Pay this invoice by wire transfer." in text
    assert "Pay now" not in text

"""What people see of automatic charges: on invoices, on the page of payment methods, and in the staff pages."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission as DjangoPermission
from django.db import connection, connections
from django.urls import reverse

from accounts.models import AuditEntry, BillingProfile
from invoices.models import Invoice
from payments.models import AutomaticCharge, PaymentMethod
from tests.factories import TODAY, UserFactory, issued, member
from tests.payments.acts import card, press_pay
from tests.payments.autopaying import CHARGED, plan, planned_on, run
from tests.payments.pages import BLADE, browser, filled_in, pay_url, text_of
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(profile):
    return browser(member(profile, "profile_owner"))


@pytest.fixture
def visa(profile):
    return card(profile, is_default=True)


def url(name, profile, *args):
    return reverse(f"payments:{name}", args=[profile.code, *args])


def page(client, profile) -> str:
    return text_of(client.get(url("methods", profile)))


def test_an_invoice_names_the_day_and_can_be_paid_before_that(owner, profile, visa):
    invoice = issued(profile)
    # Far enough ahead of the days on which this test runs that it is not past due on any of them.
    Invoice.objects.update(due_on=date(2099, 11, 25), autopay_on=date(2099, 10, 29))
    row = text_of(owner.get(reverse("invoices:list", args=[profile.code])))
    assert "Automatic charge on 29 Oct 2099" in row
    detail = owner.get(reverse("invoices:detail", args=[profile.code, invoice.number]))
    assert "Automatic charge on 29 Oct 2099" in text_of(detail)
    assert pay_url(invoice) in detail.content.decode()


def test_an_invoice_that_is_not_going_to_be_charged_names_no_day(owner, profile, visa):
    invoice = issued(profile)
    BillingProfile.objects.update(default_method="check_wire")
    for name, *rest in (("list",), ("detail", invoice.number)):
        assert "Automatic charge on" not in text_of(owner.get(reverse(f"invoices:{name}", args=[profile.code, *rest])))


def test_a_declined_charge_is_told_wherever_the_next_one_is(owner, profile, payer):
    card(profile, "9995", is_default=True)
    invoice = issued(profile)
    detail = reverse("invoices:detail", args=[profile.code, invoice.number])
    run()
    Invoice.objects.update(due_on=date(2099, 11, 25), autopay_on=date(2099, 11, 1))
    assert "Card declined; charged again on 1 Nov 2099" in text_of(
        owner.get(reverse("invoices:list", args=[profile.code]))
    )
    assert "Automatic charge on 1 Nov 2099 The card was declined on 29 Oct 2026." in text_of(owner.get(detail))
    assert "on 1 Nov 2099 (declined on 29 Oct 2026)" in page(owner, profile)
    Invoice.objects.update(autopay_on=None)
    assert "Automatic charge declined on 29 Oct" in text_of(owner.get(reverse("invoices:list", args=[profile.code])))
    assert "The automatic charge was declined on 29 Oct 2026 It is not charged again" in text_of(owner.get(detail))
    press_pay(payer, invoice, card(profile))
    for address in (reverse("invoices:list", args=[profile.code]), detail):
        assert "declined" not in text_of(owner.get(address))


def test_the_page_names_what_is_charged_next_and_to_which_card(owner, profile, visa):
    invoice = issued(profile)
    assert f"{invoice.number} : €120.00 to Visa •••• 4242 on 29 Oct 2026" in page(owner, profile)


def test_the_switch_is_there_for_those_who_may(owner, profile, visa, payer):
    issued(profile)
    assert "Switch off" in page(owner, profile)
    assert "Switch off" not in page(browser(payer), profile)
    assert browser(payer).post(url("autopay", profile), {"on": "0"}).status_code == 403
    assert BillingProfile.objects.get().charges_automatically

    text = text_of(owner.post(url("autopay", profile), {"on": "0"}, follow=True))
    assert "Nothing is charged automatically." in text
    assert "Switch on" in text
    assert not BillingProfile.objects.get().charges_automatically
    owner.post(url("autopay", profile), {"on": "1"})
    assert BillingProfile.objects.get().charges_automatically


@pytest.mark.parametrize("form", [{}, {"on": ""}, {"on": "off"}])
def test_a_form_that_says_neither_yes_nor_no_switches_nothing_off(owner, profile, form):
    assert owner.post(url("autopay", profile), form).status_code == 400
    assert BillingProfile.objects.get().charges_automatically
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("form", [{}, {"act": ""}, {"act": "sideways"}])
def test_a_form_that_does_not_say_what_becomes_of_a_backup_changes_none(owner, profile, visa, form):
    first, second = card(profile, "4444"), card(profile, "1881")
    for each in (first, second):
        owner.post(url("backup", profile, each.pk), {"act": "add"})
    before = [(entry.pk, entry.action) for entry in AuditEntry.objects.all()]
    order = list(PaymentMethod.objects.order_by("pk").values_list("backup_order", flat=True))
    for each in (visa, first):
        assert owner.post(url("backup", profile, each.pk), form).status_code == 400
    assert list(PaymentMethod.objects.order_by("pk").values_list("backup_order", flat=True)) == order
    assert [(entry.pk, entry.action) for entry in AuditEntry.objects.all()] == before


def test_what_failed_is_offered_to_be_paid_and_never_charged_by_itself(owner, profile):
    card(profile, "9979", is_default=True)
    invoice = issued(profile)
    run()
    good = card(profile, "4444")
    text = text_of(owner.post(url("make_default", profile, good.pk), follow=True))
    assert f"Could not be charged {invoice.number} €120.00, due 25 Nov 2026." in text
    assert "The reason: the bank refused the card for good." in text
    run(CHARGED + timedelta(days=30))
    assert planned_on(invoice) is None

    press_pay(member(profile, "profile_owner"), invoice, good)
    assert "Could not be charged" not in page(owner, profile)


def test_a_card_that_becomes_the_default_while_paying_offers_what_failed_too(owner, profile):
    card(profile, "9979", is_default=True)
    failed, other = issued(profile), issued(profile, today=TODAY + timedelta(days=30))
    run()
    form = filled_in(other, make_default="on")
    text = text_of(owner.post(pay_url(other), form, follow=True))
    assert "Other invoices could not be charged" in text
    assert planned_on(failed) is None

    good = PaymentMethod.objects.get(is_default=True)
    form = filled_in(failed, method=good.pk)
    assert "could not be charged" not in text_of(owner.post(pay_url(failed), form, follow=True))


def test_what_people_stopped_themselves_is_not_held_against_them(owner, profile, visa):
    issued(profile)
    card(profile, "9995", backup_order=1)
    BillingProfile.objects.update(charges_automatically=False)
    run()
    assert plan(profile.invoices.get()).stopped_because == "switched_off"
    assert "Could not be charged" not in page(owner, profile)


def test_the_backups_stand_in_their_order_with_their_buttons(owner, profile, visa):
    first, second = card(profile, "4444", brand="mastercard"), card(profile, "0005", brand="amex")
    for each in (first, second):
        owner.post(url("backup", profile, each.pk), {"act": "add"})
    text = page(owner, profile)
    assert text.index("Mastercard •••• 4444") < text.index("American Express •••• 0005")
    owner.post(url("backup", profile, second.pk), {"act": "up"})
    text = page(owner, profile)
    assert text.index("American Express •••• 0005") < text.index("Mastercard •••• 4444")
    owner.post(url("backup", profile, second.pk), {"act": "drop"})
    assert PaymentMethod.objects.get(backup_order=1) == first
    said = text_of(owner.post(url("backup", profile, visa.pk), {"act": "add"}, follow=True))
    assert "This is the default card, which is charged first." in said


def test_each_blocker_stands_beside_its_remedy(owner, profile, visa):
    issued(profile)
    response = owner.get(url("remove_method", profile, visa.pk), headers=BLADE)
    text = text_of(response)
    assert "Invoices are going to be charged to it. Make another card the default, or switch automatic" in text
    assert "It is the only payment method of this billing profile. Add another card first" in text
    assert "Remove card</button>" not in response.content.decode()
    assert owner.post(url("remove_method", profile, visa.pk)).status_code == 422
    assert PaymentMethod.objects.get().status == "active"


def test_a_card_is_replaced_in_one_go(owner, profile, visa):
    address = f"{url('add_method', profile)}?replaces={visa.pk}"
    assert "The new card takes the place of Visa •••• 4242, which is removed." in text_of(owner.get(address))
    form = {"attempt": str(uuid4()), "card_token": f"tok_4444_{uuid4().hex[:8]}", "replaces": visa.pk}
    text = text_of(owner.post(url("add_method", profile), form, follow=True))
    assert "Mastercard •••• 4444 took the place of Visa •••• 4242." in text
    assert list(PaymentMethod.objects.filter(status="active").values_list("last_four", "is_default")) == [
        ("4444", True)
    ]


def test_an_expired_default_is_said_at_the_top(owner, profile):
    card(profile, is_default=True, expiry_year=2025)
    assert "The default card has expired" in page(owner, profile)


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_busy_is_said_and_nothing_is_changed(owner, profile, visa):
    from threading import Event, Thread

    from django.db import transaction

    other = card(profile, "4444")
    held, done = Event(), Event()

    def hold():
        with transaction.atomic():
            list(BillingProfile.objects.filter(pk=profile.pk).locked())
            held.set()
            done.wait(PATIENCE)
        connections.close_all()

    thread = Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        for name, row in (("make_default", other), ("remove_method", other), ("backup", other)):
            response = owner.post(url(name, profile, row.pk), {"act": "add"}, follow=True)
            assert "The portal is busy. Nothing was changed. Try again in a minute." in text_of(response)
        text = text_of(owner.post(url("autopay", profile), {"on": "0"}, follow=True))
        assert "The portal is busy." in text
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 0")
        done.set()
        thread.join(PATIENCE)
    assert PaymentMethod.objects.get(is_default=True) == visa


def staff_url(name, *args):
    return reverse(f"admin:payments_automaticcharge_{name}", args=args)


@pytest.fixture
def refused(profile):
    card(profile, "9979", is_default=True)
    invoice = issued(profile)
    run()
    return plan(invoice)


def test_staff_find_a_charge_by_state_and_reason_and_from_its_invoice(refused):
    client = browser(UserFactory(is_staff=True, is_superuser=True))
    number = refused.invoice.number
    assert number in text_of(client.get(staff_url("changelist"), {"stopped_because__exact": "refused"}))
    assert number not in text_of(client.get(staff_url("changelist"), {"status__exact": "planned"}))
    invoice_page = client.get(reverse("admin:invoices_invoice_change", args=[refused.invoice_id])).content.decode()
    assert f"{staff_url('changelist')}?q={number}" in invoice_page


def test_staff_plan_it_again_after_being_asked(refused):
    client = browser(UserFactory(is_staff=True, is_superuser=True))
    assert "Plan again" in text_of(client.get(staff_url("change", refused.pk)))
    assert "The default card is charged today" in text_of(client.get(staff_url("again", refused.pk)))
    assert AutomaticCharge.objects.get().status == "stopped"
    assert "is charged today." in text_of(client.post(staff_url("again", refused.pk), follow=True))
    assert AutomaticCharge.objects.get().status == "planned"
    assert planned_on(refused.invoice) >= TODAY


def test_staff_are_told_why_it_cannot_be_planned(refused, payer):
    client = browser(UserFactory(is_staff=True, is_superuser=True))
    press_pay(payer, refused.invoice, card(refused.profile, "4444"))
    assert "it was paid in another way" in text_of(client.post(staff_url("again", refused.pk), follow=True))
    assert AutomaticCharge.objects.get().status == "stopped"


def test_staff_who_may_only_look_plan_nothing(refused):
    looker = UserFactory(is_staff=True)
    looker.user_permissions.add(DjangoPermission.objects.get(codename="view_automaticcharge"))
    client = browser(looker)
    assert client.get(staff_url("change", refused.pk)).status_code == 200
    assert client.post(staff_url("again", refused.pk)).status_code == 403
    assert AutomaticCharge.objects.get().status == "stopped"

"""Builds the demo through the operations that the pages use. Dates are counted back from the moment it is built:
something is always due this week and something past due."""

import secrets
from datetime import datetime, timedelta
from decimal import Decimal

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import F

from accounts.access import access_of, staff_access, system_access
from accounts.models import BillingAccount, BillingProfile, InvoiceSection, Seller, TaxId, User
from accounts.operations.contacts import add_contact
from accounts.operations.roles import grant_role
from accounts.operations.wire import request_wire
from accounts.roles import Role
from billing_portal.core.models import OutgoingMail
from billing_portal.demo import data
from billing_portal.demo.history import play
from invoices.models import Charge, Credit, Delivery, Invoice, InvoiceLine, RemittanceAccount, TaxRate
from invoices.money import Money
from invoices.operations.charges import record_charge
from invoices.operations.closing import close_due
from invoices.operations.credits import add_credit, expire_credits, grant_credit
from invoices.operations.dunning import update_profile_statuses
from invoices.operations.invoice_payments import mark_announced, plan_autopay
from invoices.operations.issuing import issue
from invoices.tax import complete
from payments.gateways.sandbox.card_payments import customer_of
from payments.gateways.sandbox.models import StoredCard
from payments.models import PaymentMethod

COPIED = (
    "name", "currency", "invoice_day", "po_number", "document_language", "invoice_format", "company", "street",
    "postal_code", "city", "country",
)  # fmt: skip
TAX_RATES = {("S", "21"): "VAT high", ("AE", "0"): "Reverse charge", ("G", "0"): "Outside EU VAT"}


def build(*, at: datetime) -> None:
    """Fills an empty database. ``at`` is the moment the demo is looked at for the first time."""
    people = make_people()
    profiles = make_customers(people, at=at)
    places = {plan.name: profile for plan, profile in profiles}
    open_remittance_accounts(at=at)
    grant_early_credits(places[data.OPERATIONS.name], at=at)
    plans = sorted(
        ((bill, plan, profile) for plan, profile in profiles for bill in plan.bills), key=lambda row: -row[0].age
    )
    issued = [(bill, plan, make_invoice(bill, plan, profile, at=at)) for bill, plan, profile in plans]
    for bill, plan, invoice in issued:
        play(bill, plan, invoice, people, at=at)
    marketing, head_office = places[data.MARKETING.name], places[data.HEAD_OFFICE.name]
    request_wire(
        access=access_of(people["reader"]).inside(marketing),
        profile_id=marketing.pk,
        facts={
            "legal_name": "Example Trading UK Ltd",
            "registration_number": "00000000",
            "monthly_amount": "GBP 1,500",
            "contact_name": "Accounts payable",
            "contact_email": "payable@example.com",
            "contact_phone": "",
            "reason": "We pay all of our suppliers by wire transfer, once a month.",
        },
        at=at - timedelta(days=2),
    )
    for name, email, language in (
        ("Accounts payable", "payable@example.com", "en"),
        ("Crediteurenadministratie", "crediteuren@example.com", "nl"),
    ):
        add_contact(
            access=system_access(head_office), profile_id=head_office.pk, name=name, email=email, language=language,
            at=at - timedelta(days=90),
        )  # fmt: skip
    update_profile_statuses(at=at, limit=100)
    record_usage(profiles, at=at)
    close_due(at=at)  # nothing yet, but from now on the periods of these profiles run
    grant_late_credits(places[data.OPERATIONS.name], people["admin"], at=at)
    # Nobody waits for mail about things that never happened; the documents are shown as mailed on their days.
    OutgoingMail.objects.all().delete()
    mailed = Delivery.objects.filter(channel=Delivery.Channel.MAIL)
    mailed.update(status=Delivery.Status.SENT, sent_at=F("created_at"), answered_at=F("created_at"), next_try_at=None)


def make_people() -> dict[str, User]:
    password = make_password(data.PASSWORD)
    people = {}
    for person in data.SIGN_INS:
        name = person.email.partition("@")[0]
        is_staff = name == "admin"
        people[name] = User.objects.create(
            email=person.email, name=str(person.label), password=password, is_staff=is_staff, is_superuser=is_staff
        )
        EmailAddress.objects.create(user=people[name], email=person.email, primary=True, verified=True)
    return people


def make_seller() -> Seller:
    return Seller.objects.create(
        code="NL", company="Example Cloud B.V.", street="Voorbeeldkade 1", postal_code="1011 AA", city="Amsterdam",
        country="NL", attention="Accounts receivable", phone="+31 20 000 0000", email="billing@example.com",
        vat_number="NL000000001B64", company_number="00000000", endpoint_scheme="0106", endpoint_id="00000000",
    )  # fmt: skip


@transaction.atomic
def make_customers(people: dict[str, User], *, at: datetime) -> list[tuple[data.Profile, BillingProfile]]:
    """The tax numbers have right check digits, or staff could not save the accounts, and lie where no tax office gives
    any out: Dutch ones that begin with 9999 are for tests, German ones do not begin with 9."""
    seller = make_seller()
    trading = BillingAccount.objects.create(
        seller=seller,
        name="Example Trading",
        company="Example Trading B.V.",
        attention="Accounts payable",
        street="Voorbeeldstraat 12",
        postal_code="1011 AA",
        city="Amsterdam",
        country="NL",
        created_at=at - timedelta(days=410),
    )
    TaxId.objects.create(account=trading, value="NL999999990B01")
    sample = BillingAccount.objects.create(
        seller=seller,
        name="Sample Logistics",
        company="Sample Logistics GmbH",
        street="Musterstraße 5",
        postal_code="10115",
        city="Berlin",
        country="DE",
    )
    TaxId.objects.create(account=sample, value="DE999999995")
    own = [(plan, make_profile(plan, trading, at=at)) for plan in data.CUSTOMER]
    logistics = make_profile(data.LOGISTICS, sample, at=at)
    places = {plan.name: profile for plan, profile in own}
    two = [places[data.OPERATIONS.name], places[data.MARKETING.name]]
    for name, role, scopes in (
        ("accountowner", Role.ACCOUNT_OWNER, [trading]),
        ("manager", Role.INVOICE_MANAGER, two[:1]),
        ("owner", Role.PROFILE_OWNER, [*places.values()]),
        ("contributor", Role.PROFILE_CONTRIBUTOR, two),
        ("reader", Role.PROFILE_READER, two),
        ("stranger", Role.PROFILE_OWNER, [logistics]),
    ):
        for place in scopes:
            grant_role(access=system_access(), user=people[name], role=role, place=place, at=at)
    return [*own, (data.LOGISTICS, logistics)]


def make_profile(plan: data.Profile, account: BillingAccount, *, at: datetime) -> BillingProfile:
    """With its sections and its card. The card is written directly, because no gateway stores one that has expired."""
    profile = BillingProfile.objects.create(
        account=account,
        **{name: getattr(plan, name) for name in COPIED},
        charges_automatically=plan.autopay,
        default_method=(BillingProfile.DefaultMethod.CHECK_WIRE if plan.by_wire else BillingProfile.DefaultMethod.CARD),
        is_wire_approved=plan.by_wire,
    )
    names = dict.fromkeys(line[0] for bill in plan.bills for line in bill.lines)
    InvoiceSection.objects.bulk_create(InvoiceSection(profile=profile, name=name) for name in names)
    if last_four := plan.card or plan.expired_card:
        method = PaymentMethod.objects.create(
            profile=profile,
            brand="mastercard" if last_four == "4444" else "visa",
            last_four=last_four,
            expiry_month=at.month,
            expiry_year=at.year + (3 if plan.card else -1),
            is_default=True,
            gateway="sandbox",
            gateway_method=f"card_{last_four}_{secrets.token_hex(8)}",
            created_at=at - timedelta(days=400),
        )
        StoredCard.objects.create(
            id=method.gateway_method,
            customer=customer_of(profile.code),
            expiry_month=method.expiry_month,
            expiry_year=method.expiry_year,
        )
    return profile


def open_remittance_accounts(*, at: datetime) -> None:
    """Our own bank accounts, from before the first invoice. Numbers that no bank gives out."""
    for currency, iban in (("EUR", "NL53EXAM0000000000"), ("GBP", "GB06EXAM00000000000000")):
        RemittanceAccount.objects.create(
            seller=Seller.objects.get(),
            currency=currency,
            valid_from_on=(at - timedelta(days=800)).date(),
            account_holder="Example Cloud B.V.",
            iban=iban,
            bic="EXAMNL2A" if currency == "EUR" else "EXAMGB2L",
            bank="Example Bank",
            check_address="Example Cloud B.V.\nP.O. Box 1\n1000 AA Amsterdam\nNetherlands",
        )


def make_invoice(bill: data.Bill, plan: data.Profile, profile: BillingProfile, *, at: datetime) -> Invoice:
    """Issued ``bill.age`` days ago, for the thirty days before. Neither charge nor announcement is planned:
    the worker must not be quicker than somebody who tries Pay now."""
    issued_at = at - timedelta(days=bill.age)
    day = profile.day_of(issued_at)
    sections = {section.name: section for section in profile.sections.all()}
    invoice = Invoice.objects.create(
        profile=profile,
        currency=profile.currency,
        kind=bill.kind,
        period_start_on=day - timedelta(days=30),
        period_end_on=day - timedelta(days=1),
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            section=sections[section],
            position=position,
            description=description,
            quantity=Decimal(quantity),
            unit=unit,
            unit_price=Decimal(unit_price) * bill.price,
            tax_category=plan.tax_category,
            tax_rate=Decimal(plan.tax_rate),
        )
        for position, (section, description, quantity, unit, unit_price) in enumerate(bill.lines, start=1)
    )
    invoice = issue(access=system_access(profile), invoice_id=invoice.pk, today=day, at=issued_at)
    plan_autopay(invoice, None)
    mark_announced(invoice)
    return invoice


def record_usage(profiles: list[tuple[data.Profile, BillingProfile]], *, at: datetime) -> None:
    """Half of what the newest invoice of each profile charges for, so that something closes on the next invoice day."""
    rates = {}
    for (category, percent), name in TAX_RATES.items():
        rate = rates[category] = TaxRate(name=name, tax_category=category, percent=Decimal(percent))
        complete(rate, rate.percent)
        rate.save()
    for plan, profile in profiles:
        sections = {section.name: section for section in profile.sections.all()}
        for bill in sorted(plan.bills, key=lambda bill: bill.age)[:1]:
            for section, description, quantity, unit, unit_price in bill.lines:
                charge = Charge(
                    profile=profile,
                    section=sections[section],
                    kind="usage" if unit in ("HUR", "E34") else "one_off",
                    description=description,
                    quantity=(Decimal(quantity) / 2).quantize(Decimal("0.0001")),
                    unit=unit,
                    unit_price=Decimal(unit_price) * bill.price,
                    tax_rate=rates[plan.tax_category],
                    happened_on=profile.day_of(at - timedelta(days=1)),
                )
                record_charge(access=system_access(profile), charge=charge, at=at)


def grant_early_credits(profile: BillingProfile, *, at: datetime) -> None:
    """Before anything was billed: a credit that the first invoice uses up, and one of days between two periods."""
    began = at - timedelta(days=410)
    welcome, outage = Money(50_00, profile.currency), Money(40_00, profile.currency)
    add_credit(profile=profile, amount=welcome, source=Credit.Source.PROMOTION, description="Welcome credit", at=began)
    add_credit(
        profile=profile, amount=outage, source=Credit.Source.GOODWILL, description="For the outage of last winter",
        at=began, starts_on=profile.day_of(at - timedelta(days=66)), expires_on=profile.day_of(at - timedelta(days=65)),
    )  # fmt: skip


def grant_late_credits(profile: BillingProfile, staff: User, *, at: datetime) -> None:
    """What has expired, and what waits for the next invoice: one that expires soon, one that stays, one not begun."""
    expire_credits(at=at)
    today = profile.day_of(at)
    for source, minor, description, starts, expires in (
        (Credit.Source.GOODWILL, 75_00, "For the delayed delivery", None, 20),
        (Credit.Source.PREPAYMENT, 250_00, "Paid in advance", None, None),
        (Credit.Source.PROMOTION, 30_00, "Loyalty credit", 15, 120),
    ):
        grant_credit(
            access=staff_access(staff),
            profile_id=profile.pk,
            source=source,
            amount=Money(minor, profile.currency),
            description=description,
            starts_on=today + timedelta(days=starts) if starts else None,
            expires_on=today + timedelta(days=expires) if expires else None,
            at=at,
        )

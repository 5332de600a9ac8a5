"""Builds the demo through the same operations that the pages use, so that its books add up like any others.

Dates are counted back from the moment it is built: whenever somebody tries the portal, something is due this week and
something is past due.
"""

import secrets
from datetime import datetime, timedelta
from decimal import Decimal

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import transaction

from accounts.access import staff_access, system_access
from accounts.models import BillingAccount, BillingProfile, InvoiceSection, TaxId, User
from accounts.operations.roles import grant_role
from accounts.roles import Role
from billing_portal.core.models import OutgoingMail
from billing_portal.demo import PASSWORD, SIGN_INS
from billing_portal.demo.arranging import arrange, open_accounts
from billing_portal.demo.charging import record_usage
from billing_portal.demo.content import CUSTOMER, LOGISTICS, MARKETING, OPERATIONS, Bill, Profile
from billing_portal.demo.crediting import grant_early, grant_late
from billing_portal.demo.living import Actors, happen
from invoices.models import Invoice, InvoiceLine
from invoices.operations.invoice_payments import mark_announced, plan_autopay
from invoices.operations.issuing import issue
from payments.models import PaymentMethod


def build(*, at: datetime) -> None:
    """Fills an empty database. ``at`` is the moment the demo is looked at for the first time."""
    people = make_people()
    profiles = make_customers(people, at=at)
    open_accounts(at=at)
    actors = Actors(staff=people["admin"], payer=people["owner"], stranger=people["stranger"])
    operations = next(profile for plan, profile in profiles if plan is OPERATIONS)
    grant_early(operations, at=at)
    issued = [
        (bill, invoice, plan, profile)
        for bill, plan, profile in sorted(
            ((bill, plan, profile) for plan, profile in profiles for bill in plan.bills), key=lambda row: -row[0].age
        )
        for invoice in [make_invoice(bill, plan, profile, at=at)]
    ]
    for bill, invoice, plan, profile in issued:
        happen(bill, invoice, plan, profile, actors, at=at)
    arrange(people, profiles, at=at)
    record_usage(profiles, at=at)
    grant_late(operations, staff=staff_access(people["admin"]), at=at)
    # Nobody waits for mail about things that never happened.
    OutgoingMail.objects.all().delete()


def make_people() -> dict[str, User]:
    password = make_password(PASSWORD)
    people = {}
    for person in SIGN_INS:
        name = person.email.partition("@")[0]
        is_staff = name == "admin"
        people[name] = User.objects.create(
            email=person.email, name=str(person.label), password=password, is_staff=is_staff, is_superuser=is_staff
        )
        EmailAddress.objects.create(user=people[name], email=person.email, primary=True, verified=True)
    return people


@transaction.atomic
def make_customers(people: dict[str, User], *, at: datetime) -> list[tuple[Profile, BillingProfile]]:
    trading = BillingAccount.objects.create(
        name="Example Trading",
        company="Example Trading B.V.",
        attention="Accounts payable",
        street="Voorbeeldstraat 12",
        postal_code="1011 AA",
        city="Amsterdam",
        country="NL",
        created_at=at - timedelta(days=410),
    )
    TaxId.objects.create(account=trading, kind=TaxId.Kind.VAT, value="NL000000000B00")
    sample = BillingAccount.objects.create(
        name="Sample Logistics",
        company="Sample Logistics GmbH",
        street="Musterstraße 5",
        postal_code="10115",
        city="Berlin",
        country="DE",
    )
    TaxId.objects.create(account=sample, kind=TaxId.Kind.VAT, value="DE000000000")
    own = [(plan, make_profile(plan, trading, at=at)) for plan in CUSTOMER]
    other = (LOGISTICS, make_profile(LOGISTICS, sample, at=at))
    places = {plan.name: profile for plan, profile in own}
    access = system_access()
    grant_role(access=access, user=people["accountowner"], role=Role.ACCOUNT_OWNER, place=trading, at=at)
    grant_role(access=access, user=people["manager"], role=Role.INVOICE_MANAGER, place=places[OPERATIONS.name], at=at)
    for profile in places.values():
        grant_role(access=access, user=people["owner"], role=Role.PROFILE_OWNER, place=profile, at=at)
    for plan in (OPERATIONS, MARKETING):
        place = places[plan.name]
        grant_role(access=access, user=people["contributor"], role=Role.PROFILE_CONTRIBUTOR, place=place, at=at)
        grant_role(access=access, user=people["reader"], role=Role.PROFILE_READER, place=place, at=at)
    grant_role(access=access, user=people["stranger"], role=Role.PROFILE_OWNER, place=other[1], at=at)
    return [*own, other]


def make_profile(plan: Profile, account: BillingAccount, *, at: datetime) -> BillingProfile:
    profile = BillingProfile.objects.create(
        account=account,
        name=plan.name,
        currency=plan.currency,
        company=plan.company,
        street=plan.street,
        postal_code=plan.postal_code,
        city=plan.city,
        country=plan.country,
        po_number=plan.po_number,
        charges_automatically=plan.autopay,
        default_method=(BillingProfile.DefaultMethod.CHECK_WIRE if plan.by_wire else BillingProfile.DefaultMethod.CARD),
        is_wire_approved=plan.by_wire,
    )
    names = dict.fromkeys(line[0] for bill in plan.bills for line in bill.lines)
    InvoiceSection.objects.bulk_create(InvoiceSection(profile=profile, name=name) for name in names)
    if plan.card:
        add_card(profile, plan.card, at=at, years=3, is_default=True)
    if plan.expired_card:
        add_card(profile, plan.expired_card, at=at, years=-1, is_default=True)
    return profile


def add_card(profile: BillingProfile, last_four: str, *, at: datetime, years: int, is_default: bool) -> PaymentMethod:
    """Stored as if the gateway had kept it. Written directly, because no gateway stores a card that has expired."""
    return PaymentMethod.objects.create(
        profile=profile,
        brand="mastercard" if last_four == "4444" else "visa",
        last_four=last_four,
        expiry_month=at.month,
        expiry_year=at.year + years,
        is_default=is_default,
        gateway="sandbox",
        gateway_method=f"card_{last_four}_{secrets.token_hex(8)}",
        created_at=at - timedelta(days=400),
    )


def make_invoice(bill: Bill, plan: Profile, profile: BillingProfile, *, at: datetime) -> Invoice:
    """Issued ``bill.age`` days ago, for the thirty days before. What would have happened to it by itself has not: the
    worker must neither charge it before somebody who tries Pay now, nor tell of it."""
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
            tax_rate=Decimal(plan.tax_rate),
            tax_note=plan.tax_note,
        )
        for position, (section, description, quantity, unit, unit_price) in enumerate(bill.lines, start=1)
    )
    invoice = issue(access=system_access(profile), invoice_id=invoice.pk, today=day, at=issued_at)
    plan_autopay(invoice, None)
    mark_announced(invoice)
    return invoice

"""Objects for tests. The values that matter to a test are written in the test."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import factory
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.hashers import make_password
from factory.django import DjangoModelFactory

from accounts.access import Access, access_of, system_access
from accounts.models import BillingAccount, BillingProfile, InvoiceSection, RoleAssignment, Seller, User
from accounts.roles import Role, Scope, scope_of
from invoices import fingerprints
from invoices.models import Credit, ExchangeRate, Invoice, InvoiceLine, NumberSeries, RemittanceAccount, TaxRate
from invoices.money import Money
from invoices.operations.credits import add_credit
from invoices.operations.issuing import issue
from invoices.periods import next_invoice_day
from payments.models import PaymentMethod

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = datetime(2026, 10, 26, 8, 0, tzinfo=UTC)
TODAY = date(2026, 10, 26)


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User

    email = factory.Sequence("person{}@example.com".format)
    password = factory.LazyFunction(lambda: make_password(None))


def proven(user: User, password: str) -> User:
    """The person after their mailbox has answered and they have chosen a password."""
    user.set_password(password)
    user.save(update_fields=["password"])
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def who_signs_in(password: str, **fields) -> User:
    return proven(UserFactory(**fields), password)


class SellerFactory(DjangoModelFactory):
    """The seller of every account, with an account in euro."""

    class Meta:
        model = Seller
        django_get_or_create = ("code",)
        skip_postgeneration_save = True

    code, company = "MAIN", "Example Cloud B.V."
    street, postal_code, city, country = "Voorbeeldkade 1", "1011 AA", "Amsterdam", "NL"
    email, vat_number, company_number = "billing@example.com", "NL000000001B64", "00000000"

    bank = factory.RelatedFactory("tests.factories.RemittanceAccountFactory", "seller")


class RemittanceAccountFactory(DjangoModelFactory):
    class Meta:
        model = RemittanceAccount
        django_get_or_create = ("seller", "currency", "valid_from_on")

    currency, valid_from_on, account_holder = "EUR", None, "Example Cloud B.V."
    iban, bic = "NL53EXAM0000000000", "EXAMNL2A"


class BillingAccountFactory(DjangoModelFactory):
    class Meta:
        model = BillingAccount

    seller = factory.SubFactory(SellerFactory)

    name = company = "Example Trading B.V."
    street, postal_code, city, country = "Voorbeeldstraat 1", "1011 AA", "Amsterdam", "NL"


class BillingProfileFactory(DjangoModelFactory):
    class Meta:
        model = BillingProfile

    account = factory.SubFactory(BillingAccountFactory)
    name, currency, company, country = "Operations NL", "EUR", "Example Trading B.V.", "NL"


class PaymentMethodFactory(DjangoModelFactory):
    """Visa 4242, good until the end of 2030; the sandbox knows ``gateway_method`` as a card that works."""

    class Meta:
        model = PaymentMethod

    profile = factory.SubFactory(BillingProfileFactory)
    brand, last_four, expiry_month, expiry_year = "visa", "4242", 12, 2030
    gateway = "sandbox"
    gateway_method = factory.Sequence("card_4242_{}".format)
    created_at = NOW


def member(scope: BillingAccount | BillingProfile | InvoiceSection, role: str | Role, **user_fields) -> User:
    """A new person with one role at one scope."""
    user = UserFactory(**user_fields)
    field = {Scope.ACCOUNT: "account", Scope.PROFILE: "profile", Scope.SECTION: "section"}[scope_of(Role(role))]
    RoleAssignment.objects.create(user=user, role=role, **{field: scope})
    return user


def with_second_factor(user: User, kind: str = "totp") -> User:
    """The same person with an authenticator app (of `TOTP_SECRET`) or a security key, and a mailbox that answered."""
    EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
    if kind == "totp":
        TOTP.activate(user, TOTP_SECRET)
    else:
        Authenticator.objects.create(user=user, type=kind, data={"name": "Key", "credential": {}})
    return user


def access_for(user: User, profile: BillingProfile | None = None) -> Access:
    access = access_of(user)
    return access.inside(profile) if profile else access


def taxed(percent: str = "0") -> dict[str, Any]:
    """How a line is taxed: at so many percent, or zero-rated."""
    return {"tax_rate": Decimal(percent), "tax_category": "S" if Decimal(percent) else "Z"}


def tax_rate(percent: str = "0", **fields) -> TaxRate:
    """The tax rate of so many percent; of zero it is zero-rated unless ``tax_category`` says otherwise."""
    fields = {"tax_category": taxed(percent)["tax_category"], **fields}
    name = fields.pop("name", f"{percent} {fields['tax_category']}")
    return TaxRate.objects.get_or_create(name=name, defaults={"percent": Decimal(percent), **fields})[0]


def exchange_rate(currency: str = "USD", rate: str = "1.0850", *, on: date = TODAY) -> ExchangeRate:
    """What one euro was in another currency."""
    return ExchangeRate.objects.create(
        from_currency="EUR", to_currency=currency, quoted_on=on, rate=Decimal(rate), source="ECB"
    )


def draft(profile: BillingProfile, amount: str = "120.00", *, tax_rate: str = "0", **fields) -> Invoice:
    """A draft with one line."""
    invoice = Invoice.objects.create(profile=profile, currency=profile.currency, **fields)
    InvoiceLine.objects.create(invoice=invoice, description="Hosting", unit_price=Decimal(amount), **taxed(tax_rate))
    return invoice


def issued(
    profile: BillingProfile,
    amount: str = "120.00",
    *,
    today: date = TODAY,
    due_on: date | None = None,
    at: datetime = NOW,
    **fields,
):
    """An issued invoice: open, of 120.00 unless said otherwise, due 30 days after ``today``, booked ``at``."""
    invoice = draft(profile, amount, **fields)
    series = NumberSeries.objects.filter(prefix=profile.account.seller.invoice_prefix)
    before = series.values_list("last_digest", flat=True).first() or ""
    invoice = issue(access=system_access(profile), invoice_id=invoice.pk, today=today, at=at)
    if due_on is not None:  # as if it had been issued so
        own = Invoice.objects.filter(pk=invoice.pk)
        own.update(due_on=due_on)
        lines = fingerprints.of_lines([invoice.pk])[invoice.pk]
        digest = fingerprints.of_invoice(own.values(*fingerprints.INVOICE_COLUMNS).get(), lines, before)
        own.update(digest=digest)
        series.update(last_digest=digest)
        invoice.refresh_from_db()
    return invoice


def billed_until(profile: BillingProfile, day: date) -> BillingProfile:
    """The profile, whose periods before a day are closed: credits of those days have had their chance."""
    profile.billed_until_on, profile.next_invoice_on = day, next_invoice_day(day, profile.invoice_day)
    profile.save(update_fields=["billed_until_on", "next_invoice_on"])
    return profile


def granted(profile: BillingProfile, minor: int, *, at: datetime = NOW, **fields) -> Credit:
    """A credit as staff grant it, in the currency of the profile unless said otherwise."""
    amount = Money(minor, fields.pop("currency", profile.currency))
    fields = {"source": Credit.Source.GOODWILL, "description": "For the delay", **fields}
    return add_credit(profile=profile, amount=amount, at=at, **fields)

"""How the demo's profiles have agreed to pay, and whom we write to: what there is to see besides invoices."""

from datetime import datetime, timedelta

from accounts.access import access_of, system_access
from accounts.models import BillingProfile, User
from accounts.operations.contacts import add_contact
from accounts.operations.wire import WireFacts, request_wire
from billing_portal.demo.content import HEAD_OFFICE, MARKETING, Profile
from invoices.models import RemittanceAccount
from invoices.operations.dunning import update_profile_statuses

FACTS: WireFacts = {
    "legal_name": "Example Trading UK Ltd",
    "registration_number": "00000000",
    "monthly_amount": "GBP 1,500",
    "contact_name": "Accounts payable",
    "contact_email": "payable@example.com",
    "contact_phone": "",
    "reason": "We pay all of our suppliers by wire transfer, once a month.",
}


def open_accounts(*, at: datetime) -> None:
    """Our own bank accounts, from before the first invoice. Numbers that no bank gives out."""
    for currency, iban in (("EUR", "NL53EXAM0000000000"), ("GBP", "GB06EXAM00000000000000")):
        RemittanceAccount.objects.create(
            currency=currency,
            valid_from_on=(at - timedelta(days=800)).date(),
            account_holder="Example Cloud B.V.",
            iban=iban,
            bic="EXAMNL2A" if currency == "EUR" else "EXAMGB2L",
            bank="Example Bank",
            check_address="Example Cloud B.V.\nP.O. Box 1\n1000 AA Amsterdam\nNetherlands",
        )


def arrange(people: dict[str, User], profiles: list[tuple[Profile, BillingProfile]], *, at: datetime) -> None:
    """A request that waits for staff, contacts of the profile that pays by wire, and a profile that is warned."""
    places = {plan.name: profile for plan, profile in profiles}
    head_office, marketing = places[HEAD_OFFICE.name], places[MARKETING.name]
    access = access_of(people["reader"]).inside(marketing)
    request_wire(access=access, profile_id=marketing.pk, facts=FACTS, at=at - timedelta(days=2))
    for name, email, language in (
        ("Accounts payable", "payable@example.com", "en"),
        ("Crediteurenadministratie", "crediteuren@example.com", "nl"),
    ):
        add_contact(
            access=system_access(head_office), profile_id=head_office.pk, name=name, email=email, language=language,
            at=at - timedelta(days=90),
        )  # fmt: skip
    update_profile_statuses(at=at, limit=100)

"""The demo's credits: one of each state on one profile."""

from datetime import datetime, timedelta

from accounts.access import Access
from accounts.models import BillingProfile
from invoices.models import Credit
from invoices.money import Money
from invoices.operations.credits import add_credit, expire_credits, grant_credit


def grant_early(profile: BillingProfile, *, at: datetime) -> None:
    """Before anything was billed: a credit that the first invoice uses up, and one whose days lie between two."""
    began = at - timedelta(days=410)
    welcome, outage = Money(50_00, profile.currency), Money(40_00, profile.currency)
    add_credit(profile=profile, amount=welcome, source=Credit.Source.PROMOTION, description="Welcome credit", at=began)
    add_credit(
        profile=profile, amount=outage, source=Credit.Source.GOODWILL, description="For the outage of last winter",
        at=began, starts_on=profile.day_of(at - timedelta(days=30)), expires_on=profile.day_of(at - timedelta(days=8)),
    )  # fmt: skip


def grant_late(profile: BillingProfile, *, staff: Access, at: datetime) -> None:
    """What has expired by now, and what waits for the next invoice: one that expires soon, one that stays, and one that
    has not begun."""
    expire_credits(at=at)
    today = profile.day_of(at)
    for source, minor, description, starts, expires in (
        (Credit.Source.GOODWILL, 75_00, "For the delayed delivery", None, 20),
        (Credit.Source.PREPAYMENT, 250_00, "Paid in advance", None, None),
        (Credit.Source.PROMOTION, 30_00, "Loyalty credit", 15, 120),
    ):
        grant_credit(
            access=staff,
            profile_id=profile.pk,
            source=source,
            amount=Money(minor, profile.currency),
            description=description,
            starts_on=today + timedelta(days=starts) if starts else None,
            expires_on=today + timedelta(days=expires) if expires else None,
            at=at,
        )

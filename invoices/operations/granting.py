"""Credits that staff give and take, and credits whose time is over. Money paid too much becomes a credit elsewhere."""

from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, require_staff
from accounts.models import BillingProfile
from invoices.models import Credit, CreditEntry
from invoices.money import Money
from invoices.operations.crediting import CannotCredit
from invoices.operations.ledger import Movement, add_credit, move

# The others come from a payment or a credit note, and would not add up without it.
GRANTABLE = (Credit.Source.PREPAYMENT, Credit.Source.PROMOTION, Credit.Source.GOODWILL)
MOST_MINOR = 10**15
A_MOMENT = timedelta(minutes=1)
TO_EXPIRE = Q(expires_on__isnull=False, remaining_minor__gt=0)  # as its index has it


@transaction.atomic
def grant_credit(
    *,
    access: Access,
    profile_id: int,
    source: str,
    amount: Money,
    description: str,
    starts_on: date | None,
    expires_on: date | None,
    at: datetime,
) -> Credit:
    """Gives a profile a credit, which waits for its next invoice. Both dates are days on which it may be used.

    Returns the credit. Raises NotAllowed, BillingProfile.DoesNotExist, and CannotCredit for an amount that is not more
    than zero or in another currency than the profile's, without a description, for days that make no sense, and for
    the same credit twice within a minute, which is a form sent twice.
    """
    require_staff(access)
    profile = BillingProfile.objects.select_for_update().get(pk=profile_id)
    if source not in GRANTABLE:
        raise CannotCredit(_("Choose where the credit comes from."))
    if amount.currency != profile.currency:
        raise CannotCredit(_("The billing profile is in %(currency)s.") % {"currency": profile.currency})
    if not 0 < amount.minor <= MOST_MINOR:
        raise CannotCredit(_("The amount must be more than zero."))
    if not description.strip():
        raise CannotCredit(_("Say what the credit is for; the customer sees it."))
    if expires_on is not None and expires_on < max(starts_on or date.min, profile.day_of(at)):
        raise CannotCredit(_("The credit would expire before it can be used."))
    twin = Credit.objects.filter(
        profile=profile, source=source, amount_minor=amount.minor, description=description.strip(),
        created_by=access.user, created_at__gt=at - A_MOMENT,
    )  # fmt: skip
    if twin.exists():
        raise CannotCredit(_("The same credit was granted a moment ago."))
    credit = add_credit(
        profile=profile,
        amount=amount,
        source=Credit.Source(source),
        description=description.strip(),
        at=at,
        actor=access.user,
        starts_on=starts_on,
        expires_on=expires_on,
    )
    audit.record(
        access=access, at=at, action="credit.granted", subject=credit.description[:120], profile=profile,
        credit=credit.pk, source=credit.source, amount_minor=amount.minor, currency=amount.currency,
    )  # fmt: skip
    return credit


@transaction.atomic
def take_back_credit(*, access: Access, credit_id: int, reason: str, at: datetime) -> Credit:
    """Takes away what is left of a credit. What it has paid for stays paid.

    Returns the credit. Raises NotAllowed, Credit.DoesNotExist, and CannotCredit without a reason, and when nothing is
    left. Somebody has to answer for it, so the portal itself may not.
    """
    require_staff(access)
    credit = Credit.objects.select_related("profile").locked().get(pk=credit_id)
    if access.user is None or not reason.strip():
        raise CannotCredit(_("Say why the credit is taken back; the customer sees the reason."))
    if not credit.remaining_minor:
        raise CannotCredit(_("Nothing is left of this credit."))
    gone = credit.remaining
    move([Movement(credit, CreditEntry.Kind.TAKEN_BACK, -gone.minor, note=reason.strip())], at=at, actor=access.user)
    audit.record(
        access=access, at=at, action="credit.taken_back", subject=credit.description[:120], profile=credit.profile,
        credit=credit.pk, amount_minor=gone.minor, currency=gone.currency, reason=reason.strip(),
    )  # fmt: skip
    return credit


@transaction.atomic
def expire_credits(*, at: datetime, limit: int = 500) -> int:
    """Takes away what is left of credits whose last day is over where their profile is, oldest first.

    Returns how many there were, so a caller goes on until there are none. Safe to call any number of times, and from
    several workers at once: each takes credits that no other holds.
    """
    zones = Credit.objects.filter(TO_EXPIRE).order_by().values_list("profile__time_zone", flat=True).distinct()
    days = [(zone, BillingProfile(time_zone=zone).day_of(at)) for zone in zones]
    if not days:
        return 0
    over = reduce(or_, (Q(profile__time_zone=zone, expires_on__lt=day) for zone, day in days))
    rows = Credit.objects.filter(TO_EXPIRE, over).order_by("expires_on", "pk")
    lots = list(rows.select_for_update(of=("self",), skip_locked=True)[:limit])
    if lots:
        move([Movement(lot, CreditEntry.Kind.EXPIRED, -lot.remaining_minor) for lot in lots], at=at)
    return len(lots)

"""What gateways paid out to our bank, recorded by staff, so that the books say what is still with each of them.

A payout is never changed. One that was wrong is taken back by a row of its own, with a reason, and may then be recorded
again under the same reference.
"""

from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet, Value
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, require_staff
from billing_portal.core.database import lock_text
from billing_portal.core.spelling import Compact, compact, typed
from billing_portal.core.time_zones import seller_day
from invoices.ledger import BANK, FEES, book, transfer
from invoices.models import Transfer
from invoices.money import Money
from invoices.operations.charges import FIRST_DAY
from invoices.operations.issuing import MAX_MINOR
from payments.models import Payout
from payments.operations.manual_payments import CannotRecord

Kind = Transfer.Kind


@transaction.atomic
def record_payout(
    *, access: Access, gateway: str, amount: Money, fees: Money, paid_on: date, reference: str, at: datetime
) -> Payout:
    """Records what reached our bank (negative: what the provider took from there) and what the provider kept besides.

    Raises NotAllowed, and CannotRecord for an unknown gateway, amounts of nothing, too much or two currencies, a
    day in the future, and without a reference or for one of the gateway that is recorded already, however it is
    spelled.
    """
    require_staff(access)
    reference = typed(reference)
    if gateway not in settings.PAYMENT_GATEWAYS and not _has_booked(gateway):
        raise CannotRecord(_("Choose the payment provider."))
    if amount.currency != fees.currency:
        raise CannotRecord(_("Amount and fees must be in one currency."))
    if fees.minor < 0 or not (amount or fees):
        raise CannotRecord(_("Give what was paid out, and fees of zero or more."))
    if max(abs(amount.minor), fees.minor) > MAX_MINOR:
        raise CannotRecord(_("An amount is too large."))
    if not FIRST_DAY <= paid_on <= seller_day(at):
        raise CannotRecord(_("The day must lie between 2000 and today."))
    if not reference:
        raise CannotRecord(_("Give the reference of the payout, as the provider shows it."))
    lock_text(f"payout {gateway} {compact(reference)}")
    earlier = _alike(gateway, reference)
    if earlier.filter(reversed_by=None).exists():
        raise CannotRecord(_("A payout with this reference is recorded already."))
    try:
        with transaction.atomic():
            payout = Payout.objects.create(
                gateway=gateway, currency=amount.currency, amount_minor=amount.minor, fees_minor=fees.minor,
                paid_on=paid_on, reference=reference, version=earlier.count() + 1, created_at=at,
                created_by=access.user,
            )  # fmt: skip
    except IntegrityError as duplicate:
        raise CannotRecord(_("A payout with this reference is recorded already.")) from duplicate
    book(*transfers_of(payout))
    _audit(access, at, "payout.recorded", payout)
    return payout


@transaction.atomic
def take_back_payout(*, access: Access, payout_id: int, reason: str, at: datetime) -> Payout:
    """Takes back a payout that was recorded wrongly. Returns the row that does so. Raises NotAllowed,
    Payout.DoesNotExist, and CannotRecord without a reason and for one that was or is itself taken back."""
    require_staff(access)
    payout = Payout.objects.select_for_update().get(pk=payout_id)
    if not reason.strip():
        raise CannotRecord(_("Give the reason for taking the payout back."))
    if payout.reverses_id is not None or Payout.objects.filter(reverses=payout).exists():
        raise CannotRecord(_("This payout was taken back already."))
    back = Payout.objects.create(
        gateway=payout.gateway, currency=payout.currency, amount_minor=payout.amount_minor,
        fees_minor=payout.fees_minor, paid_on=payout.paid_on, reference=payout.reference, version=payout.version,
        reverses=payout, reason=reason.strip()[:200], created_at=at, created_by=access.user,
    )  # fmt: skip
    book(*transfers_of(back))
    _audit(access, at, "payout.taken_back", back)
    return back


def transfers_of(payout: Payout) -> list[Transfer]:
    """What a payout books: from the provider to our bank, and what the provider kept; the other way for one that takes
    another back."""
    is_back = payout.reverses_id is not None
    parts = ((BANK, payout.amount), (FEES, payout.fees))
    return [
        transfer(
            Kind.PAYOUT_UNDONE if is_back else Kind.PAYOUT, -amount if is_back else amount, debit=account,
            credit=f"clearing:{payout.gateway}", key=f"payout:{payout.pk}/{account}", profile_id=None,
            reference=payout.reference, at=payout.created_at,
        )
        for account, amount in parts
        if amount
    ]  # fmt: skip


def _alike(gateway: str, reference: str) -> QuerySet[Payout]:
    """What was recorded under a reference, in whatever spelling."""
    spelled_alike = Exact(Compact("reference"), Compact(Value(reference)))
    return Payout.objects.filter(spelled_alike, gateway=gateway, reverses=None)


def _has_booked(gateway: str) -> bool:
    """One that is no longer in use may still pay out."""
    return Transfer.objects.filter(debit=f"clearing:{gateway}").exists()


def _audit(access: Access, at: datetime, action: str, payout: Payout) -> None:
    detail: dict[str, Any] = {"reason": payout.reason} if payout.reason else {}
    audit.record(
        access=access, at=at, action=action, subject=str(payout)[:120], amount_minor=payout.amount_minor,
        fees_minor=payout.fees_minor, currency=payout.currency, **detail,
    )  # fmt: skip

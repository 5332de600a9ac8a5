"""What people decide about automatic charges: the profile's switch, and staff's "once more"."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, fresh
from accounts.models import BillingProfile
from accounts.roles import Permission
from billing_portal.core.database import translate_lock_timeout
from invoices.models import Invoice
from invoices.operations.invoice_payments import drop_autopay, plan_autopay
from payments.models import AutomaticCharge
from payments.operations.autopay.deciding import Stop, why_stopped
from payments.operations.autopay.planning import lock_invoice, lock_plan, record
from payments.operations.methods import CannotChangeMethod

S = AutomaticCharge.Status


class CannotPlan(Exception):
    """The invoice was not planned to be charged. The message may be shown to staff."""


@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def switch_autopay(*, access: Access, on: bool, at: datetime) -> BillingProfile:
    """Switches automatic charging of the profile that ``access`` is inside on or off.

    Off: nothing that was planned is charged any more. On: invoices issued from now on are charged; those that are there
    already stay their payer's to pay. Raises BillingProfile.DoesNotExist, NotAllowed, and CannotChangeMethod for a
    profile that pays by check or wire.
    """
    profile = BillingProfile.objects.visible_to(access).get()
    lock_planned(profile.pk)
    profile = BillingProfile.objects.locked().get(pk=profile.pk)
    fresh(access).require(Permission.METHODS_MANAGE, profile)
    if on and profile.pays_by_wire:
        raise CannotChangeMethod(_("This billing profile pays by check or wire. Make a card its default first."))
    if profile.charges_automatically == on:
        return profile
    profile.charges_automatically = on
    profile.save(update_fields=["charges_automatically"])
    dropped = 0 if on else drop_plans(profile, Stop.SWITCHED_OFF, at=at)
    action = "autopay.switched_on" if on else "autopay.switched_off"
    audit.record(access=access, at=at, action=action, subject=profile.name, profile=profile, dropped=dropped)
    return profile


def lock_planned(profile_id: int) -> None:
    """Locks the invoices that are going to be charged, before their profile is locked, as everywhere: who charges one
    now is waited for."""
    list(Invoice.objects.filter(profile=profile_id, autopay_on__isnull=False).only("pk").locked())


def drop_plans(profile: BillingProfile, reason: Stop, *, at: datetime) -> int:
    """Nothing that was planned for a locked profile is charged any more. Returns how many invoices were to be."""
    planned = AutomaticCharge.objects.filter(profile=profile, status=S.PLANNED)
    planned.update(status=S.STOPPED, stopped_because=reason, changed_at=at)
    return drop_autopay(profile)


@transaction.atomic
def plan_again(*, access: Access, invoice_id: int, at: datetime) -> AutomaticCharge:
    """Has an invoice charged today, as if it had never been tried; the networks' cap of each card still holds.

    Rights are the caller's: staff. Raises CannotPlan with the reason, Invoice.DoesNotExist.
    """
    invoice = lock_invoice(invoice_id)
    if invoice.is_being_paid:
        raise CannotPlan(_("A payment of this invoice is already in progress."))
    stop = why_stopped(invoice)
    if stop is not None:
        raise CannotPlan(_("It cannot be charged automatically: %(reason)s.") % {"reason": stop.label})
    charge = lock_plan(invoice) or AutomaticCharge(invoice=invoice, profile=invoice.profile)
    charge.status, charge.stopped_because = S.PLANNED, ""
    charge.created_at = charge.changed_at = at
    charge.save()
    plan_autopay(invoice, invoice.profile.day_of(at))
    record("autopay.planned_again", charge, access, at)
    return charge

"""Charge: what will be on the next invoice, recorded as it happens and kept exactly until it is on a line of one."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Value
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access
from accounts.models import BillingProfile
from accounts.operations.profiles import keep_currencies
from billing_portal.core.exact_decimals import rounded_product
from billing_portal.core.spelling import Compact
from invoices.bulk import bulk_insert
from invoices.models import Charge, PeriodClosing
from invoices.money import UnknownCurrency, exponent
from invoices.operations.issuing import MAX_MINOR, make_price_positive
from invoices.tax import TaxFault, complete

Status = BillingProfile.Status
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
# What a charge says. The same reference with the same facts is the same charge.
FACTS = (
    "section_id", "kind", "description", "quantity", "unit", "unit_price", "tax_rate_id", "happened_on",
    "is_creditable",
)  # fmt: skip


class CannotCharge(Exception):
    """The charge cannot be recorded or removed. The message may be shown to staff."""


def compute_charge(charge: Charge) -> None:
    """Copies what the tax rate says, and makes the price positive. Rounds nothing. Needs ``profile`` and ``tax_rate``.

    Raises CannotCharge for amounts that no column holds, an unknown currency, and a sign that does not fit the kind.
    """
    rate = charge.tax_rate
    charge.tax_category, charge.tax_percent = rate.tax_category, rate.percent
    charge.exemption_reason, charge.exemption_code = rate.exemption_reason, rate.exemption_code
    make_price_positive(charge)
    try:
        complete(charge, rate.percent)
        amount_minor = rounded_product(charge.quantity, charge.unit_price, exponent(charge.profile.currency))
    except (UnknownCurrency, TaxFault) as error:
        raise CannotCharge(str(error)) from error
    if abs(amount_minor) > MAX_MINOR:
        raise CannotCharge(_("An amount is too large."))
    if charge.kind == Charge.Kind.RETURN and charge.quantity > 0:
        raise CannotCharge(_("A return is deducted: its quantity or its unit price is negative."))
    if charge.kind != Charge.Kind.RETURN and charge.quantity < 0:
        raise CannotCharge(_("Only a return may be negative."))


def differing_facts(charge: Charge, earlier: Charge) -> list[str]:
    return [name for name in FACTS if getattr(earlier, name) != getattr(charge, name)]


def record_charges(charges: Sequence[Charge], *, access: Access, at: datetime) -> None:
    """Stores many new charges that `compute_charge` accepted. Transaction, audit entry and rights are the caller's.
    Raises IntegrityError for a reference that is there already, CurrencyChanged, and CannotCharge for a profile that
    was closed meanwhile."""
    _keep_open([charge.profile for charge in charges])
    for charge in charges:
        charge.created_at, charge.created_by = at, access.user
    bulk_insert(Charge, charges)


@transaction.atomic
def record_charge(*, access: Access, charge: Charge, at: datetime) -> Charge:
    """Stores a new charge for the profile's next invoice, with what its tax rate says.

    Returns the charge, the earlier one for a source reference that came before with the same facts. Raises CannotCharge
    for anything that cannot be charged, CurrencyChanged. Rights are the caller's: staff and import.
    """
    if charge.profile.is_closed:
        raise CannotCharge(_("The billing profile is closed."))
    if charge.section.profile_id != charge.profile_id:
        raise CannotCharge(_("The invoice section belongs to another billing profile."))
    for name in ("description", "source_reference"):
        setattr(charge, name, getattr(charge, name).strip())
    charge.created_at, charge.created_by = at, access.user
    make_price_positive(charge)
    earlier = _recorded_before(charge)
    if earlier is not None:
        return earlier
    _check(charge)
    _keep_open([charge.profile])
    try:
        with transaction.atomic():
            charge.save(force_insert=True)
    except IntegrityError:
        earlier = _recorded_before(charge)  # at the same moment, by somebody else
        if earlier is None:
            raise
        return earlier
    audit.record(
        access=access, at=at, action="charge.recorded", subject=charge.description[:120],
        profile=charge.profile, charge=charge.pk, amount=_amount_of(charge),
    )  # fmt: skip
    return charge


def _keep_open(profiles: Sequence[BillingProfile]) -> None:
    """Waits for whoever closes one of the profiles, which settles all that is not invoiced. Raises CannotCharge for one
    that is closed by then, CurrencyChanged."""
    keep_currencies(profiles)
    closed = BillingProfile.objects.filter(pk__in={profile.pk for profile in profiles}, status=Status.CLOSED).first()
    if closed is not None:
        raise CannotCharge(_("The billing profile is closed."))


def _check(charge: Charge) -> None:
    """Checks the facts and sets what follows from them. Raises CannotCharge."""
    if charge.tax_rate_id is None:
        raise CannotCharge(_("Choose a tax rate. What is not taxed needs one too: it gives the reason."))
    if not charge.tax_rate.is_active:
        raise CannotCharge(_("The tax rate %(name)s is no longer in use.") % {"name": charge.tax_rate})
    try:
        charge.clean_fields(exclude=["profile", "section", "tax_rate", "tax_category", "created_by", "invoice"])
    except ValidationError as error:
        faults = (f"{_label(name)}: {' '.join(messages)}" for name, messages in error.message_dict.items())
        raise CannotCharge(" ".join(faults)) from error
    if not FIRST_DAY <= charge.happened_on <= LAST_DAY:
        raise CannotCharge(_("The date is not between 2000 and 2099."))
    compute_charge(charge)


def _recorded_before(charge: Charge) -> Charge | None:
    """The charge that has this one's reference. Raises CannotCharge when it says something else."""
    if not charge.source_reference:
        return None
    same = Exact(Compact("source_reference"), Compact(Value(charge.source_reference)))
    earlier = Charge.objects.filter(same, profile=charge.profile).exclude(source_reference="").first()
    if earlier is None:
        return None
    if differing := differing_facts(charge, earlier):
        raise CannotCharge(
            _("The reference %(reference)s was recorded before, with other values in: %(fields)s.")
            % {"reference": charge.source_reference, "fields": ", ".join(map(_label, differing))}
        )
    return earlier


def _label(name: str) -> str:
    field: Any = Charge._meta.get_field(name.removesuffix("_id"))
    return str(field.verbose_name)


def _amount_of(charge: Charge) -> int:
    """Of this charge alone, for the audit trail: minor units, rounded."""
    return rounded_product(charge.quantity, charge.unit_price, exponent(charge.profile.currency))


@transaction.atomic
def remove_charge(*, access: Access, charge_id: int, at: datetime) -> None:
    """Removes a charge. Raises CannotCharge for one that is on an invoice, or is gone. Rights are the caller's."""
    charge = Charge.objects.select_for_update(of=("self",)).select_related("profile").filter(pk=charge_id).first()
    if charge is None:
        raise CannotCharge(_("The charge was removed already."))
    if charge.settled_by_id is not None:
        raise CannotCharge(_("The charge was made a credit when its billing profile was closed, and stays."))
    if charge.invoice_id is not None:
        raise CannotCharge(_("The charge is on an invoice and stays. Give the customer a credit instead."))
    last = PeriodClosing.objects.filter(profile=charge.profile_id).order_by("start_on").last()
    if last is not None and last.outcome == PeriodClosing.Outcome.CARRIED and charge.happened_on < last.end_on:
        raise CannotCharge(
            _("What its period came to was carried to the next invoice. Record the opposite charge instead.")
        )
    audit.record(
        access=access, at=at, action="charge.removed", subject=charge.description[:120], profile=charge.profile,
        charge=charge.pk, amount=_amount_of(charge), happened_on=charge.happened_on.isoformat(),
        source_reference=charge.source_reference,
    )  # fmt: skip
    charge.delete()

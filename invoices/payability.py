"""May this person pay this invoice online, and if not, why not.

The commonest complaint about portals of this kind is that the pay button is missing and nothing says why. So there is
one answer, `why_not`, and every place that shows the button, the row, the detail and the pay page itself, asks it.
"""

from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.access import Access, reason_for_role
from accounts.models import BillingProfile
from accounts.roles import Permission
from invoices.models import Invoice
from invoices.money import Money
from invoices.states import InvoiceStatus


class Why(StrEnum):
    ROLE = "role"
    DRAFT = "draft"
    PAID = "paid"
    VOID = "void"
    IN_PROGRESS = "in_progress"
    AGREEMENT = "agreement"
    CARD_LIMIT = "card_limit"
    NOTHING_DUE = "nothing_due"
    PROFILE_DISABLED = "profile_disabled"


class Reason(NamedTuple):
    """A code for tests and styles, and a sentence for the reader."""

    code: Why
    text: str


def card_limit(profile: BillingProfile) -> Money | None:
    """The most that a profile may pay by card: a limit exists only where check or wire is the default method."""
    text = settings.CARD_LIMITS_FOR_WIRE.get(profile.currency) if profile.pays_by_wire else None
    return Money.parse(text, profile.currency) if text else None


def why_not(invoice: Invoice, access: Access, *, in_progress_matters: bool = True) -> Reason | None:  # noqa: PLR0911
    """The reason why this person cannot pay the invoice online now; None when they can.

    Needs ``invoice.profile.account`` and, for the name of whoever is paying, ``invoice.payment_started_by`` loaded.
    ``in_progress_matters`` is False where the caller handles a payment in progress itself.
    """
    profile = invoice.profile
    if invoice.status == InvoiceStatus.PAID:
        return Reason(Why.PAID, _paid_text(invoice))
    if invoice.status == InvoiceStatus.VOID:
        return Reason(Why.VOID, _("Void: %(reason)s") % {"reason": invoice.void_reason})
    if invoice.status == InvoiceStatus.DRAFT:
        return Reason(Why.DRAFT, _("This invoice has not been issued yet."))
    if in_progress_matters and invoice.is_being_paid:
        return Reason(Why.IN_PROGRESS, in_progress_text(invoice))
    if invoice.amount_due_minor <= 0:
        return Reason(Why.NOTHING_DUE, _("Nothing is due on this invoice."))
    if Permission.INVOICE_PAY not in access.permissions_on(profile):
        return Reason(Why.ROLE, reason_for_role(Permission.INVOICE_PAY))
    if not profile.account.can_pay_by_card:
        name = profile.account.get_agreement_type_display()
        return Reason(Why.AGREEMENT, _("Not payable by card under this agreement type: %(type)s.") % {"type": name})
    if profile.status != BillingProfile.Status.ACTIVE:
        return Reason(Why.PROFILE_DISABLED, _("This billing profile is disabled. Contact us to pay."))
    limit = card_limit(profile)
    if limit is not None and limit < invoice.amount_due:
        return Reason(Why.CARD_LIMIT, _("Above the card limit of %(limit)s. Pay by wire transfer.") % {"limit": limit})
    return None


def _paid_text(invoice: Invoice) -> str:
    if invoice.paid_at is None:
        return _("Nothing is left to pay.")
    day = _short_day(invoice.profile.day_of(invoice.paid_at), invoice.profile)
    return _("Paid %(day)s, %(with)s") % {"day": day, "with": invoice.paid_with_label}


def in_progress_text(invoice: Invoice) -> str:
    """Who is paying and since when: ``Started 09:14 by ...``, on the clock of the profile."""
    if invoice.payment_started_at is None:
        return ""
    profile = invoice.profile
    started = invoice.payment_started_at.astimezone(ZoneInfo(profile.time_zone))
    when = date_format(started, "H:i")
    if started.date() != profile.day_of(timezone.now()):
        when = f"{_short_day(started.date(), profile)} {when}"
    who = invoice.payment_started_by
    if who is None:
        return _("Started %(when)s, automatic charge") % {"when": when}
    return _("Started %(when)s by %(who)s") % {"when": when, "who": who.display_name}


def disputed_text(invoice: Invoice) -> str:
    """``Disputed since 5 Oct``: a payer's bank has asked money back and not decided. Empty otherwise."""
    if invoice.disputed_at is None:
        return ""
    profile = invoice.profile
    return _("Disputed since %(day)s") % {"day": _short_day(profile.day_of(invoice.disputed_at), profile)}


def _short_day(day: date, profile: BillingProfile) -> str:
    """Without the year when it is this year's."""
    return day_text(day, "d MMM" if day.year == profile.day_of(timezone.now()).year else "d MMM y")


def day_text(day: date | None, pattern: str = "d MMM y") -> str:
    """``5 Oct 2026`` in the reader's language. Remembered: a page shows the same few days over and over."""
    return _day_text(day, pattern, get_language() or "en") if day is not None else ""


@lru_cache(maxsize=4096)
def _day_text(day: date, pattern: str, language: str) -> str:
    return format_date(day, pattern, locale=Locale.parse(language.replace("-", "_")))

"""May this person pay this invoice online, and if not, why not.

A pay button that is missing must say why. Every place that shows it asks `reason_not_payable`.
"""

from datetime import date
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from django.conf import settings
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.access import Access, NeedsSecondFactor
from accounts.models import BillingProfile
from accounts.roles import Permission
from invoices.models import Invoice
from invoices.money import Money
from invoices.states import InvoiceStatus


class NotPayableReason(StrEnum):
    ROLE = "role"
    SECOND_FACTOR = "second_factor"
    DRAFT = "draft"
    PAID = "paid"
    VOID = "void"
    IN_PROGRESS = "in_progress"
    AGREEMENT = "agreement"
    CARD_LIMIT = "card_limit"
    NOTHING_DUE = "nothing_due"
    PROFILE_CLOSED = "profile_closed"
    NO_GATEWAY = "no_gateway"


class NotPayable(NamedTuple):
    """A code for tests and styles, and a sentence for the reader."""

    code: NotPayableReason
    text: str


def card_limit(profile: BillingProfile) -> Money | None:
    """The most that a profile may pay by card: a limit exists only where check or wire is the default method."""
    text = settings.CARD_LIMITS_FOR_WIRE.get(profile.currency) if profile.pays_by_wire else None
    return Money.parse(text, profile.currency) if text else None


def online_at_issue(profile: BillingProfile) -> dict[str, Any]:
    """What an invoice keeps of it, for its document: whether it can be paid online, and up to what. Needs
    ``account``."""
    limit = card_limit(profile)
    return {
        "is_payable_online": profile.account.can_pay_by_card and not profile.is_closed,
        "card_limit_minor": limit.minor if limit is not None else None,
    }


def card_limit_text(limit: Money) -> str:
    return _("Above the card limit of %(limit)s. Pay by wire transfer.") % {"limit": limit}


def reason_not_by_card(profile: BillingProfile, amount: Money | None = None) -> NotPayable | None:
    """Why nobody can pay a profile's invoices by card now, or not this amount; None when it is possible.

    What speaks of paying by card without knowing its reader asks this: mails, and what is said of automatic charges.
    Needs ``profile.account``.
    """
    if not profile.account.can_pay_by_card:
        name = profile.account.get_agreement_type_display()
        text = _("Not payable by card under this agreement type: %(type)s.")
        return NotPayable(NotPayableReason.AGREEMENT, text % {"type": name})
    if profile.is_closed:  # not one that is warned or disabled: paying is how it becomes active again
        return NotPayable(NotPayableReason.PROFILE_CLOSED, _("This billing profile is closed. Contact us to pay."))
    if not settings.PAYMENT_GATEWAYS:
        return NotPayable(NotPayableReason.NO_GATEWAY, _("We do not accept cards at the moment. Pay by wire transfer."))
    limit = card_limit(profile) if amount is not None else None
    if limit is not None and amount is not None and limit < amount:
        return NotPayable(NotPayableReason.CARD_LIMIT, card_limit_text(limit))
    return None


def reason_not_payable(invoice: Invoice, access: Access, *, in_progress_matters: bool = True) -> NotPayable | None:
    """The reason why this person cannot pay the invoice online now; None when they can.

    Needs ``invoice.profile.account``, and ``invoice.payment_started_by`` for the name of whoever is paying.
    ``in_progress_matters`` is False where the caller handles a payment in progress itself.
    """
    payability = ProfilePayability(invoice.profile, access)
    return payability.reason_not_payable(invoice, in_progress_matters=in_progress_matters)


class ProfilePayability:
    """`reason_not_payable` for many invoices of one profile: what is the same for all of them is found once."""

    def __init__(self, profile: BillingProfile, access: Access) -> None:
        self.profile = profile
        self.access = access
        self._limit = card_limit(profile)
        self._this_year = profile.day_of(timezone.now()).year
        self._language = get_language() or "en"
        self._paid_words = _("Paid %(day)s · %(with)s")

    def reason_not_payable(self, invoice: Invoice, *, in_progress_matters: bool = True) -> NotPayable | None:  # noqa: PLR0911  one for each reason
        """As the function of this name."""
        if invoice.status == InvoiceStatus.PAID:
            return NotPayable(NotPayableReason.PAID, self._paid_text(invoice))
        if invoice.status == InvoiceStatus.VOID:
            return NotPayable(NotPayableReason.VOID, _("Void: %(reason)s") % {"reason": invoice.void_reason})
        if invoice.status == InvoiceStatus.DRAFT:
            return NotPayable(NotPayableReason.DRAFT, _("This invoice has not been issued yet."))
        if in_progress_matters and invoice.is_being_paid:
            return NotPayable(NotPayableReason.IN_PROGRESS, in_progress_text(invoice))
        if invoice.amount_due_minor <= 0:
            return NotPayable(NotPayableReason.NOTHING_DUE, _("Nothing is due on this invoice."))
        if self._of_all is not None:
            return self._of_all
        if self._limit is not None and self._limit < invoice.amount_due:
            return NotPayable(NotPayableReason.CARD_LIMIT, card_limit_text(self._limit))
        return None

    @cached_property
    def _of_all(self) -> NotPayable | None:
        """Why no invoice of the profile can be paid, whatever the invoice."""
        if Permission.INVOICE_PAY not in self.access.permissions_at(self.profile):
            refusal = self.access.refusal(Permission.INVOICE_PAY, self.profile)
            code = NotPayableReason.SECOND_FACTOR if isinstance(refusal, NeedsSecondFactor) else NotPayableReason.ROLE
            return NotPayable(code, str(refusal))
        return reason_not_by_card(self.profile)

    def _paid_text(self, invoice: Invoice) -> str:
        if invoice.paid_at is None:
            return _("Nothing is left to pay.")
        day = _short_day(self.profile.day_of(invoice.paid_at), self._this_year, self._language)
        return self._paid_words % {"day": day, "with": invoice.paid_with_label}


def in_progress_text(invoice: Invoice) -> str:
    """Who is paying and since when: ``Started 09:14 by ...``, on the clock of the profile."""
    if invoice.payment_started_at is None:
        return ""
    started = invoice.payment_started_at.astimezone(ZoneInfo(invoice.profile.time_zone))
    today = invoice.profile.day_of(timezone.now())
    when = f"{started:%H:%M}"
    if started.date() != today:
        when = f"{_short_day(started.date(), today.year)} {when}"
    if invoice.payment_started_by is None:
        return _("Started %(when)s, automatic charge") % {"when": when}
    return _("Started %(when)s by %(who)s") % {"when": when, "who": invoice.payment_started_by.display_name}


def wait_text(invoice: Invoice) -> str:
    """Why staff cannot do something to an invoice while somebody is paying it."""
    return _("A payment is in progress (%(text)s). Wait for it to end.") % {"text": in_progress_text(invoice)}


def disputed_text(invoice: Invoice) -> str:
    """``Disputed since 5 Oct``: a payer's bank has asked money back and not decided. Empty otherwise."""
    if invoice.disputed_at is None:
        return ""
    this_year = invoice.profile.day_of(timezone.now()).year
    return _("Disputed since %(day)s") % {"day": _short_day(invoice.profile.day_of(invoice.disputed_at), this_year)}


def _short_day(day: date, this_year: int, language: str = "") -> str:
    """Without the year when it is this year's."""
    return day_text(day, "d MMM" if day.year == this_year else "d MMM y", language=language)


def day_text(day: date | None, pattern: str = "d MMM y", *, language: str = "") -> str:
    """``5 Oct 2026``, in the reader's language unless another is named. Cached: a page shows the same few days."""
    return _day_text(day, pattern, language or get_language() or "en") if day is not None else ""


@lru_cache(maxsize=4096)
def _day_text(day: date, pattern: str, language: str) -> str:
    return format_date(day, pattern, locale=Locale.parse(language.replace("-", "_")))

"""The payment methods that the payment page offers, in the order in which they are shown."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import Access
from invoices.states import StatusBadge
from payments.models import Payment, PaymentMethod
from payments.states import PaymentStatus

BRAND_SIGNS = {"visa": "VISA", "mastercard": "MC", "amex": "AMEX", "discover": "DISC", "jcb": "JCB"}
DEFAULT, SOON, BAD = (
    StatusBadge("", "check"),
    StatusBadge("status-warn", "clock"),
    StatusBadge("status-past-due", "triangle-alert"),
)


@dataclass(frozen=True)
class Choice:
    """One stored card as the reader sees it."""

    method: PaymentMethod
    note: str
    look: StatusBadge | None = None
    pill: str = ""
    is_usable: bool = True
    is_declined: bool = False
    is_checked: bool = False

    @property
    def sign(self) -> str:
        return brand_sign(self.method.brand)


def brand_sign(brand: str) -> str:
    return BRAND_SIGNS.get(brand, "")


def method_choices(access: Access, *, at: datetime) -> list[Choice]:
    """The profile's cards, default first, those that were declined today and those that cannot be used last.

    The first that can be used and was not declined today is checked.
    """
    declined = _declined_today(access, at=at)
    methods = PaymentMethod.objects.visible_to(access).active().in_order()
    choices = [_choice(method, access=access, at=at, declined_at=declined.get(method.pk)) for method in methods]
    choices.sort(key=lambda choice: (not choice.is_usable, choice.is_declined))
    for index, choice in enumerate(choices):
        if choice.is_usable and not choice.is_declined:
            choices[index] = replace(choice, is_checked=True)
            break
    return choices


def _choice(method: PaymentMethod, *, access: Access, at: datetime, declined_at: datetime | None) -> Choice:
    assert access.profile is not None  # noqa: S101  every payment page is inside one profile
    today = access.profile.day_of(at)
    expiry = f"{method.expiry_month:02d}/{method.expiry_year}"
    if method.is_expired(today):
        note = _("Expired %(month)s, so it cannot be used") % {"month": expiry}
        return Choice(method, note, BAD, _("Expired"), is_usable=False)
    if method.gateway not in settings.PAYMENT_GATEWAYS:
        return Choice(method, _("Stored with a provider we no longer use"), is_usable=False)
    if declined_at is not None:
        time = f"{timezone.localtime(declined_at):%H:%M}"
        return Choice(method, _("Declined today at %(time)s") % {"time": time}, BAD, _("Declined"), is_declined=True)
    note = _("Expires %(month)s") % {"month": expiry}
    if method.expires_soon(today):
        return Choice(method, note, SOON, _("Expires soon"))
    return Choice(method, note, DEFAULT, _("Default")) if method.is_default else Choice(method, note)


def _declined_today(access: Access, *, at: datetime) -> dict[int, datetime]:
    """When each card was last declined since midnight where the portal is."""
    midnight = timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = (
        Payment.objects.visible_to(access)
        .filter(status=PaymentStatus.DECLINED, method__isnull=False)
        .filter(started_at__gte=midnight, started_at__lt=midnight + timedelta(days=1))
        .order_by("started_at")
        .values_list("method_id", "started_at")
    )
    return {method_id: started_at for method_id, started_at in rows if method_id is not None}

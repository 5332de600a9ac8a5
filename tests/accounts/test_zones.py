"""A day begins where the profile is, and the database is asked for just those rows."""

from datetime import UTC, date, datetime

import pytest

from accounts.models import BillingProfile
from billing_portal.core.time_zones import has_come
from tests.factories import BillingProfileFactory

pytestmark = pytest.mark.django_db
ZONES = ("Pacific/Kiritimati", "Asia/Tokyo", "Europe/Amsterdam", "America/New_York", "Pacific/Pago_Pago")


def come(at) -> list[str]:
    """Where 29 October has begun, from east to west."""
    found = BillingProfile.objects.filter(has_come("next_invoice_on", zone="time_zone", at=at))
    names = set(found.values_list("time_zone", flat=True))
    return [zone for zone in ZONES if zone in names]


@pytest.mark.parametrize(
    ("at", "how_many"),
    [
        (datetime(2026, 10, 28, 9, 59, tzinfo=UTC), 0),
        (datetime(2026, 10, 28, 10, 0, tzinfo=UTC), 1),
        (datetime(2026, 10, 28, 15, 0, tzinfo=UTC), 2),
        (datetime(2026, 10, 28, 22, 59, tzinfo=UTC), 2),
        (datetime(2026, 10, 28, 23, 0, tzinfo=UTC), 3),
        (datetime(2026, 10, 29, 4, 0, tzinfo=UTC), 4),
        (datetime(2026, 10, 29, 10, 59, tzinfo=UTC), 4),
        (datetime(2026, 10, 29, 11, 0, tzinfo=UTC), 5),
        (datetime(2026, 12, 1, tzinfo=UTC), 5),
    ],
)
def test_a_day_comes_from_east_to_west(at, how_many):
    for zone in ZONES:
        BillingProfileFactory(time_zone=zone, next_invoice_on=date(2026, 10, 29))
    assert come(at) == list(ZONES[:how_many])


def test_a_zone_that_puts_its_clock_back_has_each_day_once():
    """On 25 October it is 2:30 twice in Amsterdam; midnight comes once, at 22:00 UTC."""
    BillingProfileFactory(time_zone="Europe/Amsterdam", next_invoice_on=date(2026, 10, 25))
    assert come(datetime(2026, 10, 24, 21, 59, tzinfo=UTC)) == []
    assert come(datetime(2026, 10, 24, 22, 0, tzinfo=UTC)) == ["Europe/Amsterdam"]


def test_a_row_without_a_day_never_comes():
    BillingProfileFactory()
    assert come(datetime(2026, 12, 1, tzinfo=UTC)) == []

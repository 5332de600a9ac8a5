"""A row that is due goes to one worker, and comes again when that one was killed."""

from datetime import timedelta

import pytest
from django.db.models import F

from billing_portal.core.leases import claim, claim_due
from billing_portal.core.models import OutgoingMail
from tests.factories import NOW

pytestmark = pytest.mark.django_db
LEASE = timedelta(minutes=10)


def waiting(key, minutes):
    """A mail whose time comes so many minutes from now."""
    at = NOW + timedelta(minutes=minutes)
    return OutgoingMail.objects.create(
        key=key, to="a@example.com", language="en", template="t", created_at=NOW, next_try_at=at
    )


def claimed(*, at=NOW, limit=10, **also):
    return list(claim_due(OutgoingMail.objects.all(), "next_try_at", at=at, lease=LEASE, limit=limit, **also))


def test_what_is_due_is_handed_out_once_the_longest_waiting_first():
    for key, minutes in (("later", 1), ("now", 0), ("long ago", -60), ("before", -1)):
        waiting(key, minutes)
    assert [mail.key for mail in claimed()] == ["long ago", "before", "now"]
    assert claimed() == []


def test_no_more_than_the_limit_is_claimed():
    for number in range(3):
        waiting(str(number), -number)
    assert len(claimed(limit=2)) == 2
    assert OutgoingMail.objects.filter(next_try_at__lte=NOW).count() == 1


def test_a_row_is_claimed_only_when_its_turn_comes():
    waiting("first", -2), waiting("second", -1)
    rows = claim_due(OutgoingMail.objects.all(), "next_try_at", at=NOW, lease=LEASE, limit=10)
    assert next(rows).key == "first"
    assert OutgoingMail.objects.get(key="second").next_try_at == NOW - timedelta(minutes=1)


def test_a_row_comes_again_when_the_lease_is_over():
    waiting("mail", 0)
    assert [mail.next_try_at for mail in claimed()] == [NOW + LEASE]
    assert claimed(at=NOW + LEASE - timedelta(seconds=1)) == []
    assert [mail.key for mail in claimed(at=NOW + LEASE)] == ["mail"]


def test_of_two_workers_that_read_the_same_row_one_gets_it():
    mail = waiting("mail", 0)
    same = OutgoingMail.objects.get(pk=mail.pk)
    assert claim(mail, "next_try_at", until=NOW + LEASE)
    assert not claim(same, "next_try_at", until=NOW + LEASE)
    assert same.next_try_at == NOW


def test_further_columns_are_set_with_the_claim():
    waiting("mail", 0)
    assert claimed(tries=F("tries") + 1)
    assert OutgoingMail.objects.get().tries == 1

"""What waits for a person among staff, above everything else on their first page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import ngettext

from accounts.models import User, WireRequest
from billing_portal.core.models import JobRun, OutgoingMail
from payments.models import CardHold, Dispute, Payment, Refund, WebhookDelivery


@dataclass(frozen=True, slots=True)
class Waiting:
    """A number of rows in words, and the list of them."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Kind:
    """``rows`` are those that wait, ``where`` narrows the list to them, ``words`` say how many there are."""

    rows: Callable[[], QuerySet[Any]]
    where: str
    words: Callable[[int], str]


KINDS = [
    Kind(
        lambda: Payment.objects.filter(needs_staff=True),
        "needs_staff__exact=1",
        lambda count: ngettext("%(count)s payment needs staff", "%(count)s payments need staff", count),
    ),
    Kind(
        lambda: Refund.objects.filter(needs_staff=True),
        "needs_staff__exact=1",
        lambda count: ngettext("%(count)s refund needs staff", "%(count)s refunds need staff", count),
    ),
    Kind(
        lambda: Dispute.objects.filter(needs_staff=True),
        "needs_staff__exact=1",
        lambda count: ngettext("%(count)s dispute needs staff", "%(count)s disputes need staff", count),
    ),
    Kind(
        lambda: WireRequest.objects.filter(status=WireRequest.Status.OPEN),
        "status__exact=open",
        lambda count: ngettext(
            "%(count)s request to pay by check or wire", "%(count)s requests to pay by check or wire", count
        ),
    ),
    Kind(
        lambda: CardHold.objects.current(timezone.now()).filter(profile=None).values("person").distinct(),
        "now=people",
        lambda count: ngettext(
            "%(count)s person held for trying too many cards", "%(count)s people held for trying too many cards", count
        ),
    ),
    Kind(
        lambda: CardHold.objects.current(timezone.now()).filter(person=None).values("profile").distinct(),
        "now=profiles",
        lambda count: ngettext(
            "%(count)s billing profile held for too many tries of cards",
            "%(count)s billing profiles held for too many tries of cards",
            count,
        ),
    ),
    Kind(
        lambda: WebhookDelivery.objects.filter(status=WebhookDelivery.Status.FAILED),
        "status__exact=failed",
        lambda count: ngettext(
            "%(count)s message of a provider failed", "%(count)s messages of providers failed", count
        ),
    ),
    Kind(
        lambda: OutgoingMail.objects.filter(sent_at=None, next_try_at=None),
        "sent_at__isempty=1",
        lambda count: ngettext("%(count)s mail could not be sent", "%(count)s mails could not be sent", count),
    ),
    Kind(
        lambda: JobRun.objects.filter(pk=JobRun.objects.order_by("-pk").values("pk")[:1]).exclude(failed={}),
        "",
        lambda count: ngettext("the last run of what is due failed", "the last run of what is due failed", count),
    ),
]


def what_waits(user: User) -> list[Waiting]:
    """What this member of staff may see of it. One query for each kind, each on an index or on few rows."""
    found = []
    for kind in KINDS:
        rows = kind.rows()
        options = rows.model._meta
        if user.has_perm(f"{options.app_label}.view_{options.model_name}") and (count := rows.count()):
            url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
            found.append(Waiting(kind.words(count) % {"count": count}, f"{url}?{kind.where}".rstrip("?")))
    return found

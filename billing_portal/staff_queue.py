"""What waits for a person among staff, above everything else on their first page."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext, ngettext_lazy

from accounts.models import BillingProfile, Seller, User, WireRequest
from billing_portal.core.iso_codes import is_current_currency
from billing_portal.core.models import JobRun, OutgoingMail
from invoices.models import Delivery
from payments.models import BooksCheck, CardHold, Dispute, GatewayDifference, Payment, Refund, WebhookDelivery


class Waiting(NamedTuple):
    text: str
    url: str = ""


BILLED = [status.value for status in BillingProfile.Status if status != BillingProfile.Status.CLOSED]
NEWEST_RUN = JobRun.objects.order_by("-started_at", "-pk").values("pk")[:1]

# Of each kind: the rows that wait, what narrows the list to them, and the words for their number.
KINDS: list[tuple[Callable[[], QuerySet[Any]], str, Any]] = [
    (
        lambda: Payment.objects.filter(needs_staff=True), "needs_staff__exact=1",
        ngettext_lazy("%(count)s payment needs staff", "%(count)s payments need staff", "count"),
    ),
    (
        lambda: Refund.objects.filter(needs_staff=True), "needs_staff__exact=1",
        ngettext_lazy("%(count)s refund needs staff", "%(count)s refunds need staff", "count"),
    ),
    (
        lambda: Dispute.objects.filter(needs_staff=True), "needs_staff__exact=1",
        ngettext_lazy("%(count)s dispute needs staff", "%(count)s disputes need staff", "count"),
    ),
    (
        lambda: GatewayDifference.objects.filter(ended_at=None).exclude(kind=GatewayDifference.Kind.CLOCK),
        "ended_at__isempty=1",
        ngettext_lazy(
            "%(count)s difference with a payment provider", "%(count)s differences with payment providers", "count"
        ),
    ),
    (
        lambda: GatewayDifference.objects.filter(ended_at=None, kind=GatewayDifference.Kind.CLOCK),
        "ended_at__isempty=1&kind__exact=clock",
        ngettext_lazy(
            "the clock differs from a payment provider's by more than a minute",
            "the clock differs from payment providers' by more than a minute", "count",
        ),
    ),
    (
        lambda: WireRequest.objects.filter(status=WireRequest.Status.OPEN), "status__exact=open",
        ngettext_lazy(
            "%(count)s request to pay by check or wire", "%(count)s requests to pay by check or wire", "count"
        ),
    ),
    (
        lambda: CardHold.objects.current(timezone.now()).filter(profile=None).values("person").distinct(),
        "now=people",
        ngettext_lazy(
            "%(count)s person held for trying too many cards",
            "%(count)s people held for trying too many cards", "count",
        ),
    ),
    (
        lambda: CardHold.objects.current(timezone.now()).filter(person=None).values("profile").distinct(),
        "now=profiles",
        ngettext_lazy(
            "%(count)s billing profile held for trying too many cards",
            "%(count)s billing profiles held for trying too many cards", "count",
        ),
    ),
    (
        lambda: WebhookDelivery.objects.filter(status=WebhookDelivery.Status.FAILED), "status__exact=failed",
        ngettext_lazy("%(count)s message of a provider failed", "%(count)s messages of providers failed", "count"),
    ),
    (
        lambda: BooksCheck.objects.filter(pk=BooksCheck.objects.order_by("-day").values("pk")[:1]).exclude(problems=[]),
        "", ngettext_lazy("the books do not add up", "the books do not add up", "count"),
    ),
    (
        lambda: Delivery.objects.filter(needs_staff=True), "needs_staff__exact=1",
        ngettext_lazy(
            "%(count)s delivery of a document needs staff", "%(count)s deliveries of documents need staff", "count"
        ),
    ),
    (
        lambda: OutgoingMail.objects.filter(sent_at=None, next_try_at=None), "sent_at__isempty=1",
        ngettext_lazy("%(count)s mail could not be sent", "%(count)s mails could not be sent", "count"),
    ),
    (
        lambda: JobRun.objects.filter(pk=NEWEST_RUN).exclude(failed={}), "",
        ngettext_lazy("the last run of the jobs failed", "the last run of the jobs failed", "count"),
    ),
]  # fmt: skip


def what_waits(user: User) -> list[Waiting]:
    """What this member of staff may see of it. One query for each kind, each on an index or on few rows."""
    waiting = []
    if not settings.PAYMENT_GATEWAYS and user.has_perm("payments.view_payment"):
        waiting.append(Waiting(gettext("no payment gateway is configured, so nobody can pay by card")))
    if user.has_perm("accounts.view_seller"):
        waiting += _incomplete_sellers()
    if user.has_perm("accounts.view_billingprofile"):
        waiting += _billed_profiles()
    for rows_of_kind, where, words in KINDS:
        rows = rows_of_kind()
        options = rows.model._meta
        if user.has_perm(f"{options.app_label}.view_{options.model_name}") and (count := rows.count()):
            url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
            waiting.append(Waiting(words % {"count": count}, f"{url}?{where}".rstrip("?")))
    return waiting


def _incomplete_sellers() -> list[Waiting]:
    """Whose invoices cannot be issued; on the first day there is no seller at all."""
    sellers = list(Seller.objects.order_by("pk"))
    if not sellers:
        url = reverse("admin:accounts_seller_add")
        return [Waiting(gettext("first add the company that sends the invoices"), url)]
    return [
        Waiting(f"{seller.company}: {' '.join(missing)}", reverse("admin:accounts_seller_change", args=[seller.pk]))
        for seller in sellers
        if (missing := seller.missing())
    ]


def _billed_profiles() -> list[Waiting]:
    """Billing profiles in a currency that was withdrawn, which should not be written any more; and those whose period
    ended two days ago and is not closed, because something keeps the invoice from being issued. An hour without a
    worker is told elsewhere. One query."""
    late = {"next_invoice_on__lt": timezone.localdate() - timedelta(days=1), "status__in": ",".join(BILLED)}
    is_late = Q(next_invoice_on__lt=late["next_invoice_on__lt"])
    by_currency = BillingProfile.objects.filter(status__in=BILLED).order_by("currency").values("currency")
    late_by_currency = dict(by_currency.annotate(late=Count("pk", filter=is_late)).values_list("currency", "late"))
    address = partial(reverse, "admin:accounts_billingprofile_changelist")
    waiting = []
    if codes := [code for code in late_by_currency if not is_current_currency(code)]:
        text = gettext("billing profiles are billed in a currency that is no longer in use: %(codes)s")
        url = address(query={"currency__in": ",".join(codes)})
        waiting.append(Waiting(text % {"codes": ", ".join(codes)}, url))
    if count := sum(late_by_currency.values()):
        words = ngettext(
            "%(count)s billing profile could not be invoiced", "%(count)s billing profiles could not be invoiced", count
        )
        waiting.append(Waiting(words % {"count": count}, address(query=late)))
    return waiting

"""Which mail a settled payment, refund or dispute asks for. The rows are written in the same commit as the fact."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.db.models import Q
from django.urls import reverse

from accounts.models import BillingProfile, RoleAssignment, User
from accounts.recipients import invoice_people
from accounts.roles import Permission, Scope, roles_with
from billing_portal.core.outbox import queue
from invoices.models import Invoice
from payments.models import Dispute, Payment, PaymentMethod, Refund
from payments.states import ENDED_WITHOUT_MONEY, PaymentStatus


def tell_payer(payment: Payment, invoices: Sequence[Invoice], *, at: datetime, was_unsure: bool = False) -> None:
    """Success once per payment; failure at most once an hour per invoice, so that retries make no storm. An end
    without money is told where the page could only say that we are checking (``was_unsure``).

    The person who paid is told. Money that staff recorded is told to those who handle the profile's invoices, and so is
    an automatic charge that succeeded; what follows from one that did not is told by its plan (`autopay`).
    """
    if payment.is_automatic and payment.status != PaymentStatus.SUCCEEDED:
        return
    if payment.status == PaymentStatus.SUCCEEDED:
        template, fact = "payment_succeeded", f"payment-succeeded:{payment.pk}"
    elif payment.status == PaymentStatus.DECLINED:
        template, fact = "payment_failed", f"payment-failed:{invoices[0].pk}:{at:%Y%m%d%H}"
    elif payment.status in ENDED_WITHOUT_MONEY and was_unsure:
        template, fact = "payment_closed", f"payment-closed:{payment.pk}"
    else:
        return
    context = payment_context(payment, invoices, at)
    recorded = payment.channel != Payment.Channel.CARD
    people = invoice_people(payment.profile) if recorded or payment.started_by is None else [payment.started_by]
    for person in people:
        queue(key=f"{fact}:{person.pk}", to=person, template=template, context=context, at=at)


def tell_of_refund(refund: Refund, *, at: datetime) -> None:
    """Once per refund, to those who handle the profile's invoices."""
    payment = refund.payment
    invoices = [row.invoice for row in payment.allocations.select_related("invoice") if row.invoice is not None]
    context = payment_context(payment, invoices, at) | {"amount_minor": refund.amount_minor}
    for person in invoice_people(payment.profile):
        queue(key=f"refund:{refund.pk}:{person.pk}", to=person, template="payment_refunded", context=context, at=at)


def tell_of_gone_default(method: PaymentMethod, *, at: datetime) -> None:
    """Those who manage cards, once each time that a default card is gone without their doing."""
    context = {
        "brand": method.brand,
        "last_four": method.last_four,
        "profile": method.profile.name,
        "url": settings.PUBLIC_URL + reverse("payments:methods", args=[method.profile.code]),
    }
    for person in card_managers(method.profile):
        key = f"method-gone:{method.pk}:{at:%Y%m%d%H%M%S}:{person.pk}"
        queue(key=key, to=person, template="method_gone", context=context, at=at)


def card_managers(profile: BillingProfile) -> list[User]:
    """Those who may add, choose and remove cards, by a role on the profile or on its account."""
    reaching = Q(profile=profile) | Q(account=profile.account_id)
    roles = roles_with(Permission.METHODS_MANAGE, Scope.PROFILE)
    held = RoleAssignment.objects.filter(reaching, role__in=roles, user__is_active=True)
    return list({row.user_id: row.user for row in held.select_related("user")}.values())


def tell_of_lost_dispute(dispute: Dispute, invoices: Sequence[Invoice], *, at: datetime) -> None:
    """Once per dispute, to those who handle the profile's invoices: they are due again."""
    payment = dispute.payment
    context = payment_context(payment, invoices, at) | {
        "amount_minor": dispute.amount_minor,
        "currency": dispute.currency,
    }
    template = "dispute_lost" if payment.channel == Payment.Channel.CARD else "payment_returned"
    for person in invoice_people(payment.profile):
        queue(key=f"dispute-lost:{dispute.pk}:{person.pk}", to=person, template=template, context=context, at=at)


def tell_staff_of_dispute(dispute: Dispute, invoices: Sequence[Invoice], *, at: datetime) -> None:
    """Once per dispute, to the staff who may act on payments: evidence is wanted until a date."""
    due = dispute.evidence_due_at
    path = reverse("admin:payments_dispute_change", args=[dispute.pk])
    context = payment_context(dispute.payment, invoices, at) | {
        "amount_minor": dispute.amount_minor,
        "currency": dispute.currency,
        "reason": dispute.reason,
        "evidence_due_at": due.isoformat() if due else "",
        "url": settings.PUBLIC_URL + path,
    }
    staff = ModelBackend().with_perm("payments.change_payment").filter(is_staff=True)
    for person in staff:
        queue(
            key=f"dispute-opened:{dispute.pk}:{person.pk}", to=person, template="dispute_opened", context=context, at=at
        )


def payment_context(payment: Payment, invoices: Sequence[Invoice], at: datetime) -> dict[str, Any]:
    path = reverse("payments:detail", kwargs={"profile": payment.profile.code, "reference": payment.reference})
    return {
        "reference": payment.reference,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "invoices": [str(invoice) for invoice in invoices],
        "method": payment.method_on_record,
        "profile": payment.profile.name,
        "decline_code": payment.decline_code,
        "at": at.isoformat(),
        "url": settings.PUBLIC_URL + path,
    }

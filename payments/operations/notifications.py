"""Mails about payments, and the jobs that find by the clock what to mail about.

A mail's row is written in the commit of the fact it tells of, under a key that names the fact, so each goes out once.
The mail of a new invoice also announces the day of its automatic charge; of the charge itself people get the receipt,
the first failure with the next day, a bank that wants the payer, and the end.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from accounts.access import access_of
from accounts.models import BillingContact, BillingProfile, RoleAssignment, User
from accounts.recipients import invoice_people, owners
from accounts.roles import Permission, Scope, roles_with
from billing_portal.core.batches import run_each
from billing_portal.core.models import OutgoingMail
from billing_portal.core.outbox import queue, queue_to
from billing_portal.core.time_zones import has_come, month_before
from invoices.journal import last_closed_day
from invoices.models import Invoice
from invoices.operations.deliveries import queue_mail
from invoices.operations.invoice_payments import mark_announced, put_off_announcement
from invoices.payability import reason_not_by_card
from invoices.remittances import Remittance
from invoices.states import InvoiceStatus
from payments.models import AutomaticCharge, Dispute, Payment, PaymentMethod, Refund
from payments.querysets import PaymentMethodQuerySet
from payments.statements import Statement, statement_of
from payments.states import ENDED_WITHOUT_MONEY, PaymentStatus

log = structlog.get_logger("portal.payments")
Stop = AutomaticCharge.Stop

# Before the month in which a card expires, and again when that month begins.
WARN_BEFORE = timedelta(days=30)
MAX_STATEMENT_LINES = 200

# Somebody did the rest themselves, or has to be told by staff.
UNTOLD_STOPS = {
    *(Stop.PAID, Stop.VOID, Stop.NOTHING_DUE, Stop.SWITCHED_OFF, Stop.BY_WIRE, Stop.DISPUTED),
    *(Stop.CONFIG, Stop.CLOSED),
}


def _notify(people: Iterable[User], fact: str, template: str, context: dict[str, Any], *, at: datetime) -> None:
    for person in people:
        queue(key=f"{fact}:{person.pk}", to=person, template=template, context=context, at=at)


def _url(name: str, *args: str) -> str:
    return settings.PUBLIC_URL + reverse(name, args=args)


def notify_payer(
    payment: Payment,
    invoices: Sequence[Invoice],
    *,
    at: datetime,
    was_unsure: bool = False,
    is_payer_here: bool = False,
) -> None:
    """Success once per payment; failure at most once an hour per invoice; an end without money where the page could
    only say that we are checking (``was_unsure``).

    Told is the person who paid, or those who may know once that person may not (``is_payer_here``: they were let pay in
    this very request); of money that staff recorded, and of an automatic charge that succeeded, those who handle the
    profile's invoices. What follows from a charge that did not is told by its plan (`autopay`).
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
    is_recorded = payment.channel != Payment.Channel.CARD
    context = payment_context(payment, invoices, at)
    if payment.status == PaymentStatus.SUCCEEDED and payment.needs_staff:  # nothing else becomes a credit
        credited = payment.allocations.filter(credit__isnull=False)
        context["credited_minor"] = sum(credited.values_list("amount_minor", flat=True))
        context["credited_because"] = why_credited(payment, invoices, context["credited_minor"])
    if is_recorded or payment.started_by is None:
        people = invoice_people(payment.profile)
    else:
        people = [payment.started_by] if is_payer_here else payer_or_successors(payment.started_by, payment.profile)
    _notify(people, fact, template, context, at=at)


def payer_or_successors(payer: User, profile: BillingProfile) -> list[User]:
    """The person who paid, while they may see the profile's invoices; else those who handle them, and the owners."""
    if Permission.INVOICE_VIEW in access_of(payer).permissions_at(profile):
        return [payer]
    return list({person.pk: person for person in (*invoice_people(profile), *owners(profile))}.values())


def receipt_addresses(payment: Payment) -> list[str]:
    receipts = OutgoingMail.objects.filter(key__startswith=f"payment-succeeded:{payment.pk}:")
    return list(receipts.order_by("to").values_list("to", flat=True))


def why_credited(payment: Payment, invoices: Sequence[Invoice], credited_minor: int) -> str:
    """Why money of a payment became a credit: ``void`` or ``paid`` where its only invoice took none of it, ``more``
    where less was due; empty where all of it was used."""
    if credited_minor < payment.amount_minor or len(invoices) != 1:
        return "more" if credited_minor else ""
    return "void" if invoices[0].status == InvoiceStatus.VOID else "paid"


def notify_refund(refund: Refund, *, at: datetime) -> None:
    """Once per refund, to those who handle the profile's invoices."""
    payment = refund.payment
    invoices = [row.invoice for row in payment.allocations.select_related("invoice") if row.invoice is not None]
    context = payment_context(payment, invoices, at) | {
        "amount_minor": refund.amount_minor,
        "bank_reference": refund.bank_reference,
        "paid_on": refund.paid_on.isoformat() if refund.paid_on else "",
    }
    _notify(invoice_people(payment.profile), f"refund:{refund.pk}", "payment_refunded", context, at=at)


def notify_gone_default(method: PaymentMethod, *, at: datetime) -> None:
    """Those who manage cards, once each time that a default card is gone without their doing."""
    fact = f"method-gone:{method.pk}:{at:%Y%m%d%H%M%S}"
    _notify(card_managers(method.profile), fact, "method_gone", card_context(method), at=at)


def card_context(method: PaymentMethod) -> dict[str, Any]:
    return {
        "brand": method.brand,
        "last_four": method.last_four,
        "profile": method.profile.name,
        "account": method.profile.account_id,
        "url": _url("payments:methods", method.profile.code),
    }


def card_managers(profile: BillingProfile) -> list[User]:
    reaching = Q(profile=profile) | Q(account=profile.account_id)
    roles = roles_with(Permission.METHODS_MANAGE, Scope.PROFILE)
    held = RoleAssignment.objects.filter(reaching, role__in=roles, user__is_active=True)
    return list({row.user_id: row.user for row in held.select_related("user")}.values())


def notify_lost_dispute(dispute: Dispute, invoices: Sequence[Invoice], *, at: datetime) -> None:
    """Once per dispute, to those who handle the profile's invoices: they are due again."""
    payment = dispute.payment
    context = payment_context(payment, invoices, at)
    context |= {"amount_minor": dispute.amount_minor, "currency": dispute.currency}
    template = "dispute_lost" if payment.channel == Payment.Channel.CARD else "payment_returned"
    _notify(invoice_people(payment.profile), f"dispute-lost:{dispute.pk}", template, context, at=at)


def notify_staff_of_dispute(dispute: Dispute, invoices: Sequence[Invoice], *, at: datetime) -> None:
    """Once per dispute, to the staff who may act on payments: evidence is wanted until a date."""
    due = dispute.evidence_due_at
    context = payment_context(dispute.payment, invoices, at) | {
        "amount_minor": dispute.amount_minor,
        "currency": dispute.currency,
        "reason": dispute.reason,
        "evidence_due_at": due.isoformat() if due else "",
        "url": _url("admin:payments_dispute_change", str(dispute.pk)),
    }
    staff = ModelBackend().with_perm("payments.change_payment").filter(is_staff=True)
    _notify(staff, f"dispute-opened:{dispute.pk}", "dispute_opened", context, at=at)


def payment_context(payment: Payment, invoices: Sequence[Invoice], at: datetime) -> dict[str, Any]:
    return {
        "reference": payment.reference,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "invoices": [str(invoice) for invoice in invoices],
        "method": payment.method_on_record,
        "profile": payment.profile.name,
        "account": payment.profile.account_id,
        "decline_code": payment.decline_code,
        "at": at.isoformat(),
        "url": _url("payments:detail", payment.profile.code, payment.reference),
    }


def notify_first_failure(
    plan: AutomaticCharge, payment: Payment, card: PaymentMethod, *, on: date, at: datetime
) -> None:
    """That a charge was declined, and which card is charged next on which day. Once for each plan."""
    context = invoice_context(plan.invoice) | {
        "reference": payment.reference,
        "method": payment.method_on_record,
        "decline_code": payment.decline_code,
        "next_method": card.label,
        "next_on": on.isoformat(),
        "is_same_card": card.pk == payment.method_id,
    }
    _notify_of_plan(plan, "charge_failed", context, at=at)


def notify_stop(plan: AutomaticCharge, reason: Stop, *, at: datetime) -> None:
    """That nothing is charged by itself any more, and what helps. Once for each plan."""
    if reason in UNTOLD_STOPS:
        return
    payment = plan.last_payment
    method = payment.method_on_record if payment is not None else ""
    context = invoice_context(plan.invoice) | {"reason": reason.value, "method": method}
    template = "charge_must_act" if reason == Stop.MUST_ACT else "charge_stopped"
    _notify_of_plan(plan, template, context, at=at)


def _notify_of_plan(plan: AutomaticCharge, template: str, context: dict[str, Any], *, at: datetime) -> None:
    fact = f"{template.replace('_', '-')}:{plan.invoice_id}:{plan.created_at:%Y%m%d%H%M%S}"
    _notify(invoice_people(plan.profile), fact, template, context, at=at)


def invoice_context(invoice: Invoice) -> dict[str, Any]:
    """What a mail says of an open invoice, whose profile and account are loaded; ``url`` is its payment page."""
    return {
        "number": invoice.number,
        "amount_minor": invoice.amount_due_minor,
        "currency": invoice.currency,
        "due_on": invoice.due_on.isoformat() if invoice.due_on else "",
        "profile": invoice.profile.name,
        "account": invoice.profile.account_id,
        "url": _url("payments:pay", invoice.profile.code, str(invoice)),
        "methods_url": _url("payments:methods", invoice.profile.code),
        "by_card": reason_not_by_card(invoice.profile, invoice.amount_due) is None,
    }


def notify_new_invoice(invoice: Invoice, *, at: datetime) -> None:
    """Those who handle the profile's invoices, and its contacts: each address once. Contacts sign in nowhere, so what
    they need to pay by transfer is in the mail, without buttons. It carries the documents. Needs
    ``invoice.profile``."""
    queue_mail(invoice, template="invoice_ready", context=_new_invoice_context(invoice), at=at)


def _new_invoice_context(invoice: Invoice) -> dict[str, Any]:
    default = PaymentMethod.objects.active().filter(profile=invoice.profile, is_default=True).first()
    remittance, context = Remittance.printed_on(invoice), invoice_context(invoice)
    charged_on = invoice.autopay_on if context["by_card"] else None
    if charged_on or not invoice.amount_due_minor or not context["by_card"]:
        context["url"] = _url("invoices:detail", invoice.profile.code, str(invoice))
    return context | {
        "total_minor": invoice.total_minor,
        "settled_by": _settled_by(invoice),
        "charged_on": charged_on.isoformat() if charged_on else "",
        "method": default.label if default is not None else "",
        "transfer": remittance.for_mail() if remittance is not None else {},
        "payment_reference": invoice.payment_reference,
    }


def _settled_by(invoice: Invoice) -> str:
    if invoice.amount_due_minor:
        return ""
    return "credits" if invoice.credited_minor - invoice.written_off_minor == invoice.total_minor else "payment"


def notify_expiring_card(method: PaymentMethod, *, at: datetime) -> None:
    """Those who manage cards, before the month it expires in and when that begins. Needs ``method.profile``."""
    context = card_context(method) | {"expiry": method.expiry, "is_default": method.is_default}
    stage = "this-month" if (method.expiry_year, method.expiry_month) == (at.year, at.month) else "before"
    fact = f"card-expiring:{method.pk}:{method.expiry_year}-{method.expiry_month:02d}:{stage}"
    _notify(card_managers(method.profile), fact, "card_expiring", context, at=at)


def announce_due(*, at: datetime, limit: int) -> int:
    """Tells the people of each new invoice. Returns how many were worked on; 0: none is left. Safe to run twice."""
    day_has_come = has_come("announce_on", zone="profile__time_zone", at=at)
    rows = Invoice.objects.filter(day_has_come, announce_on__isnull=False).order_by("announce_on", "pk")
    return run_each(
        list(rows.values_list("pk", flat=True)[:limit]),
        lambda pk: _announce(pk, at),
        log=log,
        event="invoice not announced",
        on_failure=lambda pk: put_off_announcement(pk, at.date() + timedelta(days=1)),
    )


@transaction.atomic
def _announce(invoice_id: int, at: datetime) -> bool:
    """An invoice that is void by now, or whose profile wants no mail any more, is passed over."""
    invoice = Invoice.objects.select_related("profile__account").filter(pk=invoice_id).locked().get()
    if invoice.announce_on is None:
        return False
    if invoice.status in (InvoiceStatus.OPEN, InvoiceStatus.PAID) and invoice.profile.mails_invoices:
        notify_new_invoice(invoice, at=at)
    mark_announced(invoice)
    return True


def warn_of_expiring_cards(*, at: datetime, limit: int) -> int:
    """Tells those who manage cards that the default or a backup card is about to expire: 30 days before its last month,
    and when that begins; nobody without a gateway. Returns how many cards were worked on; 0: none is left."""
    if not settings.PAYMENT_GATEWAYS:
        return 0
    ids = list(_expiring(at.date()).order_by("pk").values_list("pk", flat=True)[:limit])
    return run_each(ids, lambda pk: _warn(pk, at), log=log, event="card holder not warned")


def _expiring(today: date) -> PaymentMethodQuerySet:
    soon = (today + WARN_BEFORE).replace(day=1)
    this_month = today.replace(day=1)
    condition = _expiring_in(this_month, not_warned_since=this_month)
    if soon != this_month:
        condition |= _expiring_in(soon, not_warned_since=soon - WARN_BEFORE)
    relied_on = Q(is_default=True) | Q(backup_order__isnull=False)
    return PaymentMethod.objects.active().filter(condition, relied_on)


def _expiring_in(month: date, *, not_warned_since: date) -> Q:
    never_or_before = Q(expiry_warned_on=None) | Q(expiry_warned_on__lt=not_warned_since)
    return Q(never_or_before, expiry_year=month.year, expiry_month=month.month)


@transaction.atomic
def _warn(method_id: int, at: datetime) -> bool:
    cards = _expiring(at.date()).select_related("profile").filter(pk=method_id)
    method = next(iter(cards.locked()), None)
    if method is None:
        return False
    notify_expiring_card(method, at=at)
    method.expiry_warned_on = at.date()
    method.save(update_fields=["expiry_warned_on"])
    return True


def send_statements(*, at: datetime, limit: int) -> int:
    """Queues the statement of the month that ended, for contacts of profiles that pay by check or wire: they have no
    account here, so the mail says everything. Returns how many contacts were taken up. A month without debt and
    movements makes no mail; after a standstill only the last month is sent."""
    newest_on, _last_on = _closed_month(at)
    waiting = BillingContact.objects.filter(
        Q(last_statement_on=None) | Q(last_statement_on__lt=newest_on),
        gets_statements=True,
        profile__default_method=BillingProfile.DefaultMethod.CHECK_WIRE,
    ).exclude(profile__status=BillingProfile.Status.CLOSED)
    contacts = waiting.select_related("profile").order_by("profile_id", "pk").iterator()
    send = partial(_send_statement, statements={}, at=at)
    return run_each(contacts, send, log=log, event="statement not sent", limit=limit)


def _closed_month(at: datetime) -> tuple[date, date]:
    """The last month that has ended and gets no further line."""
    return month_before(last_closed_day(at) + timedelta(days=1))


def _send_statement(contact: BillingContact, statements: dict[int, Statement], *, at: datetime) -> int:
    profile = contact.profile
    first_on, last_on = _closed_month(at)
    if profile.pk not in statements:
        statements.clear()
        statements[profile.pk] = statement_of(profile, first_on, last_on)
    statement = statements[profile.pk]
    with transaction.atomic():
        unchanged = BillingContact.objects.filter(pk=contact.pk, last_statement_on=contact.last_statement_on)
        if not unchanged.update(last_statement_on=first_on):
            return 0
        if statement.lines or statement.opening:
            queue_to(
                key=f"statement:{contact.pk}:{first_on:%Y%m}",
                email=contact.email,
                language=contact.language,
                template="statement",
                context=_statement_context(statement),
                at=at,
            )
    return 1


def _statement_context(statement: Statement) -> dict[str, Any]:
    lines = statement.lines[-MAX_STATEMENT_LINES:]
    return {
        "profile": statement.profile.name,
        "account": statement.profile.account_id,
        "statement": statement.profile.pk,
        "currency": statement.currency,
        "first_on": statement.first_on.isoformat(),
        "last_on": statement.last_on.isoformat(),
        "opening_minor": statement.opening.minor,
        "closing_minor": statement.closing.minor,
        "left_out": len(statement.lines) - len(lines),
        "lines": [
            {"on": row.on.isoformat(), "what": row.kind.value, "number": row.number, "amount_minor": row.amount.minor}
            for row in lines
        ],
    }

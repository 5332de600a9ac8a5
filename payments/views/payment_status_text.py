"""What a payment's page says: how it stands, what happens next, and what happened so far, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from invoices.models import Invoice
from invoices.states import InvoiceStatus
from payments.models import Payment, PaymentEvent
from payments.operations.reconciliation import may_approve
from payments.states import DisputeStatus, PaymentStatus

Text = str | Promise
S, D = PaymentStatus, DisputeStatus


@dataclass(frozen=True)
class StatusText:
    """``title`` heads the panel; ``tone`` is good, busy or bad; ``next`` says what happens now, one paragraph each."""

    title: Text
    tone: str
    icon: str
    heading: Text = ""
    next: tuple[Text, ...] = ()


BUSY, UNSURE, PAID = ("busy", "refresh-cw"), ("busy", "clock"), ("good", "circle-check")
STATUS_TEXTS: dict[PaymentStatus, StatusText] = {
    # Whoever reads this has come while the provider is being asked, or its answer could not be written down.
    S.CREATED: StatusText(
        *(_("Payment not confirmed yet"), *UNSURE, _("We are asking your bank")),
        (
            _("The payment was sent, and its outcome has not been recorded yet. We mail you as soon as we know."),
            _("Please do not pay this invoice in another way until then. You cannot be charged twice from here."),
        ),
    ),
    S.PENDING: StatusText(
        *(_("Paying invoice"), *BUSY, _("The payment is on its way")),
        (_("It was accepted and is being carried out. You need not do anything; we mail you when it has arrived."),),
    ),
    S.NEEDS_CUSTOMER: StatusText(
        *(_("Approve with your bank"), "busy", "shield-check", _("Your bank asks you to approve this payment")),
        (_("Nothing has been charged yet. Approve the payment, or cancel it and pay in another way."),),
    ),
    S.UNKNOWN: StatusText(
        *(_("Payment not confirmed yet"), *UNSURE, _("We are asking your bank")),
        (
            _(
                "Your bank took longer than usual to answer, so we do not know yet whether you were charged. "
                "We ask again by ourselves and mail you as soon as we know."
            ),
            _("Please do not pay this invoice in another way until then. You cannot be charged twice from here."),
        ),
    ),
    S.MISMATCH: StatusText(
        *(_("Payment not confirmed yet"), *UNSURE, _("Our staff are reviewing this payment")),
        (_("The answer of the payment provider does not agree with the invoice, so a person looks at it first."),),
    ),
    S.SUCCEEDED: StatusText(_("Invoice paid"), *PAID),
    S.DECLINED: StatusText(_("Payment declined"), "bad", "triangle-alert", _("Your bank declined the payment")),
    S.EXPIRED: StatusText(
        *(_("Payment not completed"), "bad", "ban", _("Nothing was charged")),
        (_("The payment was closed before your bank approved it."),),
    ),
    S.NOT_SENT: StatusText(
        *(_("Payment not sent"), "bad", "ban", _("Nothing was charged")),
        (_("We could not reach the payment provider. You can try again."),),
    ),
}
DISPUTED = StatusText(
    *(_("Payment disputed"), *UNSURE, _("Your bank has asked for this money back")),
    (
        _("The bank decides within a few weeks. Until then the invoices stay as they are, and nothing is paid back."),
        _("If the bank takes the money back, it is due again. If you did not ask for this, tell your bank and us."),
    ),
)
TAKEN = (_("What it had paid became due again. The invoices show their status now."),)
CHARGED_BACK = StatusText(_("Payment taken back"), "bad", "undo-2", _("Your bank took this money back"), TAKEN)
CHARGED_BACK_IN_PART = StatusText(
    *(_("Payment taken back in part"), "bad", "undo-2", _("Your bank took a part of this money back")), TAKEN
)
WAITING_FOR_PAYER = StatusText(_("Waiting for bank approval"), *UNSURE, _("This payment waits for bank approval"))
REFUNDED = StatusText(_("Payment refunded"), "good", "undo-2")
RECEIVED = StatusText(_("Payment received"), *PAID)


def status_text(payment: Payment, invoices: Sequence[Invoice], access: Access) -> StatusText:
    """It says "paid" only when nothing is left on the invoices, and leads only the payment's payer to the bank."""
    if payment.status == S.NEEDS_CUSTOMER and not may_approve(access, payment):
        return WAITING_FOR_PAYER
    if payment.status == S.SUCCEEDED:
        if payment.disputed_at is not None:
            return DISPUTED
        if payment.charged_back_minor:
            return CHARGED_BACK if payment.charged_back_minor == payment.amount_minor else CHARGED_BACK_IN_PART
        if payment.refunded_minor == payment.amount_minor:
            return REFUNDED
        if any(invoice.status != InvoiceStatus.PAID for invoice in invoices):
            return RECEIVED
    return STATUS_TEXTS[PaymentStatus(payment.status)]


EVENT_WORDS: dict[str, Text] = {
    S.CREATED: _("Payment started"),
    S.NEEDS_CUSTOMER: _("The bank asked for approval"),
    S.PENDING: _("Accepted, on its way"),
    S.UNKNOWN: _("No clear answer from the bank; we ask again"),
    S.MISMATCH: _("The amounts do not agree; our staff look at it"),
    S.SUCCEEDED: _("Payment succeeded"),
    S.DECLINED: _("Declined by the bank"),
    S.EXPIRED: _("Closed before any money moved"),
    S.NOT_SENT: _("The payment provider could not be reached"),
}
RESULT_WORDS: dict[str, Text] = {
    "recorded": _("Recorded by our staff"),
    "accepted": _("Accepted by our staff"),
    "refused": _("Paid back by our staff"),
    "handled": _("Looked at by our staff"),
    "charged_again": _("Charged once more than was asked; our staff look at it"),
    "spent": _("The payment provider found nothing; we ask again"),
    "refund_too_much": _("More was paid back than was left here; our staff look at it"),
    "written_off": _("A difference was written off by our staff"),
    "refund_currency": _("Money was paid back in another currency; our staff look at it"),
    f"dispute_{D.OPEN}": _("The bank asked for money back"),
    f"dispute_{D.WON}": _("The bank closed the dispute; nothing was taken"),
    f"dispute_{D.LOST}": _("The bank took money back"),
}


def event_text(event: PaymentEvent) -> str:
    """One entry of the history. An event that moved nothing is told as a message that was kept."""
    if event.result in RESULT_WORDS:
        return str(RESULT_WORDS[event.result])
    if event.old_status == event.new_status:
        return _now("A message arrived that changed nothing")
    return str(EVENT_WORDS.get(event.new_status, event.new_status))

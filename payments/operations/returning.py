"""Money that staff recorded and that the bank took away again: a check that bounced, a wire that was recalled.

It is booked as a dispute that is lost at once, so that books, receipts and statements treat both alike: credits first,
then the invoices, which are due and reminded of again.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, require_staff
from payments.gateways import base
from payments.models import Payment, PaymentEvent
from payments.operations.disputing import book_on_locked
from payments.operations.recording import CannotRecord
from payments.operations.settling import lock
from payments.states import PaymentStatus


@transaction.atomic(durable=True)
def record_return(*, access: Access, payment_id: UUID, reason: str, at: datetime) -> Payment:
    """Takes back all that is left of a recorded check or wire. For staff. Those who handle the invoices are told.

    Returns the payment. Raises NotAllowed, Payment.DoesNotExist, and CannotRecord without a reason, for a card payment,
    and when it has all gone back already.
    """
    require_staff(access)
    rows = lock(payment_id)
    payment = rows[0].payment
    if payment.channel == Payment.Channel.CARD or payment.status != PaymentStatus.SUCCEEDED:
        raise CannotRecord(_("Only a check or wire that was recorded can come back."))
    if not reason.strip():
        raise CannotRecord(_("Say why it came back, for whoever reads this later."))
    if not payment.rest:
        raise CannotRecord(_("All of this money has gone back already."))
    lost = base.Dispute(
        f"returned {payment.reference}", payment.gateway_id, payment.rest, base.DisputeStatus.LOST, reason.strip()
    )
    row = book_on_locked(rows, lost, source=PaymentEvent.Source.STAFF, at=at)
    row.needs_staff = bool(row.missing)
    row.save(update_fields=["needs_staff"])
    audit.record(
        access=access, at=at, action="payment.returned", subject=payment.reference, profile=payment.profile,
        amount_minor=row.amount_minor, taken_minor=row.taken_minor, reason=reason.strip(),
    )  # fmt: skip
    return payment

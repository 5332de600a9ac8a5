"""What the staff pages of payments share."""

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.staff_actions import StaffActionAdmin
from payments.gateways.registry import UnknownGateway
from payments.operations.autopay import CannotPlan
from payments.operations.card_holds import CannotRelease
from payments.operations.gateway_calls import NoAnswer
from payments.operations.manual_payments import CannotRecord
from payments.operations.methods import CannotChangeMethod
from payments.operations.refunds import CannotRefund


class PaymentsAdmin(StaffActionAdmin, ReadOnlyAdmin):
    """Rows that nobody edits; the permission to change them is that of their actions."""

    actions = None
    refusals = (
        *(CannotChangeMethod, CannotPlan, CannotRecord, CannotRefund, CannotRelease),
        *(NoAnswer, UnknownGateway),
    )

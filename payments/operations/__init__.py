"""The only code that moves money and writes down where it went.

Money moves in three steps, and only the first and the last hold a transaction. `begin` locks the invoices and writes
an attempt; the gateway is called with the attempt's id as idempotency key; `settle` locks the invoices, then the
payment, and records the outcome. `settle` is the only door: the page that comes back from the bank, the provider's
message, the reconciler and staff all enter there, so a lost answer costs nothing but time.

What is not known is never guessed. An answer that did not come is `UNKNOWN`: it blocks the invoice until the gateway
was asked and answered, and after the last look it waits for a person. Money that was taken is always booked: what
fits no invoice becomes a credit of the profile, and staff are told.
"""

from payments.operations.adding import CannotAddCard, add_card, check_of_setup, end_abandoned, finish_adding
from payments.operations.announcing import announce_due, warn_of_expiring_cards
from payments.operations.asking import NoAnswer
from payments.operations.autopay import CannotPlan, charge_due, plan_again, switch_autopay
from payments.operations.backups import drop_backup, make_backup, move_backup
from payments.operations.beginning import AmountChanged, CannotPay
from payments.operations.blockers import Blocker, blockers_of
from payments.operations.books import check_books
from payments.operations.card_holds import CannotRelease, release_hold
from payments.operations.checking import NotTheirs, check_of, may_approve
from payments.operations.default_method import set_default_method
from payments.operations.detaching import detach_due
from payments.operations.disputing import look_up_dispute, mark_dispute_handled
from payments.operations.looking_up import cancel_attempt, come_back, look_up, reconcile
from payments.operations.methods import CannotChangeMethod, make_default, remove_method
from payments.operations.paying import pay
from payments.operations.recording import CannotRecord, end_unanswered, mark_handled, record_payment, resolve_mismatch
from payments.operations.refunding import CannotRefund, look_up_refund, refund
from payments.operations.returning import record_return
from payments.operations.settling import settle
from payments.operations.statements import send_statements
from payments.operations.webhooks import process_again, process_deliveries, receive

__all__ = [
    "AmountChanged",
    "Blocker",
    "CannotAddCard",
    "CannotChangeMethod",
    "CannotPay",
    "CannotPlan",
    "CannotRecord",
    "CannotRefund",
    "CannotRelease",
    "NoAnswer",
    "NotTheirs",
    "add_card",
    "announce_due",
    "blockers_of",
    "cancel_attempt",
    "charge_due",
    "check_books",
    "check_of",
    "check_of_setup",
    "come_back",
    "detach_due",
    "drop_backup",
    "end_abandoned",
    "end_unanswered",
    "finish_adding",
    "look_up",
    "look_up_dispute",
    "look_up_refund",
    "make_backup",
    "make_default",
    "mark_dispute_handled",
    "mark_handled",
    "may_approve",
    "move_backup",
    "pay",
    "plan_again",
    "process_again",
    "process_deliveries",
    "receive",
    "reconcile",
    "record_payment",
    "record_return",
    "refund",
    "release_hold",
    "remove_method",
    "resolve_mismatch",
    "send_statements",
    "set_default_method",
    "settle",
    "switch_autopay",
    "warn_of_expiring_cards",
]

"""The only code that changes invoices.

An invoice is drafted and issued (numbered, dated, frozen), or made at once from the charges of a period, and from then
on only paid, credited or voided. The operations here run inside a transaction: their own, or the one of the operation
in `payments` that calls them.
"""

from invoices.operations.applying import (
    apply_payment,
    book_credit,
    change_credit,
    clear_payment_started,
    give_back_payment,
    mark_disputed,
    mark_payment_started,
    take_back_payment,
)
from invoices.operations.charging import CannotCharge, record_charge, remove_charge
from invoices.operations.closing import Closed, close_due, close_periods
from invoices.operations.crediting import CannotCredit, apply_at_issue, apply_credits
from invoices.operations.drafting import CannotDraft, draft_sums, recompute_draft
from invoices.operations.issuing import CannotIssue, issue, line_sums, parties_of, total_of, values_at_issue
from invoices.operations.ledger import add_credit
from invoices.operations.voiding import CannotVoid, void

__all__ = [
    "CannotCharge",
    "CannotCredit",
    "CannotDraft",
    "CannotIssue",
    "CannotVoid",
    "Closed",
    "add_credit",
    "apply_at_issue",
    "apply_credits",
    "apply_payment",
    "book_credit",
    "change_credit",
    "clear_payment_started",
    "close_due",
    "close_periods",
    "draft_sums",
    "give_back_payment",
    "issue",
    "line_sums",
    "mark_disputed",
    "mark_payment_started",
    "parties_of",
    "recompute_draft",
    "record_charge",
    "remove_charge",
    "take_back_payment",
    "total_of",
    "values_at_issue",
    "void",
]

"""The only code that changes invoices.

An invoice is drafted and issued (numbered, dated, frozen), or made at once from the charges of a period, and from then
on only paid, credited or voided. The operations here run inside a transaction: their own, or the one of the operation
in `payments` that calls them.
"""

from invoices.operations.applying import (
    apply_payment,
    clear_payment_started,
    give_back_payment,
    mark_disputed,
    mark_payment_started,
    take_back_payment,
)
from invoices.operations.charging import CannotCharge, record_charge, remove_charge
from invoices.operations.closing import Closed, close_due, close_periods
from invoices.operations.correcting import CannotCorrect, chosen_parts, credit_note, rest_of
from invoices.operations.crediting import CannotCredit, apply_at_issue, apply_credits
from invoices.operations.drafting import CannotDraft, draft_sums, recompute_draft
from invoices.operations.granting import GRANTABLE, expire_credits, grant_credit, take_back_credit
from invoices.operations.issuing import CannotIssue, issue, line_sums, parties_of, total_of, values_at_issue
from invoices.operations.keeping import keep_document, kept_document
from invoices.operations.ledger import add_credit, book_credit, change_credit
from invoices.operations.planning import drop_autopay, mark_announced, note_declined, plan_autopay
from invoices.operations.reminding import remind_due
from invoices.operations.standing import restore_standing, update_profile_statuses
from invoices.operations.voiding import CannotVoid, rebill, void

__all__ = [
    "GRANTABLE",
    "CannotCharge",
    "CannotCorrect",
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
    "chosen_parts",
    "clear_payment_started",
    "close_due",
    "close_periods",
    "credit_note",
    "draft_sums",
    "drop_autopay",
    "expire_credits",
    "give_back_payment",
    "grant_credit",
    "issue",
    "keep_document",
    "kept_document",
    "line_sums",
    "mark_announced",
    "mark_disputed",
    "mark_payment_started",
    "note_declined",
    "parties_of",
    "plan_autopay",
    "rebill",
    "recompute_draft",
    "record_charge",
    "remind_due",
    "remove_charge",
    "rest_of",
    "restore_standing",
    "take_back_credit",
    "take_back_payment",
    "total_of",
    "update_profile_statuses",
    "values_at_issue",
    "void",
]

"""Changes of single rows in SQL, by table, and what is to become of each: see `test_tampering`."""

from datetime import timedelta

from tests.factories import NOW
from tests.payments.invoice_tamperings import DELETE, INVOICE_TAMPERINGS, LATE, NAMED, REFUSED

# Proven as of this moment: what comes up much later was put off by hand.
AT = NOW + timedelta(days=3)

TAKEN = "status = 'succeeded' AND channel = 'card' AND refunded_minor = 0 AND method_id IS NOT NULL"
PART = (
    "refunded_minor = 0 AND NOT is_open AND payment_id IN (SELECT id FROM payments_payment WHERE status = 'succeeded')"
)
USED_CARD = "id IN (SELECT method_id FROM payments_payment WHERE status = 'succeeded')"
AUDIT = "INSERT at, action, profile_id, subject, detail ="
PAYOUT = "INSERT reference, gateway, currency, version, paid_on, created_at, reason, amount_minor, fees_minor = 'po_2',"
CLOSED = "billed_until_on IS NOT NULL"

# The same of the other tables.
TAMPERINGS: dict[str, list[tuple[str, str, str]]] = INVOICE_TAMPERINGS | {
    "payments_payment": [
        ("status = 'declined'", "status = 'succeeded'", NAMED),
        (TAKEN, "status = 'declined'", NAMED),
        ("status = 'needs_customer'", "status = 'pending'", NAMED),
        (TAKEN, "amount_minor = amount_minor + 1", NAMED),
        (TAKEN, "refunded_minor = 1", NAMED),
        ("charged_back_minor > 0", "charged_back_minor = 0", NAMED),
        ("charged_back_minor > 0", "refunded_minor = 0", REFUSED),
        ("disputed_at IS NOT NULL", "disputed_at = NULL", NAMED),
        (f"disputed_at IS NULL AND {TAKEN}", "disputed_at = started_at", NAMED),
        (TAKEN, "currency = 'USD'", NAMED),
        (TAKEN, "profile_id = (SELECT MAX(id) FROM accounts_billingprofile)", REFUSED),
        (TAKEN, "channel = 'wire'", REFUSED),
        ("channel = 'wire'", "channel = 'check'", REFUSED),
        (TAKEN, "gateway = 'another'", NAMED),
        (TAKEN, "gateway_id = 'pay_forged'", NAMED),
        (TAKEN, "reference = 'PAY-FORGED'", REFUSED),
        ("channel = 'wire'", "bank_reference = 'WIRE-2'", REFUSED),
        ("channel = 'check'", "bank_reference = ''", REFUSED),
        ("channel = 'wire'", "received_on = '2026-01-01'", REFUSED),
        ("channel = 'wire'", "received_on = NULL", REFUSED),
        (TAKEN, "id = '00000000-0000-4000-8000-000000000000'", REFUSED),
        (f"{TAKEN} AND NOT is_automatic", "is_automatic = TRUE", NAMED),
        ("status = 'succeeded' AND is_automatic", "is_automatic = FALSE", NAMED),
        (TAKEN, "method_id = (SELECT MAX(id) FROM payments_paymentmethod WHERE status = 'active')", NAMED),
        ("status = 'needs_customer'", "next_lookup_at = NULL", NAMED),
        ("status = 'needs_customer'", f"next_lookup_at = {LATE}", NAMED),
        ("status = 'mismatch'", "needs_staff = FALSE", NAMED),
        ("status = 'declined' AND NOT is_automatic", f"next_lookup_at = {LATE}", NAMED),
        (
            "needs_staff AND id IN (SELECT payment_id FROM payments_paymentallocation WHERE credit_id IS NOT NULL)",
            "needs_staff = FALSE",
            NAMED,
        ),
        (TAKEN, "started_at = '2026-01-01 08:00:00+00:00'", REFUSED),
        (TAKEN, "finished_at = NULL", NAMED),
        (TAKEN, "card_last_four = '0000'", "Words for readers; the provider knows the card of its own payment."),
        ("status = 'declined'", "decline_code = 'generic'", "Chooses words; nothing is booked by it."),
        (TAKEN, "started_by_id = NULL", "The audit trail names who began it."),
        (TAKEN, "lookups = 9", "How often the provider was asked; what has ended is asked no more."),
        (TAKEN, DELETE, REFUSED),
    ],
    "payments_paymentallocation": [
        (PART, "amount_minor = amount_minor + 1", NAMED),
        (PART, "refunded_minor = refunded_minor + 1", NAMED),
        ("is_open", "is_open = FALSE", NAMED),
        (PART, "is_open = TRUE", NAMED),
        (PART, "invoice_id = (SELECT MAX(id) FROM invoices_invoice WHERE status = 'open')", NAMED),
        (PART, "payment_id = (SELECT id FROM payments_payment WHERE channel = 'wire')", NAMED),
        ("credit_id IS NOT NULL", "credit_id = NULL", REFUSED),
        (PART, DELETE, NAMED),
    ],
    "payments_paymentevent": [
        ("new_status = 'succeeded'", "new_status = 'declined'", REFUSED),
        ("new_status = 'succeeded'", "detail = '{}'", REFUSED),
        ("new_status = 'succeeded'", DELETE, REFUSED),
        (
            "new_status = 'succeeded'",
            (
                "INSERT payment_id, at, source, result, old_status, new_status, detail = payment_id, at, source,"
                " result, new_status, 'declined', detail"
            ),
            NAMED,
        ),
    ],
    "payments_refund": [
        ("status = 'succeeded'", "amount_minor = amount_minor + 1", REFUSED),
        ("status = 'succeeded'", "status = 'failed'", NAMED),
        ("status = 'succeeded'", "missing_minor = 1", NAMED),
        ("status = 'succeeded'", "payment_id = (SELECT id FROM payments_payment WHERE channel = 'check')", REFUSED),
        ("status = 'unknown'", "status = 'succeeded'", NAMED),
        ("status = 'unknown'", "next_lookup_at = NULL", NAMED),
        ("status = 'unknown'", f"next_lookup_at = {LATE}", NAMED),
        ("paid_on IS NULL AND status = 'succeeded'", "paid_on = '2026-10-26'", REFUSED),
        ("paid_on IS NOT NULL", "paid_on = NULL", REFUSED),
        ("status = 'succeeded'", "currency = 'USD'", REFUSED),
        ("paid_on IS NOT NULL", "bank_reference = 'BANK-8'", REFUSED),
        (
            "gateway_id <> ''",
            "gateway_id = 're_forged'",
            "The provider's list is compared each day, and its own id of the refund is unknown then.",
        ),
        ("status = 'succeeded'", "reason = 'None'", "For readers; the audit trail keeps the reason that was given."),
        ("status = 'succeeded'", DELETE, REFUSED),
    ],
    "payments_refundallocation": [
        ("1 = 1", "amount_minor = amount_minor + 1", REFUSED),
        ("1 = 1", DELETE, REFUSED),
        ("1 = 1", "INSERT refund_id, allocation_id, amount_minor = refund_id, allocation_id, 1", NAMED),
    ],
    "payments_dispute": [
        ("status = 'lost'", "taken_minor = taken_minor - 1", NAMED),
        ("status = 'lost'", "status = 'won', taken_minor = 0", NAMED),
        ("status = 'open'", "status = 'won', closed_at = opened_at", NAMED),
        ("status = 'won'", "status = 'open', closed_at = NULL", NAMED),
        ("status = 'open'", "opened_at = '2026-01-01 00:00:00+00:00'", NAMED),
        ("status = 'lost'", "amount_minor = amount_minor + 1", NAMED),
        (
            "status = 'open'",
            "amount_minor = amount_minor + 1",
            "The provider tells it again before anything is booked.",
        ),
        ("status = 'won'", "amount_minor = 1", "Nothing is booked of it; the history of its payment has the amount."),
        ("status = 'lost'", "payment_id = (SELECT id FROM payments_payment WHERE channel = 'wire')", NAMED),
        ("status = 'open'", "gateway_id = 'dp_forged'", NAMED),
        ("status = 'open'", "next_lookup_at = NULL", NAMED),
        ("status = 'open'", f"next_lookup_at = {LATE}", NAMED),
        ("status = 'lost'", "needs_staff = FALSE", NAMED),
        (
            "status = 'open'",
            "evidence_due_at = NULL",
            "The provider tells it again, each day while the dispute is open.",
        ),
    ],
    "payments_disputeallocation": [
        ("1 = 1", "amount_minor = amount_minor - 1", NAMED),
        ("1 = 1", "allocation_id = (SELECT MIN(id) FROM payments_paymentallocation)", NAMED),
        ("1 = 1", DELETE, NAMED),
    ],
    "payments_automaticcharge": [
        ("status = 'done'", DELETE, NAMED),
        ("status = 'stopped' AND tries > 0", DELETE, NAMED),
        ("status = 'stopped' AND tries = 0", DELETE, "It says why nothing was tried; without a day nothing will be."),
        ("status = 'stopped'", "stopped_because = ''", REFUSED),
        ("status = 'stopped'", "status = 'planned'", "The next pass through the jobs ends a plan without a day again."),
        ("status = 'stopped'", "status = 'done'", NAMED),
        ("status = 'done'", "status = 'waiting', last_payment_id = NULL", NAMED),
        ("status = 'done'", "last_payment_id = (SELECT id FROM payments_payment WHERE channel = 'wire')", NAMED),
        ("status = 'done'", "profile_id = (SELECT MAX(id) FROM accounts_billingprofile)", NAMED),
        ("status = 'planned'", "status = 'stopped', stopped_because = 'paid'", NAMED),
        ("status = 'planned' AND tries > 0", "tries = 0", NAMED),
        ("status = 'planned'", "changed_at = '2026-01-01 08:00:00+00:00'", "Which plan a job takes up first."),
    ],
    "payments_paymentmethod": [
        (USED_CARD, "profile_id = (SELECT MAX(id) FROM accounts_billingprofile)", NAMED),
        (USED_CARD, "last_four = 'abcd'", REFUSED),
        (USED_CARD, DELETE, REFUSED),
        (USED_CARD, f"next_lookup_at = {LATE}", NAMED),
        (
            USED_CARD,
            "gateway_method = 'card_forged'",
            "The provider charges only cards of the payer that it knows by id.",
        ),
        (USED_CARD, "last_four = '0000'", "Words for readers; banks renew cards, and the provider's list is compared."),
    ],
    "payments_methodsetup": [
        ("status = 'needs_customer'", "next_look_at = NULL", NAMED),
        ("status = 'needs_customer'", "status = 'succeeded'", REFUSED),
        ("status = 'needs_customer'", f"next_look_at = {LATE}", NAMED),
    ],
    "payments_detachment": [
        ("1 = 1", "done_at = NULL, next_try_at = NULL", NAMED),
        ("1 = 1", f"done_at = NULL, next_try_at = {LATE}", NAMED),
    ],
    "payments_webhookdelivery": [
        ("status = 'processed'", "status = 'received', next_try_at = NULL", NAMED),
        ("status = 'processed'", f"next_try_at = {LATE}", NAMED),
        (
            "status = 'processed'",
            "status = 'ignored'",
            "A message is a hint only: what it told was asked of the provider, and the lists are compared each day.",
        ),
    ],
    "payments_gatewaycomparison": [("1 = 1", f"next_at = {LATE}", NAMED)],
    "payments_gatewaydifference": [
        ("1 = 1", "ended_at = found_at", "Found again at the next comparison, if it is still there."),
    ],
    "payments_bookscheck": [("1 = 1", "problems = '[]'", "The books are proven anew on the next day.")],
    "payments_cardhold": [
        ("1 = 1", "released_at = since", REFUSED),
        ("1 = 1", "until = '2026-10-27 08:00:00+00:00'", "A record for staff: the limits are counted anew each time."),
    ],
    "accounts_auditentry": [
        ("action = 'invoice.issued'", "action = 'invoice.seen'", REFUSED),
        ("action = 'invoice.issued'", "actor_id = 1", REFUSED),
        ("action = 'invoice.issued'", DELETE, REFUSED),
        ("action = 'wire.approved'", f"{AUDIT} at, action, profile_id, subject, detail", NAMED),
        (
            "action = 'invoice.issued'",
            f"{AUDIT} at, 'person.signed_in', profile_id, subject, detail",
            "Whoever may write to the database may add to it; nothing is booked or allowed because of an entry.",
        ),
    ],
    "payments_payout": [
        ("reverses_id IS NULL", "amount_minor = amount_minor + 1", REFUSED),
        ("reverses_id IS NULL", DELETE, REFUSED),
        ("reverses_id IS NULL", f"{PAYOUT} gateway, currency, 1, paid_on, created_at, reason, 7, 0", NAMED),
    ],
    "accounts_wirerequest": [
        ("status = 'open'", f"status = 'approved', decided_at = {LATE}", NAMED),
        ("status = 'approved'", "status = 'open', decided_at = NULL", NAMED),
        ("status = 'approved'", "status = 'declined'", NAMED),
        ("status = 'approved'", "decided_at = NULL", REFUSED),
        ("status = 'approved'", DELETE, NAMED),
        ("status = 'open'", DELETE, NAMED),
    ],
    "accounts_billingprofile": [
        (CLOSED, "next_invoice_on = '2028-01-05'", NAMED),
        (CLOSED, "next_invoice_on = NULL", NAMED),
        (CLOSED, "billed_until_on = '2026-11-05'", NAMED),
        (CLOSED, "billed_until_on = '2027-01-04'", NAMED),
        (CLOSED, "currency = 'USD'", NAMED),
        (CLOSED, "invoice_day = 32", REFUSED),
        (CLOSED, DELETE, REFUSED),
        (CLOSED, "status = 'held'", REFUSED),
        (CLOSED, "status = 'disabled'", "Follows each day from what is past due."),
        (CLOSED, "payment_terms_days = 365", "Staff change it, which is audited; it counts for later invoices."),
        (CLOSED, "is_wire_approved = TRUE", "Staff may say so without a request; the money comes or does not."),
    ],
    "core_outgoingmail": [
        ("sent_at IS NULL", "next_try_at = NULL", NAMED),
        ("sent_at IS NULL", f"next_try_at = {LATE}", NAMED),
        ("sent_at IS NULL", DELETE, "A mail repeats what stands in the portal; nothing is booked by it."),
    ],
}

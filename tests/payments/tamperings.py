"""Changes of single rows in SQL, by table, and what is to become of each: see `test_tampering`."""

from datetime import timedelta

from tests.factories import NOW

REFUSED, NAMED = "refused", "named"
DELETE, LATE = "DELETE", "'2027-10-26 08:00:00+00:00'"
# Proven as of this moment: what comes up much later was put off by hand.
AT = NOW + timedelta(days=3)

UNPAID = (
    "status = 'open' AND paid_minor = 0 AND credited_minor = 0 AND number LIKE 'INV-%' AND payment_started_at IS NULL"
)
STOPPED = "id IN (SELECT invoice_id FROM payments_automaticcharge WHERE status = 'stopped')"
OF_ISSUED = "invoice_id IN (SELECT id FROM invoices_invoice WHERE status = 'open')"
LINE = (
    "invoice_id, section_name, position, description, quantity, unit, unit_price, tax_rate, tax_note, is_creditable,"
    " amount_minor, tax_minor = invoice_id, '', 2, 'More', 1, '', 0, 0, '', TRUE, 0, 0"
)
BILLED = "invoice_id IS NOT NULL"
ENTRY = "credit_id, kind, amount_minor, invoice_id, at, note"
TRANSFER = (
    "INSERT profile_id, kind, invoice_id, lot_id, currency, booked_on, booked_at, reference, debit, credit,"
    " amount_minor, key = profile_id, kind, invoice_id, lot_id, currency, booked_on, booked_at, reference,"
)
TAKEN = "status = 'succeeded' AND channel = 'card' AND refunded_minor = 0 AND method_id IS NOT NULL"
PART = (
    "refunded_minor = 0 AND NOT is_open AND payment_id IN (SELECT id FROM payments_payment WHERE status = 'succeeded')"
)
USED_CARD = "id IN (SELECT method_id FROM payments_payment WHERE status = 'succeeded')"
AUDIT = "INSERT at, action, profile_id, subject, detail ="
CLOSED = "billed_until_on IS NOT NULL"

# By table: which row (one of those that fit), what is changed in it, and what becomes of that. INSERT stands for a new
# row with these columns, whose values are taken from the row.
TAMPERINGS: dict[str, list[tuple[str, str, str]]] = {
    "invoices_numberseries": [
        ("prefix = 'INV-'", "next_number = next_number + 1", NAMED),
        ("prefix = 'INV-'", "next_number = next_number - 1", NAMED),
        ("prefix = 'INV-'", "last_digest = ''", NAMED),
        ("prefix = 'CN-'", "prefix = 'CM-'", NAMED),
        ("prefix = 'CN-'", DELETE, NAMED),
    ],
    "invoices_invoice": [
        ("status = 'paid' AND paid_minor > 0", "paid_minor = paid_minor - 1, status = 'open'", NAMED),
        (UNPAID, "paid_minor = total_minor - credited_minor, status = 'paid', payment_started_at = NULL", NAMED),
        (UNPAID, "status = 'void'", NAMED),
        (UNPAID, "status = 'void', void_reason = 'Sent twice', voided_at = created_at", NAMED),
        ("status = 'void'", "status = 'open'", NAMED),
        ("status = 'void'", "void_reason = 'Never sent'", NAMED),
        ("status = 'void'", f"voided_at = {LATE}", NAMED),
        (UNPAID, "void_reason = 'Sent twice'", NAMED),
        (UNPAID, "profile_id = (SELECT MAX(id) FROM accounts_billingprofile)", NAMED),
        (UNPAID, "currency = 'USD'", NAMED),
        (UNPAID, "issued_on = '2026-10-27'", NAMED),
        (UNPAID, "due_on = '2027-10-26'", NAMED),
        ("period_start_on IS NOT NULL", "period_start_on = '2026-10-04'", NAMED),
        ("period_start_on IS NOT NULL", "period_end_on = '2026-12-31'", NAMED),
        (UNPAID, "number = 'INV-000999'", NAMED),
        (UNPAID, "number = 'X'", NAMED),
        ("number = 'INV-000001'", "number = 'INV-1'", NAMED),
        (
            "status = 'draft'",
            "number = 'INV-000099', status = 'open', issued_on = '2026-10-26', due_on = '2026-11-26'",
            NAMED,
        ),
        ("status = 'draft'", "number = 'INV-000099'", REFUSED),
        (UNPAID, "number = 'INV-000001'", REFUSED),
        (UNPAID, "number = NULL", REFUSED),
        (UNPAID, "status = 'draft', number = NULL, issued_on = NULL, due_on = NULL", NAMED),
        (UNPAID, "kind = 'support'", NAMED),
        (UNPAID, "po_number = 'PO-7'", NAMED),
        (UNPAID, "source_reference = 'X-1'", NAMED),
        ("number = 'OLD-1'", "source_digest = 'abc'", NAMED),
        (UNPAID, "is_numbered_elsewhere = TRUE", NAMED),
        ("number = 'OLD-1'", "is_numbered_elsewhere = FALSE", NAMED),
        ("number = 'OLD-1'", "number = 'OLD-2'", NAMED),
        ("number = 'OLD-1'", "paid_before_on = '2026-09-21'", NAMED),
        ("number = 'OLD-1'", "paid_before_minor = 5000", NAMED),
        ("number = 'OLD-1'", "paid_before_minor = 0", REFUSED),
        (UNPAID, "seller = '{}'", NAMED),
        (UNPAID, "buyer = '{}'", NAMED),
        (UNPAID, "remittance = '{}'", NAMED),
        (UNPAID, "payment_terms_days = 365", NAMED),
        (UNPAID, "payment_reference = 'RF18539007547034'", NAMED),
        (UNPAID, "pays_by_wire = TRUE", NAMED),
        (UNPAID, "replaces_id = (SELECT id FROM invoices_invoice WHERE status = 'void')", NAMED),
        (UNPAID, "charges_minor = charges_minor + 1, total_minor = total_minor + 1", NAMED),
        (UNPAID, "charges_minor = charges_minor - 1, tax_minor = tax_minor + 1", NAMED),
        (UNPAID, "total_minor = total_minor + 1", REFUSED),
        ("status = 'paid' AND credited_minor > 0", "credited_minor = credited_minor - 1, status = 'open'", NAMED),
        ("credited_at_issue_minor > 0", "credited_at_issue_minor = credited_at_issue_minor + 1", NAMED),
        ("credited_at_issue_minor > 0", "credited_at_issue_minor = 0", NAMED),
        (UNPAID, "credited_at_issue_minor = -1", NAMED),
        ("refunded_minor > 0 AND charged_back_minor = 0", "refunded_minor = 0", NAMED),
        ("charged_back_minor > 0", "charged_back_minor = 0", NAMED),
        ("payment_started_at IS NOT NULL", "payment_started_at = NULL", NAMED),
        ("payment_started_at IS NOT NULL", "payment_started_at = created_at", NAMED),
        (
            "payment_started_at IS NOT NULL",
            "payment_started_by_id = NULL",
            "The page names the payer with the payment; who began it stands there, in its history and in the audit.",
        ),
        ("disputed_at IS NOT NULL", "disputed_at = NULL", NAMED),
        ("disputed_at IS NULL", "disputed_at = created_at", NAMED),
        ("status = 'paid' AND paid_minor > 0 AND paid_before_on IS NULL", f"paid_at = {LATE}", NAMED),
        ("status = 'paid' AND paid_minor > 0", "paid_at = NULL", NAMED),
        ("status = 'paid' AND paid_minor > 0", "paid_with = 'Check'", "Words for readers; the payment has the card."),
        ("status = 'paid'", "autopay_on = '2026-11-01'", NAMED),
        (STOPPED, "autopay_on = '2026-11-01'", NAMED),
        (
            "autopay_on IS NOT NULL",
            "autopay_on = NULL",
            "People switch it off; the invoice stays due and its payer is reminded.",
        ),
        (UNPAID, "autopay_declined_on = '2026-10-26'", "Chooses words on the list of invoices; no job reads it."),
        (UNPAID, "announce_on = NULL", "Whether a mail is sent; the invoice is in the portal all the same."),
        (UNPAID, "next_reminder_on = '2027-10-26'", "When a mail is sent; past due follows from the due day."),
        (UNPAID, "reminders_sent = 9", "Counts mails."),
        (
            UNPAID,
            "dunning_from_on = '2026-10-26'",
            "From when days past due count for a warning; staff see the status.",
        ),
        (UNPAID, "created_at = '2026-01-01 08:00:00+00:00'", "For the admin's list; the audit trail has the time."),
        (UNPAID, "digest = ''", NAMED),
        ("number = 'OLD-1'", "digest = ''", NAMED),
        (UNPAID, DELETE, REFUSED),
    ],
    "invoices_invoiceline": [
        (OF_ISSUED, "amount_minor = amount_minor - 1", NAMED),
        (OF_ISSUED, "amount_minor = amount_minor - 1, tax_minor = tax_minor + 1", NAMED),
        (OF_ISSUED, "quantity = 2", NAMED),
        (OF_ISSUED, "unit_price = 0.01", NAMED),
        (OF_ISSUED, "tax_rate = 21", NAMED),
        (OF_ISSUED, "description = 'Nothing'", NAMED),
        (OF_ISSUED, "unit = 'kg'", NAMED),
        (OF_ISSUED, "tax_note = 'Exempt'", NAMED),
        (OF_ISSUED, "happened_on = '2026-01-01'", NAMED),
        (OF_ISSUED, "position = 9", NAMED),
        (OF_ISSUED, "section_name = 'Shop'", NAMED),
        ("section_id IS NOT NULL", "section_id = NULL", NAMED),
        (OF_ISSUED, "is_creditable = FALSE", NAMED),
        (OF_ISSUED, "invoice_id = (SELECT MAX(id) FROM invoices_invoice WHERE status = 'open')", NAMED),
        ("section_id IS NOT NULL", DELETE, NAMED),
        (OF_ISSUED, f"INSERT {LINE}", NAMED),
        (
            "invoice_id = (SELECT MAX(id) FROM invoices_invoice WHERE status = 'draft')",
            "quantity = 2",
            "A draft is added up again when it is issued.",
        ),
    ],
    "invoices_charge": [
        (BILLED, "quantity = 2000", REFUSED),
        (BILLED, "amount_minor = amount_minor + 1", REFUSED),
        (BILLED, "description = 'Nothing'", REFUSED),
        (BILLED, "happened_on = '2026-01-01'", REFUSED),
        (BILLED, DELETE, REFUSED),
        (BILLED, "invoice_id = NULL", NAMED),
        (BILLED, "invoice_id = (SELECT MAX(id) FROM invoices_invoice WHERE number LIKE 'INV-%')", NAMED),
        ("invoice_id IS NULL", "invoice_id = (SELECT MAX(id) FROM invoices_invoice WHERE number LIKE 'INV-%')", NAMED),
        ("invoice_id IS NULL", DELETE, "Staff may remove it until its period closes; nobody has been billed for it."),
        ("invoice_id IS NULL", "quantity = 3, amount_minor = 3000", "As above; the invoice is made of what is there."),
        ("invoice_id IS NULL", "amount_minor = amount_minor * 1000", NAMED),
    ],
    "invoices_periodclosing": [
        ("outcome = 'billed'", DELETE, REFUSED),
        ("outcome = 'nothing'", DELETE, REFUSED),
        ("outcome = 'nothing'", "end_on = '2027-01-05'", REFUSED),
        ("outcome = 'nothing'", "outcome = 'carried'", REFUSED),
        (
            "outcome = 'nothing'",
            (
                "INSERT profile_id, start_on, end_on, outcome, closed_at = profile_id, '2027-02-05', '2027-03-05',"
                " outcome, closed_at"
            ),
            NAMED,
        ),
    ],
    "invoices_credit": [
        ("remaining_minor > 0", "remaining_minor = 0", NAMED),
        ("remaining_minor > 1", "remaining_minor = remaining_minor - 1", NAMED),
        ("remaining_minor > 0", "amount_minor = amount_minor + 1", REFUSED),
        ("source = 'goodwill'", "source = 'overpayment'", REFUSED),
        ("source = 'credit_note'", "source = 'goodwill'", REFUSED),
        ("remaining_minor > 0", "currency = 'USD'", REFUSED),
        ("remaining_minor > 0", "profile_id = (SELECT MAX(id) FROM accounts_billingprofile)", REFUSED),
        ("remaining_minor > 0", "expires_on = '2099-01-01'", REFUSED),
        ("remaining_minor > 0", "starts_on = '2026-12-01'", REFUSED),
        ("remaining_minor > 0", "description = 'A gift'", REFUSED),
        ("remaining_minor = 0", DELETE, REFUSED),
    ],
    "invoices_creditentry": [
        ("kind = 'granted'", "amount_minor = amount_minor + 1", REFUSED),
        ("kind = 'applied'", DELETE, REFUSED),
        ("kind = 'granted'", f"INSERT {ENTRY} = credit_id, 'granted', 5, NULL, at, ''", NAMED),
        ("kind = 'granted'", f"INSERT {ENTRY} = credit_id, 'expired', -1, NULL, at, ''", NAMED),
        ("kind = 'applied'", f"INSERT {ENTRY} = credit_id, 'given_back', 1, invoice_id, at, ''", NAMED),
    ],
    "invoices_creditnote": [
        ("voids_invoice", "reason = 'Never sent'", REFUSED),
        ("voids_invoice", "voids_invoice = FALSE", REFUSED),
        ("voids_invoice", "number = 'CN-000099'", REFUSED),
        ("voids_invoice", DELETE, REFUSED),
        (
            "NOT voids_invoice",
            (
                "INSERT invoice_id, profile_id, number, currency, issued_on, reason, seller, buyer, charges_minor,"
                " tax_minor, total_minor, applied_minor, given_back_minor, voids_invoice, digest, created_at ="
                " invoice_id, profile_id, 'CN-000099', currency, issued_on, reason, seller, buyer, 0, 0, 0, 0, 0,"
                " FALSE, digest, created_at"
            ),
            NAMED,
        ),
    ],
    "invoices_creditnoteline": [
        ("1 = 1", "amount_minor = amount_minor + 1", REFUSED),
        ("1 = 1", DELETE, REFUSED),
        (
            "1 = 1",
            (
                "INSERT note_id, line_id, position, amount_minor, tax_minor = note_id,"
                " (SELECT MAX(id) FROM invoices_invoiceline), 2, 1, -1"
            ),
            NAMED,
        ),
    ],
    "invoices_keptstatement": [
        ("1 = 1", "closing_minor = closing_minor + 1", REFUSED),
        ("1 = 1", "heading = '{}'", REFUSED),
        ("1 = 1", DELETE, REFUSED),
        (
            "1 = 1",
            (
                "INSERT profile_id, first_on, last_on, heading, opening_minor, closing_minor, created_at = profile_id,"
                " '2026-10-01', '2026-10-31', heading, 0, 1, created_at"
            ),
            NAMED,
        ),
    ],
    "invoices_issueddocument": [
        ("1 = 1", "content = content", REFUSED),
        ("1 = 1", "digest = ''", REFUSED),
        ("1 = 1", DELETE, REFUSED),
    ],
    "invoices_transfer": [
        ("kind = 'payment'", "amount_minor = amount_minor + 1", REFUSED),
        ("kind = 'payment'", "booked_on = '2026-01-01'", REFUSED),
        ("kind = 'invoice'", DELETE, REFUSED),
        ("kind = 'invoice'", f"{TRANSFER} 'receivable', 'revenue', 1, 'forged'", NAMED),
        (
            "kind = 'payment' AND invoice_id IS NOT NULL",
            f"{TRANSFER} 'clearing:sandbox', 'receivable', 5, 'forged'",
            NAMED,
        ),
        ("kind = 'credit_granted'", f"{TRANSFER} 'goodwill', 'customer_credit', 1, 'forged'", NAMED),
        ("kind = 'invoice'", f"{TRANSFER} 'bank', 'unmatched', 1, 'forged'", NAMED),
        ("kind = 'invoice'", f"{TRANSFER} 'revenue', 'tax:S:21', 1, 'forged'", REFUSED),
        ("kind = 'invoice'", f"{TRANSFER} 'goodwill', 'bank', 1, 'forged'", REFUSED),
        ("kind = 'invoice'", f"{TRANSFER} debit, credit, amount_minor, key", REFUSED),
    ],
    "invoices_remittanceaccount": [
        (
            "1 = 1",
            "iban = 'NL02EXAM0000000001'",
            "Staff correct it, which is audited; each issued invoice keeps the account that it printed.",
        ),
    ],
    "invoices_taxrate": [
        ("1 = 1", "percent = 101", REFUSED),
        (
            "1 = 1",
            "percent = 6",
            "Staff change it, which is audited; charges and lines keep the rate they were made with.",
        ),
    ],
    "invoices_ledgeraccount": [
        ("1 = 1", "code = '9999'", "The accountant's own code, chosen by staff; it is in exports only."),
    ],
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
        (CLOSED, "invoice_day = 31", REFUSED),
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

# Tables that nobody needs to change to move money, or to hide that it moved.

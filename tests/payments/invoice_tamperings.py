"""Changes of single rows in SQL, in the tables of invoices, credits and the ledger: see `test_tampering`."""

REFUSED, NAMED = "refused", "named"
DELETE, LATE = "DELETE", "'2027-10-26 08:00:00+00:00'"

UNPAID = (
    "status = 'open' AND paid_minor = 0 AND credited_minor = 0 AND number LIKE 'INV-%' AND payment_started_at IS NULL"
)
STOPPED = "id IN (SELECT invoice_id FROM payments_automaticcharge WHERE status = 'stopped')"
OF_ISSUED = "invoice_id IN (SELECT id FROM invoices_invoice WHERE status = 'open')"
LINE = (
    "invoice_id, section_name, position, description, quantity, unit, unit_price, tax_category, tax_rate,"
    " exemption_reason, exemption_code, is_creditable, amount_minor = invoice_id, '', 2, 'More', 1, '', 0, 'Z', 0, '',"
    " '', TRUE, 0"
)
BILLED, WAITING = "invoice_id IS NOT NULL", "invoice_id IS NULL AND settled_by_id IS NULL"
SETTLED = "settled_by_id IS NOT NULL"
CHARGE = (
    "INSERT profile_id, section_id, kind, description, quantity, unit, unit_price, tax_rate_id, tax_category,"
    " tax_percent, exemption_reason, exemption_code, happened_on, is_creditable, source_reference, created_at,"
    " invoice_id = profile_id, section_id, kind, description, quantity, unit, unit_price, tax_rate_id, tax_category,"
    " tax_percent, exemption_reason, exemption_code, happened_on, is_creditable, 'X-1', created_at,"
)
TAX = "category, rate, taxable_minor, tax_minor, exemption_reason, exemption_code"
ENTRY = "credit_id, kind, amount_minor, invoice_id, at, note"
TRANSFER = (
    "INSERT profile_id, kind, invoice_id, lot_id, currency, booked_on, booked_at, reference, debit, credit,"
    " amount_minor, key = profile_id, kind, invoice_id, lot_id, currency, booked_on, booked_at, reference,"
)
PERIOD = (
    "INSERT profile_id, start_on, end_on, outcome, closed_at, booked_on, currency, carried_minor, brought_minor,"
    " brought_from_on = profile_id, '2027-02-05', '2027-03-05', outcome, closed_at, booked_on, currency, 0,"
)

# By table: which row (one of those that fit), what is changed in it, and what becomes of that. INSERT stands for a new
# row with these columns, whose values are taken from the row.
INVOICE_TAMPERINGS: dict[str, list[tuple[str, str, str]]] = {
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
        ("written_off_minor > 0", "written_off_minor = written_off_minor - 1", NAMED),
        ("credited_minor > 0 AND written_off_minor = 0", "written_off_minor = 1", NAMED),
        (UNPAID, "written_off_minor = 1", REFUSED),
        ("seller_tax_minor IS NOT NULL", "seller_tax_minor = seller_tax_minor + 1", NAMED),
        ("exchange <> '{}'", "exchange = '{}'", NAMED),
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
        (OF_ISSUED, "quantity = 2, unit_price = unit_price / 2", NAMED),
        (OF_ISSUED, "quantity = 2", NAMED),
        (OF_ISSUED, "unit_price = 0.01", NAMED),
        (OF_ISSUED, "tax_rate = 21", NAMED),
        (OF_ISSUED, "tax_rate = 21, tax_category = 'S'", NAMED),
        (OF_ISSUED, "tax_category = 'G'", NAMED),
        ("tax_category = 'S'", "tax_category = 'Z', tax_rate = 0", NAMED),
        ("tax_category = 'S'", "tax_rate = 21.001", NAMED),
        (OF_ISSUED, "description = 'Nothing'", NAMED),
        (OF_ISSUED, "unit = 'kg'", NAMED),
        (OF_ISSUED, "exemption_reason = 'Exempt'", NAMED),
        ("tax_category = 'E'", "exemption_reason = 'Article 133'", NAMED),
        ("tax_category = 'E'", "exemption_code = 'VATEX-EU-133'", NAMED),
        ("tax_category = 'E'", "exemption_code = ''", NAMED),
        (OF_ISSUED, "happened_on = '2026-01-01'", NAMED),
        (OF_ISSUED, "position = 9", NAMED),
        (OF_ISSUED, "section_name = 'Shop'", NAMED),
        ("section_id IS NOT NULL", "section_id = NULL", NAMED),
        (OF_ISSUED, "is_creditable = FALSE", NAMED),
        (OF_ISSUED, "is_allowance = TRUE", NAMED),
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
        (BILLED, "unit_price = unit_price + 1", REFUSED),
        (BILLED, "tax_percent = 6", REFUSED),
        (BILLED, "exemption_reason = 'Exempt'", REFUSED),
        (BILLED, "description = 'Nothing'", REFUSED),
        (BILLED, "happened_on = '2026-01-01'", REFUSED),
        (BILLED, DELETE, REFUSED),
        (BILLED, "invoice_id = NULL", NAMED),
        (BILLED, "invoice_id = (SELECT MAX(id) FROM invoices_invoice WHERE number LIKE 'INV-%')", NAMED),
        (BILLED, f"{CHARGE} invoice_id", NAMED),
        (WAITING, "invoice_id = (SELECT MAX(id) FROM invoices_invoice WHERE number LIKE 'INV-%')", NAMED),
        (SETTLED, "settled_by_id = NULL", NAMED),
        (SETTLED, "quantity = -5", REFUSED),
        (SETTLED, DELETE, REFUSED),
        (SETTLED, "invoice_id = (SELECT MAX(id) FROM invoices_invoice WHERE number LIKE 'INV-%')", REFUSED),
        (WAITING, "settled_by_id = (SELECT MAX(id) FROM invoices_periodclosing)", NAMED),
        (WAITING, DELETE, "Staff may remove it until its period closes; nobody has been billed for it."),
        (WAITING, f"{CHARGE} NULL", "As above: anybody who sends usage may add to it, until the period closes."),
        (WAITING, f"{CHARGE.replace('kind, description, quantity', "'usage', description, -quantity")} NULL", REFUSED),
        (WAITING, "quantity = 3", REFUSED),
        (WAITING, "quantity = -quantity", REFUSED),
        (WAITING, "unit_price = unit_price * 1000", REFUSED),
        (WAITING, "tax_percent = 6", REFUSED),
        (WAITING, "tax_category = 'S'", REFUSED),
        (WAITING, "tax_rate_id = (SELECT MAX(id) FROM invoices_taxrate)", REFUSED),
        (WAITING, "exemption_reason = 'Exempt'", REFUSED),
        (WAITING, "exemption_code = 'VATEX-EU-O'", REFUSED),
        (WAITING, "kind = 'return'", REFUSED),
        (WAITING, "is_creditable = FALSE", REFUSED),
        (WAITING, "profile_id = (SELECT MAX(id) FROM accounts_billingprofile)", REFUSED),
    ],
    "invoices_invoicetax": [
        ("1 = 1", "taxable_minor = taxable_minor + 1", REFUSED),
        ("1 = 1", "tax_minor = tax_minor + 1", REFUSED),
        ("category = 'S'", "rate = 6", REFUSED),
        ("category = 'Z'", "category = 'O'", REFUSED),
        ("category = 'E'", "exemption_reason = 'Article 133'", REFUSED),
        ("category = 'E'", "exemption_code = ''", REFUSED),
        ("1 = 1", "invoice_id = (SELECT MAX(id) FROM invoices_invoice WHERE status = 'draft')", REFUSED),
        ("1 = 1", DELETE, REFUSED),
        ("category = 'S'", f"INSERT invoice_id, {TAX} = invoice_id, 'S', 6, 0, 0, '', ''", NAMED),
        ("category = 'S'", f"INSERT invoice_id, {TAX} = invoice_id, 'S', 6, 100, -100, '', ''", NAMED),
        ("category = 'Z'", f"INSERT invoice_id, {TAX} = invoice_id, 'O', 0, 0, 0, 'None', ''", NAMED),
        ("category = 'Z'", f"INSERT invoice_id, {TAX} = invoice_id, 'O', 0, 0, 1, 'None', ''", REFUSED),
        ("category = 'Z'", f"INSERT invoice_id, {TAX} = invoice_id, 'Z', 0, 0, 0, '', ''", REFUSED),
        (
            "1 = 1",
            (
                f"INSERT invoice_id, {TAX} = (SELECT MAX(id) FROM invoices_invoice WHERE status = 'draft'), 'G', 0, 0,"
                " 0, '', ''"
            ),
            NAMED,
        ),
    ],
    "invoices_creditnotetax": [
        ("1 = 1", "taxable_minor = taxable_minor + 1", REFUSED),
        ("category = 'S'", "tax_minor = tax_minor + 1", REFUSED),
        ("category = 'S'", "rate = 6", REFUSED),
        ("category = 'Z'", "category = 'O'", REFUSED),
        ("1 = 1", "exemption_reason = 'None'", REFUSED),
        ("1 = 1", "note_id = (SELECT MAX(id) FROM invoices_creditnote)", REFUSED),
        ("1 = 1", DELETE, REFUSED),
        ("category = 'S'", f"INSERT note_id, {TAX} = note_id, 'S', 6, 0, 0, '', ''", NAMED),
        ("category = 'S'", f"INSERT note_id, {TAX} = note_id, 'S', 6, 100, -100, '', ''", NAMED),
        ("category = 'S'", f"INSERT note_id, {TAX} = note_id, 'Z', 0, 0, 0, '', ''", NAMED),
        ("category = 'Z'", f"INSERT note_id, {TAX} = note_id, 'Z', 0, 0, 0, '', ''", REFUSED),
        ("category = 'Z'", f"INSERT note_id, {TAX} = note_id, 'O', 0, 0, 1, 'None', ''", REFUSED),
    ],
    "invoices_periodclosing": [
        ("outcome = 'billed'", DELETE, REFUSED),
        ("outcome = 'nothing'", DELETE, REFUSED),
        ("outcome = 'nothing'", "end_on = '2027-01-05'", REFUSED),
        ("outcome = 'nothing'", "outcome = 'carried'", REFUSED),
        ("outcome = 'nothing'", f"{PERIOD} 0, NULL", NAMED),
        ("outcome = 'nothing'", f"{PERIOD} 5, '2026-02-05'", NAMED),
        ("outcome = 'carried'", "carried_minor = carried_minor + 1", REFUSED),
        ("outcome = 'credited'", "credit_id = (SELECT MIN(id) FROM invoices_credit)", REFUSED),
        ("outcome = 'credited'", DELETE, REFUSED),
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
                "INSERT note_id, line_id, position, amount_minor = note_id, (SELECT MAX(id) FROM invoices_invoiceline),"
                " 2, 1"
            ),
            NAMED,
        ),
        ("1 = 1", "INSERT note_id, line_id, position, amount_minor = note_id, line_id, 2, 0", REFUSED),
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
    "invoices_exchangerate": [
        ("1 = 1", "rate = 0", REFUSED),
        ("1 = 1", "to_currency = from_currency", REFUSED),
        ("1 = 1", "rate = 2", "Staff correct it, which is audited; each issued invoice keeps the rate that it used."),
    ],
    "invoices_taxrate": [
        ("tax_category = 'S'", "percent = 101", REFUSED),
        ("tax_category = 'S'", "percent = 0", REFUSED),
        ("tax_category = 'S'", "tax_category = 'Z'", REFUSED),
        ("tax_category = 'Z'", "percent = 6", REFUSED),
        ("tax_category = 'E'", "exemption_reason = '', exemption_code = ''", REFUSED),
        ("tax_category = 'E'", "exemption_reason = 'Article 133'", "As below."),
        (
            "tax_category = 'S'",
            "percent = 6",
            "Staff change it, which is audited; charges and lines keep the rate they were made with.",
        ),
    ],
    "invoices_ledgeraccount": [
        ("1 = 1", "code = '9999'", "The accountant's own code, chosen by staff; it is in exports only."),
    ],
}

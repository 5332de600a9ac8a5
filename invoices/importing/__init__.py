"""Invoices from a file.

A CSV file holds one row per invoice line. Rows with the same ``invoice`` (the sender's own reference) for the same
profile are one invoice and stand together, at most 5,000 of them. UTF-8, comma or semicolon, amounts with a decimal
point.

| Column | Needed | What it holds |
|---|---|---|
| `profile` | yes | code of the billing profile, such as `K7QX-2M9P`; the profile must be active |
| `invoice` | yes | the sender's own reference of the invoice, at most 64 characters |
| `kind` | no | `service` (when empty), `marketplace`, `support` or `other` |
| `issue_date` | no | `2026-10-05`; today, or the command's `--issue-date`, when empty |
| `due_date` | no | `2026-11-04`; from the profile's payment terms when empty |
| `period_start`, `period_end` | no | the billing period, both or neither |
| `po_number` | no | at most 60 characters; the profile's own when empty |
| `section` | no | name of an invoice section that the profile has; sections are not created |
| `description` | yes | at most 200 characters |
| `quantity` | no | at most 4 decimals; 1 when empty |
| `unit` | no | such as `hours`, at most 20 characters |
| `unit_price` | yes | in major units without tax, at most 6 decimals; negative for a discount |
| `tax_rate` | no | percent, 0 to 100, at most 3 decimals; 0 when empty |
| `tax_note` | no | such as `Reverse charge`, at most 80 characters |

The file is read twice: first everything is checked and every bad row is named as it is found, then everything is
written in one transaction, so that a bad file changes nothing and takes no locks. The same invoice (profile, reference,
same content) met again is left alone; with other content it is an error. Memory follows the size of a batch, never that
of the file.
"""

from invoices.importing.problems import Problem, Problems, UnusableFile
from invoices.importing.running import Outcome, import_file

__all__ = ["Outcome", "Problem", "Problems", "UnusableFile", "import_file"]

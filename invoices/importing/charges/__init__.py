"""Charges from a file, for the next invoice of each profile.

A CSV file holds one row per charge. UTF-8, comma or semicolon, amounts with a decimal point.

| Column | Needed | What it holds |
|---|---|---|
| `profile` | yes | code of the billing profile, such as `K7QX-2M9P`; it must not be closed |
| `reference` | yes | the sender's own reference of the charge, at most 64 characters, once in a profile |
| `section` | yes | name of an invoice section that the profile has; sections are not created |
| `date` | yes | `2026-10-05`, of the service or sale; decides the billing period |
| `kind` | no | `usage` (when empty), `one_off` or `return`; only a return is negative |
| `description` | yes | at most 200 characters |
| `quantity` | no | at most 4 decimals; 1 when empty |
| `unit` | no | such as `hours`, at most 20 characters |
| `unit_price` | yes | in major units without tax, at most 6 decimals |
| `tax_rate` | no | name of a tax rate in use, such as `VAT high`; no tax when empty |
| `creditable` | no | whether credits may pay for it: `yes` (when empty) or `no` |

The file is read twice: first everything is checked and every bad row is named as it is found, then everything is
written in one transaction. The same charge (profile, reference, same content) met again is left alone; with other
content it is an error. A charge of a period that has closed already comes on the next invoice. Memory follows the size
of a batch, never that of the file.
"""

from invoices.importing.charges.running import Recorded, import_charges

__all__ = ["Recorded", "import_charges"]

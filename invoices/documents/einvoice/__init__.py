"""E-invoices: the terms of EN 16931 of an issued invoice or credit note, what they lack, and how they are written."""

"""Invoices and charges from CSV files. The columns are described in `invoices.importing.invoices` and `.charges`."""

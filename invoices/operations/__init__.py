"""The only code that changes invoices, each in a transaction of its own or of the `payments` operation above it."""

"""The only code that changes invoices. Operations run in a transaction: their own, or that of the operation in
`payments` that calls them."""

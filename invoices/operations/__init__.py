"""The only code that changes invoices.

An invoice is drafted and issued (numbered, dated, frozen), or made at once from the charges of a period, and from then
on only paid, credited or voided. The operations here run inside a transaction: their own, or the one of the operation
in `payments` that calls them.
"""

"""Documents that a customer keeps, set by Typst: the invoice, and the parts that other documents share."""

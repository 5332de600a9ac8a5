"""Documents about payments, set by Typst: the receipt."""

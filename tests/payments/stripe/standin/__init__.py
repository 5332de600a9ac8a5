"""A stand-in for Stripe, for tests and for trying the portal by hand: `python -m tests.payments.stripe.standin`.

localstripe keeps the books, as a process of its own. In front of it stands "the edge", this package: it takes only
parameters that Stripe documents, keeps idempotency keys as Stripe documents them, answers for the published test cards,
adds what localstripe lacks, sends signed messages, and breaks on demand.
"""

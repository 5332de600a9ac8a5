"""Texts of other modules that documents show. They stand here so that the catalogues of document languages
(``locale/documents``) have them; a test compares them with where they come from."""

from django.utils.translation import gettext_noop

WORDS = (
    # How an invoice stands, and what it is of.
    gettext_noop("Paid"),
    gettext_noop("Preview"),
    gettext_noop("Service charges"),
    gettext_noop("Marketplace"),
    gettext_noop("Support plan"),
    gettext_noop("Other charges"),
    # Tax.
    gettext_noop("Zero-rated"),
    gettext_noop("Reverse charge"),
    gettext_noop("Intra-Community supply"),
    gettext_noop("Export outside the EU"),
    gettext_noop("Not subject to VAT"),
    # Numbers of a company that have no name of their own in its country.
    gettext_noop("VAT number"),
    gettext_noop("Company number"),
    gettext_noop("Tax number"),
    gettext_noop("Tax exemption certificate"),
    # Kinds of charges, in the usage detail.
    gettext_noop("Usage"),
    gettext_noop("One-off"),
    gettext_noop("Return"),
    # Ways to pay.
    gettext_noop("Above the card limit of %(limit)s. Pay by wire transfer."),
    gettext_noop("Card"),
    gettext_noop("Wire transfer"),
    gettext_noop("Check"),
    gettext_noop("New card"),
    gettext_noop("Refunded at the payment provider."),
    # Lines of a statement.
    gettext_noop("Invoice"),
    gettext_noop("Credit note"),
    gettext_noop("Credit granted"),
    gettext_noop("Credit applied"),
    gettext_noop("Credit given back"),
    gettext_noop("Credit taken back"),
    gettext_noop("Credit expired"),
    gettext_noop("Payment"),
    gettext_noop("Refund"),
    gettext_noop("Refund that failed"),
    gettext_noop("Taken back by the bank"),
    gettext_noop("Returned by the bank"),
    gettext_noop("Written off"),
    gettext_noop("Returns made a credit"),
    gettext_noop("Paid out by the provider"),
    gettext_noop("Payout taken back"),
)

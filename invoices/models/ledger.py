"""The ledger: every amount that was owed, paid, credited or given back, as a transfer from one account to another.

What an invoice has due, what is left of a credit, statements, the journal: all are sums of transfers, so that none of
them can change afterwards. The database refuses to change or delete a transfer; what is undone is a new one, the other
way, on the day it is undone.
"""

import re

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import BillingProfile
from billing_portal.core.letters import SeenField
from invoices.models.credits import Credit
from invoices.models.invoices import Invoice
from invoices.money import Money
from invoices.querysets import TransferQuerySet

# Accounts whose balances `check_books` proves for each invoice, each credit and each currency. Every transfer moves one
# of them, so that none can be added unseen; but for those of payouts, of which each is proven by its key.
PROVEN = ("receivable", "customer_credit", "unmatched")
PAYOUTS = ("payout", "payout_undone")
# Every account that anything is booked on.
ACCOUNT = re.compile(
    r"^(receivable|customer_credit|revenue|goodwill|bank|fees|opening|unmatched|write_off"
    r"|tax:[A-Z]+:[0-9.]+|clearing:[a-z0-9_]+)$"
)


def validate_account(text: str) -> None:
    if not ACCOUNT.match(text):
        raise ValidationError(_("The ledger has no such account."))


class Transfer(models.Model):
    """An amount that the ``debit`` account receives and the ``credit`` account gives.

    Accounts are words: ``receivable`` and ``customer_credit`` of the profile, ``revenue``, ``tax:S:21``,
    ``clearing:<gateway>``, ``bank``, ``fees``, ``goodwill``, ``opening``, ``unmatched``, ``write_off``. What moves a
    receivable names its invoice, what moves customers' credit its lot. All but payouts are of a billing profile.
    """

    class Kind(models.TextChoices):
        INVOICE = "invoice", _("Invoice")
        CREDIT_NOTE = "credit_note", _("Credit note")
        CREDIT_GRANTED = "credit_granted", _("Credit granted")
        CREDIT_APPLIED = "credit_applied", _("Credit applied")
        CREDIT_GIVEN_BACK = "credit_given_back", _("Credit given back")
        CREDIT_TAKEN_BACK = "credit_taken_back", _("Credit taken back")
        CREDIT_EXPIRED = "credit_expired", _("Credit expired")
        PAYMENT = "payment", _("Payment")
        REFUND = "refund", _("Refund")
        REFUND_FAILED = "refund_failed", _("Refund that failed")
        CHARGEBACK = "chargeback", _("Taken back by the bank")
        CHARGEBACK_UNDONE = "chargeback_undone", _("Returned by the bank")
        WRITE_OFF = "write_off", _("Written off")
        RETURNS = "returns", _("Returns made a credit")
        PAYOUT = "payout", _("Paid out by the provider")
        PAYOUT_UNDONE = "payout_undone", _("Payout taken back")

    # Empty for what a provider paid out, which is the money of many.
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="transfers", verbose_name=_("billing profile"), db_index=False,
        null=True, blank=True,
    )  # fmt: skip
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    debit = models.CharField(_("debit"), max_length=40)
    credit = models.CharField(pgettext_lazy("side of an account", "credit"), max_length=40)
    amount_minor = models.BigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    # The day on which it was written down where the seller is, whatever day it is about.
    booked_on = models.DateField(_("booked on"))
    booked_at = models.DateTimeField(_("booked at"))
    # The fact, and after a slash the part of it: nothing is booked twice.
    key = models.CharField(_("key"), max_length=80, unique=True)
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, blank=True, related_name="transfers", verbose_name=_("invoice")
    )
    lot = models.ForeignKey(
        Credit, models.PROTECT, null=True, blank=True, related_name="transfers", verbose_name=_("customer credit")
    )
    # For readers: the payment, the credit note, the PO number, what the credit is for.
    reference = models.CharField(_("reference"), max_length=200, blank=True)

    objects = TransferQuerySet.as_manager()

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        constraints = [
            CheckConstraint(condition=Q(amount_minor__gt=0), name="transfer_amount_positive"),
            CheckConstraint(condition=~Q(debit=F("credit")), name="transfer_between_two_accounts"),
            CheckConstraint(
                condition=Q(debit__in=PROVEN, profile__isnull=False)
                | Q(credit__in=PROVEN, profile__isnull=False)
                | Q(kind__in=PAYOUTS, profile=None, invoice=None, lot=None),
                name="transfer_of_a_balance_that_is_proven",
            ),
            CheckConstraint(
                condition=~(Q(debit="receivable") | Q(credit="receivable")) | Q(invoice__isnull=False),
                name="transfer_of_a_receivable_names_its_invoice",
            ),
            CheckConstraint(
                condition=~(Q(debit="customer_credit") | Q(credit="customer_credit")) | Q(lot__isnull=False),
                name="transfer_of_credit_names_its_lot",
            ),
        ]
        indexes = [
            Index(fields=["profile", "booked_on", "id"], name="transfer_by_day"),
            Index(fields=["booked_on", "id"], name="transfer_journal"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class KeptStatement(models.Model):
    """What a statement of days that had ended said when it was first handed out, so that it says the same for ever:
    whom it names, and what it came to."""

    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="kept_statements", verbose_name=_("billing profile"),
        db_index=False,
    )  # fmt: skip
    first_on = models.DateField(_("from"))
    last_on = models.DateField(_("to"))
    # Name and address of the profile, by language, and the seller.
    heading = models.JSONField(_("heading"))
    opening_minor = models.BigIntegerField(_("opening balance"))
    closing_minor = models.BigIntegerField(_("closing balance"))
    created_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("kept statement")
        verbose_name_plural = _("kept statements")
        constraints = [
            UniqueConstraint(fields=["profile", "first_on", "last_on"], name="statement_kept_once"),
            CheckConstraint(condition=Q(first_on__lte=F("last_on")), name="statement_ends_after_it_starts"),
        ]

    def __str__(self) -> str:
        return f"{self.profile} {self.first_on} {self.last_on}"


class LedgerAccount(models.Model):
    """The code of one of our accounts in the accountant's own system, which exports of the journal carry."""

    account = models.CharField(
        _("account"), max_length=40, unique=True, help_text=_("As in the ledger: receivable, revenue, tax:S:21."),
        validators=[validate_account],
    )  # fmt: skip
    code = SeenField(_("code"), max_length=40, help_text=_("In your own bookkeeping."))

    class Meta:
        verbose_name = _("ledger account")
        verbose_name_plural = _("ledger accounts")

    def __str__(self) -> str:
        return f"{self.account} {self.code}"

"""The page on which staff write off the small rest of an invoice."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.admin.staff_actions import StaffAction
from invoices.admin.base import ReasonForm
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.write_offs import is_small_rest, write_off_limit


class RestForm(ReasonForm):
    """Holds the amount that was shown as due, as ``cleaned_data["shown"]``."""

    shown = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, row: Invoice, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _("It stands in the audit trail.")
        self.currency = row.currency
        self.fields["shown"].initial = row.amount_due_minor

    def clean_shown(self) -> Money:
        return Money(self.cleaned_data["shown"], self.currency)


WRITING_OFF = StaffAction(
    address="write-off",
    title=_("Write off the rest"),
    is_offered=is_small_rest,
    text=[
        _("The invoice becomes paid, and its page says that the rest was written off. The ledger books it as a loss."),
        _("Money that still comes for it becomes a credit of the billing profile."),
    ],
    button=_("Write off"),
    facts=lambda invoice: [
        (_("Billing profile"), invoice.profile),
        (_("Amount due"), invoice.amount_due),
        (_("Most that can be written off of an invoice"), write_off_limit(invoice.currency)),
    ],
    form=RestForm,
)

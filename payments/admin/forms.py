"""What staff fill in. Amounts are typed as digits with a decimal point and read in the currency of their subject."""

import uuid
from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.admin.staff_actions import RowForm
from billing_portal.core.letters import validate_drawn, validate_printed, validate_seen
from invoices.admin.base import amount_of
from invoices.models import Invoice
from invoices.money import Money
from invoices.numbering import named
from invoices.states import InvoiceStatus
from payments.models import Dispute, Payment, Refund
from payments.operations import refunds
from payments.operations.manual_payments import SameReference, refuse_same_reference


class AttemptForm(forms.Form):
    """Holds the key that was minted with the page, so that sending it twice does the thing once."""

    attempt_key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def parse(self, text: str, currency: str) -> Money:
        amount = amount_of(text, currency)
        if amount.minor <= 0:
            raise forms.ValidationError(_("The amount must be more than zero."))
        return amount


class RefundForm(AttemptForm):
    """``cleaned_data["amount"]`` is Money. Needs the payment; its rest is the amount offered."""

    amount = forms.CharField(label=_("Amount"), max_length=20)
    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("The customer sees it."), validators=[validate_printed]
    )
    takes_back_invoices = forms.BooleanField(
        label=_("Credit the invoice as well"),
        required=False,
        help_text=_("A credit note takes the amount off the invoice. Otherwise it is due again, and reminders follow."),
    )

    def __init__(self, *args: Any, row: Payment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.payment, self.rest = row, row.rest
        self.fields["amount"].initial = str(self.rest.amount)
        self.fields["amount"].help_text = _("At most %(rest)s.") % {"rest": self.rest}

    def clean_amount(self) -> Money:
        amount = self.parse(self.cleaned_data["amount"], self.payment.currency)
        if self.rest < amount:
            raise forms.ValidationError(_("At most %(rest)s can be paid back."), params={"rest": str(self.rest)})
        return amount


class PaidBackForm(RefundForm):
    field_order = ("amount", "bank_reference", "paid_on", "is_other_money", "reason", "takes_back_invoices")

    bank_reference = forms.CharField(
        label=_("Bank or check reference"),
        max_length=80,
        validators=[validate_drawn],
        help_text=_("Of the transfer that paid it back, as your bank shows it."),
    )
    paid_on = forms.DateField(label=_("Sent on"), widget=forms.DateInput(attrs={"type": "date"}))
    # Asked only when the reference was recorded for a refund to another customer.
    is_other_money = forms.BooleanField(
        label=_("This is other money, or a part of one transfer for both"),
        required=False,
        widget=forms.HiddenInput(),
    )

    def clean_paid_on(self) -> date:
        paid_on: date = self.cleaned_data["paid_on"]
        if not (self.payment.received_on or paid_on) <= paid_on <= self.payment.profile.day_of(timezone.now()):
            raise forms.ValidationError(_("The day must lie between the day on which the money came and today."))
        return paid_on

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        try:
            if not data["is_other_money"]:
                refunds.refuse_same_reference(self.payment, data.get("bank_reference", ""))
        except refunds.SameReference as question:
            self.fields["is_other_money"].widget = forms.CheckboxInput()
            self.add_error("is_other_money", str(question))
        return data


class NoteForm(RowForm):
    note = forms.CharField(label=_("What was done"), max_length=300, validators=[validate_seen])


class ReasonForm(RowForm):
    reason = forms.CharField(label=_("Reason"), max_length=300, validators=[validate_seen])


class WriteOffForm(ReasonForm):
    """Holds the amount that was shown as missing, as ``cleaned_data["shown"]``."""

    shown = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, row: Refund | Dispute, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        self.currency = row.currency
        self.fields["shown"].initial = row.unmatched.minor

    def clean_shown(self) -> Money:
        return Money(self.cleaned_data["shown"], self.currency)


class RecordForm(AttemptForm):
    """Money that came by check or wire. ``cleaned_data`` holds ``invoice`` as a row and ``amount`` as Money."""

    field_order = ("invoice", "amount", "channel", "bank_reference", "received_on")

    invoice = forms.CharField(label=_("Invoice number or payment reference"), max_length=40)
    amount = forms.CharField(label=_("Amount"), max_length=20, help_text=_("Such as 12.50, in the invoice's currency."))
    channel = forms.ChoiceField(
        label=_("How it came"),
        choices=[choice for choice in Payment.Channel.choices if choice[0] != Payment.Channel.CARD],
    )
    bank_reference = forms.CharField(
        label=_("Bank or check reference"),
        max_length=80,
        validators=[validate_drawn],
        help_text=_("The reference on the bank statement, or the number of the check."),
    )
    received_on = forms.DateField(label=_("Received on"), widget=forms.DateInput(attrs={"type": "date"}))
    # Asked only when the reference was recorded for another customer, or as the other of check and wire.
    is_other_money = forms.BooleanField(
        label=_("This is other money, or a part of one transfer for both"),
        required=False,
        widget=forms.HiddenInput(),
    )

    def clean_invoice(self) -> Invoice:
        issued = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).select_related("profile")
        invoice = issued.filter(named(self.cleaned_data["invoice"])).first()
        if invoice is None:
            raise forms.ValidationError(_("There is no issued invoice with this number or payment reference."))
        return invoice

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "invoice" in data and "amount" in data:
            try:
                data["amount"] = self.parse(data["amount"], data["invoice"].currency)
            except forms.ValidationError as error:
                self.add_error("amount", error)
        if "invoice" in data:
            self._check_day_and_reference(data["invoice"], data)
        return data

    def _check_day_and_reference(self, invoice: Invoice, data: dict[str, Any]) -> None:
        if "received_on" in data and data["received_on"] > invoice.profile.day_of(timezone.now()):
            self.add_error("received_on", _("The money cannot have arrived in the future."))
        try:
            if not data["is_other_money"]:
                refuse_same_reference(invoice, data.get("bank_reference", ""), data.get("channel", ""))
        except SameReference as question:
            self.fields["is_other_money"].widget = forms.CheckboxInput()
            self.add_error("is_other_money", str(question))

"""What a customer sends from the payment page: ids, the key of the attempt, and the amount that was shown. No card
number and no price comes this way. The amount is only compared with what is due, never charged."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.roles import Permission
from invoices.money import Money, UnknownCurrency

NEW_CARD = "new"


class PayForm(forms.Form):
    """After `is_valid`, ``cleaned_data`` holds ``shown`` as Money, and ``method`` as an id or None for a new card."""

    attempt = forms.UUIDField()
    amount = forms.IntegerField(min_value=1, max_value=10**15)
    currency = forms.CharField(max_length=3)
    method = forms.CharField(max_length=20, error_messages={"required": _("Select a payment method.")})
    card_token = forms.CharField(required=False, max_length=200)
    save_method = forms.BooleanField(required=False)
    make_default = forms.BooleanField(required=False)
    in_page = forms.CharField(required=False, max_length=20)

    def __init__(self, *args: Any, access: Access, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.manages_methods = access.can(Permission.METHODS_MANAGE)

    def clean_method(self) -> int | None:
        value = self.cleaned_data["method"]
        if value == NEW_CARD:
            return None
        if not (value.isascii() and value.isdigit()):
            raise forms.ValidationError(_("Select a payment method."))
        return int(value)

    def clean_save_method(self) -> bool:
        """Whoever may not manage methods leaves no card behind, whatever the form says."""
        return self.cleaned_data["save_method"] and self.manages_methods

    def clean_make_default(self) -> bool:
        return self.cleaned_data["make_default"] and self.manages_methods

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "method" in data and data["method"] is None and not data.get("card_token"):
            self.add_error("card_token", _("Enter the details of the new card."))
        if "amount" in data and "currency" in data:
            try:
                data["shown"] = Money(data["amount"], data["currency"])
            except UnknownCurrency:
                self.add_error("currency", _("This page is out of date."))
        data["save_method"] = data.get("save_method", False) or data.get("make_default", False)
        return data

    @property
    def message(self) -> str:
        """The first thing to tell the reader. What only a changed page can cause is one sentence."""
        for name in ("method", "card_token"):
            if name in self.errors:
                return str(self.errors[name][0])
        return str(_("This page was out of date. Review it and try again."))


class AddCardForm(forms.Form):
    """The key of the attempt, the token of the card that was typed, and the id of the card that it replaces."""

    attempt = forms.UUIDField()
    card_token = forms.CharField(max_length=200, error_messages={"required": _("Enter the details of the new card.")})
    make_default = forms.BooleanField(required=False)
    replaces = forms.IntegerField(required=False, min_value=1, max_value=2**31)
    in_page = forms.CharField(required=False, max_length=20)

    @property
    def message(self) -> str:
        if "card_token" in self.errors and "attempt" not in self.errors:
            return str(self.errors["card_token"][0])
        return str(_("This page was out of date. Review it and try again."))

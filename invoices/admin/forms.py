"""What staff fill in for an action on an invoice."""

from django import forms
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("The customer sees it."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

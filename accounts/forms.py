"""What people may send about themselves and about a billing profile."""

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.email_addresses import canonical_address
from accounts.models import BillingContact, WireRequest
from accounts.operations.wire import FACTS


class EmailAddressForm(forms.Form):
    """Whether the address is free is for the operation to say."""

    email = forms.EmailField(
        label=_("New email address"),
        max_length=254,
        help_text=_("We mail a link there. Your address changes once you open it and confirm."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class WireRequestForm(forms.ModelForm):
    class Meta:
        model = WireRequest
        fields = FACTS
        widgets = {"reason": forms.Textarea(attrs={"rows": 3})}
        labels = {"reason": _("Why a card does not work for you")}
        help_texts = {
            "legal_name": _("As it stands in the trade register."),
            "monthly_amount": _("With the currency, such as EUR 2,500."),
            "contact_email": _("Your invoices, reminders and statements can be sent there once you are approved."),
        }

    def clean_contact_email(self) -> str:
        return canonical_address(self.cleaned_data["contact_email"])

    @property
    def facts(self) -> dict[str, str]:
        """After `is_valid`. Each on one line: what was typed must not pass for a paragraph of our mail to staff."""
        return {name: " ".join(self.cleaned_data[name].split()) for name in FACTS}


class MailsForm(forms.Form):
    mails_invoices = forms.BooleanField(label=_("Mail each new invoice"), required=False)


class ContactForm(forms.ModelForm):
    """Somebody in accounts payable. That an address is there already is for the operation to say."""

    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)

    class Meta:
        model = BillingContact
        fields = ("name", "email", "language", "gets_invoices", "gets_reminders", "gets_statements")

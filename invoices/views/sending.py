"""How the invoices of a billing profile are sent, for those who may change its properties."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.access import Access, reason_for_role
from accounts.company_numbers import scheme_choices
from accounts.decorators import profile_of, profile_view
from accounts.models import DOCUMENT_LANGUAGES, BillingProfile
from accounts.roles import Permission
from billing_portal.core.letters import validate_printed
from invoices.operations.sending import CHOSEN, CannotChooseFormat, choose_sending

Format = BillingProfile.InvoiceFormat
# Of each format: its icon, its name, and what it is good for.
FORMATS = [
    (Format.PDF, "file-text", _("PDF"), _("By email, to members and contacts who get new invoices")),
    (
        Format.FACTUR_X, "file-code", _("PDF with the data inside"),
        _("Factur-X or ZUGFeRD: one file for people and software"),
    ),
    (
        Format.UBL, "network", _("Electronic invoice by Peppol"),
        _("Straight into your software; the PDF stays here"),
    ),
    (Format.XRECHNUNG, "landmark", _("XRechnung"), _("For German authorities; needs a Leitweg-ID")),
]  # fmt: skip


class SendingForm(forms.Form):
    invoice_format = forms.ChoiceField(label=_("How do you want invoices?"), choices=Format)
    document_language = forms.ChoiceField(label=_("Language of documents"), choices=DOCUMENT_LANGUAGES)
    buyer_reference = forms.CharField(
        label=_("Your reference"), max_length=60, required=False, validators=[validate_printed],
        help_text=_("Printed on each invoice, such as a department. For German authorities, the Leitweg-ID."),
    )  # fmt: skip
    endpoint_scheme = forms.ChoiceField(
        label=_("Kind of endpoint"), choices=scheme_choices, required=False,
        help_text=_("The number under which you receive electronic invoices; in the Netherlands usually KvK."),
    )  # fmt: skip
    endpoint_id = forms.CharField(label=_("Endpoint"), max_length=80, required=False)


@require_safe
@profile_view(Permission.PROPERTIES_VIEW)
def sending(request: HttpRequest, access: Access) -> HttpResponse:
    profile = profile_of(access)
    return _page(request, access, SendingForm(initial={name: getattr(profile, name) for name in CHOSEN}))


@require_POST
@profile_view(Permission.PROPERTIES_UPDATE)
def choose(request: HttpRequest, access: Access) -> HttpResponse:
    form, profile = SendingForm(request.POST), profile_of(access)
    if form.is_valid():
        try:
            choose_sending(access=access, profile_id=profile.pk, at=timezone.now(), **form.cleaned_data)
        except CannotChooseFormat as refusal:
            for name, texts in refusal.faults.items():
                form.add_error(name or None, texts)
        else:
            messages.success(request, _now("Your choice was saved. It applies from the next invoice."))
            return redirect("accounts:properties", profile=profile.code)
    return _page(request, access, form, status=422)


def _page(request: HttpRequest, access: Access, form: SendingForm, *, status: int = 200) -> HttpResponse:
    may_change = access.can(Permission.PROPERTIES_UPDATE)
    context: dict[str, Any] = {
        "profile": profile_of(access),
        "form": form,
        "formats": [(value.value, *words) for value, *words in FORMATS],
        "chosen": form["invoice_format"].value(),
        "may_change": may_change,
        "why_not": "" if may_change else reason_for_role(Permission.PROPERTIES_UPDATE),
    }
    return render(request, "invoices/sending.html", context, status=status)

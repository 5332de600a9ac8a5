"""The staff page of the companies that send the invoices, with their logos."""

import re
from hashlib import sha256
from itertools import chain
from typing import Any

from django import forms
from django.contrib import admin
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import NoDeleteAdmin
from accounts.models import ADDRESS, Seller, SellerLogo
from accounts.models.sellers import NOTES
from invoices.documents.typesetting import can_draw
from invoices.models import CreditNote, Invoice, NumberSeries
from invoices.numbering import differ, has_imported

MAX_LOGO_BYTES = 200_000


class SellerForm(forms.ModelForm):
    new_logo = forms.FileField(
        label=_("Logo"), required=False,
        help_text=_("PNG or SVG, at most 200 kB. It stands at the head of documents that are issued from now on."),
        widget=forms.ClearableFileInput(attrs={"accept": ".png,.svg,image/png,image/svg+xml"}),
    )  # fmt: skip
    remove_logo = forms.BooleanField(label=_("Remove the logo"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in NOTES:
            if name in self.fields:
                self.fields[name].widget.attrs["rows"] = 3

    def clean_invoice_prefix(self) -> str:
        return self._prefix("invoice_prefix")

    def clean_credit_note_prefix(self) -> str:
        return self._prefix("credit_note_prefix")

    def clean_country(self) -> str:
        return str(self.cleaned_data["country"]).strip().upper()

    def clean_new_logo(self) -> UploadedFile | None:
        file: UploadedFile | None = self.cleaned_data["new_logo"]
        if file is not None:
            if (file.size or 0) > MAX_LOGO_BYTES:
                raise forms.ValidationError(_("The logo is larger than 200 kB."))
            if not can_draw(file.read()):
                text = _(
                    "This is not a PNG or SVG drawing that can be printed: a PNG has at most 4 million pixels, an SVG"
                    " no filters and no pictures inside."
                )
                raise forms.ValidationError(text)
            file.seek(0)
        return file

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        prefix, of_notes = values.get("invoice_prefix"), values.get("credit_note_prefix")
        if prefix and of_notes and not differ(prefix, of_notes):
            self.add_error("credit_note_prefix", _("Invoices and credit notes need different prefixes."))
        return values

    def _prefix(self, name: str) -> str:
        """Raises ValidationError for one that another series has, but for digits at the end, or with which numbers of
        imported invoices begin: those must not be given again."""
        prefix = str(self.cleaned_data[name]).strip().upper()
        if not re.search("[A-Z0-9]", prefix):
            raise forms.ValidationError(_("A prefix needs at least one letter from A to Z, or a digit."))
        if not all(differ(prefix, other) for other in _series_of_others(self.instance)):
            raise forms.ValidationError(_("Another series has this prefix."))
        if not all(differ(prefix, own) for own in _own_series(self.instance) if own != prefix):
            raise forms.ValidationError(_("An earlier series of this seller would give the same payment references."))
        if has_imported(prefix):
            text = _("Imported invoices have numbers that begin with this prefix. Choose another.")
            raise forms.ValidationError(text)
        return prefix


def _series_of_others(seller: Seller) -> set[str]:
    """The prefixes of other sellers, and those under which they gave numbers before: a seller that took one over would
    go on where the other stopped."""
    others = Seller.objects.exclude(pk=seller.pk).values_list("invoice_prefix", "credit_note_prefix")
    used = NumberSeries.objects.filter(next_number__gt=1).exclude(prefix__in=_own_series(seller))
    return {*chain.from_iterable(others), *used.values_list("prefix", flat=True)}


def _own_series(seller: Seller) -> list[str]:
    """Those whose last number a document of this seller has."""
    own = []
    for prefix, next_number in NumberSeries.objects.values_list("prefix", "next_number"):
        last = {"number": f"{prefix}{next_number - 1:06d}", "profile__account__seller": seller.pk}
        if Invoice.objects.filter(**last).exists() or CreditNote.objects.filter(**last).exists():
            own.append(prefix)
    return own


@admin.register(Seller)
class SellerAdmin(NoDeleteAdmin):
    """What is changed here stands on documents that are issued from then on."""

    form = SellerForm
    list_display = ("company", "code", "country", "vat_number", "invoice_prefix", "is_complete")
    list_filter = ("country",)
    search_fields = ("company", "code", "vat_number", "company_number")
    search_help_text = _("Company, code, VAT number or company number")
    ordering = ("company", "pk")
    fieldsets = (
        (None, {"fields": ("code", *ADDRESS)}),
        (_("Contact"), {"fields": ("email", "phone", "new_logo", "remove_logo")}),
        (_("Numbers"), {"fields": ("vat_number", "company_number", "tax_number", "tax_currency")}),
        (_("Series"), {"fields": ("invoice_prefix", "credit_note_prefix")}),
        (
            _("Legal notes"),
            {
                "fields": ("notes_en", "notes_nl", "notes_de", "notes_fr"),
                "description": _(
                    "Printed at the foot in the language of the document or in English. Germany: seat, register court"
                    " and managers. Belgium: RPR or RPM with the court. France: legal form and capital, RCS with the"
                    " city, interest on late payment, the indemnity of EUR 40, discount for early payment."
                ),
            },
        ),
        (_("Electronic invoices"), {"fields": ("endpoint_scheme", "endpoint_id")}),
    )

    @admin.display(description=_("complete"), boolean=True)
    def is_complete(self, seller: Seller) -> bool:
        return not seller.fault_of(["S"])

    def get_fieldsets(self, request: HttpRequest, obj: Seller | None = None) -> Any:
        """Without the box that takes a logo away where there is none."""
        sets = super().get_fieldsets(request, obj)
        if obj is not None and obj.logo_id:
            return sets
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name != "remove_logo"]})
            for title, options in sets
        ]

    def save_model(self, request: HttpRequest, obj: Seller, form: Any, change: bool) -> None:
        file = form.cleaned_data.get("new_logo")
        if file is not None:
            content = file.read()
            digest = sha256(content).hexdigest()
            facts = {"content": content, "is_svg": not content.startswith(b"\x89PNG")}
            obj.logo, _created = SellerLogo.objects.get_or_create(digest=digest, defaults=facts)
        elif form.cleaned_data.get("remove_logo"):
            obj.logo = None
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Seller, post_url_continue: str | None = None) -> HttpResponse:
        response = super().response_add(request, obj, post_url_continue)
        self.message_user(request, self.next_step(obj))
        return response

    def next_step(self, seller: Seller) -> str:
        return str(_("Now add the bank account of %(seller)s under Remittance accounts.") % {"seller": seller.company})

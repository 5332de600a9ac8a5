"""The page on which staff make a credit note: how much of each line, then what will come of it, then the button."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyAdmin, ReadOnlyInline, access_of_staff
from billing_portal.core.staff_pages import confirm, hide_fields
from billing_portal.core.time_zones import seller_day
from invoices.admin.base import ReasonForm, TaxesInline, amount_of, money_column
from invoices.admin.deliveries import deliveries_of
from invoices.admin.documents import LABEL, document_urls
from invoices.models import CreditNote, CreditNoteLine, CreditNoteTax, Invoice
from invoices.money import Money
from invoices.operations.credit_notes import CannotCorrect, credit_note, rest_of

# Above this the page would hold more fields than a request may; such an invoice is taken back as a whole.
MAX_LINES = 200


class CorrectionForm(ReasonForm):
    """An amount without tax for each line that has something left, the rest of it to begin with."""

    shown_rest = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, invoice: Invoice, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invoice, self.rest = invoice, rest_of(invoice)
        self.left = [part for part in self.rest.parts if part.amount_minor]
        self.fields["shown_rest"].initial = self.rest.total_minor
        self.by_line = len(self.left) <= MAX_LINES
        for part in self.left if self.by_line else []:
            rest = Money(part.amount_minor, invoice.currency)
            self.fields[f"line_{part.line.pk}"] = forms.CharField(
                label=part.line.description,
                max_length=20,
                required=False,
                initial=str(rest.amount),
                help_text=_("Without tax, at most %(rest)s. The tax on it is added. Leave it empty to credit nothing.")
                % {"rest": rest},
            )

    @classmethod
    def of_now(cls, sent: QueryDict, invoice: Invoice) -> "CorrectionForm":
        """What was typed, with what is left now in the place of what the earlier page showed."""
        form, data = cls(sent, invoice=invoice), sent.copy()
        data["shown_rest"] = str(form.fields["shown_rest"].initial)
        form.data = data
        return form

    def clean(self) -> dict[str, Any]:
        """Adds ``amounts`` as the operation takes them: None for all that is left."""
        data = super().clean() or self.cleaned_data
        data["amounts"] = None
        if not self.by_line:
            return data
        amounts = {}
        for part in self.left:
            name = f"line_{part.line.pk}"
            try:
                minor = amount_of(data.get(name) or "0", self.invoice.currency).minor
                self.rest.part(part.line.pk, minor)
            except forms.ValidationError as error:
                self.add_error(name, error)
            except CannotCorrect as refusal:
                self.add_error(name, str(refusal))
            else:
                amounts[part.line.pk] = minor
        data["amounts"] = amounts
        if self.errors:
            return data
        if amounts == {part.line.pk: part.amount_minor for part in self.left}:
            data["amounts"] = None  # with the tax of lines of which nothing else is left
        try:
            taken = self.rest.taken(data["amounts"])
        except CannotCorrect as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        if taken.total_minor <= 0:
            raise forms.ValidationError(_("There is nothing to credit."))
        return data

    @property
    def total(self) -> Money:
        amounts = self.cleaned_data["amounts"]
        return Money(self.rest.taken(amounts).total_minor, self.invoice.currency)


def credit_note_view(model_admin: admin.ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Takes back an issued invoice or a part of it, after showing what will become of it."""
    if not request.user.has_perm("invoices.add_creditnote"):
        raise PermissionDenied(_now("Your staff account may look at this, but not act on it."))
    invoice = get_object_or_404(Invoice.objects.select_related("profile"), pk=pk, number__isnull=False)
    back = reverse("admin:invoices_invoice_change", args=[pk])
    form = CorrectionForm(request.POST or None, invoice=invoice)
    text = [_("A credit note credits all of an invoice or a part of it. It cannot be changed or undone.")]
    if not form.by_line:
        text.append(_("The invoice has too many lines to choose from: all that is left of it is credited."))
    page: dict[str, Any] = {
        "title": _("Credit note for %(invoice)s") % {"invoice": invoice}, "row": invoice, "text": text, "form": form,
        "facts": [(_("Billing profile"), invoice.profile)], "back": back,
    }  # fmt: skip
    if not form.is_valid():
        if form.is_bound:
            page["form"] = CorrectionForm.of_now(request.POST, invoice)
        return confirm(model_admin, request, button=_("Continue"), **page)
    total, reason = form.total, form.cleaned_data["reason"]
    if "confirmed" not in request.POST:
        applied = min(total, invoice.amount_due)
        page["facts"] += [
            (_("Amount credited"), total), (_("Due now"), invoice.amount_due),
            (_("Due afterwards"), invoice.amount_due - applied),
            (_("Kept as a credit"), total - min(total, invoice.amount_due + invoice.written_off)),
            (_("Reason"), reason),
        ]  # fmt: skip
        hide_fields(form)
        return confirm(model_admin, request, button=_("Make the credit note"), answer=("confirmed", "yes"), **page)
    at = timezone.now()
    try:
        note = credit_note(
            access=access_of_staff(request), invoice_id=pk, amounts=form.cleaned_data["amounts"],
            shown_rest=form.cleaned_data["shown_rest"], reason=reason, today=seller_day(at), at=at,
        )  # fmt: skip
    except CannotCorrect as refusal:
        again = CorrectionForm.of_now(request.POST, invoice)
        again.add_error(None, str(refusal))
        return confirm(model_admin, request, button=_("Continue"), **page | {"form": again})
    message = _now("Credit note %(number)s was made.") % {"number": note}
    model_admin.message_user(request, message, messages.SUCCESS)
    return HttpResponseRedirect(back)


class NoteLinesInline(ReadOnlyInline):
    model = CreditNoteLine
    verbose_name_plural = _("lines of the credit note")
    fields = readonly_fields = ("position", "line", "amount")
    ordering = ("position", "pk")
    amount = money_column("amount_minor", _("amount"), currency="note.currency")


class NoteTaxesInline(TaxesInline):
    model = CreditNoteTax
    taxable = money_column("taxable_minor", _("taxable amount"), currency="note.currency")
    tax = money_column("tax_minor", _("tax"), currency="note.currency")


@admin.register(CreditNote)
class CreditNoteAdmin(ReadOnlyAdmin):
    """Made on the page of its invoice."""

    inlines = (NoteLinesInline, NoteTaxesInline)
    list_display = ("number", "invoice", "profile", "issued_on", "total", "voids_invoice", "reason")
    list_select_related = ("invoice", "profile")
    list_filter = ("voids_invoice",)
    search_fields = ("number", "invoice__number", "profile__name", "profile__code")
    search_help_text = _("Number of the note or its invoice, or the name or code of a billing profile")
    date_hierarchy = "issued_on"
    ordering = ("-pk",)
    fields = readonly_fields = (
        "number", "invoice", "profile", "issued_on", "reason", "total", "applied", "given_back", "credit",
        "voids_invoice", "deliveries", "created_at", "created_by",
    )  # fmt: skip
    actions = None

    @admin.display(description=_("deliveries"))
    def deliveries(self, note: CreditNote) -> SafeString | str:
        return deliveries_of(note)

    def get_urls(self) -> list[URLPattern]:
        return [*document_urls(self), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context["original"]
        context["links"] = [(LABEL, reverse("admin:invoices_creditnote_document", args=[row.pk]))]
        return super().render_change_form(request, context, *args, **kwargs)

    total = money_column("total_minor", _("total"))
    applied = money_column("applied_minor", _("taken off the invoice"))
    given_back = money_column("given_back_minor", _("given back to credits"))

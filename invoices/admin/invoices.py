"""Invoices for staff. A draft is written here; an issued one changes only by actions, each confirmed on a page."""

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet, Sum, Value
from django.db.models.lookups import Exact
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from accounts.access import Access
from accounts.admin.base import access_of_staff
from accounts.admin.staff_actions import StaffActionAdmin
from accounts.operations.profiles import CurrencyChanged, keep_currencies
from billing_portal.core.spelling import Compact
from billing_portal.core.staff_pages import confirm
from invoices.admin import base
from invoices.admin.base import ReasonForm, money_column
from invoices.admin.credit_notes import credit_note_view
from invoices.admin.deliveries import deliveries_of
from invoices.admin.documents import LABEL, PREVIEW, document_urls
from invoices.admin.lines import InvoiceTaxesInline, LinesInline, may_change
from invoices.admin.write_offs import WRITING_OFF
from invoices.documents.taxes import seller_tax_text
from invoices.models import Invoice
from invoices.money import Money
from invoices.numbering import named
from invoices.operations.credits import CannotCredit, apply_credits
from invoices.operations.issuing import CannotIssue, issue_many, recompute_draft
from invoices.operations.voiding import CannotVoid, rebill, void
from invoices.operations.write_offs import CannotWriteOff, write_off_rest
from invoices.querysets import InvoiceQuerySet
from invoices.remittances import without_account
from invoices.states import InvoiceStatus, Label, WrongState

# An action begins no further batch after so long, this many invoices to a transaction; the rest waits for the next
# press. On a busy machine a batch takes some seconds.
MAX_SECONDS, BATCH, MAX_REFUSALS = 12, 50, 20
WRITTEN = ("kind", "period_start_on", "period_end_on", "po_number", "source_reference")
SUMS = (
    "charges", "tax", "total", "seller_tax", "credited", "written_off", "paid", "paid_before", "paid_back",
    "charged_back",
    "amount_due",
)  # fmt: skip
FACTS = (
    "number", "issued_on", "due_on", "payment_terms_days", "payment_reference", "pays_by_wire", "paid_at",
    "paid_with_label", "void_reason", "voided_at", "payment_started_at", "payer",
    "disputed_at", "autopay_on", "autopay_declined_on",
)  # fmt: skip


class ActionForm(forms.Form):
    """Carries an action and the invoices that were chosen for it over the page that confirms it."""

    def __init__(self, sent: QueryDict) -> None:
        super().__init__(sent if "confirmed" in sent else None)
        for name in ("action", "select_across", "index"):
            self.fields[name] = forms.CharField(widget=forms.HiddenInput, required=False, initial=sent.get(name))
        chosen = sent.getlist("_selected_action")
        self.fields["_selected_action"] = forms.Field(widget=forms.MultipleHiddenInput, required=False, initial=chosen)


class ActionWithReasonForm(ReasonForm, ActionForm):
    """``reason`` is one for all of them."""


@admin.action(permissions=["change"], description=_("Issue selected drafts"))
def issue_selected(model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Invoice]) -> Any:
    """Gives each draft its number, dated today where its profile is."""
    return _act_on_all(
        model_admin, request, queryset, issue_many,
        form=ActionForm(request.POST), title=_("Issue invoices"), button=_("Issue"), warn=_missing_accounts,
        text=_(
            "Each gets the next number and today's date. An issued invoice does not change any more and can be seen and"
            " paid by the customer."
        ),
        done=lambda count: ngettext("%(count)d invoice issued.", "%(count)d invoices issued.", count),
    )  # fmt: skip


@admin.action(permissions=["void"], description=_("Void selected invoices"))
def void_selected(model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Invoice]) -> Any:
    return _act_on_all(
        model_admin, request, queryset, _one_by_one(void),
        form=ActionWithReasonForm(request.POST), title=_("Void invoices"), button=pgettext_lazy("act", "Void"),
        text=_(
            "A void invoice keeps its number and stays readable, but nothing is due on it. A credit note "
            "cancels it, and credits that paid for it are given back. This cannot be undone."
        ),
        done=lambda count: ngettext("%(count)d invoice voided.", "%(count)d invoices voided.", count),
    )  # fmt: skip


@admin.action(permissions=["void"], description=_("Void selected invoices and bill them again"))
def rebill_selected(model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Invoice]) -> Any:
    return _act_on_all(
        model_admin, request, queryset, _one_by_one(rebill),
        form=ActionWithReasonForm(request.POST), title=_("Void and bill again"), button=_("Void and bill again"),
        text=_(
            "Each is voided by a credit note, and a draft with the same lines takes its place. Correct the draft and"
            " issue it."
        ),
        done=lambda count: ngettext("%(count)d draft made.", "%(count)d drafts made.", count),
    )  # fmt: skip


@admin.action(permissions=["change"], description=_("Apply credits to selected invoices"))
def apply_credits_selected(model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Invoice]) -> Any:
    return _act_on_all(
        model_admin, request, queryset, _one_by_one(apply_credits),
        form=ActionForm(request.POST), title=_("Apply credits"), button=_("Apply credits"),
        text=_(
            "What each billing profile has in credits pays for its invoices, oldest invoice first, as far as it goes."
            " The customer sees the lower amount at once."
        ),
        done=lambda count: ngettext(
            "Credits applied to %(count)d invoice.", "Credits applied to %(count)d invoices.", count
        ),
    )  # fmt: skip


def _missing_accounts(invoices: QuerySet[Invoice]) -> list[str]:
    billed = invoices.order_by().values_list("profile__account__seller", "currency").distinct()
    missing = without_account(billed, timezone.localdate())
    text = _now("There is no bank account for payments in %(currencies)s. The invoices tell customers to contact us.")
    return [text % {"currencies": ", ".join(missing)}] if missing else []


Refusals = list[tuple[Invoice, Exception]]


def _one_by_one(act: Callable[..., Invoice]) -> Callable[..., tuple[list[Invoice], Refusals]]:
    """An operation on one ``invoice_id`` as one on many ``invoice_ids``, oldest first."""

    def act_on(*, invoice_ids: Sequence[int], **by: Any) -> tuple[list[Invoice], Refusals]:
        results: list[Invoice] = []
        refusals: Refusals = []
        for invoice in Invoice.objects.filter(pk__in=invoice_ids).order_by("pk"):
            try:
                results.append(act(invoice_id=invoice.pk, **by))
            except (CannotCredit, CannotIssue, CannotVoid, WrongState) as refusal:
                refusals.append((invoice, refusal))
        return results, refusals

    return act_on


def _act_on_all(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    queryset: QuerySet[Invoice],
    act_on: Callable[..., tuple[list[Invoice], Refusals]],
    *,
    form: ActionForm,
    done: Callable[[int], str],
    warn: Callable[[QuerySet[Invoice]], list[str]] = lambda _invoices: [],
    **page: Any,
) -> HttpResponse | None:
    """Asks first: how many invoices, their totals by currency, the first of them. Then acts on them by batches, oldest
    first, for as long as a request may take, and shows what was refused, how many were ``done`` and how many are left.
    The result of a single one is opened."""
    if not form.is_valid():
        sums = queryset.order_by("currency").values_list("currency").annotate(Count("pk"), Sum("total_minor"))
        totals = [
            ngettext("%(counter)s invoice, %(amount)s in total", "%(counter)s invoices, %(amount)s in total", count)
            % {"counter": count, "amount": Money(int(minor), currency)}
            for currency, count, minor in sums
        ]
        first = queryset.select_related("profile").order_by("pk")[:20]
        return confirm(
            model_admin, request, title=page["title"], text=[page["text"], *totals, *warn(queryset)],
            button=page["button"], form=form,
            facts=[(invoice, f"{invoice.profile.name}, {invoice.total}") for invoice in first],
            back=reverse("admin:invoices_invoice_changelist"), answer=("confirmed", "yes"),
        )  # fmt: skip
    by: dict[str, Any] = {"access": access_of_staff(request), "at": timezone.now()}
    if "reason" in form.cleaned_data:
        by["reason"] = form.cleaned_data["reason"]
    results: list[Invoice] = []
    refusals: Refusals = []
    left, until = list(queryset.order_by("pk").values_list("pk", flat=True)), monotonic() + MAX_SECONDS
    while left:
        acted_on, refused = act_on(invoice_ids=left[:BATCH], **by)
        results, refusals, left = results + acted_on, refusals + refused, left[BATCH:]
        if monotonic() >= until:
            break
    _tell(model_admin, request, refusals, left)
    if results:
        model_admin.message_user(request, done(len(results)) % {"count": len(results)}, messages.SUCCESS)
    if len(results) == 1:
        return HttpResponseRedirect(reverse("admin:invoices_invoice_change", args=[results[0].pk]))
    return None


def _tell(model_admin: admin.ModelAdmin, request: HttpRequest, refusals: Refusals, left: Sequence[int]) -> None:
    """The first of what was refused, and how many were not come to."""
    for invoice, refusal in refusals[:MAX_REFUSALS]:
        text = _now("%(invoice)s: %(reason)s") % {"invoice": invoice, "reason": refusal}
        model_admin.message_user(request, text, messages.ERROR)
    if more := len(refusals[MAX_REFUSALS:]):
        text = ngettext("%(count)d more was refused.", "%(count)d more were refused.", more) % {"count": more}
        model_admin.message_user(request, text, messages.ERROR)
    if left:
        text = ngettext(
            "%(count)d invoice is left. Choose the action once more for it.",
            "%(count)d invoices are left. Choose the action once more for them.",
            len(left),
        )
        model_admin.message_user(request, text % {"count": len(left)}, messages.WARNING)


class LabelFilter(admin.SimpleListFilter):
    """By what the customer sees. Past due is judged by the portal's day here, because the list spans time zones."""

    title = _("status")
    parameter_name = "label"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(label.value, str(label.label)) for label in Label]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Invoice]) -> QuerySet[Invoice]:
        label = self.value()
        if label is None or label not in Label.values:
            return queryset
        narrowed = Invoice.objects.with_label(Label(label), timezone.localdate())
        return queryset.filter(pk__in=narrowed.values("pk"))


class DraftForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("period_start_on"), data.get("period_end_on")
        if start and end and end < start:
            self.add_error("period_end_on", _now("The billing period ends before it starts."))
        profile, reference = data.get("profile") or self.instance.profile_id, data.get("source_reference")
        others = Invoice.objects.exclude(pk=self.instance.pk).filter(profile=profile)
        others = others.filter(Exact(Compact("source_reference"), Compact(Value(reference or ""))))
        if profile and reference and others.exists():
            self.add_error("source_reference", _now("Another invoice of this billing profile has this reference."))
        return data


@admin.register(Invoice)
class InvoiceAdmin(StaffActionAdmin):
    form = DraftForm
    inlines = (LinesInline,)  # once there is a profile, which says in which currency and for which sections
    actions = (issue_selected, void_selected, rebill_selected, apply_credits_selected)
    autocomplete_fields = ("profile",)
    list_display = (
        "name", "profile_link", "kind", "issued_on", "due_on", "total", "amount_due", "label", "source_reference",
    )  # fmt: skip
    list_filter = (LabelFilter, "kind", ("profile__account", admin.RelatedFieldListFilter))
    list_select_related = ("profile",)
    date_hierarchy = "issued_on"
    ordering = ("-pk",)
    show_full_result_count = False
    refusals = (CannotIssue, CannotWriteOff, CurrencyChanged, WrongState)
    search_fields = (
        "number", "source_reference", "profile__name", "profile__code", "profile__account__name",
        "profile__account__company",
    )  # fmt: skip
    search_help_text = _("Number, amount, payment or source reference, customer, or name or code of a billing profile")

    profile_link = base.profile_link
    charges = money_column("charges_minor", _("charges"))
    tax = money_column("tax_minor", _("tax"))
    total = money_column("total_minor", _("total"))
    credited = money_column("credited_minor", _("credits and credit notes"))
    written_off = money_column("written_off", _("of which written off"))
    paid = money_column("paid_minor", _("paid"))
    paid_before = money_column("paid_before_minor", _("paid before the import"))
    paid_back = money_column("refunded", _("refunded"))
    charged_back = money_column("charged_back_minor", _("taken back by the bank"))
    amount_due = money_column("amount_due_minor", _("amount due"))

    @admin.display(description=_("invoice"), ordering="number")
    def name(self, invoice: Invoice) -> str:
        return str(invoice)

    @admin.display(description=_("status"), ordering="status")
    def label(self, invoice: Invoice) -> str:
        return str(invoice.label_on(invoice.profile.day_of(timezone.now())).label)

    @admin.display(description=_("tax in the seller's currency"))
    def seller_tax(self, invoice: Invoice) -> str:
        return seller_tax_text(invoice, invoice.seller_tax_minor) or "-"

    @admin.display(description=_("paid with"))
    def paid_with_label(self, invoice: Invoice) -> str:
        return invoice.paid_with_label or "-"

    @admin.display(description=_("payment started by"))
    def payer(self, invoice: Invoice) -> str:
        return str(invoice.payment_started_by or "-")

    @admin.display(description=_("payments"))
    def payments_link(self, invoice: Invoice) -> SafeString | str:
        if invoice.number is None:
            return ""
        url = reverse("admin:payments_payment_changelist", query={"q": invoice.number})
        return format_html('<a href="{}">{}</a>', url, _("Payments of this invoice"))

    @admin.display(description=_("related documents"))
    def chain(self, invoice: Invoice) -> SafeString | str:
        replaced, later = Invoice.objects.filter(replaced_by=invoice), Invoice.objects.filter(replaces=invoice)
        links = [
            *(("invoice", row) for row in replaced),
            *(("creditnote", row) for row in invoice.credit_notes.order_by("pk")),
            *(("invoice", row) for row in later),
        ]
        pages = [(reverse(f"admin:invoices_{name}_change", args=[row.pk]), str(row)) for name, row in links]
        return format_html_join(" · ", '<a href="{}">{}</a>', pages) or "-"

    @admin.display(description=_("deliveries"))
    def deliveries(self, invoice: Invoice) -> SafeString | str:
        return deliveries_of(invoice)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial(credit_note_view, self))
        own = [path("<int:pk>/credit-note/", view, name="invoices_invoice_credit_note"), *document_urls(self)]
        return [*own, *super().get_urls()]

    def links(self, request: HttpRequest, row: Invoice) -> list[tuple[Any, str]]:
        url = reverse("admin:invoices_invoice_document", args=[row.pk])
        return [(PREVIEW if row.status == InvoiceStatus.DRAFT else LABEL, url), *super().links(request, row)]

    @WRITING_OFF
    def write_off(self, access: Access, invoice: Invoice, data: dict[str, Any]) -> str:
        amount = write_off_rest(access=access, invoice_id=invoice.pk, at=timezone.now(), **data)
        return _now("%(amount)s was written off.") % {"amount": amount}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Invoice], search_term: str
    ) -> tuple[QuerySet[Invoice], bool]:
        """First by number or payment reference, which have an index, then by an amount that was billed or is due."""
        if search_term.strip():
            rows = cast("InvoiceQuerySet", queryset)
            numbered = rows.numbered(search_term.strip())
            for found in (numbered, rows.filter(named(search_term)), rows.of_amount(search_term)):
                if found.exists():
                    return found, False
        return super().get_search_results(request, queryset, search_term)

    def get_fieldsets(self, _request: HttpRequest, obj: Invoice | None = None) -> Any:
        if obj is None:
            text = _("The lines come next: the profile says in which currency, and for which sections.")
            return [(None, {"fields": ("profile", *WRITTEN), "description": text})]
        if obj.status == InvoiceStatus.DRAFT:
            return [
                (None, {"fields": ("label", "profile_link", "chain", *WRITTEN)}),
                (_("Amounts"), {"fields": SUMS[:3]}),
            ]
        return [
            (None, {"fields": ("label", "profile_link", "payments_link", "chain", "deliveries", *WRITTEN)}),
            (_("Amounts"), {"fields": SUMS}),
            (_("Since it was issued"), {"fields": FACTS}),
        ]

    def get_readonly_fields(self, _request: HttpRequest, _obj: Invoice | None = None) -> Any:
        return ("label", "profile_link", "payments_link", "chain", "deliveries", *SUMS, *FACTS)

    def get_inlines(self, request: HttpRequest, obj: Invoice | None) -> Any:
        inlines = super().get_inlines(request, obj)
        return inlines if obj is None or obj.status == InvoiceStatus.DRAFT else (*inlines, InvoiceTaxesInline)

    def get_actions(
        self, request: HttpRequest, action_location: admin.ActionLocation = admin.ActionLocation.CHANGE_LIST
    ) -> Any:
        actions = super().get_actions(request, action_location)
        actions.pop("delete_selected", None)
        return actions

    def has_change_permission(self, request: HttpRequest, obj: Invoice | None = None) -> bool:
        return may_change(obj) and super().has_change_permission(request, obj)

    def has_void_permission(self, request: HttpRequest) -> bool:
        """Voiding makes a credit note. Django asks this for the actions that need "void"."""
        return self.has_change_permission(request) and request.user.has_perm("invoices.add_creditnote")

    def has_delete_permission(self, request: HttpRequest, obj: Invoice | None = None) -> bool:
        return may_change(obj) and super().has_delete_permission(request, obj)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One button, because one thing follows: the lines."""
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, buttons | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: Invoice, form: ModelForm, change: bool) -> None:
        if not change:
            obj.currency = obj.profile.currency
            keep_currencies([obj.profile])
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        recompute_draft(invoice_id=form.instance.pk)

    def response_add(self, request: HttpRequest, obj: Invoice, _url: str | None = None) -> HttpResponse:
        self.message_user(request, _now("The draft was made. Now add its lines."), messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:invoices_invoice_change", args=[obj.pk]))

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """A write that comes too late, because the draft was issued or deleted meanwhile, is shown as a message."""
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)
        except PermissionDenied:
            issued = Invoice.objects.filter(pk=object_id or 0).exclude(status=InvoiceStatus.DRAFT).first()
            if request.method != "POST" or issued is None or not self.has_view_permission(request, issued):
                raise
            text = _now("Invoice %(number)s has been issued and does not change any more.")
            self.message_user(request, text % {"number": issued}, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

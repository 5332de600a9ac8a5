"""Issue and void, the two acts of staff on invoices: each is confirmed on a page that says what will happen."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.admin.base import access_of_staff
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations import CannotIssue, CannotVoid, issue, void
from invoices.states import WrongState

REFUSALS = (CannotIssue, CannotVoid, WrongState)


class VoidForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        help_text=gettext_lazy("The customer sees it on the invoice."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


@admin.action(permissions=["change"], description=gettext_lazy("Issue selected drafts"))
def issue_selected(
    model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Invoice]
) -> TemplateResponse | None:
    """Gives each draft its number, dated today where its profile is."""
    if "confirmed" not in request.POST:
        return _ask(model_admin, request, queryset, "admin/invoices/confirm_issue.html", _("Issue invoices"))
    access, at = access_of_staff(request), timezone.now()

    def issue_one(invoice: Invoice) -> None:
        issue(access=access, invoice_id=invoice.pk, today=invoice.profile.day_of(at), at=at)

    done = _each(model_admin, request, queryset, issue_one)
    if done:
        text = ngettext("%(count)d invoice issued.", "%(count)d invoices issued.", done) % {"count": done}
        model_admin.message_user(request, text, messages.SUCCESS)
    return None


@admin.action(permissions=["change"], description=gettext_lazy("Void selected invoices"))
def void_selected(
    model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Invoice]
) -> TemplateResponse | None:
    """Cancels each invoice, for one reason that the customers see."""
    form = VoidForm(request.POST if "confirmed" in request.POST else None)
    if not form.is_valid():
        template = "admin/invoices/confirm_void.html"
        return _ask(model_admin, request, queryset, template, _("Void invoices"), form=form)
    access, at, reason = access_of_staff(request), timezone.now(), form.cleaned_data["reason"]

    def void_one(invoice: Invoice) -> None:
        void(access=access, invoice_id=invoice.pk, reason=reason, at=at)

    done = _each(model_admin, request, queryset, void_one)
    if done:
        text = ngettext("%(count)d invoice voided.", "%(count)d invoices voided.", done) % {"count": done}
        model_admin.message_user(request, text, messages.SUCCESS)
    return None


def _each(
    model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Invoice], act: Callable[[Invoice], None]
) -> int:
    """Does it to one invoice after the other, oldest first; says what was refused. Returns how many were done."""
    done = 0
    for invoice in queryset.select_related("profile").order_by("pk"):
        try:
            act(invoice)
        except REFUSALS as refusal:
            text = _("%(invoice)s: %(reason)s") % {"invoice": invoice, "reason": refusal}
            model_admin.message_user(request, text, messages.ERROR)
        else:
            done += 1
    return done


def _ask(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    queryset: QuerySet[Invoice],
    template: str,
    title: str,
    **extra: Any,
) -> TemplateResponse:
    """The page that confirms: how many invoices, and what they come to in each currency."""
    sums = queryset.order_by("currency").values_list("currency").annotate(count=Count("pk"), minor=Sum("total_minor"))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "totals": [(count, Money(int(minor), currency)) for currency, count, minor in sums],
        "invoices": queryset.select_related("profile").order_by("pk")[:20],
        "chosen": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "action": request.POST.get("action", ""),
        **extra,
    }
    return TemplateResponse(request, template, context)

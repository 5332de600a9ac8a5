"""What staff do to invoices: issue, void, bill again, apply credits. Each is confirmed on a page that says what will
happen. A credit note has a page of its own."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.admin.base import access_of_staff
from invoices.admin.forms import ReasonForm
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.credits import CannotCredit, apply_credits
from invoices.operations.issuing import CannotIssue, issue
from invoices.operations.voiding import CannotVoid, rebill, void
from invoices.states import WrongState

REFUSALS = (CannotCredit, CannotIssue, CannotVoid, WrongState)


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
    form = ReasonForm(request.POST if "confirmed" in request.POST else None)
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


@admin.action(permissions=["change"], description=gettext_lazy("Void selected invoices and bill them again"))
def rebill_selected(
    model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Invoice]
) -> HttpResponse | None:
    """Voids each invoice and makes a draft with its lines. One alone is opened at once."""
    form = ReasonForm(request.POST if "confirmed" in request.POST else None)
    if not form.is_valid():
        template = "admin/invoices/confirm_rebill.html"
        return _ask(model_admin, request, queryset, template, _("Void and bill again"), form=form)
    access, at, reason = access_of_staff(request), timezone.now(), form.cleaned_data["reason"]
    drafts = []

    def rebill_one(invoice: Invoice) -> None:
        drafts.append(rebill(access=access, invoice_id=invoice.pk, reason=reason, at=at))

    done = _each(model_admin, request, queryset, rebill_one)
    if done:
        text = ngettext("%(count)d draft made.", "%(count)d drafts made.", done) % {"count": done}
        model_admin.message_user(request, text, messages.SUCCESS)
    return HttpResponseRedirect(reverse("admin:invoices_invoice_change", args=[drafts[0].pk])) if done == 1 else None


@admin.action(permissions=["change"], description=gettext_lazy("Apply credits to selected invoices"))
def apply_credits_selected(
    model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[Invoice]
) -> TemplateResponse | None:
    """Pays each open invoice with what its profile has."""
    if "confirmed" not in request.POST:
        return _ask(model_admin, request, queryset, "admin/invoices/confirm_credits.html", _("Apply credits"))
    access, at = access_of_staff(request), timezone.now()

    def apply_to_one(invoice: Invoice) -> None:
        apply_credits(access=access, invoice_id=invoice.pk, at=at)

    done = _each(model_admin, request, queryset, apply_to_one)
    if done:
        text = ngettext("Credits applied to %(count)d invoice.", "Credits applied to %(count)d invoices.", done)
        model_admin.message_user(request, text % {"count": done}, messages.SUCCESS)
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

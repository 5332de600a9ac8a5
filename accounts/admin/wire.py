"""Requests to pay by check or wire: staff read the facts, and approve or decline with a reason the customer reads."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import NotAllowed
from accounts.admin.base import ReadOnlyAdmin, access_of_staff
from accounts.models import WireRequest
from accounts.operations.wire import FACTS, CannotDecide, decide_wire_request
from billing_portal.core.staff_pages import confirm


class AnswerForm(forms.Form):
    answer = forms.CharField(
        label=_("Reason"),
        max_length=500,
        help_text=_("The customer reads it, in the mail and on the page of the request."),
        widget=forms.Textarea(attrs={"class": "vLargeTextField", "rows": 4}),
    )


@admin.register(WireRequest)
class WireRequestAdmin(ReadOnlyAdmin):
    list_display = ("profile", "legal_name", "status", "monthly_amount", "requested_at", "requested_by")
    list_filter = ("status",)
    list_select_related = ("profile", "requested_by")
    search_fields = ("legal_name", "registration_number", "profile__name", "profile__code")
    search_help_text = _("Company, registration number, or name or code of the billing profile")
    ordering = ("-requested_at", "-pk")
    fieldsets = (
        (None, {"fields": ("profile", "status", "requested_at", "requested_by")}),
        (_("Facts"), {"fields": FACTS}),
        (_("Decision"), {"fields": ("decided_at", "decided_by", "answer")}),
    )
    pages: ClassVar[dict[str, str]] = {"decide": "decide_view"}

    def may_decide(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_wirerequest")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context["may_decide"] = self.may_decide(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def decide_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.may_decide(request):
            raise PermissionDenied(gettext("Your staff account may look at this, but not act on it."))
        row: WireRequest = self.row_or_404(request, object_id)
        back = reverse("admin:accounts_wirerequest_change", args=[row.pk])
        form = AnswerForm(request.POST if request.method == "POST" else None)
        decision = request.POST.get("decision", "")
        if form.is_valid() and decision in ("approve", "decline"):
            access, answer, approve = access_of_staff(request), form.cleaned_data["answer"], decision == "approve"
            try:
                decide_wire_request(access=access, request_id=row.pk, approve=approve, answer=answer, at=timezone.now())
            except (CannotDecide, NotAllowed) as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                message = gettext("The request was approved.") if approve else gettext("The request was declined.")
                self.message_user(request, message, messages.SUCCESS)
                return HttpResponseRedirect(back)
        return confirm(
            self,
            request,
            title=gettext("Decide on the request"),
            row=row,
            text=[
                gettext("Approved, the profile may choose check or wire transfer as its default payment method."),
                gettext("Declined, nothing changes and it may ask again. Whoever asked and the owners are told."),
            ],
            facts=[
                (gettext("Billing profile"), row.profile),
                (gettext("Agreement type"), row.profile.account.get_agreement_type_display()),
                (gettext("Status"), row.profile.get_status_display()),
                *((str(label_for_field(name, WireRequest)).capitalize(), getattr(row, name)) for name in FACTS),
            ],
            form=form,
            button=gettext("Approve"),
            answer=("decision", "approve"),
            other_answer=("decline", gettext("Decline")),
            back=back,
        )

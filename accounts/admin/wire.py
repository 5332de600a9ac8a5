"""Requests to pay by check or wire: staff read the facts, and approve or decline with a reason the customer reads."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.staff_actions import RowForm, StaffAction, StaffActionAdmin
from accounts.models import WireRequest
from accounts.operations.wire import FACTS, CannotDecide, decide_wire_request
from billing_portal.core.letters import validate_seen


class AnswerForm(RowForm):
    answer = forms.CharField(
        label=_("Reason"),
        max_length=500,
        validators=[validate_seen],
        help_text=_("The customer reads it, in the mail and on the page of the request."),
        widget=forms.Textarea(attrs={"class": "vLargeTextField", "rows": 4}),
    )


@admin.register(WireRequest)
class WireRequestAdmin(StaffActionAdmin, ReadOnlyAdmin):
    list_display = ("profile", "legal_name", "status", "monthly_amount", "requested_at", "requested_by")
    list_filter = ("status",)
    list_select_related = ("profile", "requested_by")
    search_fields = ("legal_name", "registration_number", "profile__name", "profile__code")
    search_help_text = _("Company, registration number, or name or code of the billing profile")
    ordering = ("-requested_at", "-pk")
    fieldsets = (
        (None, {"fields": ("profile", "status", "requested_at", "requested_by")}),
        (_("Details"), {"fields": FACTS}),
        (_("Decision"), {"fields": ("decided_at", "decided_by", "answer")}),
    )
    refusals = (CannotDecide,)

    def links(self, request: HttpRequest, row: WireRequest) -> list[tuple[str | Promise, str]]:
        profile = (_("Billing profile"), reverse("admin:accounts_billingprofile_change", args=[row.profile_id]))
        return [*super().links(request, row), profile]

    @StaffAction(
        address="decide",
        title=_("Decide on the request"),
        link=_("Approve or decline"),
        is_offered=lambda row: row.status == WireRequest.Status.OPEN,
        text=[
            _("Approved, the profile may choose check or wire transfer as its default payment method."),
            _("Declined, nothing changes and it may ask again. Whoever asked and the owners are told."),
        ],
        facts=lambda row: [
            (_("Billing profile"), row.profile),
            (_("Agreement type"), row.profile.account.get_agreement_type_display()),
            (_("Status"), row.profile.get_status_display()),
            *((str(label_for_field(name, WireRequest)).capitalize(), getattr(row, name)) for name in FACTS),
        ],
        form=AnswerForm,
        button=_("Approve"),
        answer=("decision", "approve"),
        other_answer=("decline", _("Decline")),
    )
    def decide(self, access: Access, row: WireRequest, data: dict[str, Any]) -> str:
        decision, answer = data["decision"], data["answer"]
        if decision not in ("approve", "decline"):
            raise CannotDecide(gettext("Approve or decline"))
        approve = decision == "approve"
        decide_wire_request(access=access, request_id=row.pk, approve=approve, answer=answer, at=timezone.now())
        return gettext("The request was approved.") if approve else gettext("The request was declined.")

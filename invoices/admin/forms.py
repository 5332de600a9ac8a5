"""What staff fill in: a draft and its lines, and what an action on invoices asks for."""

from copy import copy
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import NamedFormSet
from invoices.models import Invoice
from invoices.operations.issuing import CannotIssue, compute_sums

ACTION = ("action", "select_across", "index")


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("The customer sees it."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class ActionForm(forms.Form):
    """Carries an action and the invoices that were chosen for it over the page that confirms it."""

    def __init__(self, sent: QueryDict) -> None:
        super().__init__(sent if "confirmed" in sent else None)
        for name in ACTION:
            self.fields[name] = forms.CharField(widget=forms.HiddenInput, required=False, initial=sent.get(name))
        chosen = sent.getlist("_selected_action")
        self.fields["_selected_action"] = forms.Field(widget=forms.MultipleHiddenInput, required=False, initial=chosen)


class ActionWithReasonForm(ReasonForm, ActionForm):
    """``reason`` is one for all of them."""


class DraftForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("period_start_on"), data.get("period_end_on")
        if start and end and end < start:
            self.add_error("period_end_on", _now("The billing period ends before it starts."))
        profile, reference = data.get("profile") or self.instance.profile_id, data.get("source_reference")
        others = Invoice.objects.filter(profile=profile, source_reference=reference).exclude(pk=self.instance.pk)
        if profile and reference and others.exists():
            self.add_error("source_reference", _now("Another invoice of this billing profile has this reference."))
        return data


class LineFormSet(NamedFormSet):
    """Refuses lines that together make no invoice, before anything is saved."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        gone = set(self.deleted_forms)
        lines = [form.instance for form in self.forms if form not in gone and (form.has_changed() or form.instance.pk)]
        try:
            compute_sums(copy(self.instance), lines)
        except CannotIssue as error:
            raise ValidationError(str(error)) from error

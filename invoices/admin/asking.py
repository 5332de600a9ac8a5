"""The staff page of one row that says what will happen, asks what is needed for it, and has the button that does it."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("The customer sees it."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


def ask(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    *,
    title: str | Promise,
    row: Model,
    text: Sequence[str | Promise],
    form: forms.Form,
    button: str | Promise,
    back: str,
    facts: Sequence[tuple[Any, Any]] = (),
    answer: tuple[str, str] = ("", ""),
) -> TemplateResponse:
    """``answer`` is the name and value that the button sends."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "row": row,
        "text": text,
        "facts": facts,
        "form": form,
        "button": button,
        "answer": answer,
        "back": back,
    }
    status = 422 if form.is_bound and form.errors else 200
    return TemplateResponse(request, "admin/ask.html", context, status=status)

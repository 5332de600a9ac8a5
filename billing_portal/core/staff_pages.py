"""The confirmation page of a staff action: it says what will happen, asks for what is needed, and has the button."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.functional import Promise


def confirm(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    *,
    title: str | Promise,
    text: Sequence[str | Promise],
    button: str | Promise,
    back: str,
    row: Model | None = None,
    form: forms.Form | None = None,
    facts: Sequence[tuple[Any, Any]] = (),
    answer: tuple[str, str] = ("", ""),
    other_answer: tuple[str, str | Promise] = ("", ""),
) -> TemplateResponse:
    """Asks before it acts. ``back`` is where Cancel leads, ``facts`` are names and values, ``answer`` what the button
    sends, ``other_answer`` the value and label of a second one. Status 422 with a wrong form."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "subtitle": "" if row is None or str(row) in str(title) else str(row),
        "opts": model_admin.opts,
        "row": row,
        "text": text,
        "facts": facts,
        "form": form,
        "button": button,
        "answer": answer,
        "other_answer": other_answer,
        "back": back,
    }
    status = 422 if form is not None and form.is_bound and form.errors else 200
    return TemplateResponse(request, "admin/confirm.html", context, status=status)


def hide_fields(form: forms.Form) -> None:
    """For a page that asks once more: the same values, out of sight."""
    for field in form.fields.values():
        field.widget = forms.HiddenInput()

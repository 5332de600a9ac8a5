"""A form of the staff pages as a browser would send it back: every field with the value that it was shown with."""

from collections.abc import Iterator
from typing import Any

from django.urls import reverse


def as_shown(response) -> dict[str, Any]:
    """The fields of the page's form and of the tables below it, by name."""
    forms = [response.context["adminform"].form]
    for inline in response.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    values: dict[str, Any] = {}
    for form in forms:
        for bound in form:
            widget = getattr(bound.field.widget, "widget", bound.field.widget)  # Django wraps a choice of rows
            for name, value in _sent(widget.get_context(bound.html_name, bound.value(), {})["widget"]):
                values.setdefault(name, []).append(value)
    return values


def _sent(widget: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    value = widget["value"]
    if "subwidgets" in widget:
        for part in widget["subwidgets"]:
            yield from _sent(part)
    elif widget.get("type") == "checkbox":
        if widget["attrs"].get("checked"):
            yield widget["name"], "on"
    elif isinstance(value, list | tuple):
        yield from ((widget["name"], one) for one in value)
    elif value is not None:
        yield widget["name"], value


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def save(client, address, **values):
    """Opens a form, writes these values into it, and saves. None takes a field out, as unticking does."""
    form = as_shown(client.get(address)) | values
    response = client.post(address, {name: value for name, value in form.items() if value is not None})
    problems = response.context and response.context.get("errors")
    assert response.status_code == 302, problems
    return response

"""What the staff pages share: refusals are told, and every change is audited with the values before and after.

Every stored field counts, whether the form shows it or not, because saving may change more than was typed. Days and
times are kept in ISO 8601, decimals as text, another row as its key and name. A secret is never kept.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, ValidationError
from django.db import DataError, models, transaction
from django.db.models import F, Field, ForeignKey, Func, ManyToManyField, Model, QuerySet
from django.forms import DecimalField, ModelForm, Widget
from django.forms.models import BaseInlineFormSet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone, translation

from accounts import audit
from accounts.access import Access, staff_access
from accounts.audit_words import thing_of
from accounts.models import User
from accounts.operations.addresses import CannotChangeAddress
from accounts.operations.people import CannotDeactivate
from accounts.operations.profiles import CannotChangeProfile
from accounts.operations.roles import CannotChangeRoles
from billing_portal.core.spelling import compact

MAX_WORDS = 10
SECRET = re.compile(r"password|secret|token")
CHANGED = "changed"
REFUSALS = (CannotChangeAddress, CannotChangeProfile, CannotChangeRoles, CannotDeactivate)


def access_of_staff(request: HttpRequest) -> Access:
    assert isinstance(request.user, User)  # noqa: S101  admin let nobody else through
    return staff_access(request.user)


def never(*_args: Any, **_kwargs: Any) -> bool:
    """A permission that nobody has, for the attributes ``has_..._permission``."""
    return False


class PlainDecimalField(DecimalField):
    """Shows ``3`` where the column keeps ``3.0000``."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


PLAIN_DECIMALS: dict[Any, Any] = {models.DecimalField: {"form_class": PlainDecimalField}}


class PortalAdmin(admin.ModelAdmin):
    """Leaves an entry for each row that a form adds, changes or deletes, of its own model and of those below it, in the
    transaction of the change and after everything that follows from it was saved. Django's own log names fields only.

    Withstands addresses that somebody typed by hand, with values in them that mean nothing.
    """

    formfield_overrides = PLAIN_DECIMALS

    # The action under which an operation that this page calls records a new row itself.
    addition_recorded_as = ""
    # Fields whose change an operation that this page calls records itself.
    recorded_fields: tuple[str, ...] = ()

    # Pages of our own about a row: the last part of the address, and the method that answers.
    pages: ClassVar[dict[str, str]] = {}
    # Exceptions of operations whose message is shown, after the admin's own transaction was rolled back.
    refusals: tuple[type[Exception], ...] = ()
    # What stands below the form while a row is added.
    inlines_when_new: ClassVar[tuple[Any, ...]] = ()

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(getattr(self, view)),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{name.replace('-', '_')}",
            )
            for name, view in self.pages.items()
        ]
        return [*own, *super().get_urls()]

    def get_inlines(self, _request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else self.inlines_when_new

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """While a row is added, what nobody writes is left out: a code or a time drawn now is not the one saved."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None:
            return fieldsets
        later = set(self.get_readonly_fields(request, obj))
        written = [
            (title, {**options, "fields": [name for name in options["fields"] if name not in later]})
            for title, options in fieldsets
        ]
        return [(title, options) for title, options in written if options["fields"]]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Locked while it is written: the whole row is saved, and must not undo what somebody else has just changed."""
        row = super().get_object(request, object_id, from_field)
        is_written = request.method == "POST" and transaction.get_connection().in_atomic_block
        if row is None or not is_written or not self.has_change_permission(request, row):
            return row
        return self.get_queryset(request).select_for_update(no_key=True).get(pk=row.pk)

    def row_or_404(self, request: HttpRequest, object_id: str) -> Any:
        row = self.get_object(request, object_id) if object_id.isascii() else None
        if row is None:
            raise Http404
        return row

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        form.stored_before = stored_values(self.model, [form.instance.pk] if change else [])
        return super().save_form(request, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.stored_before = stored_values(formset.model, [row.instance.pk for row in formset.initial_forms])
        rows = [row.instance for row in formset.deleted_forms if row.instance.pk is not None]
        formset.rows_to_delete = [(row.pk, str(row)) for row in rows]
        super().save_formset(request, form, formset, change)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Django calls this once, after the row and all below it were saved, and before the transaction ends."""
        row = form.instance
        if not (add and self.addition_recorded_as):
            self.record_saved(request, [row], form.stored_before, audit.belongs_to(row))
        for formset in formsets or []:
            rows = [*formset.new_objects, *(changed for changed, _fields in formset.changed_objects)]
            self.record_saved(request, rows, formset.stored_before, audit.belongs_to(row))
            for pk, name in formset.rows_to_delete:
                detail = differences(formset.model, formset.stored_before[pk], {})
                self._record(request, f"{thing_of(formset.model)}.deleted", name, audit.belongs_to(row), detail)
        return super().construct_change_message(request, form, formsets, add)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        detail = differences(type(obj), stored_values(type(obj), [obj.pk])[obj.pk], {})
        self._record(request, f"{thing_of(type(obj))}.deleted", str(obj), audit.belongs_to(obj), detail)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """One by one, all or none, so that each leaves its entry."""
        with transaction.atomic():
            for row in queryset.order_by("pk"):
                self.delete_model(request, row)

    def record_saved(
        self, request: HttpRequest, rows: list[Any], before: dict[Any, Any], parent: dict[str, Any]
    ) -> None:
        """An entry for each of these rows of one model, which were saved, if anything in it is new."""
        after = stored_values(type(rows[0]), [row.pk for row in rows]) if rows else {}
        for row in rows:
            old = {name: value for name, value in before.get(row.pk, {}).items() if name not in self.recorded_fields}
            new = {name: value for name, value in after[row.pk].items() if name not in self.recorded_fields}
            detail = differences(type(row), old, new)
            if detail:
                action = f"{thing_of(type(row))}.{'changed' if old else 'added'}"
                self._record(request, action, str(row), audit.belongs_to(row) or parent, detail)

    @staticmethod
    def _record(request: HttpRequest, action: str, name: str, belongs: dict[str, Any], detail: dict[str, Any]) -> None:
        access, at = access_of_staff(request), timezone.now()
        audit.record(access=access, at=at, action=action, subject=name, **belongs, **detail)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """What an operation refuses is shown above the form, which keeps what was typed."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except self.refusals as refusal:
            request.refusal = str(refusal)  # type: ignore[attr-defined]  # for the form below
            return super().changeform_view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "refusal", "")
        if not refusal:
            return form

        class RefusedForm(form):  # type: ignore[misc, valid-type]  # its base is made at run time
            def clean(self) -> None:
                super().clean()
                raise ValidationError(refusal)

        return RefusedForm

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = super().get_changeform_initial_data(request)
        return {name: value for name, value in initial.items() if self._can_be(name, value)}

    def _can_be(self, name: str, value: Any) -> bool:
        try:
            field = self.opts.get_field(name)
            if not isinstance(field, ForeignKey):
                return True
            return bool(field.related_model._default_manager.filter(pk=value).exists())
        except FieldDoesNotExist:
            return True
        except (ValueError, TypeError, ValidationError):
            return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Each word is a condition on every column: with a pasted page one query ran for many seconds."""
        words = search_term.split(maxsplit=MAX_WORDS)[:MAX_WORDS]
        return super().get_search_results(request, queryset, " ".join(words))

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Days outside the calendar and numbers that no column holds count as lookups that Django refuses.

        "Clear all filters" clears the lookups of a link from the first staff page too. Django keeps those, and writes a
        list among them (``status__in``) as Python does, which finds no row."""
        try:
            changes = super().get_changelist_instance(request)
        except (OverflowError, ValueError, DataError) as error:
            raise IncorrectLookupParameters(error) from error
        changes.clear_all_filters_qs = changes.get_query_string(remove=changes.get_filters_params())
        return changes


class NamedFormSet(BaseInlineFormSet):
    """The rows of a table that can be written have no labels, so each field carries its name itself."""

    def add_fields(self, form: ModelForm, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            # Django wraps a choice of rows in links to them.
            widget = getattr(field.widget, "widget", field.widget)
            if isinstance(widget, Widget) and not widget.is_hidden:
                widget.attrs["aria-label"] = field.label

    def clean(self) -> None:
        """Two new rows of the same text: each alone passes its constraint, which looks at what is stored."""
        super().clean()
        for constraint in self.fk.model._meta.constraints:
            nodes = [node for row in getattr(constraint, "expressions", ()) for node in _flat(row)]
            names = [str(getattr(node, "name", "")) for node in nodes if isinstance(node, F)]
            seen: set[tuple[str, ...]] = set()
            for form in self.forms if names else ():
                key = tuple(compact(str(getattr(form.instance, name, ""))) for name in names)
                if form.has_changed() and key in seen:
                    form.add_error(None, str(constraint.violation_error_message))
                if form not in self.deleted_forms:
                    seen.add(key)


def _flat(expression: Any) -> Iterable[Any]:
    return expression.flatten() if isinstance(expression, Func) else [expression]


class PortalInline(admin.TabularInline):
    formset: Any = NamedFormSet
    extra = 0
    formfield_overrides = PLAIN_DECIMALS


class ReadOnlyInline(PortalInline):
    can_delete = False
    has_add_permission = has_change_permission = has_delete_permission = never


class NoDeleteAdmin(PortalAdmin):
    """Rows with a history: they are made inactive, never deleted."""

    refusals = REFUSALS
    has_delete_permission = never


class ReadOnlyAdmin(PortalAdmin):
    """Rows that staff look at and nobody changes."""

    show_full_result_count = False
    has_add_permission = has_change_permission = has_delete_permission = never


def stored_values(model: type[Model], keys: Iterable[Any]) -> dict[Any, dict[str, Any]]:
    """The rows with these keys as the database has them now: by key, the value of each field by its name."""
    rows = model._base_manager.filter(pk__in=list(keys))
    return {row.pk: _values(row) for row in rows}


def differences(model: type[Model], before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """``{"before": {...}, "after": {...}}`` of the fields that differ. A new row has no ``before``, a deleted one no
    ``after``, and neither has what is empty."""
    known = before or after
    fields = [field for field in _fields(model) if field.name in known and _differs(field, before, after)]
    sides = {"before": before, "after": after} if fields else {}
    with translation.override("en"):
        return {
            side: {field.name: _kept(field, values[field.name]) for field in fields}
            for side, values in sides.items()
            if values
        }


def _fields(model: type[Model]) -> list[Any]:
    meta = model._meta
    return [
        field for field in (*meta.concrete_fields, *meta.many_to_many) if not field.primary_key and not field.generated
    ]


def _values(row: Model) -> dict[str, Any]:
    return {
        field.name: sorted(getattr(row, field.name).values_list("pk", flat=True))
        if isinstance(field, ManyToManyField)
        else field.value_from_object(row)
        for field in _fields(type(row))
    }


def _differs(field: Field, before: dict[str, Any], after: dict[str, Any]) -> bool:
    if before and after:
        return bool(before[field.name] != after[field.name])
    is_secret = SECRET.search(field.name) is not None
    return not is_secret and (before or after)[field.name] not in (None, "", [])


def _kept(field: Any, value: Any) -> Any:
    if SECRET.search(field.name):
        return CHANGED
    if isinstance(field, ManyToManyField):
        return sorted(str(row) for row in field.related_model._base_manager.filter(pk__in=value))
    if isinstance(field, ForeignKey) and value is not None:
        try:
            text = str(field.related_model._base_manager.get(**{field.target_field.attname: value}))
        except ObjectDoesNotExist:
            text = ""
        return {"pk": _plain(value), "text": text}
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | UUID) else value

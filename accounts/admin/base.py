"""What the staff pages of accounts share: nothing is deleted, refusals are told, changes are audited."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import DataError
from django.db.models import ForeignKey, Model
from django.forms import ModelForm, Widget
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from accounts import audit
from accounts.access import Access, staff_access
from accounts.models import BillingAccount, BillingProfile, User
from accounts.operations import CannotChangeAddress, CannotChangeRoles, CannotDeactivate

REFUSALS = (CannotChangeAddress, CannotChangeRoles, CannotDeactivate)


def access_of_staff(request: HttpRequest) -> Access:
    assert isinstance(request.user, User)  # noqa: S101  admin let nobody else through
    return staff_access(request.user)


class PortalAdmin(admin.ModelAdmin):
    """Stands addresses that somebody typed by hand, with values in them that mean nothing."""

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What a new form begins with. A row that there is not is left out."""
        initial = super().get_changeform_initial_data(request)
        return {name: value for name, value in initial.items() if self._can_be(name, value)}

    def _can_be(self, name: str, value: Any) -> bool:
        try:
            field = self.opts.get_field(name)
            if not isinstance(field, ForeignKey):
                return True
            return bool(field.related_model._default_manager.filter(pk=value).exists())  # noqa: SLF001
        except FieldDoesNotExist:
            return True
        except (ValueError, TypeError, ValidationError):
            return False

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Raises IncorrectLookupParameters, which Django answers with ``?e=1``, also for days outside the calendar and
        numbers that no column holds."""
        try:
            return super().get_changelist_instance(request)
        except (OverflowError, ValueError, DataError) as error:
            raise IncorrectLookupParameters(error) from error


class NamedFormSet(BaseInlineFormSet):
    """The rows of a table that can be written have no labels, so each field carries its name itself."""

    def add_fields(self, form: ModelForm, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            # Django wraps a choice of rows in links to them.
            widget = getattr(field.widget, "widget", field.widget)
            if isinstance(widget, Widget) and not widget.is_hidden:
                widget.attrs["aria-label"] = field.label


class PortalInline(admin.TabularInline):
    """Rows that belong to another one, as a table below it."""

    formset: Any = NamedFormSet
    extra = 0


class KeptAdmin(PortalAdmin):
    """Rows with a history: they are made inactive, never deleted. What an operation refuses is shown as a message.

    Refusals leave the admin's own transaction first, so nothing of a refused change is kept.
    """

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except REFUSALS as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def audit_change(
        self,
        request: HttpRequest,
        obj: Model,
        fields: Sequence[str],
        *,
        account: BillingAccount | None = None,
        profile: BillingProfile | None = None,
        is_new: bool,
    ) -> None:
        """Notes that staff added or changed a row, and which fields; not the values, which are in the row."""
        name = self.opts.verbose_name_raw.replace(" ", "_")
        audit.record(
            access=access_of_staff(request),
            at=timezone.now(),
            action=f"{name}.added" if is_new else f"{name}.changed",
            subject=str(obj)[:120],
            account=account,
            profile=profile,
            fields=list(fields),
        )


class ReadOnlyAdmin(PortalAdmin):
    """Rows that staff look at and nobody changes."""

    show_full_result_count = False

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

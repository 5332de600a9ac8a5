"""What the staff pages of accounts share: nothing is deleted, refusals are told, changes are audited."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from accounts import audit
from accounts.access import Access, staff_access
from accounts.models import BillingAccount, BillingProfile, User
from accounts.operations import CannotChangeRoles, CannotDeactivate

REFUSALS = (CannotChangeRoles, CannotDeactivate)


def access_of_staff(request: HttpRequest) -> Access:
    assert isinstance(request.user, User)  # noqa: S101  admin let nobody else through
    return staff_access(request.user)


class KeptAdmin(admin.ModelAdmin):
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


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that staff look at and nobody changes."""

    show_full_result_count = False

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

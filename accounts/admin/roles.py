"""Granting and removing roles, through the operations and with their rules."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import REFUSALS, NoDeleteAdmin, ReadOnlyInline, access_of_staff, never
from accounts.models import RoleAssignment
from accounts.operations.roles import grant_role, remove_role
from accounts.roles import Role


class RolesInline(ReadOnlyInline):
    """Who holds which role at a scope, or what a person holds. Granted and removed on pages of their own."""

    model = RoleAssignment
    verbose_name_plural = _("roles granted here")
    fields: ClassVar[tuple[str, ...]] = ("role", "user", "created_at", "removal")
    readonly_fields = ("created_at", "removal")
    ordering = ("role", "pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RoleAssignment]:
        return super().get_queryset(request).select_related("user", "account", "profile", "section")

    @admin.display(description=_("Change"))
    def removal(self, assignment: RoleAssignment) -> str:
        url = reverse("admin:accounts_roleassignment_delete", args=[assignment.pk])
        return format_html('<a href="{}">{}</a>', url, _("Remove"))


class UserRolesInline(RolesInline):
    fields = ("role", "account", "profile", "section", "created_at", "removal")
    verbose_name_plural = _("roles of this person")


@admin.register(RoleAssignment)
class RoleAssignmentAdmin(NoDeleteAdmin):
    list_display = ("user", "role", "account", "profile", "section", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "account", "profile", "section")
    search_fields = ("user__email", "user__name", "account__name", "profile__name", "section__name")
    search_help_text = _("Email address, name, or the name of a scope")
    autocomplete_fields = ("user", "account", "profile", "section")
    fields = ("user", "role", "account", "profile", "section")
    ordering = ("-pk",)
    actions = None
    addition_recorded_as = "role.granted"
    has_change_permission = never

    def has_delete_permission(self, request: HttpRequest, _obj: Model | None = None) -> bool:
        return request.user.has_perm("accounts.delete_roleassignment")

    def save_model(self, request: HttpRequest, obj: RoleAssignment, _form: ModelForm, _change: bool) -> None:
        access, role, place = access_of_staff(request), Role(obj.role), obj.place
        obj.pk = grant_role(access=access, user=obj.user, role=role, place=place, at=timezone.now()).pk

    def delete_model(self, request: HttpRequest, obj: RoleAssignment) -> None:
        remove_role(access=access_of_staff(request), assignment_id=obj.pk, place=obj.place, at=timezone.now())

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except REFUSALS as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:accounts_roleassignment_change", args=[object_id]))

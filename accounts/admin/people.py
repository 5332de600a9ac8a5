"""People who sign in. They set their own password, by the link in a mail; staff never see or type a hash."""

from typing import Any

from allauth.account.models import EmailAddress
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import KeptAdmin, ReadOnlyAdmin, access_of_staff
from accounts.admin.roles import UserRolesInline
from accounts.models import User
from accounts.operations import change_activity

POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


class UserForm(forms.ModelForm):
    """A person without a password: a new one gets none, so that only the mailed link lets them in."""

    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=[("", _("As the browser")), *settings.LANGUAGES]
    )

    class Meta:
        model = User
        fields = ("email", "name", "language", "is_active", *POWERS)

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).strip().lower()
        if User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("There is a user with this email address already."))
        return email


@admin.register(User)
class UserAdmin(KeptAdmin, DjangoUserAdmin):
    form = add_form = UserForm
    add_form_template = None
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("email", "name")
    search_help_text = _("Email address or name")
    ordering = ("email",)
    fieldsets = (
        (None, {"fields": ("email", "name", "language", "is_active", "joined_at", "last_login")}),
        (_("Staff"), {"fields": POWERS, "classes": ("collapse",)}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "language")}),)
    inlines = (UserRolesInline,)

    def get_readonly_fields(self, request: HttpRequest, _obj: User | None = None) -> tuple[str, ...]:
        """Only a superuser hands out staff powers, or a clerk could make themselves one."""
        always = ("joined_at", "last_login")
        return always if request.user.is_superuser else (*always, *POWERS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only a superuser changes a member of staff: a clerk who could change an address or a password would have the
        powers of whoever it belongs to."""
        if obj is not None and (obj.is_staff or obj.is_superuser) and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """People set their own password; a clerk who could set it could pay in a customer's name."""
        if not request.user.is_superuser:
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return super().get_inlines(request, obj) if obj is not None else []

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        is_active = obj.is_active
        if change:
            obj.is_active = bool(form.initial["is_active"])
        else:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)
        self.audit_change(request, obj, form.changed_data, is_new=not change)
        if "email" in form.changed_data:
            # allauth keeps addresses of its own, and would let the old one sign in.
            EmailAddress.objects.filter(user=obj).exclude(email=obj.email).delete()
        if change and "is_active" in form.changed_data:
            change_activity(access=access_of_staff(request), user=obj, is_active=is_active, at=timezone.now())


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin):
    """Groups of staff. Only a superuser makes and changes them: what a group may do, its members may do, and a clerk
    could be one of them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, _obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, _obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)


class SecondFactorAdmin(ReadOnlyAdmin):
    """The second factors of people, without their secrets. Removing one lets somebody who lost it sign in again; only
    a superuser takes one from a member of staff."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = ("user", "type", "created_at", "last_used_at")
    ordering = ("-pk",)
    actions = None  # one by one: of many at once nobody would ask whose each is

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and (obj.user.is_staff or obj.user.is_superuser) and not request.user.is_superuser:
            return False
        return request.user.has_perm("mfa.delete_authenticator")

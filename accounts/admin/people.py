"""People who sign in. They prove their address and set their password by a mailed link; staff do neither for them."""

from contextlib import suppress
from typing import Any, ClassVar

from allauth.mfa.models import Authenticator
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import SECOND_FACTORS, NotAllowed
from accounts.admin.base import NoDeleteAdmin, PortalAdmin, ReadOnlyAdmin, access_of_staff
from accounts.admin.roles import UserRolesInline
from accounts.audit_words import METHODS
from accounts.models import EmailChange, User
from accounts.operations import addresses
from accounts.operations.people import change_activity, invite_person, locked_places_owned_by
from accounts.operations.second_factors import CannotRemoveSecondFactor, remove_second_factor
from accounts.second_factors import is_readable
from billing_portal.core.staff_pages import confirm

NO_PERMISSION = _("Your staff account may look at this, but not act on it.")
POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


class UserForm(forms.ModelForm):
    """A person. The address of a new one is invited; later it changes with the person's own confirmation only."""

    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=[("", _("As the browser")), *settings.LANGUAGES]
    )

    class Meta:
        model = User
        fields = ("email", "name", "language", "is_active", *POWERS)

    def clean_email(self) -> str:
        try:
            email = addresses.valid_address(str(self.cleaned_data["email"]))
            addresses.refuse_taken_address(email)
        except addresses.CannotChangeAddress as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        return email


class AddressForm(forms.Form):
    email = forms.EmailField(
        label=_("New email address"), max_length=254, widget=forms.EmailInput(attrs={"class": "vTextField"})
    )


@admin.register(User)
class UserAdmin(NoDeleteAdmin, DjangoUserAdmin):
    form = add_form = UserForm
    add_form_template = None
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("email", "name")
    search_help_text = _("Email address or name")
    ordering = ("email",)
    fieldsets = (
        (None, {"fields": ("email", "proof", "name", "language", "is_active", "joined_at", "last_login")}),
        (_("Staff"), {"fields": POWERS, "classes": ("collapse",)}),
    )
    add_fieldsets = (
        (
            None,
            {
                "fields": ("email", "name", "language"),
                "description": _("The person gets a mail with a link that sets a password and proves the address."),
            },
        ),
    )
    inlines = (UserRolesInline,)
    recorded_fields = ("is_active",)  # by change_activity
    pages: ClassVar[dict[str, str]] = {"address": "address_view", "password-link": "password_link_view"}

    @admin.display(description=_("proven"))
    def proof(self, user: User) -> str:
        if user.is_erased:
            return gettext("The person was erased")
        change = EmailChange.objects.filter(user=user, expires_at__gt=timezone.now()).first()
        if change is not None:
            return gettext("Waiting for %(email)s to be confirmed") % {"email": change.email}
        return gettext("Yes") if addresses.is_proven(user) else gettext("No: the invitation has not been answered")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Only a superuser hands out staff powers, or a clerk could become one. An address has its own page."""
        always = ("joined_at", "last_login", "proof", *(("email",) if obj else ()))
        return always if request.user.is_superuser else (*always, *POWERS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only a superuser changes a member of staff: a clerk who could would have the powers of whoever it is. Nobody
        changes a person who was erased: somebody else would get their past."""
        if obj is not None and (obj.is_erased or is_beyond(obj, request)):
            return False
        return super().has_change_permission(request, obj)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Deactivating somebody looks at what they own, and scopes are locked before people."""
        user = admin.ModelAdmin.get_object(self, request, object_id, from_field)
        if user is not None and request.method == "POST" and transaction.get_connection().in_atomic_block:
            locked_places_owned_by(user)
        return super().get_object(request, object_id, from_field)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002, ARG002  Django's
        """Nobody sets the password of somebody else: they could pay in their name. Staff mail a link instead."""
        raise PermissionDenied(gettext("Passwords are not set by staff. Mail the person a link to set a new one."))

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        access, at = access_of_staff(request), timezone.now()
        if not change:
            obj.pk = invite_person(access=access, email=obj.email, name=obj.name, language=obj.language, at=at).pk
            obj.refresh_from_db()
            return
        is_active = obj.is_active
        obj.is_active = bool(form.initial["is_active"])
        super().save_model(request, obj, form, change)
        if "is_active" in form.changed_data:
            change_activity(access=access, user=obj, is_active=is_active, at=at)

    def address_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Proposes an address to somebody, or corrects one that nobody has proven."""
        user = self._changeable(request, object_id)
        proposes = not addresses.is_only_invited(user)
        change = addresses.request_email_change if proposes else addresses.correct_unproven_address
        form = AddressForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            email = form.cleaned_data["email"]
            try:
                change(access=access_of_staff(request), user_id=user.pk, email=email, at=timezone.now())
            except (addresses.CannotChangeAddress, NotAllowed) as refusal:
                form.add_error("email", str(refusal))
            else:
                message = gettext("A link was sent to %(email)s.") % {"email": email}
                return self._back(request, user, message, messages.SUCCESS)
        if proposes:
            title, button = gettext("Propose another address"), gettext("Send the link")
            text = [
                gettext("A link goes to the new address, and a warning to the present one."),
                gettext("The address changes once the person has opened the link and confirmed, signed in as before."),
                gettext(
                    "Somebody who can no longer sign in is invited anew, as another person, and given the roles anew."
                ),
            ]
        else:
            title, button = gettext("Correct the address"), gettext("Invite")
            text = [
                gettext("Nobody has answered the invitation to this address, so it can be corrected."),
                gettext("The person is invited at the new address. The earlier link no longer works."),
            ]
        return self._confirm(request, user, title=title, text=text, form=form, button=button)

    def password_link_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self._changeable(request, object_id)
        email = {"email": user.email}
        if request.method == "POST":
            try:
                addresses.mail_password_link(access=access_of_staff(request), user_id=user.pk, at=timezone.now())
            except (addresses.CannotChangeAddress, NotAllowed) as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                message = gettext("A link to set a password was mailed to %(email)s.") % email
                return self._back(request, user, message, messages.SUCCESS)
        if addresses.is_proven(user):
            title = gettext("Mail a password link")
            text = gettext(
                "%(email)s gets a mail with a link to set a password. The current password works until then."
            )
        else:
            title = gettext("Send the invitation again")
            text = gettext("%(email)s gets the invitation again, with a new link to set the first password.")
        return self._confirm(request, user, title=title, text=[text % email], button=gettext("Send the link"))

    def _changeable(self, request: HttpRequest, object_id: str) -> User:
        user: User = self.row_or_404(request, object_id)
        if not self.has_change_permission(request, user):
            raise PermissionDenied(NO_PERMISSION)
        return user

    def _back(self, request: HttpRequest, user: User, message: str, level: int) -> HttpResponse:
        self.message_user(request, message, level)
        return HttpResponseRedirect(reverse("admin:accounts_user_change", args=[user.pk]))

    def _confirm(self, request: HttpRequest, user: User, **page: Any) -> HttpResponse:
        back = reverse("admin:accounts_user_change", args=[user.pk])
        return confirm(self, request, row=user, back=back, **page)


def is_beyond(user: User, request: HttpRequest) -> bool:
    """Whether somebody is a member of staff, and whoever asks is no superuser."""
    return (user.is_staff or user.is_superuser) and not request.user.is_superuser


def by_superuser(_self: Any, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG001  Django passes it
    return bool(request.user.is_superuser)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(PortalAdmin, DjangoGroupAdmin):
    """Only a superuser makes and changes groups of staff: a clerk could be a member of one."""

    has_add_permission = has_change_permission = has_delete_permission = by_superuser


class SecondFactorKindFilter(admin.SimpleListFilter):
    title = _("kind")
    parameter_name = "type"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind_of_factor(kind)) for kind in Authenticator.Type.values]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Authenticator]) -> QuerySet[Authenticator]:
        return queryset.filter(type=self.value()) if self.value() in Authenticator.Type.values else queryset


class SecondFactorAdmin(ReadOnlyAdmin):
    """Second factors, without their secrets. Who lost one can sign in again once it is removed."""

    list_display = ("user", "kind", "created_at", "last_used_at", "can_be_used")
    list_filter = (SecondFactorKindFilter,)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    search_help_text = _("Email address")
    change_form_template = "admin/titled_change_form.html"
    fields = ("user", "kind", "created_at", "last_used_at", "secret")
    ordering = ("-pk",)
    actions = None  # one by one: of many at once nobody would ask whose each is

    def lookup_allowed(self, lookup: str, _value: str, _request: HttpRequest) -> bool:
        """Django would let an address search the secrets."""
        return lookup.partition("__")[0] == "type"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = request.user.has_perm("mfa.delete_authenticator")
        return is_allowed and not (obj is not None and is_beyond(obj.user, request))

    @admin.display(description=_("kind"), ordering="type")
    def kind(self, obj: Authenticator) -> str:
        return kind_of_factor(obj.type)

    @admin.display(description=_("can be used"), boolean=True)
    def can_be_used(self, obj: Authenticator) -> bool:
        return is_readable(obj.data)

    @admin.display(description=_("secret"))
    def secret(self, obj: Authenticator) -> str:
        """Whether there is one and it decrypts; never what it is."""
        if not is_readable(obj.data):
            return gettext(
                "No key of PORTAL_SECOND_FACTOR_KEYS decrypts it, so nobody can sign in with it. Put the key back with "
                "which it was encrypted, or remove this second factor; then the person sets up a new one."
            )
        return gettext("None: a public key") if obj.type == Authenticator.Type.WEBAUTHN else gettext("Encrypted")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context["subtitle"] = f"{kind_of_factor(context['original'].type)} · {context['original'].user}"
        return super().render_change_form(request, context, *args, **kwargs)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002  Django's
        factor = self.row_or_404(request, object_id)
        if not self.has_delete_permission(request, factor):
            raise PermissionDenied(NO_PERMISSION)
        back = reverse("admin:mfa_authenticator_change", args=[factor.pk])
        names = {"factor": kind_of_factor(factor.type), "user": factor.user}
        if request.method == "POST":
            try:
                with suppress(Authenticator.DoesNotExist):  # removed meanwhile
                    remove_second_factor(access=access_of_staff(request), authenticator_id=factor.pk, at=timezone.now())
            except (CannotRemoveSecondFactor, NotAllowed) as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
                return HttpResponseRedirect(back)
            self.message_user(request, gettext("Removed: %(factor)s of %(user)s.") % names, messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:mfa_authenticator_changelist"))
        text = [
            gettext("%(user)s can then no longer sign in with it: %(factor)s.") % names,
            gettext("Every browser in which they are signed in is signed out, and a mail tells them."),
        ]
        others = Authenticator.objects.filter(user=factor.user, type__in=SECOND_FACTORS).exclude(pk=factor.pk)
        if factor.type in SECOND_FACTORS and not others.exists():
            last = gettext("It is the only second factor. The recovery codes go too, and the password is enough.")
            text.insert(1, last)
        return confirm(
            self,
            request,
            row=factor.user,
            back=back,
            title=gettext("Remove a second factor"),
            text=text,
            facts=[(gettext("User"), factor.user), (gettext("Second factor"), names["factor"])],
            button=gettext("Remove"),
        )


def kind_of_factor(kind: str) -> str:
    return capfirst(str(METHODS.get(kind, kind)))


def name_second_factors() -> None:
    """Gives the library's table of second factors the names that staff know it by. Migrations do not see these."""
    meta = Authenticator._meta
    meta.app_config.verbose_name = _("Second factors")
    meta.verbose_name, meta.verbose_name_plural = _("second factor"), _("second factors")
    names = {"user": _("user"), "type": _("kind"), "created_at": _("added"), "last_used_at": _("last used")}
    for name, words in names.items():
        meta.get_field(name).verbose_name = words

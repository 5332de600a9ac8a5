"""Billing accounts, profiles and sections. A profile stays with its account, a section with its profile, and the
currency stays once there are amounts in it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.admin.base import NoDeleteAdmin, PortalInline, ReadOnlyInline, access_of_staff
from accounts.admin.roles import RolesInline
from accounts.admin.staff_actions import RowForm, StaffAction, StaffActionAdmin
from accounts.models import ADDRESS, BillingAccount, BillingContact, BillingProfile, InvoiceSection, Seller, TaxId
from accounts.operations.profiles import (
    CannotChangeProfile,
    close_profile,
    foretold_of_closing,
    hold_profile,
    not_invoiced_yet,
    release_profile,
)
from accounts.operations.second_factors import demand_second_factor
from billing_portal.core.letters import validate_seen

Status = BillingProfile.Status

# Checks of other apps: each takes a saved profile and returns what it lacks, as texts for staff.
PROFILE_CHECKS: list[Callable[[BillingProfile], list[str]]] = []


class HoldForm(RowForm):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        validators=[validate_seen],
        help_text=_("The customer sees it."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class TaxIdInline(PortalInline):
    model = TaxId


class ProfilesInline(ReadOnlyInline):
    model = BillingProfile
    has_change_permission = PortalInline.has_change_permission  # "Change", where the link leads to a form
    fields = readonly_fields = ("name", "code", "currency", "default_method", "status")
    show_change_link = True
    ordering = ("name", "pk")


class ContactsInline(PortalInline):
    model = BillingContact
    fields = ("name", "email", "language", "gets_invoices", "gets_reminders", "gets_statements")
    ordering = ("name", "pk")


class SectionsInline(PortalInline):
    model = InvoiceSection
    fields = ("name", "is_active")
    can_delete = False
    show_change_link = True
    ordering = ("name", "pk")


@admin.register(BillingAccount)
class BillingAccountAdmin(NoDeleteAdmin):
    list_display = ("name", "code", "agreement_type", "company", "country", "seller", "created_at")
    list_filter = ("agreement_type", "country", ("seller", admin.RelatedFieldListFilter))
    list_select_related = ("seller",)
    search_fields = ("name", "code", "company", "tax_ids__value")
    search_help_text = _("Name, code, company or tax ID")
    ordering = ("name", "pk")
    fieldsets = (
        (None, {"fields": ("name", "code", "agreement_type", "seller", "requires_second_factor", "created_at")}),
        (_("Sold to"), {"fields": ADDRESS}),
    )
    inlines = (TaxIdInline, ProfilesInline, RolesInline)
    inlines_when_new = (TaxIdInline,)

    def get_readonly_fields(self, _request: HttpRequest, obj: BillingAccount | None = None) -> tuple[str, ...]:
        if obj is not None and any(profile.has_amounts() for profile in obj.profiles.all()):
            return ("code", "created_at", "seller")
        return ("code", "created_at")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The seller, if there is only one."""
        sellers = list(Seller.objects.order_by("pk").values_list("pk", flat=True)[:2])
        only = {"seller": str(sellers[0])} if len(sellers) == 1 else {}
        return {**only, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: BillingAccount, form: ModelForm, change: bool) -> None:
        demanded = obj.requires_second_factor
        if change:
            obj.requires_second_factor = bool(form.initial["requires_second_factor"])
        if change and "seller" in form.changed_data:
            # Whoever writes an amount of a profile holds a lock that this one waits for (`keep_currencies`).
            profiles = list(obj.profiles.order_by("pk").select_for_update())
            if any(profile.has_amounts() for profile in profiles):
                raise CannotChangeProfile(_("The seller cannot be changed: there are amounts or cards by now."))
        super().save_model(request, obj, form, change)
        if change and "requires_second_factor" in form.changed_data:
            access = access_of_staff(request)
            demand_second_factor(access=access, account_id=obj.pk, demanded=demanded, at=timezone.now())


def _status_of(profile: BillingProfile) -> list[tuple[Any, Any]]:
    return [(_("Status"), profile.get_status_display())]


@admin.register(BillingProfile)
class BillingProfileAdmin(StaffActionAdmin, NoDeleteAdmin):
    list_display = ("name", "code", "account", "currency", "default_method", "status")
    list_filter = ("status", "default_method", "currency")
    list_select_related = ("account",)
    search_fields = ("name", "code", "company", "po_number", "account__name")
    search_help_text = _("Name, code, company, PO number or billing account")
    autocomplete_fields = ("account",)
    ordering = ("name", "pk")
    fieldsets = (
        (None, {"fields": ("account", "name", "code", "status", "hold_reason", "created_at")}),
        (_("Bill to"), {"fields": ADDRESS}),
        (
            _("Invoices"),
            {
                "fields": (
                    *("currency", "invoice_day", "payment_terms_days", "po_number", "default_method"),
                    *("is_wire_approved", "mails_invoices", "issues_empty_invoices", "time_zone"),
                    *("billed_until_on", "next_invoice_on", "waiting"),
                )
            },
        ),
        (
            _("Documents"),
            {"fields": ("document_language", "invoice_format", "buyer_reference", "endpoint_scheme", "endpoint_id")},
        ),
    )
    inlines = (SectionsInline, ContactsInline, RolesInline)
    inlines_when_new = (SectionsInline,)

    def get_readonly_fields(self, _request: HttpRequest, obj: BillingProfile | None = None) -> tuple[str, ...]:
        always = ("code", "status", "hold_reason", "created_at", "billed_until_on", "next_invoice_on", "waiting")
        if obj is None:
            return always
        return (*always, "account", "currency") if obj.has_amounts() else (*always, "account")

    @admin.display(description=_("not invoiced yet"))
    def waiting(self, profile: BillingProfile) -> str:
        """What waits, and what keeps its invoice from being issued."""
        if not profile.pk:
            return "-"
        texts = [not_invoiced_yet(profile), *(text for check in PROFILE_CHECKS for text in check(profile))]
        return " ".join(filter(None, texts)) or "-"

    def save_model(self, request: HttpRequest, obj: BillingProfile, form: ModelForm, change: bool) -> None:
        if obj.pays_by_wire:
            obj.is_wire_approved = True
        if change and "currency" in form.changed_data:
            # Whoever writes an amount of the profile holds a lock that this one waits for (`keep_currencies`).
            BillingProfile.objects.select_for_update().get(pk=obj.pk)
            if obj.has_amounts():
                raise CannotChangeProfile(_("The currency cannot be changed: there are amounts or cards by now."))
        super().save_model(request, obj, form, change)
        for check in PROFILE_CHECKS:
            for text in check(obj):
                self.message_user(request, text, messages.WARNING)

    @StaffAction(
        address="release",
        title=_("Make active again"),
        is_offered=lambda profile: profile.status in (Status.HELD, Status.CLOSED),
        text=[_("If something is past due, the profile is soon warned or disabled as any other.")],
        facts=_status_of,
    )
    def release(self, access: Access, profile: BillingProfile, _data: Any) -> str:
        release_profile(access=access, profile_id=profile.pk, at=timezone.now())
        return _now("The profile is active again.")

    @StaffAction(
        address="hold",
        title=_("Put on hold"),
        is_offered=lambda profile: profile.status not in (Status.HELD, Status.CLOSED),
        text=[
            _("The profile is disabled, whatever is paid, until you make it active again."),
            _("Its invoices can still be paid."),
        ],
        facts=_status_of,
        form=HoldForm,
    )
    def hold(self, access: Access, profile: BillingProfile, data: dict[str, Any]) -> str:
        hold_profile(access=access, profile_id=profile.pk, at=timezone.now(), **data)
        return _now("The profile is on hold.")

    @StaffAction(
        address="close",
        title=_("Close"),
        is_offered=lambda profile: profile.status != Status.CLOSED,
        text=lambda profile: [
            _("There are no new invoices, and nothing can be paid online, until you make the profile active again."),
            *filter(None, [foretold_of_closing(profile)]),
        ],
        facts=_status_of,
    )
    def close(self, access: Access, profile: BillingProfile, _data: Any) -> str:
        close_profile(access=access, profile_id=profile.pk, at=timezone.now())
        return _now("The profile is closed.")


@admin.register(InvoiceSection)
class InvoiceSectionAdmin(NoDeleteAdmin):
    list_display = ("name", "profile", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("profile",)
    search_fields = ("name", "profile__name", "profile__code")
    search_help_text = _("Name of the section, or name or code of its billing profile")
    autocomplete_fields = ("profile",)
    ordering = ("name", "pk")
    fields = ("profile", "name", "is_active")
    inlines = (RolesInline,)

    def get_readonly_fields(self, _request: HttpRequest, obj: InvoiceSection | None = None) -> tuple[str, ...]:
        return () if obj is None else ("profile",)

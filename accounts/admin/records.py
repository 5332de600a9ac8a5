"""What was done, and the mails that followed: to be read."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyAdmin
from accounts.models import AuditEntry, OutgoingMail


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "subject", "account", "profile")
    list_select_related = ("actor", "account", "profile")
    search_fields = ("action", "subject", "actor__email", "profile__code", "account__code")
    search_help_text = _("Action, subject, email address of who did it, or code of the scope")
    ordering = ("-pk",)


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    list_display = ("key", "to", "template", "created_at", "sent_at", "tries", "last_error")
    list_filter = (("sent_at", admin.EmptyFieldListFilter),)
    search_fields = ("key", "to")
    search_help_text = _("Key or email address")
    ordering = ("-pk",)

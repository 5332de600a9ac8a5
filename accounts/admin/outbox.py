"""Outgoing mail and job runs, to be read."""

from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyAdmin
from billing_portal.core.models import JobRun, OutgoingMail


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    list_display = ("key", "to", "template", "created_at", "sent_at", "tries", "last_error")
    list_filter = (("sent_at", admin.EmptyFieldListFilter),)
    search_fields = ("key", "to")
    search_help_text = _("Key or email address")
    ordering = ("-pk",)


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    """One row for each pass that found work, and the last one that found none."""

    list_display = ("started_at", "finished_at", "origin", "what", "trouble")
    list_filter = ("origin", ("started_at", admin.DateFieldListFilter))
    fields = ("started_at", "finished_at", "origin", "what", "trouble")
    ordering = ("-started_at", "-pk")

    @admin.display(description=_("done"))
    def what(self, run: JobRun) -> str:
        return ", ".join(f"{gettext(name)}: {count}" for name, count in run.done.items()) or gettext("nothing was due")

    @admin.display(description=_("failed"))
    def trouble(self, run: JobRun) -> str:
        return "; ".join(f"{gettext(name)}: {problem}" for name, problem in run.failed.items()) or "-"

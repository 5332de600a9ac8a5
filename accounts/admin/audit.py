"""The records of what was done: the audit trail, outgoing mail and job runs.

The audit trail holds millions of rows. It is narrowed by kind and by date; a search by person, scope or internet
address is exact, any other text is looked for in the newest entries only.
"""

import re
from collections.abc import Callable
from functools import cached_property
from ipaddress import ip_address
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyAdmin
from accounts.audit_words import (
    Kind,
    action_in_words,
    actions_of,
    browser_in_words,
    changes_in_words,
    detail_in_words,
    facts_in_words,
    kind_of,
)
from accounts.models import AuditEntry, BillingAccount, BillingProfile, User
from billing_portal.core.models import JobRun, OutgoingMail

MAX_COUNTED = 10_000
NEWEST = 50_000
MAX_PEOPLE = 50
CODE = re.compile(r"[A-Z0-9]{4}-[A-Z0-9]{4}")


class CappedPaginator(Paginator):
    """Counts no further than `MAX_COUNTED`: the exact number of a long list costs more than the list."""

    @cached_property
    def count(self) -> int:
        entries: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin pages a QuerySet
        return entries.order_by()[:MAX_COUNTED].count()


class KindFilter(admin.SimpleListFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, str(kind.label)) for kind in Kind]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        kind = self.value()
        return queryset.filter(action__in=actions_of([Kind(kind)])) if kind in Kind.values else queryset


class DayFilter(admin.DateFieldListFilter):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("date")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "what", "subject", "actor", "profile", "ip_address", "browser_name")
    list_filter = (KindFilter, ("at", DayFilter))
    list_select_related = ("actor", "profile")
    paginator = CappedPaginator
    show_facets = admin.ShowFacets.NEVER  # they would count every row for every filter
    search_fields = ("subject",)  # shows the search box; get_search_results says what it finds
    search_help_text = _(
        "Email address of a person, code of a billing account or profile, or an IP address. Any other text is "
        "looked for in the subjects of the newest entries."
    )
    ordering = ("-pk",)
    change_form_template = "admin/titled_change_form.html"
    fields = (
        "at", "kind", "what", "subject", "actor", "person", "account", "profile", "ip_address", "browser_name",
        "user_agent", "values", "more",
    )  # fmt: skip

    @admin.display(description=_("action"), ordering="action")
    def what(self, entry: AuditEntry) -> str:
        detail = detail_in_words(entry.action, entry.detail)
        return f"{action_in_words(entry.action)}: {detail}" if detail else action_in_words(entry.action)

    @admin.display(description=_("kind"))
    def kind(self, entry: AuditEntry) -> str:
        return str(kind_of(entry.action).label)

    @admin.display(description=_("browser"))
    def browser_name(self, entry: AuditEntry) -> str:
        return browser_in_words(entry.browser)

    @admin.display(description=_("as the browser names itself"))
    def user_agent(self, entry: AuditEntry) -> str:
        return entry.browser

    @admin.display(description=_("values"))
    def values(self, entry: AuditEntry) -> str:
        return self._part("values", changes_in_words, entry)

    @admin.display(description=_("more"))
    def more(self, entry: AuditEntry) -> str:
        return self._part("facts", facts_in_words, entry)

    @staticmethod
    def _part(name: str, in_words: Callable[[str, dict[str, Any], str], list[Any]], entry: AuditEntry) -> str:
        """The currency is of amounts that the entry keeps without one."""
        currency = entry.profile.currency if entry.profile is not None else ""
        rows = in_words(entry.action, entry.detail, currency)
        return render_to_string(f"admin/accounts/auditentry/detail.html#{name}", {"rows": rows}) if rows else "-"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context["subtitle"] = f"{action_in_words(context['original'].action)}: {context['original'].subject}"
        return super().render_change_form(request, context, *args, **kwargs)

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        term = search_term.strip()
        return (queryset.filter(_condition_of(term)) if term else queryset), False


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    list_display = ("key", "to", "template", "created_at", "sent_at", "tries", "unsure", "last_error")
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


def _condition_of(term: str) -> Q:
    """By people and scopes it uses their indexes; anything else looks at the newest entries."""
    newest = (AuditEntry.objects.aggregate(last=Max("pk"))["last"] or 0) - NEWEST
    within = Q(pk__gt=newest)
    if CODE.fullmatch(term.upper()):
        profiles = BillingProfile.objects.filter(Q(code=term.upper()) | Q(account__code=term.upper()))
        accounts = BillingAccount.objects.filter(code=term.upper())
        return Q(profile__in=[row.pk for row in profiles]) | (within & Q(account__in=[row.pk for row in accounts]))
    try:
        return within & Q(ip_address=str(ip_address(term)))
    except ValueError:
        pass
    people = [*User.objects.filter(email__icontains=term).order_by("pk").values_list("pk", flat=True)[:MAX_PEOPLE]]
    return Q(person__in=people) | Q(actor__in=people) | (within & Q(subject__icontains=term))

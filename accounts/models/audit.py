"""The audit trail."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.customers import BillingAccount, BillingProfile
from accounts.models.people import User
from accounts.querysets import AuditEntryQuerySet
from accounts.roles import Scope


class AuditEntry(models.Model):
    """What was done, by whom, to what, and from where; never changed or deleted. ``person`` is set where it is about
    somebody. Only what names somebody who was erased is blanked (`billing_portal.core.append_only.Redactable`)."""

    at = models.DateTimeField(_("at"))
    actor = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by"), db_index=False
    )
    action = models.CharField(_("action"), max_length=40)
    account = models.ForeignKey(
        BillingAccount,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=Scope.ACCOUNT.label,
        db_index=False,
    )
    profile = models.ForeignKey(
        BillingProfile,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=Scope.PROFILE.label,
        db_index=False,
    )
    subject = models.CharField(_("subject"), max_length=120)
    person = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("about"), db_index=False
    )
    ip_address = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    browser = models.CharField(_("browser"), max_length=200, blank=True, default="", db_default="")
    detail = models.JSONField(_("detail"), default=dict)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["profile", "-id"], name="audit_by_profile"),
            models.Index(fields=["actor", "-id"], name="audit_by_actor"),
            models.Index(fields=["person", "-id"], name="audit_by_person", condition=Q(person__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"

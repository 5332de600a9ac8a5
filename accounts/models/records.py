"""What was done, and what has to be told because of it. Both are written in the transaction of the act."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.customers import BillingAccount, BillingProfile
from accounts.models.people import User
from accounts.querysets import AuditEntryQuerySet
from accounts.roles import Scope


class AuditEntry(models.Model):
    """What was done, by whom, to what, and from where. Written in the transaction of the act; never changed, never
    deleted. ``person`` is set where it is about somebody: their sign-ins, roles, address, password, second factor. Only
    what names somebody who was erased is blanked, by a rule of the database (`accounts.append_only.Redactable`)."""

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
    ip_address = models.GenericIPAddressField(_("internet address"), null=True, blank=True)
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


class OutgoingMail(models.Model):
    """A mail that a committed fact asks for. Written in the transaction of the fact, sent afterwards by the worker.

    ``key`` names the fact, so that the same fact can ask only once. The text is drawn from ``template`` and ``context``
    (JSON, no secrets) when it is sent, in ``language``.
    """

    key = models.CharField(_("key"), max_length=120, unique=True)
    to = models.EmailField(_("to"), max_length=254)
    language = models.CharField(_("language"), max_length=8)
    template = models.CharField(_("template"), max_length=60)
    context = models.JSONField(_("context"), default=dict)
    created_at = models.DateTimeField(_("created"))
    next_try_at = models.DateTimeField(_("next try"), null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("outgoing mail")
        verbose_name_plural = _("outgoing mails")
        indexes = [
            models.Index(fields=["next_try_at", "id"], condition=Q(next_try_at__isnull=False), name="mail_to_send")
        ]

    def __str__(self) -> str:
        return self.key


class DueRun(models.Model):
    """One pass of everything that is due: which job did how much, and what went wrong. Of passes that found nothing to
    do only the last is kept."""

    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    origin = models.CharField(_("started by"), max_length=20)
    done = models.JSONField(_("done"), default=dict)
    failed = models.JSONField(_("failed"), default=dict)

    class Meta:
        verbose_name = _("run of what is due")
        verbose_name_plural = _("runs of what is due")
        indexes = [models.Index(fields=["-started_at", "-id"], name="due_run_by_date")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"

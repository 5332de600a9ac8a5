"""Rows that follow from a commit: mail to send, and what each pass through the jobs did."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class OutgoingMail(models.Model):
    """A mail that a committed fact asks for, written in its transaction. ``key`` names the fact, so that it asks only
    once. The text is rendered from ``template`` and ``context`` (JSON, no secrets) in ``language`` when it is sent."""

    key = models.CharField(_("key"), max_length=120, unique=True)
    to = models.EmailField(_("to"), max_length=254)
    language = models.CharField(_("language"), max_length=8)
    template = models.CharField(_("template"), max_length=60)
    context = models.JSONField(_("context"), default=dict)
    created_at = models.DateTimeField(_("created"))
    next_try_at = models.DateTimeField(_("next attempt"), null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    tries = models.PositiveSmallIntegerField(_("attempts"), default=0)
    # Tries after which nobody knows whether the mail arrived: so many copies there may be besides one that was sent.
    unsure = models.PositiveSmallIntegerField(_("may have arrived"), default=0, db_default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("outgoing mail")
        verbose_name_plural = _("outgoing mails")
        indexes = [
            models.Index(fields=["next_try_at", "id"], condition=Q(next_try_at__isnull=False), name="mail_to_send")
        ]

    def __str__(self) -> str:
        return self.key


class JobRun(models.Model):
    """One pass through all jobs. Of passes that found nothing to do only the last is kept."""

    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    origin = models.CharField(_("started by"), max_length=20)
    done = models.JSONField(_("done"), default=dict)
    failed = models.JSONField(_("failed"), default=dict)

    class Meta:
        verbose_name = _("job run")
        verbose_name_plural = _("job runs")
        indexes = [models.Index(fields=["-started_at", "-id"], name="job_run_by_date")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"

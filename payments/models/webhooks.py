"""Messages from providers, stored before anything is done with them."""

from django.db import models
from django.db.models import Index, Q, UniqueConstraint
from django.utils.translation import gettext_lazy as _


class WebhookDelivery(models.Model):
    """One event of a provider, by its id: the same event delivered again is the same row."""

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received")
        PROCESSED = "processed", _("Processed")
        IGNORED = "ignored", _("Not ours")
        FAILED = "failed", _("Failed")

    gateway = models.CharField(_("gateway"), max_length=20)
    event_id = models.CharField(_("event"), max_length=120)
    kind = models.CharField(_("kind"), max_length=12)
    type = models.CharField(_("type"), max_length=80)
    object_id = models.CharField(_("object"), max_length=120, blank=True)
    reference = models.CharField(_("our reference"), max_length=40, blank=True)
    # Of the payment that a refund or dispute belongs to: one begun at the provider carries no reference of ours.
    gateway_payment_id = models.CharField(_("gateway's payment id"), max_length=120, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.RECEIVED)
    received_at = models.DateTimeField(_("received"))
    processed_at = models.DateTimeField(_("processed"), null=True)
    next_try_at = models.DateTimeField(_("next try"), null=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        constraints = [UniqueConstraint(fields=["gateway", "event_id"], name="event_once_per_gateway")]
        indexes = [
            Index(fields=["next_try_at", "id"], condition=Q(next_try_at__isnull=False), name="delivery_to_process")
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.event_id}"

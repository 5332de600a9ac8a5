"""Adding a card without paying: one row for each attempt, and one for each card's id that its gateway has to forget."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingProfile
from payments.models.methods import PaymentMethod
from payments.querysets import MethodSetupQuerySet


class MethodSetup(models.Model):
    """One attempt to add a card, committed before the gateway is called. Its id is the idempotency key."""

    class Status(models.TextChoices):
        CREATED = "created", _("Started")
        NEEDS_CUSTOMER = "needs_customer", _("Waiting for your bank's check")
        SUCCEEDED = "succeeded", _("Card added")
        DECLINED = "declined", _("Declined")
        EXPIRED = "expired", _("Not completed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Minted with the page that shows the button, so that sending the page twice is the same attempt.
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="+", verbose_name=_("billing profile"), db_index=False
    )
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.CREATED)
    gateway = models.CharField(_("gateway"), max_length=20)
    setup_id = models.CharField(_("gateway's id"), max_length=120, blank=True)
    next_url = models.CharField(max_length=500, blank=True, editable=False)
    make_default = models.BooleanField(_("make it the default"), default=False)
    # The card whose place the new one takes; it is removed in the commit that keeps the new one.
    replaces = models.ForeignKey(
        PaymentMethod, models.PROTECT, null=True, related_name="+", verbose_name=_("replaces"), db_index=False
    )
    decline_code = models.CharField(_("reason for the decline"), max_length=24, blank=True)
    method = models.ForeignKey(
        PaymentMethod, models.PROTECT, null=True, related_name="+", verbose_name=_("payment method"), db_index=False
    )
    created_at = models.DateTimeField(_("started"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("started by"), db_index=False
    )
    finished_at = models.DateTimeField(_("ended"), null=True)
    # When the worker looks whether anybody came back; empty once the attempt has ended.
    next_look_at = models.DateTimeField(null=True, editable=False)

    objects = MethodSetupQuerySet.as_manager()

    class Meta:
        verbose_name = _("card being added")
        verbose_name_plural = _("cards being added")
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "setup_id"], condition=~Q(setup_id=""), name="gateway_setup_once"
            ),
            models.CheckConstraint(
                condition=Q(status="succeeded", method__isnull=False) | (~Q(status="succeeded") & Q(method=None)),
                name="setup_succeeded_with_a_card",
            ),
        ]
        indexes = [
            models.Index(fields=["profile", "-created_at"], name="setup_by_profile"),
            models.Index(fields=["created_by", "-created_at"], name="setup_by_person"),
            models.Index(
                fields=["next_look_at", "id"], condition=Q(next_look_at__isnull=False), name="setup_to_look_at"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.setup_id or self.pk}"


class Detachment(models.Model):
    """An id of a card that its gateway has to forget, written in the commit that gave the card up."""

    method = models.ForeignKey(
        PaymentMethod, models.PROTECT, related_name="detachments", verbose_name=_("payment method")
    )
    gateway = models.CharField(_("gateway"), max_length=20)
    gateway_method = models.CharField(_("gateway's card id"), max_length=120)
    created_at = models.DateTimeField(_("given up"))
    done_at = models.DateTimeField(_("forgotten"), null=True)
    next_try_at = models.DateTimeField(_("next try"), null=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("card to forget")
        verbose_name_plural = _("cards to forget")
        indexes = [
            models.Index(fields=["next_try_at", "id"], condition=Q(next_try_at__isnull=False), name="detachment_to_do")
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.gateway_method}"

"""Requests to pay by check or wire."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.customers import BillingProfile
from accounts.models.people import User


class WireRequest(models.Model):
    """That somebody asked to pay a profile's invoices by check or wire, with what staff need to decide."""

    class Status(models.TextChoices):
        OPEN = "open", _("Waiting for our answer")
        APPROVED = "approved", _("Approved")
        DECLINED = "declined", _("Declined")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="wire_requests", verbose_name=_("billing profile")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.OPEN)
    legal_name = models.CharField(_("legal name of the company"), max_length=120)
    registration_number = models.CharField(_("registration number"), max_length=40)
    monthly_amount = models.CharField(_("expected amount a month"), max_length=40)
    contact_name = models.CharField(_("contact in accounts payable"), max_length=120)
    contact_email = models.EmailField(_("e-mail address of the contact"), max_length=254)
    contact_phone = models.CharField(_("telephone of the contact"), max_length=40, blank=True)
    reason = models.CharField(_("why a card does not work"), max_length=500)
    requested_at = models.DateTimeField(_("asked"))
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("asked by"), db_index=False)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by"), db_index=False
    )
    answer = models.CharField(_("reason for the decision"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("request to pay by check or wire")
        verbose_name_plural = _("requests to pay by check or wire")
        constraints = [
            models.UniqueConstraint(
                fields=["profile"], condition=Q(status="open"), name="one_open_wire_request_per_profile"
            ),
            models.CheckConstraint(
                condition=Q(status="open", decided_at=None) | (~Q(status="open") & Q(decided_at__isnull=False)),
                name="wire_request_decided_when_closed",
            ),
        ]
        indexes = [models.Index(fields=["status", "requested_at"], name="wire_request_by_status")]

    def __str__(self) -> str:
        return f"{self.profile}: {self.get_status_display()}"

"""Charging invoices without anybody pressing anything: one row for each invoice, with what was tried so far."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingProfile
from invoices.models import Invoice
from payments.models.attempts import Payment


class AutomaticCharge(models.Model):
    """The plan for one invoice. When it is charged next stands on the invoice (``autopay_on``), where its pages see it.

    Written when the invoice is first taken up; attempts that people make do not count.
    """

    class Status(models.TextChoices):
        PLANNED = "planned", _("Planned")
        WAITING = "waiting", _("Waiting for an answer")
        STOPPED = "stopped", _("Stopped")
        DONE = "done", _("Done")

    invoice = models.OneToOneField(Invoice, models.PROTECT, related_name="automatic_charge", verbose_name=_("invoice"))
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="automatic_charges", verbose_name=_("billing profile")
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.PLANNED)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    last_payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("last payment")
    )
    stopped_because = models.CharField(_("stopped because"), max_length=24, blank=True)
    created_at = models.DateTimeField(_("planned"))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("automatic charge")
        verbose_name_plural = _("automatic charges")
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="stopped") | ~Q(stopped_because=""), name="automatic_charge_stops_for_a_reason"
            )
        ]

    def __str__(self) -> str:
        return f"{self.invoice} {self.status}"

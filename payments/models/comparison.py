"""What a provider's own list and the portal do not agree about."""

from django.conf import settings
from django.db import models
from django.db.models import Index, Q, UniqueConstraint
from django.utils.translation import gettext_lazy as _

from payments.models.payments import Payment


class GatewayComparison(models.Model):
    """When a gateway's list is compared next, and since when all of it was."""

    gateway = models.CharField(_("gateway"), max_length=20, unique=True)
    next_at = models.DateTimeField(_("next comparison"))
    compared_at = models.DateTimeField(_("compared"), null=True)

    def __str__(self) -> str:
        return self.gateway


class GatewayDifference(models.Model):
    """What a provider knows otherwise than we do, until both agree or staff say what they did about it."""

    class Kind(models.TextChoices):
        PAYMENT = "payment", _("Payment")
        REFUND = "refund", _("Refund")
        DISPUTE = "dispute", _("Dispute")
        CLOCK = "clock", _("Clock")

    gateway = models.CharField(_("gateway"), max_length=20)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    gateway_id = models.CharField(_("gateway's id"), max_length=120, blank=True)
    payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("payment")
    )
    # Amount and state in a provider's plain words, such as "120.00 EUR succeeded"; empty: nothing is known of it.
    theirs = models.CharField(_("at the provider"), max_length=120, blank=True)
    ours = models.CharField(_("here"), max_length=120, blank=True)
    found_at = models.DateTimeField(_("found"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("ended by"),
        db_index=False,
    )
    note = models.CharField(_("what was done"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("difference with a provider")
        verbose_name_plural = _("differences with providers")
        constraints = [UniqueConstraint(fields=["gateway", "kind", "gateway_id"], name="one_difference_about_a_thing")]
        indexes = [Index(fields=["found_at"], condition=Q(ended_at=None), name="difference_for_staff")]

    def __str__(self) -> str:
        return f"{self.gateway} {self.get_kind_display()} {self.gateway_id}".strip()

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

    class Stop(models.TextChoices):
        """Why nothing is charged by itself any more. A phrase that completes "The reason: ..."."""

        PAID = "paid", _("it was paid in another way")
        VOID = "void", _("it is void")
        NOTHING_DUE = "nothing_due", _("nothing is due")
        SWITCHED_OFF = "switched_off", _("automatic charging was switched off")
        BY_WIRE = "by_wire", _("the billing profile pays by check or wire")
        DISPUTED = "disputed", _("a payment of it is disputed")
        NO_CARD = "no_card", _("there is no default card")
        CARD_EXPIRED = "card_expired", _("the default card has expired")
        REFUSED = "refused", _("the bank refused the card for good")
        USED_UP = "used_up", _("the bank refused the card at every try")
        MUST_ACT = "customer_must_act", _("the bank wants the payer to confirm")
        CAPPED = "capped", _("the card was refused too often within 30 days")
        NO_ANSWER = "no_answer", _("the payment provider could not be reached")
        CONFIG = "config_error", _("our staff have to look at it")
        AGREEMENT = "agreement", _("this agreement type cannot pay by card")
        CARD_LIMIT = "card_limit", _("the amount is above the card limit")
        CURRENCY = "currency", _("cards cannot be charged in its currency")
        TOO_SMALL = "too_small", _("the amount is too small for a card")
        CLOSED = "profile_closed", _("the billing profile is closed")

    invoice = models.OneToOneField(Invoice, models.PROTECT, related_name="automatic_charge", verbose_name=_("invoice"))
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="automatic_charges", verbose_name=_("billing profile")
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.PLANNED)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    last_payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("last payment")
    )
    stopped_because = models.CharField(_("stopped because"), max_length=24, choices=Stop, blank=True)
    # The beginning of the plan: its retries are counted from this day, and what was tried before does not count.
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
        indexes = [
            models.Index(
                fields=["changed_at", "id"],
                condition=Q(status__in=("planned", "waiting")),
                name="automatic_charge_in_hand",
            )
        ]

    def __str__(self) -> str:
        return f"{self.invoice} {self.status}"

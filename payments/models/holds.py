"""Who may try no card for a while, because too many were tried."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import BillingProfile
from payments.querysets import CardHoldQuerySet


class CardHold(models.Model):
    """A person, or all people of a billing profile, over one of the limits of card tries.

    A record for staff: the limits themselves are counted from the tries at each attempt (`operations.card_holds`), and
    ``until`` is when they will let the next one through. Only ``released_at`` has an effect: tries before it no longer
    count.
    """

    class Reason(models.TextChoices):
        FAILED = "failed", _("Tries that came to nothing")
        NEW_CARDS = "new_cards", _("New cards")

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("person")
    )
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("billing profile")
    )
    reason = models.CharField(_("what was counted"), max_length=12, choices=Reason)
    tries = models.PositiveIntegerField(_("tries within an hour"))
    since = models.DateTimeField(_("held since"))
    until = models.DateTimeField(_("held until"))
    released_at = models.DateTimeField(_("released"), null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("released by"),
        db_index=False,
    )
    release_reason = models.CharField(_("reason of the release"), max_length=300, blank=True)

    objects = CardHoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("card hold")
        verbose_name_plural = _("card holds")
        constraints = [
            models.CheckConstraint(
                condition=Q(person__isnull=False, profile=None) | Q(person=None, profile__isnull=False),
                name="card_hold_of_one_person_or_profile",
            ),
            models.CheckConstraint(condition=Q(until__gt=F("since")), name="card_hold_ends_after_it_began"),
            models.CheckConstraint(
                condition=Q(released_at=None, released_by=None, release_reason="")
                | Q(released_at__isnull=False, released_by__isnull=False) & ~Q(release_reason=""),
                name="card_hold_released_by_somebody_for_a_reason",
            ),
        ]
        indexes = [models.Index(fields=["until"], condition=Q(released_at=None), name="card_hold_by_end")]

    def __str__(self) -> str:
        return str(self.person or self.profile)

    def is_current(self, at: datetime) -> bool:
        return self.released_at is None and self.until > at

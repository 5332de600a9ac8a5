"""How an issued document reaches its buyer's software, and what became of it."""

from django.db import models
from django.db.models import CheckConstraint, Index, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from invoices.models.credit_notes import CreditNote
from invoices.models.invoices import Invoice


class Delivery(models.Model):
    """A document on one way to its buyer. It changes with every step; when it is sent again, that is another row."""

    class Channel(models.TextChoices):
        MAIL = "mail", _("Email")
        FOLDER = "folder", _("Folder")
        PEPPOL = "peppol", "Peppol"

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting to be sent")
        SENT = "sent", _("Sent")
        DELIVERED = "delivered", _("Delivered")
        ACCEPTED = "accepted", _("Accepted by the buyer")
        REJECTED = "rejected", _("Rejected")
        UNCLEAR = "unclear", _("Sent, arrival not confirmed")
        FAILED = "failed", _("Could not be sent")

    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, blank=True, related_name="deliveries", verbose_name=_("invoice")
    )
    credit_note = models.ForeignKey(
        CreditNote, models.PROTECT, null=True, blank=True, related_name="deliveries", verbose_name=_("credit note")
    )
    channel = models.CharField(_("channel"), max_length=8, choices=Channel)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.QUEUED)
    # The endpoint, or how many people a mail went to.
    recipient = models.CharField(_("recipient"), max_length=120, blank=True)
    # Ours: the network carries it, so that a document that was handed over twice is known to be one.
    message_id = models.UUIDField(_("message ID"), unique=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("planned"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    # What the buyer last answered (UNCL 4343), the messages with which it answered, and an answer that may not follow.
    answer_code = models.CharField(_("code of the answer"), max_length=2, blank=True)
    answer_ids = models.JSONField(_("answers"), default=list, blank=True)
    contradiction = models.CharField(_("answered afterwards"), max_length=500, blank=True)
    # When the access point first said that it handed the document on.
    handed_on_at = models.DateTimeField(_("handed on"), null=True, blank=True)
    answered_at = models.DateTimeField(_("last answer"), null=True, blank=True)
    # When it is sent, or asked about, next; empty once nothing more is expected.
    next_try_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    # It was sent again: what became of that stands in another row.
    is_repeated = models.BooleanField(_("sent again"), default=False, db_default=False)
    needs_staff = models.BooleanField(_("needs staff"), default=False, db_default=False)
    tries = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            CheckConstraint(
                condition=Q(invoice__isnull=False, credit_note=None) | Q(invoice=None, credit_note__isnull=False),
                name="delivery_of_one_thing",
            ),
            CheckConstraint(
                condition=Q(status__in=["queued", "sent", "delivered", "accepted", "rejected", "unclear", "failed"]),
                name="delivery_status_known",
            ),
        ]
        indexes = [
            Index(fields=["next_try_at", "id"], condition=Q(next_try_at__isnull=False), name="delivery_to_make"),
            Index(
                fields=["id"],
                condition=Q(needs_staff=True),
                name="delivery_in_trouble",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document}, {self.get_channel_display()}"

    @property
    def why(self) -> str:
        """The reason, in the language that is active where it is a sentence of ours: jobs write it in English."""
        return gettext(self.reason) if self.reason else ""

    @property
    def readers(self) -> int:
        """How many people a mail went to."""
        return int(self.recipient or 0)

    @property
    def document(self) -> Invoice | CreditNote:
        document = self.invoice or self.credit_note
        assert document is not None  # noqa: S101  the database holds it to one
        return document

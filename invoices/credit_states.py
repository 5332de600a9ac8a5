"""What a reader sees of a credit: the state it is in on a day. Nothing of this is stored."""

from datetime import timedelta

from django.db import models
from django.utils.translation import pgettext_lazy

from invoices.states import Look

SOON = timedelta(days=30)


class CreditState(models.TextChoices):
    ACTIVE = "active", pgettext_lazy("credit", "Active")
    SOON = "soon", pgettext_lazy("credit", "Expiring soon")
    LATER = "later", pgettext_lazy("credit", "Not yet started")
    USED = "used", pgettext_lazy("credit", "Used up")
    EXPIRED = "expired", pgettext_lazy("credit", "Expired")


LOOK_OF_CREDIT = {
    CreditState.ACTIVE: Look("status-paid", "circle-check"),
    CreditState.SOON: Look("status-past-due", "triangle-alert"),
    CreditState.LATER: Look("", "clock"),
    CreditState.USED: Look("status-void", "check"),
    CreditState.EXPIRED: Look("status-void", "ban"),
}

"""Who signs what is sent to a customer."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import Seller


def sender_of(context: dict[str, Any]) -> dict[str, Any]:
    """The seller of the billing account that a mail's context names by its key (``account``), or the first: ``name``,
    ``email`` and the lines of its ``address``. Before there is one, the portal itself. One query."""
    sellers = Seller.objects.order_by("pk")
    seller = sellers.filter(accounts=context["account"]).first() if "account" in context else sellers.first()
    if seller is None:
        return {"name": _("Billing portal"), "email": settings.DEFAULT_FROM_EMAIL, "address": []}
    return {"name": seller.company, "email": seller.email, "address": seller.address_lines[1:]}

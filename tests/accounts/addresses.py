"""Asking for another address, confirming it, and the mails that follow."""

from accounts.access import access_of
from accounts.operations.addresses import CONFIRM, confirm_email_change, email_change_key, request_email_change
from billing_portal.core.models import OutgoingMail
from tests.factories import NOW

PASSWORD = "seven purple bicycles"


def ask(person, email="new@example.com", *, at=NOW, by=None):
    return request_email_change(access=by or access_of(person), user_id=person.pk, email=email, at=at)


def confirm(change, person, *, at=NOW):
    return confirm_email_change(access=access_of(person), key=email_change_key(change.pk, CONFIRM), at=at)


def mails():
    return [(row.to, row.template) for row in OutgoingMail.objects.order_by("pk")]


def link_in(message):
    (link,) = [word for word in message.body.split() if "email/" in word and word.startswith("http://testserver/")]
    return link.removeprefix("http://testserver")

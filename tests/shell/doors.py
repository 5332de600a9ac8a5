"""Somebody at the door of the portal, and what the audit says of it afterwards."""

from django.urls import reverse

from accounts.models import AuditEntry

PASSWORD = "correct horse battery staple"
NEW_PASSWORD = "a quite different staple"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def sign_in(visitor, address="manager@example.com", password=PASSWORD):
    return visitor.post(reverse("account_login"), {"login": address, "password": password})


def new_password(visitor, old=PASSWORD, new=NEW_PASSWORD):
    form = {"oldpassword": old, "password1": new, "password2": new}
    return visitor.post(reverse("account_change_password"), form)


def confirm(visitor, password=PASSWORD):
    return visitor.post(reverse("account_reauthenticate"), {"password": password})


def actions():
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def the_entry(action):
    """The one entry of this action, which came from this visitor."""
    entry = AuditEntry.objects.get(action=action)
    assert (entry.ip_address, entry.browser) == ("127.0.0.1", FIREFOX)
    assert (entry.profile, entry.account) == (None, None)
    return entry


def who(entry):
    return entry.person, entry.actor, entry.subject

"""The links in mails. Those with a secret are made when the mail is sent, so that the outbox holds none."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django import template
from django.conf import settings
from django.urls import reverse

from accounts.models import User
from accounts.operations.addresses import CANCEL, CONFIRM, email_change_key
from billing_portal.core.outbox import Withdrawn

register = template.Library()


def public(path: str) -> str:
    """A page's address for a mail. It follows PUBLIC_URL: a mail has no Host header, and a request's may be forged."""
    return f"{settings.PUBLIC_URL}{path}"


@register.simple_tag
def page_link(name: str, *args: str) -> str:
    return public(reverse(name, args=args))


@register.simple_tag
def password_link(user_id: int, address: str) -> str:
    """Sets a new password, once, within PASSWORD_RESET_TIMEOUT. ``address`` is where the mail goes. Raises Withdrawn
    when it is no longer the person's: a mail that waited must not hand the account to a mailbox that was given up."""
    user = User.objects.get(pk=user_id)
    if user.email != address or not user.is_active:
        raise Withdrawn
    key = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    return public(reverse("account_reset_password_from_key", kwargs=key))


@register.simple_tag
def confirm_address_link(change_id: int) -> str:
    return public(reverse("account_confirm_email", args=[email_change_key(change_id, CONFIRM)]))


@register.simple_tag
def cancel_address_link(change_id: int) -> str:
    return public(reverse("account_cancel_email", args=[email_change_key(change_id, CANCEL)]))

"""What the portal asks of the sign-in library (django-allauth): nobody opens an account alone, and its mails are ours.

Each mail is a row of the outbox like any other: the worker sends it, in its reader's language, its links follow
PUBLIC_URL, and the secrets in them are made when it is sent.
"""

import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language

from accounts import audit
from accounts.models import User
from accounts.operations import queue_password_link
from accounts.outbox import queue, queue_to


class InvitedOnly(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002  allauth passes it
        return False

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:  # noqa: ARG002
        queue_password_link(user, at=timezone.now())

    def send_confirmation_mail(self, request: HttpRequest, emailconfirmation: Any, signup: bool) -> None:  # noqa: ARG002
        """At the sign-in of somebody whose mailbox has never answered. Our link proves it and sets a new password."""
        queue_password_link(emailconfirmation.email_address.user, at=timezone.now())

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,  # noqa: ARG002
        email: str | None = None,  # noqa: ARG002
    ) -> None:
        """Tells somebody what was done to their account, from where and with what browser."""
        event, at = template_prefix.rpartition("/")[2], timezone.now()
        if event == "password_reset" and user.last_login is None:
            return  # the first password, chosen by the link of an invitation
        origin = audit.origin()
        facts = {
            "event": event,
            "moment": at.isoformat(),
            "ip_address": origin.get("ip_address", ""),
            "browser": origin["browser"],
        }
        key = f"security-{event}-{user.pk}-{at.isoformat()}"
        queue(key=key, to=user, template="security_notice", context=facts, at=at)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:  # noqa: ARG002
        """Every other mail of the library. There is one that the portal has a use for."""
        if template_prefix != "account/email/unknown_account":
            raise NotImplementedError(f"The portal has no mail for {template_prefix}.")
        queue_to(
            key=f"unknown-address-{secrets.token_hex(16)}",
            email=email,
            language=get_language() or "en",
            template="unknown_address",
            context={"email": email},
            at=timezone.now(),
        )

"""What an authenticator app does, what a page shows it, and people on staff who have one or not."""

import re
import time
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.factories import TOTP_SECRET, UserFactory, with_second_factor

PASSWORD = "a-long-enough-password"
INDEX = reverse("admin:index")


def accept_codes(settings: Any) -> None:
    """A code of the half minute before is good as well, so that no test fails at its turn; and none counts as used."""
    settings.MFA_TOTP_TOLERANCE = 1
    cache.clear()


def code_now(secret: str = TOTP_SECRET) -> str:
    """The six digits that an app shows now. Each is good once."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def secret_on(page: Any) -> str:
    """The secret on the page that sets up an app."""
    return re.search(r'<dd class="codes">([A-Z2-7=]+)</dd>', page.text).group(1)


def staff(*factors: str, **fields: Any) -> User:
    """A superuser with `PASSWORD`, a mailbox that answered, and these second factors."""
    user = UserFactory(is_staff=True, is_superuser=True, **fields)
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    for kind in factors:
        with_second_factor(user, kind)
    return user


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def leads_to_set_up(response: Any, wanted: str) -> bool:
    """Whether a staff page sent somebody on to the page of second factors, and kept the page that was wanted."""
    return (response.status_code, response.url) == (302, f"{reverse('admin:login')}?next={wanted}")

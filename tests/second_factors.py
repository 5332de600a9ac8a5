"""What an authenticator app does, and what a page shows it."""

import re
import time
from typing import Any

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache

from tests.factories import TOTP_SECRET


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

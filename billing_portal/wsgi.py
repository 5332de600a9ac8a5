"""The WSGI entry point. Refuses to start with a configuration that the system checks call an error, such as the sandbox
gateway on a real installation, or with the demo's people in its database."""

import os

from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application


def checked_application() -> WSGIHandler:
    """Raises ImproperlyConfigured, with everything that is wrong."""
    application = get_wsgi_application()
    serious = [check for check in run_checks(tags=[Tags.security]) if check.is_serious()]
    if serious:
        raise ImproperlyConfigured(" ".join(f"{check.msg} {check.hint or ''}".strip() for check in serious))
    return application


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
application = checked_application()

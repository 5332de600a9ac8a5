"""The portal as it runs in production, on the database that the run started, with one more gateway to pay through."""

import os
import tempfile

os.environ.setdefault("PORTAL_VAR_DIR", tempfile.gettempdir())
os.environ.update(
    {
        "ALLOWED_HOSTS": "testserver",
        "DATABASE_URL": os.environ.get("BENCH_DATABASE_URL", "sqlite://:memory:"),
        "DEBUG": "false",
        "EMAIL_FROM": "billing@example.com",
        "LOG_LEVEL": "ERROR",
        "PAYMENT_GATEWAYS": "sandbox",
        "PUBLIC_URL": "http://testserver",
        "SANDBOX_ALLOWED": "true",
        "SECRET_KEY": "only-for-benchmarks-Zk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0",
        "TIME_ZONE": "Europe/Amsterdam",
    }
)

from billing_portal.settings import *

PAYMENT_GATEWAYS["null"] = {"class": "bench.null_gateway.NullGateway"}
ROOT_URLCONF = "bench.urls"
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_ROOT.mkdir(exist_ok=True)  # the file server warns when it is missing

"""The portal's own settings in a test run: fixed values, fast password hashes, mail in memory."""

import os
import sys

from tests import environment

os.environ.update(
    {
        "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
        "DEBUG": "false",
        "EMAIL_FROM": "billing@example.com",
        "LOG_LEVEL": "ERROR",
        "PAYMENT_GATEWAYS": "sandbox",
        "PORTAL_STAFF_SECOND_FACTOR": "false",  # the tests about it switch it on
        "PORTAL_VAR_DIR": os.environ["TEST_VAR_DIR"],
        # The address of the test client. Outside pytest the settings pass `manage.py check`.
        "PUBLIC_URL": "http://testserver" if "pytest" in sys.modules else "http://localhost",
        "SANDBOX_ALLOWED": "true",
        "SECRET_KEY": "only-for-tests-Zk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0oRqBv",
        # Of the stand-in, which each test run starts for itself; where it listens is known only then.
        "STRIPE_API_BASE": "http://127.0.0.1:9",
        "STRIPE_PUBLISHABLE_KEY": "pk_live_standin",
        "STRIPE_SECRET_KEY": "sk_live_standin",
        "STRIPE_WEBHOOK_SECRETS": "whsec_standin",
        "TIME_ZONE": "Europe/Amsterdam",
    }
)

from billing_portal.settings import *

# Every gateway there is, so that none stays outside the contract suite.
PAYMENT_GATEWAYS = GATEWAYS_KNOWN
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if environment.TEST_DATABASE == "sqlite":
    # A file, as in real use: one in memory has no write-ahead log and no second connection.
    DATABASES["default"]["TEST"] = {"NAME": VAR_DIR / "tests.sqlite3"}
# The suite migrates the portal's own database; here the tables are enough.
DATABASES["sandbox"]["TEST"] = {"NAME": VAR_DIR / "tests-sandbox.sqlite3", "MIGRATE": False}
STATIC_ROOT.mkdir(exist_ok=True)  # the file server warns when it is missing

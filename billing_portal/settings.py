"""Settings of the billing portal. One file, read from top to bottom; every value that differs between machines comes
from the environment (`env.py`), and `.env.example` explains each."""

from pathlib import Path

import bootstrap_wrapper
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _

from billing_portal.env import Env

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env(BASE_DIR / ".env")

# The process ----------------------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
PORT = env.number("PORT", 8000, at_least=1)
PUBLIC_URL = env.text("PUBLIC_URL", f"http://localhost:{PORT}" if DEBUG else None).rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
DEMO = env.flag("PORTAL_DEMO", default=False)
VAR_DIR = Path(env.text("PORTAL_VAR_DIR", str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)
ROOT_URLCONF = "billing_portal.urls"
WSGI_APPLICATION = "billing_portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "billing_portal.apps.BillingPortalConfig",
    "billing_portal.core",
    "accounts",
    "invoices",
    "payments",
    "billing_portal.admin_site.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "crispy_forms",
    "crispy_bootstrap5",
    "django_htmx",
    "lucide",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "payments.csp.card_field_policy",
    "billing_portal.middleware.RetryAfter",
    "billing_portal.middleware.request_log",
    "billing_portal.middleware.PrivatePages",
    "billing_portal.middleware.NoNulInCookies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "billing_portal.middleware.ReaderLanguage",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "billing_portal.middleware.NoNul",
    "billing_portal.middleware.DemoNotFound",
    "billing_portal.middleware.BodyLimit",  # what checks the token of a form, and so reads it, runs after all of these
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "billing_portal.layout.frame",
                "payments.csp.scripts",
            ],
        },
    },
]

# Database -------------------------------------------------------------------------------------------------------
# On SQLite, transactions begin IMMEDIATE (otherwise one of two parallel payers gets "database is locked" at once) and
# every commit reaches the disk before it is acknowledged.
DATABASES = {
    "default": env.database(
        "DATABASE_URL",
        f"sqlite:///{VAR_DIR / 'portal.sqlite3'}",
        conn_max_age=env.number("DATABASE_CONN_MAX_AGE", 60),
        conn_health_checks=True,
    )
}
env.text("POSTGRES_PASSWORD", "")  # compose.yaml reads it
SQLITE_OPTIONS = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
# It holds the counts of wrong passwords. With the default of 300 entries a stranger could push them out.
database_cache = "django.core.cache.backends.db.DatabaseCache"
CACHES = {"default": {"BACKEND": database_cache, "LOCATION": "cache", "OPTIONS": {"MAX_ENTRIES": 100_000}}}

# People ---------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
# It warns that the email column is not unique. Its lower case is unique, which is stricter.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
validators = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "billing_portal.passwords.StrengthValidator"},
    {"NAME": f"{validators}.UserAttributeSimilarityValidator", "OPTIONS": {"user_attributes": ["email", "name"]}},
    {"NAME": f"{validators}.CommonPasswordValidator"},
    {"NAME": f"{validators}.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "billing_portal.sign_in.InvitedOnly"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"  # nobody signs in before the mailbox has answered
ACCOUNT_MAX_EMAIL_ADDRESSES = 1
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_METHODS = ["password", "mfa"]  # a code by mail would let whoever reads the mailbox take over
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {"reset_password": "20/m/ip,5/m/key,10/h/key"}  # earlier mails still work
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXY_COUNT", 0)
forms = "billing_portal.sign_in_forms"
ACCOUNT_FORMS = {
    "login": f"{forms}.LoginForm", "change_password": f"{forms}.ChangePasswordForm",
    "reset_password": f"{forms}.ResetPasswordForm", "reset_password_from_key": f"{forms}.ResetPasswordKeyForm",
}  # fmt: skip
MFA_FORMS = {
    "activate_totp": f"{forms}.ActivateTOTPForm", "add_webauthn": f"{forms}.AddWebAuthnForm",
    "edit_webauthn": f"{forms}.EditWebAuthnForm", "authenticate": f"{forms}.AuthenticateForm",
    "authenticate_webauthn": f"{forms}.AuthenticateWebAuthnForm", "login_webauthn": f"{forms}.LoginWebAuthnForm",
    "reauthenticate": f"{forms}.ReauthenticateForm", "reauthenticate_webauthn": f"{forms}.ReauthenticateWebAuthnForm",
}  # fmt: skip
MFA_ADAPTER = "billing_portal.sign_in.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = False
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
MFA_TOTP_ISSUER = "Billing portal"
# Whether the staff pages stay closed to staff who sign in with a password alone.
STAFF_SECOND_FACTOR = env.flag("PORTAL_STAFF_SECOND_FACTOR", default=not DEMO)
# What the secrets of second factors are encrypted with: the first encrypts, all decrypt, and so does SECRET_KEY.
SECOND_FACTOR_KEYS = env.secrets("PORTAL_SECOND_FACTOR_KEYS", at_least=32)

# Browser --------------------------------------------------------------------------------------------------------
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "object-src": [CSP.NONE],
}
HTTPS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "billing_portal.errors.csrf_failure"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^webhooks/", r"^e-invoices/answers$", r"^healthz(/worker)?$"]
SECURE_HSTS_SECONDS = env.number("HSTS_SECONDS", 365 * 24 * 60 * 60) * HTTPS
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ALLAUTH_TRUSTED_PROXY_COUNT else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# The most that anything sends: a form of a staff page has some 10 KiB, a provider's message fewer than 256. Only a few
# staff pages take a file, and keep it in memory (`billing_portal.middleware.BodyLimit`).
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 1

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS: list[Path | tuple[str, Path]] = [
    BASE_DIR / "static",
    ("bootstrap", Path(bootstrap_wrapper.__file__).resolve().parent.parent / "bootstrap"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
CRISPY_ALLOWED_TEMPLATE_PACKS = CRISPY_TEMPLATE_PACK = "bootstrap5"
CRISPY_FAIL_SILENTLY = False

# Languages and times --------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("nl", _("Dutch"))]
LANGUAGE_COOKIE_NAME = "language"
# The first that knows a text translates it. Documents alone are in German and French too; no page is offered in them.
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale/packages", BASE_DIR / "locale/documents"]
FORMAT_MODULE_PATH = "billing_portal.formats"
TIME_ZONE = env.time_zone("TIME_ZONE", "Europe/Amsterdam")
USE_TZ = True

# Mail -----------------------------------------------------------------------------------------------------------
smtp_host = env.text("EMAIL_HOST", "")
smtp_security = env.choice("EMAIL_SECURITY", "ssl", ("ssl", "starttls", "none"))
MAILERS = {
    "default": {
        "BACKEND": "billing_portal.core.smtp.EmailBackend",
        "OPTIONS": {
            "host": smtp_host,
            "port": env.number("EMAIL_PORT", 465),
            "username": env.text("EMAIL_USER", ""),
            "password": env.text("EMAIL_PASSWORD", ""),
            "use_ssl": smtp_security == "ssl",
            "use_tls": smtp_security == "starttls",
            "timeout": 20,
        },
    }
}
if not smtp_host:
    file_mail = "django.core.mail.backends.filebased.EmailBackend"
    MAILERS["default"] = {"BACKEND": file_mail, "OPTIONS": {"file_path": str(VAR_DIR / "mail")}}
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", "billing@example.com" if DEBUG else None)

# Who signs mails, and where replies go: the seller of the customer (accounts.sellers)
MAIL_SENDER = "accounts.sellers.sender_of"
# The documents that mails carry
MAIL_ATTACHMENTS = "payments.documents.attachments.attachments_of"

# How documents reach other systems ------------------------------------------------------------------------------
delivery_folder = env.text("PORTAL_DELIVERY_FOLDER", "")
DELIVERY_FOLDER = Path(delivery_folder) if delivery_folder else None
# The access point that sends e-invoices on Peppol, its token, and the token with which it hands answers to us.
ACCESS_POINT_URL = env.text("PORTAL_ACCESS_POINT_URL", "")
ACCESS_POINT_TOKEN = env.text("PORTAL_ACCESS_POINT_TOKEN", "")
ACCESS_POINT_INBOUND_TOKEN = env.text("PORTAL_ACCESS_POINT_INBOUND_TOKEN", "")

# Automatic charges and reminders, in days ----------------------------------------------------------------------------
AUTOPAY_DELAY_DAYS = env.number("PORTAL_AUTOPAY_DELAY_DAYS", 3)
AUTOPAY_RETRY_DAYS = env.days("PORTAL_AUTOPAY_RETRY_DAYS", 3, 7, 14)  # counted from the first try
AUTOPAY_MAX_TRIES_PER_CARD = env.number("PORTAL_AUTOPAY_MAX_TRIES_PER_CARD", 10, at_least=1)  # within 30 days
REMINDER_DAYS = env.days("PORTAL_REMINDER_DAYS", -3, 1, 7, 14, 30)  # counted from the due date
WARN_AFTER_DAYS = env.number("PORTAL_WARN_AFTER_DAYS", 7, at_least=1)
DISABLE_AFTER_DAYS = env.number("PORTAL_DISABLE_AFTER_DAYS", 30, at_least=1)
# A profile that owes less is not reminded, warned or disabled, and a period that comes to less is carried to the next
# invoice: by currency, in major units. Currencies that are not named have the smallest amount that the first gateway
# can charge.
DUNNING_FLOORS = env.mapping("PORTAL_DUNNING_FLOORS")
# The most that staff may write off of what is left of an invoice, likewise. Currencies that are not named have the
# floor of dunning.
WRITE_OFF_LIMITS = {"EUR": "5.00", **env.mapping("PORTAL_WRITE_OFF_LIMITS")}
SMALLEST_CHARGES = "payments.gateways.registry.smallest_charges"
# The cards that are charged automatically, as electronic invoices name them.
CHARGED_CARDS = "payments.models.methods.charged_cards"

# What becomes of charges that are not invoiced when staff close their billing profile.
PROFILE_SETTLEMENT = "invoices.operations.final_periods"

# Paying ---------------------------------------------------------------------------------------------------------
# Gateways by slug, in the order in which customers are offered them. Each names the class and its options.
GATEWAYS_KNOWN = {
    "sandbox": {
        "class": "payments.gateways.sandbox.gateway.SandboxGateway",
        "options": {
            "webhook_secret": env.text("SANDBOX_WEBHOOK_SECRET", SECRET_KEY),
            "webhook_url": env.text("SANDBOX_WEBHOOK_URL", f"{PUBLIC_URL}/webhooks/sandbox"),
            "allowed": env.flag("SANDBOX_ALLOWED", default=DEBUG),
        },
    },
}
gateways_wanted = env.words("PAYMENT_GATEWAYS", ["sandbox"] if DEBUG else [])
# Any "stripe_<name>" is one more account at Stripe, with variables of its own: STRIPE_<NAME>_SECRET_KEY, ...
for slug in ["stripe", *(slug for slug in gateways_wanted if slug.startswith("stripe_"))]:
    prefix = f"{slug.upper()}_"
    GATEWAYS_KNOWN[slug] = {
        "class": "payments.gateways.stripe.gateway.StripeGateway",
        "options": {
            "secret_key": env.text(prefix + "SECRET_KEY", ""),
            "publishable_key": env.text(prefix + "PUBLISHABLE_KEY", ""),
            "webhook_secrets": env.words(prefix + "WEBHOOK_SECRETS"),
            "account": env.text(prefix + "ACCOUNT", ""),
            "api_base": env.text(prefix + "API_BASE", ""),
            "js_url": env.text(prefix + "JS_URL", ""),
            "prefix": prefix,
        },
    }
# A gateway's package is an app of its own: its templates, static files and tables lie in it.
INSTALLED_APPS += dict.fromkeys(str(entry["class"]).rsplit(".", 2)[0] for entry in GATEWAYS_KNOWN.values())
PAYMENT_GATEWAYS = {}
for slug in gateways_wanted:
    if slug not in GATEWAYS_KNOWN:
        raise ImproperlyConfigured(f"PAYMENT_GATEWAYS names {slug!r}; known gateways: {', '.join(GATEWAYS_KNOWN)}.")
    PAYMENT_GATEWAYS[slug] = GATEWAYS_KNOWN[slug]
# The sandbox is an outside party and keeps its records apart from ours: what it took stays taken when we roll back.
sandbox_database = env.text("SANDBOX_DATABASE", str(VAR_DIR / "sandbox.sqlite3"))
if "sandbox" in PAYMENT_GATEWAYS:
    DATABASES["sandbox"] = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(sandbox_database),
        "OPTIONS": SQLITE_OPTIONS,
    }
DATABASE_ROUTERS = ["payments.gateways.sandbox.apps.StoreRouter"]
# The most that a profile whose default is check or wire may pay by card, by currency, in major units. None: no limit.
CARD_LIMITS_FOR_WIRE = env.mapping("PORTAL_CARD_LIMITS")
# Maximum within any hour, for paying and adding cards together: failed attempts, and new cards, whatever their outcome.
# A profile has room for more than one person, so that one person alone cannot block their colleagues.
CARD_TRIES_PER_HOUR = env.number("PORTAL_CARD_TRIES_PER_HOUR", 10, at_least=1)
CARD_TRIES_PER_HOUR_OF_PROFILE = env.number("PORTAL_CARD_TRIES_PER_HOUR_OF_PROFILE", 20, at_least=1)
NEW_CARDS_PER_HOUR = env.number("PORTAL_NEW_CARDS_PER_HOUR", 30, at_least=1)
NEW_CARDS_PER_HOUR_OF_PROFILE = env.number("PORTAL_NEW_CARDS_PER_HOUR_OF_PROFILE", 60, at_least=1)

# Logs -----------------------------------------------------------------------------------------------------------
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOG_FORMAT = env.choice("LOG_FORMAT", "text" if DEBUG else "json", ("text", "json"))
LOGGING_CONFIG = "billing_portal.logs.configure"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT}

env.refuse_unknown()

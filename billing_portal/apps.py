from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingPortalConfig(AppConfig):
    name = "billing_portal"
    verbose_name = _("Billing portal")

    def ready(self) -> None:
        from billing_portal import checks, security_events, sign_in  # noqa: F401  registers checks and receivers

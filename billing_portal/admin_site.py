"""The staff pages: Django admin under the portal's own name and colors.

Staff sign in where everybody does, so the rate limits and second factors of that page hold here too.
"""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _


class PortalAdminSite(AdminSite):
    site_title = _("Billing portal staff")
    site_header = _("Billing portal staff")
    index_title = _("Overview")
    site_url = "/"
    enable_nav_sidebar = False  # the lists of invoices and payments need the width

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sends people who are not signed in to the portal's own page; refuses customers."""
        from allauth.account.decorators import secure_admin_login  # noqa: PLC0415  needs the apps to be loaded

        response: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return response

    def password_change(  # type: ignore[override]
        self,
        request: HttpRequest,  # noqa: ARG002
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Staff change their password where everybody does, with its limits, its mail and its entry in the audit."""
        return redirect("account_change_password")


class PortalAdminConfig(AdminConfig):
    default_site = "billing_portal.admin_site.PortalAdminSite"

    def ready(self) -> None:
        """Takes away what allauth registers: addresses are changed with the user, and secrets are nobody's to read."""
        super().ready()
        from allauth.account.models import EmailAddress  # noqa: PLC0415
        from allauth.mfa.models import Authenticator  # noqa: PLC0415
        from django.contrib.admin import site  # noqa: PLC0415

        from accounts.admin.people import SecondFactorAdmin  # noqa: PLC0415

        site.unregister([EmailAddress, Authenticator])
        site.register(Authenticator, SecondFactorAdmin)

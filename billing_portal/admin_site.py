"""The staff pages: Django admin under the portal's own name and colors. Staff sign in where everybody does, so the rate
limits and second factors of that page hold here too."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _


class PortalAdminSite(AdminSite):
    site_title = _("Billing portal staff")
    site_header = _("Billing portal staff")
    index_title = _("Overview")
    site_url = None  # templates/admin/base_site.html has the link, for staff who have a role of their own
    enable_nav_sidebar = False  # the lists of invoices and payments need the width

    def has_permission(self, request: HttpRequest) -> bool:
        """Every staff page asks this first."""
        from accounts.access import lacks_second_factor_of_staff  # noqa: PLC0415  needs the apps to be loaded

        return super().has_permission(request) and not lacks_second_factor_of_staff(request.user)  # type: ignore[arg-type]  # staff are signed in

    def login(self, request: HttpRequest, _extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sends people who are not signed in to the portal's own page, staff without a second factor to where they set
        one up; refuses customers. Django's own form takes a password alone, and would let somebody who is signed in
        become anybody whose password they know, without that person's second factor."""
        from allauth.account.decorators import secure_admin_login  # noqa: PLC0415  needs the apps to be loaded

        response: HttpResponse = secure_admin_login(self._let_in)(request)
        return response

    def _let_in(self, request: HttpRequest) -> HttpResponse:
        """For staff who are signed in."""
        from allauth.account.utils import get_next_redirect_url  # noqa: PLC0415  needs the apps to be loaded

        wanted = get_next_redirect_url(request) or reverse("admin:index")
        if self.has_permission(request):
            return HttpResponseRedirect(wanted)
        return HttpResponseRedirect(f"{reverse('mfa_index')}?{urlencode({'next': wanted})}")

    def password_change(  # type: ignore[override]  # a redirect where Django draws a page
        self, _request: HttpRequest, _extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """On the portal's own page, which counts the tries, writes to the person and ends their sessions."""
        return HttpResponseRedirect(reverse("account_change_password"))


class PortalAdminConfig(AdminConfig):
    default_site = "billing_portal.admin_site.PortalAdminSite"

    def ready(self) -> None:
        """Addresses are changed with the user, and secrets are nobody's to read. The page of a person reaches into
        every app."""
        super().ready()
        from allauth.account.models import EmailAddress  # noqa: PLC0415  needs the apps to be loaded
        from allauth.mfa.models import Authenticator  # noqa: PLC0415  needs the apps to be loaded
        from django.contrib.admin import site  # noqa: PLC0415  needs the apps to be loaded

        from accounts.admin.people import SecondFactorAdmin, name_second_factors  # noqa: PLC0415  needs the apps to be loaded
        from accounts.models import User  # noqa: PLC0415  needs the apps to be loaded
        from billing_portal.personal_data.admin import PersonAdmin  # noqa: PLC0415  needs the apps to be loaded

        site.unregister([EmailAddress, Authenticator, User])
        site.register(Authenticator, SecondFactorAdmin)
        site.register(User, PersonAdmin)
        name_second_factors()

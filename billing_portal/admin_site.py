"""The staff pages: Django admin under the portal's own name."""

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class PortalAdminSite(AdminSite):
    site_title = _("Billing portal staff")
    site_header = _("Billing portal staff")
    index_title = _("Overview")
    site_url = "/"


class PortalAdminConfig(AdminConfig):
    default_site = "billing_portal.admin_site.PortalAdminSite"

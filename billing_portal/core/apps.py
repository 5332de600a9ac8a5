from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _

from billing_portal.core import exact_decimals, spelling


class CoreConfig(AppConfig):
    name = "billing_portal.core"
    label = "core"
    verbose_name = _("Jobs and mail")

    def ready(self) -> None:
        connection_created.connect(spelling.teach_sqlite)
        connection_created.connect(exact_decimals.teach_sqlite)

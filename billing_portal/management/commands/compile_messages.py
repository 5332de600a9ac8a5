"""``manage.py compile_messages``: makes the catalogues of ``locale/`` readable for Django."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from billing_portal.translations import compile_catalogues


class Command(BaseCommand):
    help = "Compiles the catalogues of locale/ that have changed. Needs no gettext tools."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for path in compile_catalogues(settings.BASE_DIR / "locale"):
            self.stdout.write(f"{path.relative_to(settings.BASE_DIR)} written.")

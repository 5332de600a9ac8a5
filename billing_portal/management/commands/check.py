"""``manage.py check``: Django's own, and whether the demo's people are in the database, should that answer."""

from typing import Any

from django.core import checks
from django.core.management.commands.check import Command as DjangoCheck
from django.db import Error

from billing_portal.checks import DEMO
from billing_portal.core.database import why_unreachable


class Command(DjangoCheck):
    def handle(self, *app_labels: Any, **options: Any) -> None:
        if not app_labels and not options["tags"] and not options["list_tags"]:
            self.check(tags=[DEMO], fail_level=getattr(checks, options["fail_level"]))
        try:
            super().handle(*app_labels, **options)
        except Error:
            sentence = why_unreachable()
            if not sentence:
                raise
            self.stderr.write(f"{sentence} What is in it was not checked.")
            super().handle(*app_labels, **options | {"databases": []})

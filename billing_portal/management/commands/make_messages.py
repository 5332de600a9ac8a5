"""``manage.py make_messages``: collects the texts of the source into the catalogues of ``locale/``."""

from typing import Any

from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management.base import BaseCommand

from billing_portal.translations import collect, of_documents, update


class Command(BaseCommand):
    help = "Collects the texts of Python files and templates into locale/. Needs no gettext tools."

    def handle(self, *_args: Any, **_options: Any) -> None:
        locale, texts = settings.BASE_DIR / "locale", collect(settings.BASE_DIR)
        for path in update(locale, texts) + update(locale / "documents", of_documents(texts)):
            with path.open("rb") as file:
                catalogue = read_po(file)
            missing = sum(1 for message in catalogue if message.id and not message.string)
            name = path.relative_to(settings.BASE_DIR)
            self.stdout.write(f"{name}: {len(catalogue)} texts, {missing} to translate.")

"""``manage.py export_person ADDRESS``: what the portal holds about a person, in a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.access import system_access
from accounts.models import User
from billing_portal.personal_data.export import CannotExport, export_person, file_name


class Command(BaseCommand):
    help = "Writes a ZIP file with everything that the portal holds about a person, and nothing about others."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", metavar="ADDRESS", help="email address of the person")
        parser.add_argument("--reason", required=True, help="who asked, when and how; recorded in the audit trail")
        parser.add_argument("--output", type=Path, metavar="FILE", help="where to write; it must not exist yet")

    def handle(self, *_args: Any, address: str, reason: str, output: Path | None, **_options: Any) -> None:
        at = timezone.now()
        user = User.objects.filter(email__iexact=address.strip()).first()
        if user is None:
            raise CommandError(f"Nobody has the address {address}.")
        file = output or Path(file_name(user, at))
        try:
            with file.open("xb") as stream:
                file.chmod(0o600)
                export_person(access=system_access(), user=user, stream=stream, at=at, reason=reason)
        except FileExistsError as taken:
            raise CommandError(f"{file} is there already. Name another file with --output.") from taken
        except CannotExport as refusal:
            file.unlink()
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Written to {file}. Hand it to nobody but the person.")

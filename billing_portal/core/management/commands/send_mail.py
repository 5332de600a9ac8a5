"""``manage.py send_mail``: sends what is due now. The worker does the same by itself."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail


class Command(BaseCommand):
    help = "Sends the mails that are due now. The worker does this by itself every second."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--retry", action="store_true", help="also try the mails again that were given up after too many failures"
        )

    def handle(self, *_args: Any, retry: bool, **_options: Any) -> None:
        at = timezone.now()
        if retry:
            OutgoingMail.objects.filter(sent_at=None, next_try_at=None).update(next_try_at=at, tries=0)
        sent = 0
        while batch := send_due(at=at):
            sent += batch
        waiting = OutgoingMail.objects.filter(sent_at=None).count()
        self.stdout.write(f"{sent} mails sent, {waiting} not yet.")

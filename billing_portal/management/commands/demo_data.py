"""``manage.py demo_data``: something to look at."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import BillingAccount, User
from billing_portal.demo.build import build
from billing_portal.demo.data import PASSWORD, SIGN_INS


class Command(BaseCommand):
    help = "Fills an empty database with a customer in every state and one person for each role."

    def handle(self, *_args: Any, verbosity: int, **_options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Demo data has a public password. It goes into a database with DEBUG on only.")
        if "sandbox" not in settings.PAYMENT_GATEWAYS:
            raise CommandError("Demo data needs the sandbox: PAYMENT_GATEWAYS must name it.")
        if settings.STAFF_SECOND_FACTOR:
            raise CommandError("The staff of the demo sign in with a password alone: set PORTAL_DEMO=true.")
        if User.objects.exists() or BillingAccount.objects.exists():
            raise CommandError("This database holds data already. Demo data goes into an empty one only.")
        build(at=timezone.now())
        if verbosity:
            self.stdout.write(f"Demo data is in. Sign in as {SIGN_INS[0].email} with the password {PASSWORD}.")

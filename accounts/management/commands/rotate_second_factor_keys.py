"""``manage.py rotate_second_factor_keys``: encrypts the secrets of second factors with the newest key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.operations.second_factors import Rotation, rotate_secrets


class Command(BaseCommand):
    help = (
        "Encrypts the secrets of all second factors with the first of PORTAL_SECOND_FACTOR_KEYS. It may be stopped and"
        " started again at any time. When it finds none left to encrypt, the other keys can be taken out."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        done = Rotation()
        for done in rotate_secrets():
            self.stderr.write(f"{done.encrypted + done.kept:,} looked at")
        self.stdout.write(f"{done.encrypted:,} encrypted with the first key, {done.kept:,} were already.")
        if done.unreadable:
            for name in done.unreadable:
                self.stderr.write(f"No key decrypts the {name}.")
            raise CommandError(
                f"Left as they were: {len(done.unreadable):,}. Put the key back with which they were encrypted, or"
                " remove these second factors in the staff pages. Do not take a key out yet."
            )

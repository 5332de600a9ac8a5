"""``manage.py erase_person ADDRESS``: erases a person and keeps the books whole."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.access import system_access
from accounts.models import User
from billing_portal.personal_data.erasure import CannotErase, contacts_of, erase_person, left_of


class Command(BaseCommand):
    help = (
        "Erases what says who a person is: address, name, roles, sign-in, and every text that names them. Payments and"
        " the audit trail stay, without the name. It cannot be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", metavar="ADDRESS", help="email address of the person")
        parser.add_argument("--reason", required=True, help="who asked, when and how; recorded in the audit trail")
        parser.add_argument(
            "--remove-contacts", action="store_true", help="remove the address also where customers get mail at it"
        )
        parser.add_argument("--no-input", action="store_true", help="do not ask first")

    def handle(self, *_args: Any, address: str, reason: str, remove_contacts: bool, no_input: bool, **_: Any) -> None:
        user = User.objects.filter(email__iexact=address.strip()).first()
        if user is None:
            raise CommandError(f"Nobody has the address {address}. Somebody who was erased already has none.")
        contacts = contacts_of(user)
        if not no_input:
            for sentence in left_of(user, contacts=[] if remove_contacts else contacts).sentences():
                self.stdout.write(sentence)
            try:
                answer = input(f"This cannot be undone. Type {user.email} to erase this person: ")
            except EOFError as error:
                raise CommandError("Nobody answers. Nothing was erased; --no-input does not ask.") from error
            if answer.strip() != user.email:
                raise CommandError("Nothing was erased.")
        chosen = [contact.pk for contact in contacts] if remove_contacts else []
        try:
            left = erase_person(
                access=system_access(), user_id=user.pk, reason=reason, contact_ids=chosen, at=timezone.now()
            )
        except CannotErase as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(" ".join([f"Erased. What they did is of erased person {user.pk} now.", *left.sentences()]))

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payments.operations.integrity import check_books


class Command(BaseCommand):
    help = "Prove that payments, allocations, refunds, credits and invoices add up. Exits with 1 when they do not."

    def handle(self, **options: Any) -> None:
        problems = check_books()
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            raise CommandError(f"The books do not add up: {len(problems)} differences. See above; nothing was changed.")
        self.stdout.write("The books add up.")

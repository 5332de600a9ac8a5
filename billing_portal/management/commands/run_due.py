"""``manage.py run_due``: does everything that is due now. Safe to run any time, from several machines at once."""

from argparse import ArgumentParser
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing_portal.core.jobs import run_due_jobs
from billing_portal.jobs import jobs


class Command(BaseCommand):
    help = (
        "Do everything that is due now: close billing periods, charge cards, look payments up, remind, expire, send "
        "mail, tidy. Safe to run at any time and from several machines at once. The worker does the same every minute."
    )
    requires_system_checks = [Tags.security]  # these look into the database as well

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = [job.name for job in jobs()]
        parser.add_argument("--only", action="append", choices=names, metavar="JOB", help=f"of: {', '.join(names)}")

    def handle(self, **options: Any) -> None:
        todo = [job for job in jobs() if not options["only"] or job.name in options["only"]]
        run = run_due_jobs(todo, at=timezone.now(), origin="command")
        for name, count in run.done.items():
            self.stdout.write(f"{name}: {count}")
        if not run.done:
            self.stdout.write("Nothing was due.")
        if run.failed:
            sentences = "; ".join(f"{name} ({problem})" for name, problem in run.failed.items())
            raise CommandError(f"Not all of it could be done, and is still due: {sentences}")

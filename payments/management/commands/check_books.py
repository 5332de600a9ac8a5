from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments.gateways.registry import gateways
from payments.models import GatewayDifference
from payments.operations.comparison import compare_gateway
from payments.operations.gateway_calls import NoAnswer
from payments.operations.integrity import check_books


class Command(BaseCommand):
    help = (
        "Prove that payments, allocations, refunds, credits and invoices add up, and with --gateways that they agree "
        "with the providers' own lists. Exits with 1 when they do not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--gateways",
            action="store_true",
            help="compare with what the providers list; what they know and the portal missed is looked up and booked",
        )
        parser.add_argument("--days", type=int, default=7, help="how many days back to compare (7)")

    def handle(self, **options: Any) -> None:
        problems = _compare(options["days"]) if options["gateways"] else []
        problems += check_books()
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            raise CommandError(f"The books do not add up: {len(problems)} differences. See above.")
        self.stdout.write("The books add up.")


def _compare(days: int) -> list[str]:
    at, problems = timezone.now(), []
    for gateway in gateways():
        try:
            found = compare_gateway(gateway_slug=gateway.slug, since=at - timedelta(days=days), at=at)
        except NoAnswer:
            problems.append(f"{gateway.slug}: it gave no list.")
        else:
            problems += [_sentence(difference) for difference in found if difference.ended_at is None]
    return problems


def _sentence(difference: GatewayDifference) -> str:
    theirs, ours = difference.theirs or "nothing", difference.ours or "nothing"
    return f"{difference.gateway}: {difference.kind} {difference.gateway_id} is {theirs} there and {ours} here."

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.utils import timezone

from billing_portal.core.progress import Bar
from payments.gateways.registry import gateways
from payments.models import GatewayDifference
from payments.operations.comparison import compare_gateway
from payments.operations.gateway_calls import NoAnswer
from payments.operations.integrity import check_books


class Command(BaseCommand):
    help = (
        "Prove that payments, allocations, refunds, credits and invoices add up, and with --gateways that they agree "
        "with the providers' own lists. Exits with 1 when they do not. On a terminal it shows how far it is, in a log "
        "one line for each step."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--gateways",
            action="store_true",
            help="compare with what the providers list; what they know and the portal missed is looked up and booked",
        )
        parser.add_argument("--days", type=int, default=7, help="how many days back to compare (7)")
        parser.add_argument(
            "--since",
            type=_day,
            metavar="YYYY-MM-DD",
            help="prove only what happened since that day, by the seller's clock: the documents issued since, and each "
            "invoice, credit and payment about which something was booked, begun or ended since, with its lines, "
            "entries, parts, refunds, disputes and charges. This leaves out: rows changed by hand about which nothing "
            "was booked since, the fingerprints of earlier documents, how many numbers were given, the balances of "
            "accounts, decisions about checks and wires, charges that wait for an invoice, and the messages, mails and "
            "cards that wait",
        )

    def handle(self, **options: Any) -> None:
        problems = _compare(options["days"]) if options["gateways"] else []
        steps = Steps(self.stderr)
        try:
            problems += check_books(since=options["since"], progress=steps)
        finally:
            steps.end()
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            raise CommandError(f"The books do not add up: {len(problems)} differences. See above.")
        self.stdout.write("The books add up.")


class Steps:
    """A bar for each step, on a terminal; elsewhere a line for each when it is over."""

    def __init__(self, out: OutputWrapper) -> None:
        self.out, self.step, self.done = out, "", 0
        self.bar: Bar | None = None

    def __call__(self, step: str, done: int, whole: int) -> None:
        if step != self.step or self.bar is None:
            self.end()
            self.step, self.bar = step, Bar(self.out, step, whole)
        self.done = done
        self.bar.show(done)

    def end(self) -> None:
        if self.bar is not None:
            self.bar.end()
            if self.done and not self.bar.is_shown:
                self.out.write(f"{self.done:,} {self.step} in {self.bar.seconds:.1f} s", str)
        self.bar = None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no day such as 2026-10-31") from error


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

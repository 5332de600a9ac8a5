from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Min
from django.utils import timezone

from payments.models import Payment, Refund
from payments.operations.card_setups import end_abandoned
from payments.operations.gateway_calls import poll_now
from payments.operations.methods import detach_due
from payments.operations.reconciliation import reconcile
from payments.operations.webhooks import process_deliveries


class Command(BaseCommand):
    help = (
        "Ask the gateways how the payments and refunds ended whose answer is missing, and finish with cards that were "
        "removed or half added. Safe to run at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--all",
            action="store_true",
            help="ask about every open payment and refund now, not only about those whose next look-up has come",
        )

    def handle(self, **options: Any) -> None:
        at = timezone.now()
        if options["all"]:
            for model in (Payment, Refund):
                poll_now(model.objects.filter(next_lookup_at__gt=at), at)
        deliveries = process_deliveries(at=at)
        asked = 0
        while count := reconcile(at=at):
            asked += count
        detach_due(at=at)
        end_abandoned(at=at)
        still = Payment.objects.filter(next_lookup_at__isnull=False).count()
        staff = Payment.objects.filter(needs_staff=True).count()
        self.stdout.write(f"{deliveries} messages processed, {asked} payments and refunds asked about.")
        self.stdout.write(f"{still} payments are still open, {staff} wait for staff.")
        upcoming = Payment.objects.aggregate(next=Min("next_lookup_at"))["next"]
        if upcoming:
            self.stdout.write(f"The next look-up is due in {max(upcoming - at, timedelta())}.")

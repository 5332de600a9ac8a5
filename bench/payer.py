"""One client of the payment benchmark: an invoice manager of a profile of its own, with a card and open invoices."""

from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Barrier
from time import perf_counter
from typing import Any
from uuid import uuid4

from django.db import connection
from django.utils import timezone

from accounts.access import access_of
from accounts.models import BillingProfile, RoleAssignment
from bench.filling import AMOUNT_MINOR
from bench.recording import Recording, bare_connection, record, send
from invoices.models import Invoice
from invoices.money import Money
from payments.models import Payment, PaymentMethod
from payments.models.payments import new_reference
from payments.operations.attempts import pay


class Payer:
    """The calls that `bench.client` serves. Times are those of one clock that all processes share."""

    def __init__(self, *, barrier: Barrier, profile: str, gateway: str) -> None:
        self.barrier = barrier
        self.profile = BillingProfile.objects.select_related("account").get(code=profile)
        user = RoleAssignment.objects.select_related("user").get(profile=self.profile).user
        self.access = access_of(user).inside(self.profile)
        self.method = PaymentMethod.objects.get(profile=self.profile, gateway=gateway)
        self.bare = bare_connection()
        self.recording: Recording | None = None

    def prepare(self, invoice_id: int) -> int:
        """Pays one invoice and takes its statements down. Returns how many there were."""

        def act() -> dict[str, Any]:
            payment = self._pay(invoice_id)
            assert payment.status == "succeeded", payment.status
            return {
                "invoice": invoice_id,
                "number": Invoice.objects.values_list("number", flat=True).get(pk=invoice_id),
                "payment": payment.pk,
                "attempt": payment.attempt_key,
                "reference": payment.reference,
                "gateway_id": payment.gateway_id,
            }

        # The number is read after the second commit, so it stands in a third part of its own, which is no payment's.
        recording = record(act)
        self.recording = Recording(recording.transactions[:2], recording.words)
        return self.recording.queries

    def with_portal(self, invoice_ids: Sequence[int]) -> tuple[float, float]:
        """Pays each invoice. Returns when it began and when it ended."""
        return self._timed(lambda: [self._pay(invoice_id) for invoice_id in invoice_ids])

    def with_bare_statements(self, invoice_ids: Sequence[int]) -> tuple[float, float]:
        """The same by replay; what a replay needs is made before the clock starts."""
        assert self.recording is not None
        numbers = Invoice.objects.in_bulk(invoice_ids)
        payments = [
            self.recording.with_values(
                {
                    "invoice": invoice_id,
                    "number": numbers[invoice_id].number,
                    "payment": uuid4(),
                    "attempt": uuid4(),
                    "reference": new_reference(),
                    "gateway_id": f"null_{uuid4().hex}",
                }
            )
            for invoice_id in invoice_ids
        ]
        return self._timed(lambda: [send(self.bare, transactions) for transactions in payments])

    def commit_only(self, times: int) -> tuple[float, float]:
        """The smallest transaction that reaches the disk, again and again."""
        statement: list[list[Any]] = [[("SELECT pg_logical_emit_message(true, 'bench', 'a few bytes')", ())]]
        return self._timed(lambda: [send(self.bare, statement) for _ in range(times)])

    def close(self) -> None:
        """Ends both connections, so that the server counts what they did."""
        connection.close()
        self.bare.close()

    def _pay(self, invoice_id: int) -> Payment:
        return pay(
            access=self.access,
            invoice_ids=[invoice_id],
            shown=Money(AMOUNT_MINOR, self.profile.currency),
            attempt_key=uuid4(),
            method_id=self.method.pk,
            at=timezone.now(),
            return_url=lambda payment: f"http://testserver/payments/{payment.reference}/return",
        )

    def _timed(self, act: Callable[[], Any]) -> tuple[float, float]:
        self.barrier.wait()
        started = perf_counter()
        act()
        return started, perf_counter()

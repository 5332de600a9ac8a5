"""What people, jobs and the gateway do in the tests of payments."""

from datetime import datetime, timedelta
from threading import Barrier, Thread
from uuid import UUID, uuid4

from django.db import connections

from accounts.access import staff_access
from accounts.models import User
from invoices.models import Invoice
from payments.gateways.registry import get_gateway
from payments.gateways.sandbox.card_payments import customer_of
from payments.gateways.sandbox.models import CardPayment, StoredCard
from payments.models import Payment, PaymentMethod
from payments.operations.attempts import pay
from payments.operations.integrity import check_books
from payments.operations.reconciliation import reconcile
from payments.operations.webhooks import process_deliveries, receive
from tests.factories import NOW, PaymentMethodFactory, UserFactory, access_for
from tests.waiting import PATIENCE


def card(profile, last_four: str = "4242", **fields) -> PaymentMethod:
    """A stored card of the profile that the sandbox treats as the test card with these last digits."""
    fields.setdefault("gateway_method", f"card_{last_four}_{uuid4().hex[:8]}")
    method = PaymentMethodFactory(profile=profile, last_four=last_four, **fields)
    if method.is_expired(NOW.date()):
        tell_sandbox(method)
    return method


def tell_sandbox(method: PaymentMethod) -> None:
    """The sandbox has the card with the expiry that we have; of others it knows nothing, and takes them for good."""
    expiry = {"expiry_month": method.expiry_month, "expiry_year": method.expiry_year}
    defaults = {"customer": customer_of(method.profile.code), **expiry}
    StoredCard.objects.update_or_create(pk=method.gateway_method, defaults=defaults)


def press_pay(
    user: User | None,
    invoice: Invoice,
    method: PaymentMethod | None = None,
    *,
    token: str = "",
    at: datetime = NOW,
    attempt_key: UUID | None = None,
    shown=None,
    access=None,
    **wish,
) -> Payment:
    """One press on Pay now, as the page sends it."""
    invoice.refresh_from_db()
    return pay(
        access=access or access_for(user, invoice.profile),
        invoice_ids=[invoice.pk],
        shown=shown or invoice.amount_due,
        attempt_key=attempt_key or uuid4(),
        method_id=method.pk if method else None,
        card_token=token,
        at=at,
        return_url=lambda payment: f"http://testserver/back/{payment.reference}",
        **wish,
    )


def sandbox():
    return get_gateway("sandbox")


def staff():
    return staff_access(UserFactory(is_staff=True))


def run_reconciler(*minutes_later: float) -> None:
    """The worker's look-ups, once at each of these minutes after NOW."""
    for minutes in minutes_later:
        reconcile(at=NOW + timedelta(minutes=minutes))


def charges(invoice: Invoice) -> list[int]:
    """The amounts that the gateway really took for an invoice."""
    references = Payment.objects.filter(allocations__invoice=invoice).values_list("reference", flat=True)
    taken = CardPayment.objects.filter(reference__in=list(references), state="succeeded").order_by("created_at")
    return list(taken.values_list("amount_minor", flat=True))


def messages() -> list[tuple[bytes, dict[str, str]]]:
    """What the gateway has to tell the portal, in the order it would."""
    return sandbox().take_deliveries()


def deliver(*parcels: tuple[bytes, dict[str, str]], at: datetime = NOW) -> None:
    """Messages arrive at the portal and are worked on."""
    for body, headers in parcels or messages():
        receive(gateway_slug="sandbox", body=body, headers=headers, at=at)
    process_deliveries(at=at)


def state(invoice: Invoice) -> tuple[str, int, int]:
    """Status, paid, and amount due as they stand in the database."""
    invoice.refresh_from_db()
    return invoice.status, invoice.paid_minor, invoice.amount_due_minor


def books_are_clean() -> bool:
    problems = check_books()
    assert problems == [], problems
    return True


def at_once(*acts):
    """Runs every act in a thread of its own, all released together. Returns what each returned or raised."""
    barrier, results = Barrier(len(acts)), [None] * len(acts)

    def run(index, act):
        barrier.wait()
        try:
            results[index] = act()
        except Exception as problem:
            results[index] = problem
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(index, act)) for index, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "it waits for ever"
    return results

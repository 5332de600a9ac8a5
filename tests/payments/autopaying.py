"""What the clock does in the tests of automatic charges."""

from datetime import timedelta

from billing_portal.core.models import OutgoingMail
from payments.models import AutomaticCharge, Payment
from payments.operations.autopay import charge_due
from tests.factories import NOW

# Issued on 26 October and charged three days later.
CHARGED = NOW + timedelta(days=3)


def run(at=CHARGED, *, limit=20) -> int:
    """The clock's job until nothing is left. Returns how much it did."""
    done = 0
    while found := charge_due(at=at, limit=limit):
        done += found
    return done


def plan(invoice) -> AutomaticCharge:
    return AutomaticCharge.objects.get(invoice=invoice)


def story(invoice) -> tuple[str, str, int]:
    """How the plan of an invoice stands: state, reason, tries."""
    charge = plan(invoice)
    return charge.status, charge.stopped_because, charge.tries


def planned_on(invoice):
    invoice.refresh_from_db()
    return invoice.autopay_on


def tried(invoice) -> list[tuple[str, str]]:
    """The card and the end of each automatic attempt, in order."""
    rows = Payment.objects.filter(allocations__invoice=invoice, is_automatic=True).order_by("allocations__pk")
    return list(rows.values_list("card_last_four", "status"))


def mails(template: str = "") -> list[str]:
    """The templates of the mails that were asked for, or who got the one of this name."""
    rows = OutgoingMail.objects.order_by("pk")
    if template:
        return list(rows.filter(template=template).values_list("to", flat=True))
    return list(rows.values_list("template", flat=True))

"""Books with a bit of everything, for the tests of their proof."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from accounts.access import system_access
from accounts.models import WireRequest
from accounts.operations.profiles import close_profile
from accounts.operations.wire import decide_wire_request, request_wire
from billing_portal.core.models import JobRun
from invoices.models import ExchangeRate, Invoice, InvoiceLine, LedgerAccount, RemittanceAccount
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.credits import expire_credits
from invoices.operations.document_archive import keep_document
from invoices.operations.issuing import compute_sums, issue_invoices
from invoices.operations.voiding import void
from invoices.operations.write_offs import write_off_rest
from payments.gateways.base import Outcome, Result
from payments.models import (
    BooksCheck,
    CardHold,
    GatewayComparison,
    GatewayDifference,
    PaymentEvent,
)
from payments.operations import integrity
from payments.operations.manual_payments import record_payment
from payments.operations.methods import remove_method
from payments.operations.payouts import record_payout
from payments.operations.proofs import Proof, prove
from payments.operations.refunds import refund
from payments.operations.settlement import settle
from payments.statements import heading_of, statement_of
from tests.factories import (
    NOW,
    BillingProfileFactory,
    SellerFactory,
    access_for,
    billed_until,
    draft,
    exchange_rate,
    granted,
    issued,
    member,
    tax_rate,
    taxed,
)
from tests.invoices.billing_runs import NOVEMBER, billed_profile, charged, noon
from tests.invoices.billing_runs import run as close_periods
from tests.payments.acts import card, deliver, press_pay, sandbox, staff
from tests.payments.adding import add
from tests.payments.autopaying import CHARGED, run

WIRE_FACTS = {
    "legal_name": "Example Trading B.V.", "registration_number": "00000000", "monthly_amount": "EUR 2,500",
    "contact_name": "Accounts payable", "contact_email": "payable@example.com", "contact_phone": "",
    "reason": "We pay all suppliers by wire.",
}  # fmt: skip


def fill(profile, payer) -> None:
    """Paid, partly refunded, declined, waiting, a credit, an open invoice, disputes that are open, lost and won."""
    paid = press_pay(payer, issued(profile), card(profile))
    pay_back(paid, 100)
    press_pay(payer, issued(profile), card(profile, "0002"))
    press_pay(payer, issued(profile), card(profile, "3184"))
    record_payment(
        access=staff(),
        invoice_id=issued(profile).pk,
        amount=Money(12500, "EUR"),
        channel="check",
        bank_reference="CHECK-1",
        received_on=NOW.date(),
        attempt_key=uuid4(),
        at=NOW,
    )
    issued(profile)
    granted(profile, 700)
    void(access=staff(), invoice_id=issued(profile).pk, reason="Sent twice", at=NOW)
    note_of(issued(profile), 2000)
    note_of(Invoice.objects.filter(status="paid").first(), 300)
    granted(profile, 100, expires_on=NOW.date())
    billed_until(profile, NOW.date() + timedelta(days=1))
    expire_credits(at=NOW + timedelta(days=2))
    for decided in (None, "lost", "won"):
        disputed = press_pay(payer, issued(profile), card(profile))
        dispute_id = sandbox().operator.dispute(disputed.gateway_id, 4000)
        if decided:
            sandbox().operator.decide(dispute_id, decided)
    deliver()
    granted(profile, 900)


def fill_everything(profile, payer) -> None:
    """The same, and rows in every other table of money."""
    fill(profile, payer)
    settle(
        payment_id=press_pay(payer, issued(profile), token="tok_3155_x").pk,
        outcome=Outcome(Result.SUCCEEDED, amount=Money(10000, "EUR")), source=PaymentEvent.Source.WEBHOOK, at=NOW,
    )  # fmt: skip
    press_pay(payer, issued(profile), card(profile, "3155"))
    # A refund that fails, and one from our bank.
    failing = press_pay(payer, issued(profile), card(profile, "5126"))
    sandbox().faults.arm("drop_before", on="refund", times=2)
    pay_back(failing, 2000)
    pay_back(record_wire(issued(profile)), 500, bank_reference="BANK-7", paid_on=NOW.date())
    note_of(issued(profile, "100.00", tax_rate="21"), 2000)
    small = issued(profile, "0.30")
    write_off_rest(access=staff(), invoice_id=small.pk, shown=small.amount_due, reason="Too small", at=NOW)
    exchange_rate("USD")
    issued(BillingProfileFactory(currency="USD"), "100.00", tax_rate="21")
    _close_periods()
    _close_a_profile()
    _import_history(profile)
    _charge_automatically()
    _ask_for_wire()
    _hand_out(profile)
    owner = member(profile, "profile_owner")
    remove_method(access=access_for(owner, profile), method_id=card(profile).pk, at=NOW)
    add(access_for(owner, profile), "3155")
    granted(profile, 300)
    RemittanceAccount.objects.create(
        seller=SellerFactory(),
        currency="EUR",
        valid_from_on=date(2026, 1, 1),
        account_holder="Us",
        iban="NL53EXAM0000000000",
    )
    ExchangeRate.objects.create(
        from_currency="EUR", to_currency="USD", quoted_on=date(2026, 10, 5), rate="1.0850", source="ECB"
    )
    record_payout(
        access=staff(), gateway="sandbox", amount=Money(20000, "EUR"), fees=Money(150, "EUR"), paid_on=NOW.date(),
        reference="po_1", at=NOW,
    )  # fmt: skip
    LedgerAccount.objects.create(account="revenue", code="8000")
    BooksCheck.objects.create(day=NOW.date(), started_at=NOW, finished_at=NOW)
    GatewayComparison.objects.create(gateway="sandbox", next_at=NOW)
    GatewayDifference.objects.create(gateway="sandbox", kind="clock", theirs="later", ours="sooner", found_at=NOW)
    CardHold.objects.create(profile=profile, reason="failed", tries=9, since=NOW, until=NOW + timedelta(hours=1))
    JobRun.objects.create(started_at=NOW, origin="test")


class SomethingIsWrong(Exception):
    """Carries the first sentence of a proof."""


def is_named(table: str, **options) -> bool:
    """Whether `check_books` says anything. Its first sentence is enough, and what is proven of ``table`` goes first, as
    the likeliest to find what was changed there: the whole proof takes four times as long."""

    def stopping(wrong):
        def find(*given, **named):
            for sentence in wrong(*given, **named):
                raise SomethingIsWrong(sentence)
            return ()

        return find

    def prove_own_table_first(proofs, **named):
        own_first = sorted(proofs, key=lambda proof: proof.model._meta.db_table != table)
        return prove([Proof(proof.model, stopping(proof.wrong)) for proof in own_first], **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(integrity, "prove", prove_own_table_first)
        for name in ("wrong_documents", "wrong_balances", "wrong_decisions"):
            patch.setattr(integrity, name, stopping(getattr(integrity, name)))
        try:
            return bool(integrity.check_books(**options))
        except SomethingIsWrong:
            return True


def pay_back(payment, minor: int, **fields):
    return refund(
        access=staff(), payment_id=payment.pk, amount=Money(minor, "EUR"), reason="Goodwill", attempt_key=uuid4(),
        **{"at": NOW, **fields},
    )  # fmt: skip


def record_wire(invoice):
    return record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(12000, "EUR"), channel="wire", bank_reference="WIRE-1",
        received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip


def note_of(invoice, minor):
    credit_note(
        access=staff(), invoice_id=invoice.pk, amounts={invoice.lines.get().pk: minor}, reason="Billed too much",
        today=NOW.date(), at=NOW,
    )  # fmt: skip


def _close_periods() -> None:
    """A period with charges, one without, and a charge that waits."""
    profile = billed_profile(charges_automatically=False, mails_invoices=False)
    for day in (6, 7):
        charged(profile, on=date(2026, 10, day), quantity=Decimal(2))
    exempt = tax_rate(name="Exempt", tax_category="E", exemption_reason="Article 132", exemption_code="VATEX-EU-132-1F")
    charged(profile, on=date(2026, 10, 8), description="Lessons", tax_rate=exempt)
    charged(
        profile, "0.004", on=date(2026, 10, 9), quantity=Decimal(1000), description="Requests", tax_rate=tax_rate("21")
    )
    close_periods(noon(2026, 12, 5))
    charged(profile, on=date(2026, 12, 6))


def _close_a_profile() -> None:
    """Its returns carried once, and then made a credit."""
    profile = billed_profile()
    charged(profile, "-10", on=date(2026, 10, 6), tax_rate=tax_rate("21"))
    close_periods(NOVEMBER, only=profile)
    charged(profile, "-20", on=date(2026, 11, 6), tax_rate=tax_rate("21"))
    close_profile(access=staff(), profile_id=profile.pk, at=noon(2026, 11, 10))


def _import_history(profile) -> None:
    """An invoice with the number of another system, half paid there."""
    old = Invoice(
        profile=profile, currency="EUR", issued_on=date(2026, 9, 1), number="OLD-1", is_numbered_elsewhere=True,
        source_reference="OLD-1", paid_minor=6000, paid_before_minor=6000, paid_before_on=date(2026, 9, 20),
    )  # fmt: skip
    lines = [InvoiceLine(invoice=old, position=1, description="Hosting", unit_price=Decimal(120), **taxed())]
    compute_sums(old, lines)
    issue_invoices([old], lines, access=system_access(), at=NOW)


def _charge_automatically() -> None:
    """Plans that are done, stopped, planned again, and one that is not taken up yet."""
    for last_four in ("4242", "9979", "9995"):
        profile = BillingProfileFactory()
        card(profile, last_four, is_default=True)
        issued(profile)
    run(CHARGED)
    issued(profile)


def _ask_for_wire() -> None:
    for approve in (True, None):
        profile = BillingProfileFactory()
        request_wire(
            access=access_for(member(profile, "profile_owner"), profile),
            profile_id=profile.pk,
            facts=WIRE_FACTS,
            at=NOW,
        )
        if approve:
            request = WireRequest.objects.get(profile=profile)
            decide_wire_request(access=staff(), request_id=request.pk, approve=True, answer="Known well.", at=NOW)


def _hand_out(profile) -> None:
    """A statement of a month that is over, a PDF, and a draft."""
    heading_of(statement_of(profile, date(2026, 9, 1), date(2026, 9, 30)), at=NOW)
    open_invoice = Invoice.objects.filter(status="open").first()
    keep_document(open_invoice, kind="pdf", language="en", content=b"%PDF", at=NOW)
    draft(profile)

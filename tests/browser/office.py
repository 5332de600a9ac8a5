"""What staff find on a busy day: rows of every model that has staff pages, in every state that looks different."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

from allauth.mfa.models import Authenticator
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from accounts.access import system_access
from accounts.models import AuditEntry, BillingContact, BillingProfile, InvoiceSection, TaxId, User, WireRequest
from billing_portal.core.models import JobRun
from invoices.models import Credit, Delivery, ExchangeRate, Invoice, LedgerAccount, RemittanceAccount
from invoices.money import Money
from invoices.operations.closing import close_due
from invoices.operations.credits import add_credit
from invoices.operations.voiding import void
from payments.gateways.base import Outcome, Result
from payments.models import AutomaticCharge, BooksCheck, CardHold, GatewayDifference, MethodSetup, Payment, Refund
from payments.operations.manual_payments import record_payment
from payments.operations.methods import remove_method
from payments.operations.payouts import record_payout, take_back_payout
from payments.operations.refunds import adopt_refund, refund
from tests.factories import NOW, BillingProfileFactory, SellerFactory, UserFactory, draft, issued, member, tax_rate
from tests.invoices.billing_runs import charged
from tests.payments.acts import card, deliver, press_pay, sandbox, staff

LONG_EMAIL = "accounts-receivable.north-sea-region@example.com"
LONG = "Operations and Maintenance of the North Sea Region, Department of Procurement"


def busy_day(**fields) -> User:
    """Fills the database. Returns the superuser who looks at it."""
    boss = UserFactory(is_staff=True, is_superuser=True, email=LONG_EMAIL, **fields)
    clerks = Group.objects.create(name="Clerks")
    clerks.permissions.set(Permission.objects.filter(codename__startswith="view_"))
    UserFactory(is_staff=True).groups.add(clerks)
    UserFactory(is_active=False)
    profile = BillingProfileFactory(street="Voorbeeldstraat 1", city="Amsterdam", po_number="PO-2026-0001")
    BillingProfileFactory(account=profile.account, name=LONG, company=LONG, currency="JPY", status="disabled")
    BillingProfileFactory(account=profile.account, status="held", hold_reason=LONG, held_at=NOW)
    TaxId.objects.create(account=profile.account, value="NL000099998B57")
    section = InvoiceSection.objects.create(profile=profile, name="Web shop")
    member(profile.account, "account_owner")
    member(section, "section_owner")
    payer = member(profile, "invoice_manager", name="Accounts payable, North Sea")
    Authenticator.objects.create(user=payer, type="totp", data={})
    CardHold.objects.create(
        person=payer, reason="failed", tries=10, since=NOW, until=timezone.now() + timedelta(hours=1)
    )
    invoices = invoices_in_every_state(profile, section)
    delivered_in_every_way(invoices)
    charges_in_every_state(profile)
    payments_in_every_state(profile, payer)
    trouble = {"mail": "ConnectionRefusedError: the mail server at mail.example.com did not answer within 20 seconds"}
    JobRun.objects.create(started_at=NOW, finished_at=NOW, origin="worker", done={"mail": 12}, failed=trouble)
    JobRun.objects.create(started_at=NOW, origin="command")
    proofs_of_the_books()
    LedgerAccount.objects.create(account="receivable", code="400000")
    differing_from_the_provider(boss)
    paid_out_by_the_provider()
    paying_by_wire(profile, payer)
    charged_by_itself(profile)
    add_credit(
        profile=profile, amount=Money(7500, "EUR"), source=Credit.Source.GOODWILL, description=LONG, at=NOW,
        starts_on=date(2099, 1, 1),
    )  # fmt: skip
    AuditEntry.objects.create(
        at=NOW, actor=boss, action="user.changed", subject=LONG_EMAIL, person=payer, ip_address="2001:db8::8a2e:370",
        browser="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        detail={"before": {"email": LONG_EMAIL, "groups": []}, "after": {"email": LONG_EMAIL, "groups": ["Clerks"]}},
    )  # fmt: skip
    log = LogEntry.objects.log_actions
    log(boss.pk, invoices, CHANGE, [{"changed": {"fields": ["PO number"]}}])
    return boss


def invoices_in_every_state(profile, section) -> list[Invoice]:
    written = draft(profile, period_start_on=date(2026, 9, 1), period_end_on=date(2026, 9, 30))
    written.lines.update(section=section)
    Invoice.objects.create(profile=profile, currency="EUR", kind="marketplace")
    issued(profile)
    issued(profile, "3.00", kind="support")  # little enough to be written off
    late = issued(profile, due_on=date(2026, 10, 1))
    gone = issued(profile)
    void(access=system_access(profile), invoice_id=gone.pk, reason="Billed twice by mistake", at=NOW)
    return [written, late, gone]


def delivered_in_every_way(invoices: list[Invoice]) -> None:
    """One that arrived, and one that the buyer sent back."""
    _written, late, gone = invoices
    for invoice, channel, status, reason in ((late, "mail", "sent", ""), (gone, "peppol", "rejected", LONG)):
        Delivery.objects.create(
            invoice=invoice, channel=channel, status=status, reason=reason, message_id=uuid4(), created_at=NOW,
            recipient="2" if channel == "mail" else "0106:00000001", sent_at=NOW, needs_staff=status == "rejected",
            contradiction=LONG if status == "rejected" else "",
        )  # fmt: skip


def charges_in_every_state(profile) -> None:
    """One on an invoice, one that waits, a return, and the periods that closed."""
    rate = tax_rate("21", name="VAT high")
    exempt = tax_rate(name="Exempt", tax_category="E", exemption_reason=LONG, exemption_code="VATEX-EU-132-1F")
    BillingProfile.objects.filter(pk=profile.pk).update(
        created_at=NOW, billed_until_on=date(2026, 9, 5), next_invoice_on=date(2026, 10, 5)
    )
    charged(profile, "0.125", on=date(2026, 9, 30), quantity=Decimal(744), unit="HUR", tax_rate=rate)
    close_due(at=NOW)
    charged(profile, "12.50", on=date(2026, 10, 20), kind="one_off", source_reference="USE-2026-10-0001")
    charged(profile, "-2.50", on=date(2026, 10, 21))
    charged(profile, "0.0000000125", on=date(2026, 10, 22), quantity=Decimal("744.123456789012"), tax_rate=exempt)


def differing_from_the_provider(boss) -> None:
    """A payment that waits for staff, another that is done, and a clock."""
    about = {"gateway": "sandbox", "found_at": NOW}
    payment = Payment.objects.filter(channel="card").first()
    GatewayDifference.objects.create(
        kind="payment", gateway_id="pay_0001", payment=payment, theirs="120.00 EUR succeeded", **about
    )
    GatewayDifference.objects.create(
        kind="refund", gateway_id="ref_0001", ours="5.00 EUR succeeded", ended_at=NOW, ended_by=boss, note=LONG, **about
    )
    GatewayDifference.objects.create(kind="clock", theirs="2 minutes ahead", **about)


def paid_out_by_the_provider() -> None:
    """Payouts in two currencies, and one that was taken back."""
    facts = {"access": staff(), "gateway": "sandbox", "paid_on": NOW.date(), "at": NOW}
    for currency in ("EUR", "USD", "JPY"):
        payout = record_payout(
            amount=Money(7000, currency), fees=Money(150, currency), reference=f"po_{currency}_{LONG[:40]}", **facts
        )
    take_back_payout(access=facts["access"], payout_id=payout.pk, reason=LONG[:200], at=NOW)


def proofs_of_the_books() -> None:
    """One that found nothing, one that found differences, and one that has not ended."""
    wrong = [
        f"Invoice INV-2026-00000{number}: 12000 of 12000 is left to pay, in the ledger 0 of 12000." for number in (1, 2)
    ]
    for days, rest in ((2, {"finished_at": NOW}), (1, {"finished_at": NOW, "problems": wrong}), (0, {})):
        BooksCheck.objects.create(day=NOW.date() - timedelta(days=days), started_at=NOW, **rest)


def charged_by_itself(profile) -> None:
    """One plan that goes on, and one that has stopped."""
    for status, reason in (("planned", ""), ("stopped", "used_up")):
        invoice = issued(profile)
        AutomaticCharge.objects.create(
            invoice=invoice, profile=profile, status=status, stopped_because=reason, tries=3, created_at=NOW,
            changed_at=NOW,
        )  # fmt: skip


def paying_by_wire(profile, payer) -> None:
    """A request that waits and one that was declined, somebody to write to, and an account of ours."""
    facts = {"legal_name": LONG, "registration_number": "00000000", "monthly_amount": "EUR 2,500", "reason": "Policy"}
    who = {"requested_at": NOW, "requested_by": payer, "contact_name": "Payable", "contact_email": LONG_EMAIL}
    WireRequest.objects.create(profile=profile, **facts, **who)
    WireRequest.objects.create(
        profile=profile,
        status="declined",
        decided_at=NOW,
        decided_by=payer,
        answer="Too new a customer.",
        **facts,
        **who,
    )
    BillingContact.objects.create(profile=profile, name="Accounts payable", email=LONG_EMAIL)
    ExchangeRate.objects.create(
        from_currency="EUR", to_currency="USD", quoted_on=date(2026, 10, 26), rate=Decimal("1.0850"), source=LONG[:60]
    )
    RemittanceAccount.objects.create(
        seller=SellerFactory(),
        currency="EUR",
        valid_from_on=date(2026, 1, 1),
        account_holder=LONG[:70],
        iban="NL53EXAM0000000000",
    )


def payments_in_every_state(profile, payer) -> None:
    good = card(profile, is_default=True)
    card(profile, expiry_month=1, expiry_year=2024)
    removed = card(profile, "0341")
    remove_method(access=staff(), method_id=removed.pk, at=NOW)
    MethodSetup.objects.create(profile=profile, gateway="sandbox", created_at=NOW, created_by=payer)
    disputes_in_every_state(payer, profile, good)
    press_pay(payer, issued(profile), card(profile, "0002"))
    press_pay(payer, issued(profile), card(profile, "3184"))
    paid = press_pay(payer, issued(profile), good)
    for amount, at in ((2000, NOW), (1000, NOW + timedelta(days=1))):
        refund(
            access=staff(), payment_id=paid.pk, amount=Money(amount, "EUR"), reason="Goodwill",
            attempt_key=uuid4(), at=at,
        )  # fmt: skip
    refunded_elsewhere(press_pay(payer, issued(profile), good), 15000)
    Refund.objects.filter(missing_minor__gt=0).update(needs_staff=True)  # a state of its own
    deliver()
    record_payment(
        access=staff(), invoice_id=issued(profile).pk, amount=Money(15000, "EUR"), channel="wire",
        bank_reference="STATEMENT-7 LINE-3", received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip
    sandbox().faults.arm("other_amount", value=100)
    press_pay(payer, issued(profile), good)
    sandbox().faults.arm("drop_after")
    unanswered = press_pay(payer, issued(profile), good)
    Payment.objects.filter(pk=unanswered.pk).update(next_lookup_at=None, needs_staff=True)


def refunded_elsewhere(payment: Payment, minor: int) -> None:
    """Refunded at the provider, perhaps more than there was."""
    outcome = Outcome(Result.SUCCEEDED, amount=Money(minor, "EUR"), gateway_id=f"re_{uuid4().hex}")
    adopt_refund(payment_id=payment.pk, gateway_id=outcome.gateway_id, outcome=outcome, at=NOW)


def disputes_in_every_state(payer, profile, good) -> None:
    desk = sandbox().operator
    for decided in ("", "won", "lost"):
        disputed = press_pay(payer, issued(profile), good)
        dispute_id = desk.dispute(disputed.gateway_id)
        deliver()
        # So that it does not stand for those payments that can be refunded.
        Payment.objects.filter(pk=disputed.pk).update(save_method=True)
        if decided == "lost":
            refunded_elsewhere(disputed, 2000)  # so the bank takes more than is left
        if decided:
            desk.decide(dispute_id, decided)
            deliver()

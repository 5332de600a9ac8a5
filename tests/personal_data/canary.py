"""Somebody who has done everything a person can do here, so that their name has come to stand wherever it may."""

from datetime import timedelta

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.access import staff_access, system_access
from accounts.models import EmailChange, User, WireRequest
from accounts.operations.contacts import add_contact
from accounts.operations.roles import grant_role
from accounts.operations.wire import decide_wire_request
from accounts.roles import Role
from billing_portal.core.mail import send_due
from billing_portal.core.models import JobRun, OutgoingMail
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.voiding import void
from payments.models import Payment
from payments.operations.refunds import refund
from tests.factories import BillingProfileFactory, UserFactory, access_for, issued, member
from tests.payments.acts import card, deliver
from tests.payments.adding import add
from tests.payments.pages import filled_in, pay_url

ADDRESS, NAME, PHONE = "zoe.kanarie@example.com", "Zoë Kanarie", "+31 20 555 0199"
PENDING, FORMER = "zoe@new.example.com", "z.kanarie@old.example.com"
IP, BROWSER, PASSWORD = "203.0.113.7", "CanaryBrowser/1.0", "a-long-enough-password"
TRACES = (ADDRESS, NAME, PHONE, PENDING, FORMER, IP, BROWSER)


class Canary:
    """``user`` holds roles on ``profile`` and its account; ``colleague`` owns both besides, ``boss`` is a superuser."""

    def __init__(self) -> None:
        cache.clear()  # how often somebody tried to sign in
        self.profile = BillingProfileFactory()
        self.boss = UserFactory(is_staff=True, is_superuser=True, email="boss@example.com")
        self.colleague = member(self.profile, "profile_owner", email="colleague@example.com", name="Piet Collega")
        self.user = UserFactory(email=ADDRESS, name=NAME)
        self.user.set_password(PASSWORD)
        self.user.save()
        EmailAddress.objects.create(user=self.user, email=ADDRESS, verified=True, primary=True)
        Authenticator.objects.create(user=self.user, type="webauthn", data={"name": f"Key of {NAME}"})
        self.staff = staff_access(self.boss)
        for role in (Role.PROFILE_OWNER, Role.INVOICE_MANAGER):
            self.grant(role, self.profile)
        self.grant(Role.ACCOUNT_READER, self.profile.account)
        self.browser = self.signed_in()
        self.pays()
        self.asks_for_wire()
        self.is_written_about()

    def grant(self, role, place) -> None:
        grant_role(access=self.staff, user=self.user, role=role, place=place, at=timezone.now())

    def signed_in(self) -> Client:
        """First with a wrong password. The second factor is left out, whose browser would be needed for it."""
        browser = Client(headers={"user-agent": BROWSER}, REMOTE_ADDR=IP)
        browser.post(reverse("account_login"), {"login": ADDRESS, "password": "not the password"})
        keys = Authenticator.objects.filter(user=self.user)
        kept = keys.values().get()
        keys.delete()
        browser.post(reverse("account_login"), {"login": ADDRESS, "password": PASSWORD})
        Authenticator.objects.create(**kept)
        assert browser.session["_auth_user_id"] == str(self.user.pk)
        browser.post(reverse("preferences"), {"language": "nl"})
        browser.get(reverse("accounts:properties", args=[self.profile.code]))
        assert browser.post("/billing-accounts/none/").status_code in (404, 405)
        return browser

    def pays(self) -> None:
        """A card that works and is kept, one that is declined, one added without paying; then some goes back."""
        self.paid, refused = issued(self.profile), issued(self.profile)
        self.browser.post(pay_url(self.paid), filled_in(self.paid, save_method="on"))
        self.browser.post(pay_url(refused), filled_in(refused, card_token="tok_9995_canary"))
        add(access_for(self.user, self.profile), at=timezone.now())
        self.payment = Payment.objects.get(status="succeeded")
        assert self.payment.started_by == self.user
        refund(
            access=self.staff, payment_id=self.payment.pk, amount=Money(2000, "EUR"), reason=f"{NAME} asked for it",
            attempt_key=self.payment.attempt_key, at=timezone.now(),
        )  # fmt: skip
        deliver(at=timezone.now())

    def asks_for_wire(self) -> None:
        """Declined once, by a letter; approved the second time, which makes the address a contact."""
        facts = {
            "legal_name": "Example Trading B.V.",
            "registration_number": "00000000",
            "monthly_amount": "EUR 2,500",
            "contact_name": NAME,
            "contact_email": ADDRESS,
            "contact_phone": PHONE,
            "reason": f"Ask {NAME}",
        }
        page = reverse("accounts:wire_request", args=[self.profile.code])
        for approve in (False, True):
            assert self.browser.post(page, facts).status_code == 302
            asked = WireRequest.objects.get(status="open")
            decide_wire_request(
                access=self.staff, request_id=asked.pk, approve=approve, answer=f"Dear {NAME}", at=timezone.now()
            )
        assert self.profile.contacts.get().email == ADDRESS

    def is_written_about(self) -> None:
        at = timezone.now()
        EmailChange.objects.create(
            user=self.user, email=PENDING, requested_at=at, requested_by=self.user, expires_at=at + timedelta(days=1)
        )
        audit.record(
            access=system_access(), at=at, action="user.email_changed", subject=FORMER, person=self.user, before=FORMER,
            after=ADDRESS, by=[f"{NAME} <{ADDRESS}>"], attempts=3,
        )  # fmt: skip
        other = BillingProfileFactory(account=self.profile.account, name="Operations UK")
        add_contact(access=self.staff, profile_id=other.pk, name=NAME, email=ADDRESS, language="nl", at=at)
        gone = issued(self.profile)
        void(access=self.staff, invoice_id=gone.pk, reason=f"Agreed with {ADDRESS.upper()}", at=at)
        JobRun.objects.create(started_at=at, origin="worker", failed={"mail": f"refused: {ADDRESS}"})
        desk = Client()
        desk.force_login(self.boss)
        changed = desk.post(
            reverse("admin:accounts_user_change", args=[self.user.pk]),
            {"email": ADDRESS, "name": NAME, "language": "nl", "is_active": "on", "theme": "dark",
             "assignments-TOTAL_FORMS": 0, "assignments-INITIAL_FORMS": 0},
        )  # fmt: skip
        assert changed.status_code == 302
        send_due(at=timezone.now(), limit=100)
        OutgoingMail.objects.create(
            key="waits", to=ADDRESS, language="nl", template="reminder", context={"dear": NAME}, created_at=at,
            next_try_at=at + timedelta(days=1), last_error=f"550 {ADDRESS}",
        )  # fmt: skip
        card(self.profile, "0341")
        self.user = User.objects.get(pk=self.user.pk)
        assert Invoice.objects.filter(payment_started_by=self.user, payment_started_at__isnull=False).count() == 0


def text_columns() -> list[tuple[str, str]]:
    """Every column of every table that can hold a text, as the database itself lists them."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND data_type IN ('character varying', 'text', 'jsonb', 'json', 'character', 'inet')"
            )
            return cursor.fetchall()
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        tables = [name for (name,) in cursor.fetchall()]
        found = []
        for table in tables:
            cursor.execute(f'PRAGMA table_info("{table}")')
            found += [(table, row[1]) for row in cursor.fetchall()]
        return found


def places_of(*words: str) -> set[str]:
    """Where the database holds one of these, as ``table.column: word``; also in sessions, which are packed."""
    found = set()
    spellings = {spelling: word for word in words for spelling in (word, escaped(word))}
    with connection.cursor() as cursor:
        for table, column in text_columns():
            for spelling, word in spellings.items():
                cursor.execute(
                    f'SELECT 1 FROM "{table}" WHERE lower(CAST("{column}" AS text)) LIKE %s LIMIT 1',
                    [f"%{spelling.lower()}%"],
                )
                if cursor.fetchone():
                    found.add(f"{table}.{column}: {word}")
    for session in Session.objects.all():
        found |= {f"session: {word}" for word in words if word in str(session.get_decoded())}
    return found


def escaped(word: str) -> str:
    """As JSON has it on SQLite."""
    return word.encode("ascii", "backslashreplace").decode().replace("\\xeb", "\\u00eb")

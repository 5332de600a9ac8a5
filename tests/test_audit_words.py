"""Every action that the code can write has words, in every language of the portal, and so has what its entry keeps."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.html import strip_tags

from accounts.admin.base import SECRET
from accounts.audit_words import (
    ACTIONS,
    FACTS,
    PERSONAL,
    WORDS,
    Kind,
    action_in_words,
    actions_of,
    browser_in_words,
    detail_in_words,
    kind_of,
    thing_of,
)
from accounts.models import AuditEntry, BillingProfile, WireRequest
from billing_portal.security_events import BLOCKED_ON
from payments.states import DisputeStatus, PaymentStatus, RefundStatus
from tests.factories import NOW, BillingProfileFactory, UserFactory
from tests.personal_data.canary import Canary

ROOT = Path(__file__).resolve().parent.parent
APPS = ("billing_portal", "accounts", "invoices", "payments")
# The functions that write an entry: `audit.record`, and those by which a module calls it.
RECORDERS = {"record", "_record", "record_audit", "_record_attempt", "attempts_blocked"}
# What the parts that are computed can be: the status something comes to.
COMPUTED = {
    "wire.{}": {WireRequest.Status.APPROVED, WireRequest.Status.DECLINED},
    "profile.{}": {"restored", "released", *(set(BillingProfile.Status) - {BillingProfile.Status.ACTIVE})},
    "payment.{}": {
        PaymentStatus.MISMATCH, PaymentStatus.SUCCEEDED, PaymentStatus.DECLINED, PaymentStatus.EXPIRED,
        PaymentStatus.NOT_SENT,
    },
    "payment.mismatch_{}": {"accepted", "refused"},
    "refund.{}": set(RefundStatus) - {RefundStatus.CREATED},
    "dispute.{}": set(DisputeStatus),
    "{}.blocked": {*BLOCKED_ON.values(), "second_factor", "request"},
}  # fmt: skip
# Of changes by staff, whose words come from the name of the model.
FROM_MODELS = {"{}.{}", "{}.deleted"}


def trees() -> Iterator[ast.Module]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if path.name != "audit_words.py" and not {"migrations", "gateways", "management"} & set(path.parts):
                yield ast.parse(path.read_text())


def texts_in(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can be, with ``{}`` for what is computed."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from texts_in(one)
            yield from texts_in(other)


def is_action(text: str) -> bool:
    return "." in text and " " not in text and all(part for part in text.split("."))


@cache
def columns() -> set[str]:
    """``charge.description`` and ``profile.currency``: what queries call a column, by its table or a key to that."""
    tables = {(thing_of(model), model) for model in apps.get_models()}
    tables |= {
        (field.name, field.related_model)
        for _name, model in tables
        for field in model._meta.concrete_fields
        if field.is_relation
    }
    return {
        f"{name}.{column}"
        for name, model in tables
        for field in model._meta.concrete_fields
        for column in (field.name, field.attname)
    }


def actions_in(tree: ast.Module) -> Iterator[str]:
    """What is handed to a recorder, is called an action, or begins as another action does."""
    things = {action.partition(".")[0] for action in WORDS}
    fragments = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            handed = [argument.value for argument in node.keywords if argument.arg == "action"]
            for argument in [*handed, *(node.args if name in RECORDERS else [])]:
                yield from filter(is_action, texts_in(argument))
        if isinstance(node, ast.Assign) and any(getattr(one, "id", "") == "action" for one in node.targets):
            yield from filter(is_action, texts_in(node.value))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in fragments:
            thing, _dot, deed = node.value.partition(".")
            is_file = deed in ("html", "txt", "typ", "pdf", "svg")
            if thing in things and deed.isidentifier() and not is_file and node.value not in columns():
                yield node.value


def actions_of_the_code() -> set[str]:
    found = {action for tree in trees() for action in actions_in(tree)}
    computed = {action for action in found if "{}" in action}
    assert computed <= COMPUTED.keys() | FROM_MODELS, computed - COMPUTED.keys()
    expanded = {pattern.format(str(part)) for pattern in computed - FROM_MODELS for part in COMPUTED[pattern]}
    return (found - computed) | expanded


def test_every_action_has_words():
    assert {"payment.succeeded", "role.granted", "sign_in.blocked", "wire.approved"} <= actions_of_the_code()
    assert {action for action in actions_of_the_code() if action_in_words(action) == action} == set()


def test_every_action_is_one_that_the_code_writes():
    """Changes by staff are named after a model, and a person's have words of their own."""
    written = actions_of_the_code() | {"user.added", "user.changed"}
    assert WORDS.keys() - written == set()


def test_an_action_stands_once_and_fits_its_column():
    lines = [action for actions in ACTIONS.values() for action in actions]
    assert sorted(lines) == sorted(set(lines))
    assert max(len(action) for action in actions_of(Kind)) <= AuditEntry._meta.get_field("action").max_length


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("sign_in.failed", "Sign-in failed"),
        ("tax_rate.changed", "Tax rate changed"),
        ("remittance_account.added", "Remittance account added"),
        ("group.deleted", "Group deleted"),
        ("something.unheard_of", "something.unheard_of"),
    ],
)
def test_words_of_actions(action, words):
    assert action_in_words(action) == words


@pytest.mark.parametrize(
    ("action", "kind"),
    [("sign_in.failed", "failures"), ("tax_rate.changed", "staff"), ("user.changed", "people"), ("x.y", "staff")],
)
def test_kinds_of_actions(action, kind):
    assert kind_of(action) == kind
    assert (action in actions_of([Kind(kind)])) == (action != "x.y")


@pytest.mark.parametrize(
    ("action", "detail", "words"),
    [
        ("sign_in.succeeded", {"methods": ["password", "totp"]}, "password, authenticator app"),
        ("role.granted", {"role": "invoice_manager", "place": "Operations NL"}, "Invoice manager · Operations NL"),
        ("user.changed", {"before": {"is_staff": False}, "after": {"is_staff": True}}, "staff"),
        ("recovery_code.used", {"left": 9}, ""),
    ],
)
def test_words_of_details(action, detail, words):
    assert detail_in_words(action, detail) == words


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox 140 on Linux"),
        ("curl/8.5.0", "curl 8"),
        ("our own program", "our own program"),
        ("", ""),
    ],
)
def test_a_browser_in_words(user_agent, words):
    with translation.override("en"):
        assert browser_in_words(user_agent) == words


def test_names_of_secrets():
    assert all(SECRET.search(name) for name in ("password", "client_secret", "access_token"))


# What entries keep, one of every action -----------------------------------------------------------------------------

AMOUNT = {"amount_minor": 9000, "currency": "EUR"}
# What the code writes into entries of an action, or of all that begin alike; nothing into those that are not here.
DETAILS = {
    "sign_in.succeeded": {"methods": ["password", "totp"]},
    "sign_in.failed": {"methods": ["password"]},
    "second_factor.": {"methods": ["webauthn", "recovery_codes"]},
    "second_factor.blocked": {},
    "reauthentication.failed": {"methods": ["password"]},
    "recovery_code.used": {"left": 9},
    "password.link_sent": {"email": "anna@example.com"},
    "invitation.sent": {"email": "anna@example.com"},
    "address.": {"before": "anna@example.com", "after": "bea@example.com"},
    "address.proven": {"email": "anna@example.com"},
    "address.withdrawn": {"email": "anna@example.com"},
    "role.": {"role": "invoice_manager", "scope": "profile", "place": "Operations NL"},
    "user.added": {"after": {"email": "anna@example.com", "is_active": True, "joined_at": "2026-10-26T08:00:00+00:00"}},
    "user.changed": {
        "before": {"is_staff": False, "groups": [], "password": "changed"},
        "after": {"is_staff": True, "groups": ["Clerks"], "password": "changed"},
    },
    "person.exported": {"reason": "By letter"},
    "person.erased": {
        "reason": "By letter",
        "erased": {"mails": 1, "wire_requests": 1, "sessions": 2, "second_factors": 1, "addresses": 1, "entries": 3,
                   "texts": 4},
    },
    "contact.added": {"email": "ap@example.com"},
    "mails.chosen": {"mails_invoices": True},
    "profile.": {"before": "warned"},
    "profile.default_method": {"method": "check_wire"},
    "wire.approved": {"reason": "Welcome"},
    "wire.declined": {"reason": "Sorry"},
    "charge.recorded": {"charge": 7, "amount": 9000},
    "charge.removed": {"charge": 7, "amount": 9000, "happened_on": "2026-10-02", "source_reference": "A-1"},
    "charges.imported": {"charges": 3, "totals": {"EUR": 9000, "JPY": 500}},
    "credit_note.issued": {"invoice": "INV-000001", "total": 9000, "applied": 8000, "reason": "As agreed"},
    "invoice.issued": {"total": 9000},
    "invoice.drafted": {"total": 9000},
    "invoice.written_off": {"reason": "As agreed", **AMOUNT},
    "invoice.voided": {"reason": "As agreed", "credit_note": "CN-000001"},
    "invoice.rebilled": {"draft": 12},
    "autopay.stopped": {"reason": "no_card"},
    "autopay.switched": {"dropped": 2},
    "credit.applied": AMOUNT,
    "credit.granted": {"credit": 7, "source": "goodwill", **AMOUNT},
    "credit.taken_back": {"credit": 7, "reason": "By mistake", **AMOUNT},
    "dispute.": {"reason": "fraudulent", "gateway_id": "dp-1", **AMOUNT},
    "dispute.lost": {"reason": "fraudulent", "gateway_id": "dp-1", "taken_minor": 9000, **AMOUNT},
    "dispute.handled": {"gateway_id": "dp-1", "note": "As agreed"},
    "dispute.looked_up": {},
    "dispute.written_off": {"gateway_id": "dp-1", "reason": "As agreed", **AMOUNT},
    "payment.": AMOUNT,
    "payment.recorded": {"bank_reference": "RF18 5390", **AMOUNT},
    "payment.returned": {"taken_minor": 9000, "reason": "Closed account", "amount_minor": 9000},
    "payment.handled": {"note": "As agreed"},
    "payment.looked_up": {},
    "payment.held": {},
    "refund.": AMOUNT,
    "refund.started": {"reason": "As agreed", **AMOUNT},
    "refund.looked_up": {},
    "payout.recorded": {"fees_minor": 150, **AMOUNT},
    "payout.taken_back": {"fees_minor": 150, "reason": "Wrong amount", **AMOUNT},
    "refund.written_off": {"gateway_id": "re-1", "reason": "As agreed", **AMOUNT},
    "hold.released": {"reason": "They called"},
    "method.": {"method": 7},
    "method.declined": {"decline": "insufficient_funds"},
    "method.held": {},
    "billing_profile.changed": {
        "before": {"status": "active", "next_invoice_on": None, "default_method": "card", "account": None},
        "after": {"status": "warned", "next_invoice_on": "2026-11-01", "default_method": "check_wire",
                  "account": {"pk": 7, "text": "Example Trading B.V."}},
    },
    "credit.added": {"after": {"amount_minor": 9000, "currency": "EUR", "source": "goodwill"}},
}  # fmt: skip
# A code that was put on the page: `amount_minor`, `role.granted`, `{'pk': 7}`; and letters one by one.
CODE = re.compile(r"\b[a-z]+_[a-z_]+\b|\b[a-z_]{3,}\.[a-z_]{3,}\b|[{}\[\]']|\b[a-z], [a-z], [a-z]\b")

CELL = re.compile(
    r'<(?:td|th)\b[^>]*class="[^"]*(?:field-|card-)[^"]*"[^>]*>.*?</t[dh]>|<div class="readonly">.*?</div>'
    r'|<h2>.*?</h2>|<li aria-current="page">.*?</li>',
    re.DOTALL,
)


def detail_of(action):
    """The longest line of DETAILS that the action begins with."""
    lines = [line for line in DETAILS if action.startswith(line)]
    return DETAILS[max(lines, key=len)] if lines else {}


def cells_of(page):
    """What the rows of a list or the fields of a row say, without the page around them."""
    found = CELL.findall(page)
    return [" ".join(strip_tags(re.sub(r"<(?:td|th|br|tr)\b", r" \g<0>", cell)).split()) for cell in found]


def codes_on(page):
    return [cell for cell in cells_of(page) if CODE.search(re.sub(r"\S+@\S+|INV-\d+|CN-\d+", "", cell))]


@pytest.fixture
def readers(db):
    """A superuser, and the person whom the entries are about; each with a browser."""
    chief, person = UserFactory(is_staff=True, is_superuser=True), UserFactory(email="anna@example.com")
    browsers = Client(), Client()
    for browser, user in zip(browsers, (chief, person), strict=True):
        browser.force_login(user)
    return *browsers, person


@pytest.mark.parametrize("language", ["en", "nl"])
def test_one_entry_of_every_action_is_shown_in_words(readers, language, settings):
    staff, reader, person = readers
    profile = BillingProfileFactory()
    for browser in (staff, reader):
        browser.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    actions = [*WORDS, *(action for action in DETAILS if not action.endswith(".") and action not in WORDS)]
    actions.remove("autopay.switched")
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=NOW, action=action, subject="anna@example.com", person=person, profile=profile, detail=detail_of(action)
        )
        for action in actions
    )
    pages = [
        staff.get(reverse("admin:accounts_auditentry_changelist"), {"all": ""}),
        *(
            staff.get(reverse("admin:accounts_auditentry_change", args=[key]))
            for key in AuditEntry.objects.values_list("pk", flat=True)
        ),
    ]
    for kind in PERSONAL:
        pages.append(reader.get(reverse("security_activity"), {"kind": kind.value}))
        assert len(pages[-1].context["page"].rows) == len(ACTIONS[kind])
    assert {page.status_code for page in pages} == {200}
    assert all(cells_of(page.text) for page in pages)
    assert [cell for page in pages for cell in codes_on(page.text)] == []


def entry_page(browser, action, detail=None, **columns):
    detail = detail_of(action) if detail is None else detail
    entry = AuditEntry.objects.create(at=NOW, action=action, subject="x", detail=detail, **columns)
    return cells_of(browser.get(reverse("admin:accounts_auditentry_change", args=[entry.pk])).text)


@pytest.mark.parametrize(
    ("action", "cell"),
    [
        ("address.changed", "Email address changed: anna@example.com → bea@example.com"),
        ("address.changed", "Before: anna@example.com After: bea@example.com"),
        ("role.granted", "Role: Invoice manager Given on: Operations NL Scope: Billing profile"),
        ("payment.recorded", "Amount: €90.00 Reference of the bank: RF18 5390"),
        ("charges.imported", "Total: €90.00 Total: ¥500 Number of charges: 3"),
        ("charge.removed",
         "Amount: €90.00 Day of the charge: 2 Oct 2026 Reference of the source: A-1 Number of the charge: 7"),
        ("profile.restored", "Before: Warned"),
        ("profile.default_method", "Payment method: Check or wire transfer"),
        ("autopay.stopped", "Reason: there is no default card"),
        ("credit.added", "Field Before After source - Goodwill currency - EUR amount - €90.00"),
    ],
)  # fmt: skip
def test_what_an_entry_keeps_is_shown_in_words(readers, action, cell):
    assert cell in entry_page(readers[0], action, profile=BillingProfileFactory())


def test_the_page_of_an_entry_is_headed_by_what_was_done(readers):
    assert entry_page(readers[0], "role.granted")[:2] == ["Role granted: x", "Role granted: x"]


def test_entries_with_unknown_values_are_shown_all_the_same(readers):
    """Of a version to come, or blanked by an erasure."""
    details = [
        {"before": "(erased)", "after": None}, {"before": [], "left": {}}, {"happened_on": "(erased)"},
        {"role": "(erased)"}, {"totals": {}}, {"amount_minor": "(erased)"}, {"after": {"name": "(erased)"}},
    ]  # fmt: skip
    for detail in details:
        assert entry_page(readers[0], "something.unheard_of", detail)


def test_every_fact_that_the_code_writes_has_a_name():
    facts = {name for detail in DETAILS.values() for name in detail}
    assert facts - FACTS.keys() <= {"currency"}
    columns = {"access", "at", "action", "subject", "account", "profile", "person", "by", "address", "currency"}
    handed = {
        argument.arg
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in {*RECORDERS}
        for argument in node.keywords
    } - columns - {None}  # fmt: skip
    # Of functions of the same name that write something else.
    others = {"invoice_id", "amount", "channel", "received_on", "attempt_key", "bank_reference"}
    others |= {"sent_at", "next_try_at", "last_error", "tries", "unsure"}
    assert handed - others <= FACTS.keys()


def test_what_somebody_did_who_has_done_everything_is_shown_in_words(readers):
    Canary()
    staff = readers[0]
    for entry in AuditEntry.objects.exclude(action="user.email_changed"):
        page = staff.get(reverse("admin:accounts_auditentry_change", args=[entry.pk]))
        assert (page.status_code, codes_on(page.text)) == (200, []), entry.action

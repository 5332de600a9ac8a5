"""Every action that the code can write has words, in every language of the portal."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from accounts.admin.changes import SECRET
from accounts.audit_words import ACTIONS, WORDS, Kind, action_in_words, actions_of, detail_in_words, kind_of
from accounts.browsers import browser_in_words
from accounts.models import AuditEntry, BillingProfile, WireRequest
from billing_portal.security_events import BLOCKED_ON
from payments.states import DisputeStatus, PaymentStatus, RefundStatus

ROOT = Path(__file__).resolve().parent.parent
APPS = ("billing_portal", "accounts", "invoices", "payments")
# The functions that write an entry: `audit.record`, and those by which a module calls it.
RECORDERS = {"record", "_record", "record_audit", "_record_attempt", "attempts_blocked"}
# What the parts that are computed can be: the status something comes to.
COMPUTED = {
    "wire.{}": {WireRequest.Status.APPROVED, WireRequest.Status.DECLINED},
    "profile.{}": {"restored", BillingProfile.Status.WARNED, BillingProfile.Status.DISABLED},
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
            if thing in things and deed.isidentifier() and deed not in ("html", "txt", "typ", "pdf", "svg"):
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

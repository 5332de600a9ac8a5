"""The audit trail in words people know: what each action is called, and which kind of entry it is.

Every action that the portal writes has a line in ACTIONS. Changes that staff make on a form need none: they are named
``<thing>.added``, ``.changed`` or ``.deleted`` after the model, and get their words from its name.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import DateField, Field, Model, TextChoices
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from ua_parser import parse

from accounts.roles import Role, Scope


class Kind(TextChoices):
    SIGN_INS = "sign-ins", _("Sign-ins")
    FAILURES = "failures", _("Failed attempts")
    LOCKOUTS = "lockouts", _("Lock-outs")
    PASSWORDS = "passwords", _("Passwords")
    SECOND_FACTORS = "second-factors", _("Second factors")
    ADDRESSES = "addresses", _("Email addresses and invitations")
    ROLES = "roles", _("Roles")
    PEOPLE = "people", _("Changes to a person by staff")
    STAFF = "staff", _("Other changes by staff")
    PROFILES = "profiles", _("Billing profiles")
    INVOICES = "invoices", _("Invoices and charges")
    MONEY = "money", _("Payments, refunds and credits")
    METHODS = "methods", _("Payment methods")


# What a person is shown of the entries that are about them.
PERSONAL = (
    Kind.SIGN_INS, Kind.FAILURES, Kind.LOCKOUTS, Kind.PASSWORDS, Kind.SECOND_FACTORS, Kind.ADDRESSES, Kind.ROLES,
    Kind.PEOPLE,
)  # fmt: skip

ACTIONS: dict[Kind, dict[str, Any]] = {
    Kind.SIGN_INS: {"sign_in.succeeded": _("Signed in"), "sign_out.succeeded": _("Signed out")},
    Kind.FAILURES: {
        "sign_in.failed": _("Sign-in failed"),
        "sign_in.refused": _("Sign-in refused: the person is not active"),
        "second_factor.failed": _("Second factor was wrong"),
        "reauthentication.failed": _("Confirming who you are failed"),
    },
    Kind.LOCKOUTS: {
        "sign_in.blocked": _("Sign-in blocked for a while after too many attempts"),
        "second_factor.blocked": _("Second factor blocked for a while after too many attempts"),
        "reauthentication.blocked": _("Confirming who you are blocked for a while after too many attempts"),
        "password.blocked": _("Changing or resetting the password blocked for a while after too many attempts"),
        "request.blocked": _("A page was blocked for a while after too many requests"),
    },
    Kind.PASSWORDS: {
        "password.reset_requested": _("Password reset requested"),
        "password.link_sent": _("Password link mailed by staff"),
        "password.reset": _("Password reset"),
        "password.set": _("Password set for the first time"),
        "password.changed": _("Password changed"),
    },
    Kind.SECOND_FACTORS: {
        "second_factor.added": _("Second factor added"),
        "second_factor.removed": _("Second factor removed"),
        "account.second_factor_demanded": _("Second factor required on a billing account"),
        "account.second_factor_not_demanded": _("Second factor no longer required on a billing account"),
        "recovery_codes.renewed": _("Recovery codes created anew"),
        "recovery_code.used": _("Recovery code used"),
    },
    Kind.ADDRESSES: {
        "invitation.sent": _("Invitation sent"),
        "address.proven": _("Email address confirmed"),
        "address.requested": _("Change of email address requested"),
        "address.refused": _("Change of email address refused: the address is taken"),
        "address.changed": _("Email address changed"),
        "address.withdrawn": _("Change of email address stopped"),
        "address.corrected": _("Unconfirmed email address corrected"),
    },
    Kind.ROLES: {"role.granted": _("Role granted"), "role.removed": _("Role removed")},
    Kind.PEOPLE: {
        "user.activated": _("Account activated"),
        "user.deactivated": _("Account deactivated"),
        "user.added": _("Account created"),
        "user.changed": _("Account changed by staff"),
        "person.exported": _("Personal data exported"),
        "person.erased": _("Person erased"),
    },
    Kind.PROFILES: {
        "sending.chosen": _("How invoices are sent was chosen"),
        "contact.added": _("Contact added"),
        "contact.removed": _("Contact removed"),
        "mails.chosen": _("Mailing of new invoices changed"),
        "profile.restored": _("Billing profile active again"),
        "profile.warned": _("Billing profile warned"),
        "profile.disabled": _("Billing profile disabled"),
        "profile.held": _("Billing profile put on hold by staff"),
        "profile.closed": _("Billing profile closed by staff"),
        "profile.released": _("Billing profile made active again by staff"),
        "profile.default_method": _("Default payment method changed"),
        "wire.requested": _("Check or wire transfer requested"),
        "wire.withdrawn": _("Request for check or wire transfer withdrawn"),
        "wire.approved": _("Check or wire transfer approved"),
        "wire.declined": _("Check or wire transfer declined"),
    },
    Kind.INVOICES: {
        "charge.recorded": _("Charge recorded"),
        "charge.removed": _("Charge removed"),
        "charges.imported": _("Charges imported"),
        "credit_note.issued": _("Credit note issued"),
        "delivery.repeated": _("Document sent again"),
        "delivery.settled": _("Delivery of a document marked as handled"),
        "delivery.answered": _("Answer of the buyer to an electronic invoice"),
        "delivery.answer_taken": _("Later answer of the buyer taken over by staff"),
        "delivery.contradicted": _("Answer of the buyer that contradicts an earlier one"),
        "invoice.drafted": _("Invoice drafted"),
        "invoice.issued": _("Invoice issued"),
        "invoice.rebilled": _("Invoice voided and billed again"),
        "invoice.voided": _("Invoice voided"),
        "invoice.written_off": _("Rest of an invoice written off"),
    },
    Kind.MONEY: {
        "autopay.planned_again": _("Automatic charge planned again"),
        "autopay.stopped": _("Automatic charge stopped"),
        "credit.applied": _("Credit applied"),
        "credit.granted": _("Credit granted"),
        "credit.taken_back": _("Credit taken back"),
        "delivery.processed": _("Message of a payment provider processed again"),
        "difference.handled": _("Difference with a payment provider marked as handled"),
        "dispute.handled": _("Dispute marked as handled"),
        "dispute.looked_up": _("Dispute looked up at the payment provider"),
        "dispute.lost": _("Dispute lost"),
        "dispute.open": _("Dispute opened"),
        "dispute.won": _("Dispute closed without loss"),
        "dispute.written_off": _("Missing part of a dispute written off"),
        "payment.declined": _("Payment declined"),
        "payment.expired": _("Payment expired"),
        "payment.held": _("Payment refused: too many cards were tried"),
        "payment.handled": _("Payment marked as handled"),
        "payment.looked_up": _("Payment looked up at the payment provider"),
        "payment.mismatch": _("Payment of another amount than asked"),
        "payment.mismatch_accepted": _("Other amount accepted"),
        "payment.mismatch_refused": _("Other amount refused"),
        "payment.not_sent": _("Payment not sent"),
        "payment.recorded": _("Payment recorded"),
        "payment.returned": _("Payment returned"),
        "payment.succeeded": _("Payment succeeded"),
        "payout.recorded": _("Payout of a payment provider recorded"),
        "payout.taken_back": _("Payout of a payment provider taken back"),
        "refund.failed": _("Refund failed"),
        "refund.looked_up": _("Refund looked up at the payment provider"),
        "refund.pending": _("Refund on its way"),
        "refund.started": _("Refund started"),
        "refund.succeeded": _("Refund succeeded"),
        "refund.unknown": _("Refund not confirmed yet"),
        "refund.written_off": _("Missing part of a refund written off"),
    },
    Kind.METHODS: {
        "autopay.switched_off": _("Automatic charging switched off"),
        "autopay.switched_on": _("Automatic charging switched on"),
        "method.added": _("Card added"),
        "method.backup_dropped": _("Card no longer a backup"),
        "method.backup_moved": _("Order of backup cards changed"),
        "method.declined": _("New card declined"),
        "hold.released": _("Allowed to try cards again"),
        "method.held": _("New card refused: too many cards were tried"),
        "method.gone": _("Card no longer usable"),
        "method.made_backup": _("Card made a backup"),
        "method.made_default": _("Card made the default"),
        "method.removed": _("Card removed"),
        "method.updated": _("Card updated"),
    },
}
WORDS: dict[str, Any] = {action: words for lines in ACTIONS.values() for action, words in lines.items()}
# What staff did on a form; the thing is a model's name.
CHANGES = {
    "added": gettext_noop("%(thing)s added"),
    "changed": gettext_noop("%(thing)s changed"),
    "deleted": gettext_noop("%(thing)s deleted"),
}
# How somebody proved who they are, as sign-ins and second factors note it.
METHODS = {
    "password": _("password"),
    "password_reset": _("password reset"),
    "passkey": _("passkey"),
    "totp": _("authenticator app"),
    "webauthn": _("security key"),
    "recovery_codes": _("recovery codes"),
}
# What the other facts of an entry are called, in the order in which they are shown.
FACTS = {
    "amount": _("Amount"),
    "amount_minor": _("Amount"),
    "fees_minor": _("Fees"),
    "total": _("Total"),
    "totals": _("Total"),
    "applied": _("Taken off the invoice"),
    "taken_minor": _("Amount taken back"),
    "invoice": _("Invoice"),
    "credit_note": _("Credit note"),
    "role": _("Role"),
    "place": _("Given on"),
    "scope": _("Scope"),
    "before": _("Before"),
    "after": _("After"),
    "email": _("Email address"),
    "mails_invoices": _("Mail each new invoice"),
    "methods": _("Method"),
    "left": _("Recovery codes left"),
    "method": _("Payment method"),
    "decline": _("Reason"),
    "source": _("Kind of credit"),
    "reason": _("Reason"),
    "note": _("Note"),
    "message": _("Message of the provider"),
    "further_to": _("Charged again after"),
    "channel": _("Channel"),
    "status": _("Status"),
    "invoice_format": _("Invoices are sent as"),
    "document_language": _("Language of documents"),
    "buyer_reference": _("Your reference"),
    "endpoint_scheme": _("Kind of endpoint"),
    "endpoint_id": _("Endpoint"),
    "refund": _("Number of the refund"),
    "charges": _("Number of charges"),
    "dropped": _("Charges that were planned"),
    "happened_on": _("Day of the charge"),
    "bank_reference": _("Reference of the bank"),
    "source_reference": _("Reference of the source"),
    "gateway_id": _("Number at the payment provider"),
    "charge": _("Number of the charge"),
    "credit": _("Number of the credit"),
    "draft": _("Number of the draft"),
    "erased": _("Erased"),
}
AMOUNTS = {"amount", "amount_minor", "total", "applied", "taken_minor", "fees_minor"}
# What an erasure counted.
ERASED = {
    "mails": _("mails"),
    "wire_requests": _("requests to pay by check or wire"),
    "sessions": _("sessions"),
    "second_factors": _("second factors"),
    "addresses": _("email addresses"),
    "entries": _("audit entries"),
    "texts": _("other texts"),
}
# Facts that are codes: by the name and what the action begins with, the column whose choices say what they mean.
CODES = {
    "before": {"profile.": "accounts.BillingProfile.status"},
    "method": {"profile.default_method": "accounts.BillingProfile.default_method"},
    "reason": {"autopay.": "payments.AutomaticCharge.stopped_because"},
    "source": {"credit.": "invoices.Credit.source"},
}


def thing_of(model: type[Model]) -> str:
    """What the actions of a model's changes begin with, such as ``billing_profile``."""
    return re.sub(r"\W+", "_", model._meta.verbose_name_raw).lower()


def action_in_words(action: str) -> str:
    """In the reader's language. An action without words comes as it is stored."""
    thing, _dot, change = action.rpartition(".")
    model = _things().get(thing)
    if action in WORDS or model is None or change not in CHANGES:
        return str(WORDS.get(action, action))
    return gettext(CHANGES[change]) % {"thing": capfirst(str(model._meta.verbose_name))}


def detail_in_words(action: str, detail: dict[str, Any]) -> str:
    """How it was done, or what was given or changed, in the reader's language; empty where the action says it all."""
    if "role" in detail:
        return " · ".join(filter(None, (_choice(Role.choices, detail["role"]), detail.get("place"))))
    if isinstance(detail.get("after"), dict):
        return ", ".join(field_in_words(action, name) for name in _in_order(action, detail["after"]))
    if "after" in detail:
        return f"{detail.get('before')} → {detail['after']}"
    return _methods(detail.get("methods", ()))


@dataclass(frozen=True, slots=True)
class Value:
    """Something that an entry keeps: ``text`` in the reader's language, or an amount in minor units of ``currency``."""

    text: str = ""
    minor: int | None = None
    currency: str = ""


def changes_in_words(action: str, detail: dict[str, Any], currency: str = "") -> list[tuple[str, Value, Value]]:
    """Each field that changed, with its values before and after. ``currency`` is of amounts kept without one."""
    before, after = detail.get("before"), detail.get("after")
    if not isinstance(before, dict | None) or not isinstance(after, dict | None):
        return []
    old, new = before or {}, after or {}
    currency = new.get("currency") or old.get("currency") or currency

    def value(name: str, side: dict[str, Any]) -> Value:
        return _field_value(action, name, side.get(name), currency)

    names = _in_order(action, {**old, **new})
    return [(field_in_words(action, name), value(name, old), value(name, new)) for name in names]


def facts_in_words(action: str, detail: dict[str, Any], currency: str = "") -> list[tuple[str, Value]]:
    currency = detail.get("currency", currency)
    shown = [name for name, value in detail.items() if name in ("totals", "erased") or not isinstance(value, dict)]
    order = [*FACTS, *shown]
    return [
        (str(FACTS.get(name, name.replace("_", " "))), value)
        for name in sorted(shown, key=order.index)
        if name != "currency"
        for value in _fact_values(action, name, detail[name], currency)
    ]


def field_in_words(action: str, name: str) -> str:
    field = _field(action, name)
    return str(field.verbose_name) if field is not None else name.replace("_", " ")


def _in_order(action: str, names: Collection[str]) -> list[str]:
    """As the model has its fields: PostgreSQL keeps the names of values by their length."""
    model = _things().get(action.partition(".")[0])
    order = [*(field.name for field in model._meta.get_fields()), *names] if model else [*names]
    return sorted(names, key=order.index)


def _field(action: str, name: str) -> Any:
    model = _things().get(action.partition(".")[0])
    try:
        return model._meta.get_field(name) if model else None
    except FieldDoesNotExist:
        return None


def _field_value(action: str, name: str, value: Any, currency: str) -> Value:
    """What a form calls a value of a field. Days and times are kept as text."""
    field = _field(action, name)
    if name.endswith("_minor") and isinstance(value, int) and currency:
        return Value(minor=value, currency=currency)
    if isinstance(field, Field) and isinstance(value, str | int) and field.flatchoices:
        return Value(_choice(field.flatchoices, value) or "-")
    if isinstance(field, DateField) and isinstance(value, str):
        return Value(_moment(value))
    return Value(_plain(value))


def _fact_values(action: str, name: str, value: Any, currency: str) -> list[Value]:
    if name == "totals":
        return [Value(minor=minor, currency=code) for code, minor in value.items()]
    if name in AMOUNTS and isinstance(value, int) and currency:
        return [Value(minor=value, currency=currency)]
    for beginning, column in CODES.get(name, {}).items():
        if action.startswith(beginning):
            model, _dot, field = column.rpartition(".")
            return [Value(_choice(apps.get_model(model)._meta.get_field(field).flatchoices, value))]
    return [Value(TEXTS.get(name, _plain)(value))]


def _choice(choices: Iterable[tuple[Any, Any]], code: Any) -> str:
    return str(dict(choices).get(code, code))


def _methods(methods: Iterable[str]) -> str:
    return ", ".join(str(METHODS.get(method, method)) for method in methods)


def _moment(text: str) -> str:
    try:
        if len(text) == len("2026-10-26"):
            return date_format(date.fromisoformat(text))
        return date_format(localtime(datetime.fromisoformat(text)), "DATETIME_FORMAT")
    except ValueError:  # a value that was erased
        return text


def _plain(value: Any) -> str:
    """A value without a meaning of its own: another row by its name, a list by its members."""
    if isinstance(value, dict) and "text" in value:
        return f"{value['text']} ({value['pk']})"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "-"
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    return "-" if value in (None, "") else str(value)


# How the text of a fact is written that is more than a text.
TEXTS: dict[str, Callable[[Any], str]] = {
    "role": lambda role: _choice(Role.choices, role),
    "scope": lambda scope: _choice(Scope.choices, scope),
    "methods": _methods,
    "happened_on": _moment,
    "erased": lambda counts: ", ".join(f"{ERASED.get(what, what)}: {count}" for what, count in counts.items()),
    "decline": lambda code: code.replace("_", " "),
}


def kind_of(action: str) -> Kind:
    return next((kind for kind, lines in ACTIONS.items() if action in lines), Kind.STAFF)


def actions_of(kinds: Iterable[Kind]) -> list[str]:
    chosen = set(kinds)
    actions = {action for kind in chosen for action in ACTIONS.get(kind, ())}
    if Kind.STAFF in chosen:
        actions |= {f"{thing}.{change}" for thing in _things() for change in CHANGES} - WORDS.keys()
    return sorted(actions)


@cache
def _things() -> dict[str, type[Model]]:
    return {thing_of(model): model for model in apps.get_models()}


def browser_in_words(user_agent: str) -> str:
    """``Firefox 140 on Linux``, in the reader's language; the browser's own words where they say nothing."""
    browser, system = _browser_and_system(user_agent) if user_agent else ("", "")
    if browser and system:
        return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or user_agent


@lru_cache(maxsize=1024)
def _browser_and_system(user_agent: str) -> tuple[str, str]:
    result = parse(user_agent)
    browser = f"{result.user_agent.family} {result.user_agent.major or ''}".strip() if result.user_agent else ""
    return browser, result.os.family if result.os else ""

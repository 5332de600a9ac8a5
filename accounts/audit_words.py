"""The audit trail in words people know: what each action is called, and which kind of entry it is.

Every action that the portal writes has a line in ACTIONS; a new one gets its line here and nowhere else. Changes that
staff make on a form need none: they are named ``<thing>.added``, ``.changed`` or ``.deleted`` after the model, and get
their words from its name. What a person sees of their own security is what is of a kind in `PERSONAL`.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, TextChoices
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from accounts.roles import Role


class Kind(TextChoices):
    SIGN_INS = "sign-ins", _("Sign-ins")
    FAILURES = "failures", _("Failed attempts")
    LOCKOUTS = "lockouts", _("Lock-outs")
    PASSWORDS = "passwords", _("Passwords")
    SECOND_FACTORS = "second-factors", _("Second factors")
    ADDRESSES = "addresses", _("Email addresses and invitations")
    ROLES = "roles", _("Roles")
    PEOPLE = "people", _("Changes of a person by staff")
    STAFF = "staff", _("Other changes by staff")
    PROFILES = "profiles", _("Billing profiles")
    INVOICES = "invoices", _("Invoices and charges")
    MONEY = "money", _("Payments, refunds and credits")
    METHODS = "methods", _("Payment methods")


# What a person is shown of the entries that are about them.
PERSONAL = (
    Kind.SIGN_INS,
    Kind.FAILURES,
    Kind.LOCKOUTS,
    Kind.PASSWORDS,
    Kind.SECOND_FACTORS,
    Kind.ADDRESSES,
    Kind.ROLES,
    Kind.PEOPLE,
)

ACTIONS: dict[Kind, dict[str, Any]] = {
    Kind.SIGN_INS: {
        "sign_in.succeeded": _("Signed in"),
        "sign_out.succeeded": _("Signed out"),
    },
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
        "account.second_factor_demanded": _("Second factor demanded on a billing account"),
        "account.second_factor_not_demanded": _("Second factor no longer demanded on a billing account"),
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
    Kind.ROLES: {
        "role.granted": _("Role granted"),
        "role.removed": _("Role removed"),
    },
    Kind.PEOPLE: {
        "user.activated": _("Account activated"),
        "user.deactivated": _("Account deactivated"),
        "user.added": _("Account created"),
        "user.changed": _("Account changed by staff"),
        "person.exported": _("Personal data exported"),
        "person.erased": _("Person erased"),
    },
    Kind.PROFILES: {
        "contact.added": _("Contact added"),
        "contact.removed": _("Contact removed"),
        "mails.chosen": _("Mailing of new invoices changed"),
        "profile.restored": _("Billing profile active again"),
        "profile.warned": _("Billing profile warned"),
        "profile.disabled": _("Billing profile disabled"),
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
        "invoice.drafted": _("Invoice drafted"),
        "invoice.issued": _("Invoice issued"),
        "invoice.rebilled": _("Invoice voided and billed again"),
        "invoice.voided": _("Invoice voided"),
    },
    Kind.MONEY: {
        "autopay.planned_again": _("Automatic charge planned again"),
        "autopay.stopped": _("Automatic charge stopped"),
        "credit.applied": _("Credit applied"),
        "credit.granted": _("Credit granted"),
        "credit.taken_back": _("Credit taken back"),
        "delivery.processed": _("Message of a payment provider processed again"),
        "dispute.handled": _("Dispute marked as handled"),
        "dispute.looked_up": _("Dispute looked up at the payment provider"),
        "dispute.lost": _("Dispute lost"),
        "dispute.open": _("Dispute opened"),
        "dispute.won": _("Dispute closed without loss"),
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
        "refund.failed": _("Refund failed"),
        "refund.looked_up": _("Refund looked up at the payment provider"),
        "refund.pending": _("Refund on its way"),
        "refund.started": _("Refund started"),
        "refund.succeeded": _("Refund succeeded"),
        "refund.unknown": _("Refund being checked"),
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


def thing_of(model: type[Model]) -> str:
    """What the actions of a model's changes begin with, such as ``billing_profile``."""
    return re.sub(r"\W+", "_", model._meta.verbose_name_raw).lower()


def action_in_words(action: str) -> str:
    """In the reader's language. An action without words comes as it is stored."""
    words = WORDS.get(action)
    if words is not None:
        return str(words)
    thing, _dot, change = action.rpartition(".")
    model = _things().get(thing)
    if model is None or change not in CHANGES:
        return action
    name = str(model._meta.verbose_name)
    return gettext(CHANGES[change]) % {"thing": name[:1].upper() + name[1:]}


def detail_in_words(action: str, detail: dict[str, Any]) -> str:
    """How it was done, or what was given or changed, in the reader's language; empty where the action says it all."""
    if "role" in detail:
        role = dict(Role.choices).get(detail["role"], detail["role"])
        return " · ".join(str(part) for part in (role, detail.get("place")) if part)
    if "after" in detail:
        return ", ".join(field_in_words(action, name) for name in detail["after"])
    return ", ".join(str(METHODS.get(method, method)) for method in detail.get("methods", ()))


def field_in_words(action: str, name: str) -> str:
    """What the forms call a field of what was changed."""
    model = _things().get(action.partition(".")[0])
    try:
        return str(model._meta.get_field(name).verbose_name) if model else name  # type: ignore[union-attr]  # no relation
    except FieldDoesNotExist:
        return name.replace("_", " ")


def kind_of(action: str) -> Kind:
    return next((kind for kind, lines in ACTIONS.items() if action in lines), Kind.STAFF)


def actions_of(kinds: Iterable[Kind]) -> list[str]:
    """Every action of some kinds, sorted."""
    chosen = set(kinds)
    actions = {action for kind in chosen for action in ACTIONS.get(kind, ())}
    if Kind.STAFF in chosen:
        actions |= {f"{thing}.{change}" for thing in _things() for change in CHANGES} - WORDS.keys()
    return sorted(actions)


@cache
def _things() -> dict[str, type[Model]]:
    return {thing_of(model): model for model in apps.get_models()}

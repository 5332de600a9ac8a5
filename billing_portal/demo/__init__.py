"""The demo: a customer with a profile in every state, and one person for each role, all with one password."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PASSWORD = "demo-portal-2026"  # noqa: S105  offered on the sign-in page while the demo is on


class SignIn(NamedTuple):
    """Somebody to sign in as: the role's name, and what there is to see."""

    email: str
    label: Promise
    what: Promise


SIGN_INS = [
    SignIn("manager@example.com", _("Invoice manager"), _("Pays the invoices of one profile")),
    SignIn("owner@example.com", _("Billing profile owner"), _("Pays, and manages the cards of seven profiles")),
    SignIn("contributor@example.com", _("Billing profile contributor"), _("Pays and manages, but grants no roles")),
    SignIn("reader@example.com", _("Billing profile reader"), _("Sees everything and may pay nothing")),
    SignIn("accountowner@example.com", _("Billing account owner"), _("Sees every profile of the customer")),
    SignIn("stranger@example.com", _("Owner at another customer"), _("Sees nothing of the first customer")),
    SignIn("admin@example.com", _("Staff"), _("Works in the staff pages")),
]

"""The demo: a customer with a profile in every state, and one person for each role, all with one password."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PASSWORD = "demo-portal-2026"  # noqa: S105  offered on the sign-in page while the demo is on


class SignIn(NamedTuple):
    """Somebody to sign in as: the role's name, and what there is to see. People have names, as they do anywhere: the
    name of a role would stand on the pages in the language in which the demo was made."""

    email: str
    name: str
    label: Promise
    what: Promise


SIGN_INS = [
    SignIn("manager@example.com", "Noor Visser", _("Invoice manager"), _("Pays the invoices of one profile")),
    SignIn(
        "owner@example.com",
        "Olivia Brand",
        _("Billing profile owner"),
        _("Pays, and manages the cards of seven profiles"),
    ),
    SignIn(
        "contributor@example.com",
        "Chris Vermeer",
        _("Billing profile contributor"),
        _("Pays and manages, but grants no roles"),
    ),
    SignIn("reader@example.com", "Lee Adams", _("Billing profile reader"), _("Sees everything and may pay nothing")),
    SignIn(
        "accountowner@example.com", "Ada Jansen", _("Billing account owner"), _("Sees every profile of the customer")
    ),
    SignIn(
        "stranger@example.com", "Sam Fischer", _("Owner at another customer"), _("Sees nothing of the first customer")
    ),
    SignIn("admin@example.com", "Robin Bakker", _("Staff"), _("Works in the staff pages")),
]

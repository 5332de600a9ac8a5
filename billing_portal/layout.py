"""The frame around a page: which layout draws it, and what the layout needs.

The same template is a page of its own or the content of the blade: it begins with ``{% extends layout %}``. To add a
page to the left menu, add one `Entry` to `MENU`.
"""

from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.models import BillingProfile, User
from accounts.roles import Permission, Role

PAGE, BLADE, BARE = "layouts/page.html", "layouts/blade.html", "layouts/bare.html"


class Entry(NamedTuple):
    """A page of the left menu. ``words`` are what people search it by besides its name, in every language at once."""

    label: Any
    icon: str
    route: str
    permission: Permission
    words: str = ""


class Group(NamedTuple):
    title: Any
    entries: tuple[Entry, ...]


MENU = (
    Group("", (
        Entry(_("Access control"), "users", "accounts:access", Permission.ROLES_VIEW,
              "access control iam roles members people toegangsbeheer rollen leden personen"),
    )),
    Group(_("Billing"), (
        Entry(_("Invoices"), "file-text", "invoices:list", Permission.INVOICE_VIEW,
              "invoices bills pay your bill amount due facturen rekeningen betalen openstaand"),
        Entry(_("Payment history"), "history", "payments:history", Permission.INVOICE_VIEW,
              "payment history payments receipts refunds betalingsgeschiedenis betalingen bonnen terugbetalingen"),
        Entry(_("Statement of account"), "scroll-text", "payments:statement", Permission.INVOICE_VIEW,
              "statement of account balance history rekeningoverzicht saldo afschrift"),
        Entry(_("Payment methods"), "credit-card", "payments:methods", Permission.METHODS_VIEW,
              "payment methods cards credit card bank transfer wire betalingswijzen betaalmethoden creditcard"),
        Entry(_("Credits"), "coins", "invoices:credits", Permission.CREDITS_VIEW,
              "credits balance overpaid prepaid tegoeden tegoed saldo te veel betaald"),
    )),
    Group(_("Settings"), (
        Entry(_("Properties"), "sliders-horizontal", "accounts:properties", Permission.PROPERTIES_VIEW,
              "properties agreement type bill-to sold-to address po number tax id vat currency "
              "eigenschappen overeenkomst factuuradres adres inkoopordernummer btw valuta"),
    )),
)  # fmt: skip


def address_of(entry: Entry, profile: BillingProfile) -> str:
    """Where the page is for a profile; empty when this installation has no such page."""
    try:
        return reverse(entry.route, kwargs={"profile": profile.code})
    except NoReverseMatch:
        return ""


def first_page(access: Access, profile: BillingProfile) -> str:
    """Where a profile begins for this person: its invoices, else the first page that may be opened."""
    allowed = access.permissions_at(profile)
    entries = [entry for group in MENU for entry in group.entries if entry.permission in allowed]
    entries.sort(key=lambda entry: entry.route != "invoices:list")
    return next(filter(None, (address_of(entry, profile) for entry in entries)), reverse("home"))


def menu(access: Access, path: str) -> list[dict[str, Any]]:
    if access.profile is None:
        return []
    groups = []
    for group in MENU:
        entries = []
        for entry in group.entries:
            url = address_of(entry, access.profile) if access.can(entry.permission) else ""
            if url:
                current = ("page" if path == url else "true") if path.startswith(url) else ""
                entries.append({"label": entry.label, "icon": entry.icon, "url": url, "current": current})
        if entries:
            groups.append({"title": group.title, "entries": entries})
    return groups


def role_label(access: Access | None) -> str:
    if access is None or access.profile is None:
        return ""
    held = access.roles_at(access.profile)
    return str(next((role.label for role in Role if role in held), ""))


def theme_of(request: HttpRequest) -> str:
    """``light``, ``dark``, or empty: as the system. The user's choice, before signing in the cookie's."""
    user = getattr(request, "user", None)
    chosen = user.theme if isinstance(user, User) else request.COOKIES.get("theme", "")
    return chosen if chosen in User.Theme.values else ""


def layout_of(request: HttpRequest) -> str:
    htmx = getattr(request, "htmx", None)
    if htmx and htmx.target == "blade" and not htmx.history_restore_request:
        return BLADE
    user = getattr(request, "user", None)
    return PAGE if user is not None and user.is_authenticated else BARE


def frame(request: HttpRequest) -> dict[str, Any]:
    access: Access | None = getattr(request, "access", None)
    layout = layout_of(request)
    return {
        "layout": layout,
        "in_blade": layout == BLADE,
        "language": get_language(),
        "languages": settings.LANGUAGES,
        "theme": theme_of(request),
        "demo": settings.DEMO,
        "access": access,
        "menu": SimpleLazyObject(lambda: menu(access, request.path) if access else []),
        "menu_home": SimpleLazyObject(lambda: first_page(access, access.profile) if access and access.profile else ""),
        "role_label": SimpleLazyObject(lambda: role_label(access)),
    }

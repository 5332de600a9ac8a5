"""The search box: pages, invoices, payments and billing profiles, of what the person may see. Pages are found by their
name and other words in every language of the portal; pages of a profile are those of the profile open last."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts.access import Access
from accounts.decorators import access_for_request
from accounts.models import BillingProfile
from billing_portal.layout import MENU, address_of, first_page
from invoices.models import Invoice
from payments.models import Payment

MAX_SHOWN = 10
LONGEST_QUERY = 100


class Page(NamedTuple):
    """A page outside the profiles, and the words that people look for it by."""

    label: Any
    icon: str
    route: str
    words: str


PAGES = (
    Page(_("Cost Management + Billing"), "layers", "accounts:scopes",
         "cost management billing scopes accounts profiles kostenbeheer facturering bereiken rekeningen profielen"),
    Page(_("Password"), "key-round", "account_change_password", "password security wachtwoord beveiliging"),
    Page(_("Two-factor authentication"), "shield-check", "mfa_index",
         "two-step two-factor verification authenticator passkey security verificatie twee stappen beveiliging"),
    Page(_("Security activity"), "list-checks", "security_activity",
         "security activity sign-ins log history audit beveiliging activiteit aanmeldingen logboek"),
)  # fmt: skip


class Hit(NamedTuple):
    label: Any
    url: str
    icon: str
    note: str = ""


class Group(NamedTuple):
    title: Any
    hits: list[Hit]


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    query = " ".join(request.GET.get("q", "")[:LONGEST_QUERY].replace("\x00", "").split())
    groups = find(access_for_request(request), query) if query else []
    is_typing = request.headers.get("HX-Target") == "suggestions"
    template = "components/suggestions.html" if is_typing else "search.html"
    return render(request, template, {"query": query, "groups": groups})


def find(access: Access, query: str) -> list[Group]:
    """Everything that matches, at most `MAX_SHOWN` of a kind, kinds without a match left out."""
    groups = (
        Group(_("Pages"), _pages(access, query)),
        Group(_("Billing profiles"), _profiles(access, query)),
        Group(_("Invoices"), _invoices(access, query)),
        Group(_("Payments"), _payments(access, query)),
    )
    return [group for group in groups if group.hits]


def _pages(access: Access, query: str) -> list[Hit]:
    hits = [
        Hit(page.label, reverse(page.route), page.icon)
        for page in PAGES
        if _matches(query, _words(page.label, page.words))
    ]
    entries = [entry for group in MENU for entry in group.entries if _matches(query, _words(entry.label, entry.words))]
    profile = _profile_at_hand(access) if entries else None
    if profile is not None:
        allowed = access.permissions_at(profile)
        urls = ((entry, address_of(entry, profile)) for entry in entries if entry.permission in allowed)
        hits += [Hit(entry.label, url, entry.icon, profile.name) for entry, url in urls if url]
    return hits[:MAX_SHOWN]


def _profiles(access: Access, query: str) -> list[Hit]:
    is_named = Q(name__icontains=query) | Q(account__name__icontains=query)
    profiles = BillingProfile.objects.visible_to(access).select_related("account").filter(is_named)
    return [
        Hit(profile.name, first_page(access, profile), "building-2", profile.account.name)
        for profile in profiles.order_by("name", "pk")[:MAX_SHOWN]
    ]


def _invoices(access: Access, query: str) -> list[Hit]:
    """By the number first, then by what was billed or is due."""
    if not any(letter.isdigit() for letter in query):
        return []
    visible = Invoice.objects.visible_to(access).select_related("profile").order_by("-number")
    invoices = {
        invoice.pk: invoice
        for found in (visible.numbered(query), visible.of_amount(query))
        for invoice in found[:MAX_SHOWN]
    }
    return [
        Hit(
            invoice.number,
            reverse("invoices:detail", args=[invoice.profile.code, invoice.number]),
            "file-text",
            f"{invoice.profile.name} · {invoice.total.format()}",
        )
        for invoice in list(invoices.values())[:MAX_SHOWN]
    ]


def _payments(access: Access, query: str) -> list[Hit]:
    if len(query) < 4:
        return []
    visible = Payment.objects.visible_to(access).select_related("profile")
    return [
        Hit(
            payment.reference,
            reverse("payments:detail", args=[payment.profile.code, payment.reference]),
            "history",
            f"{payment.profile.name} · {payment.amount.format()}",
        )
        for payment in visible.filter(reference__startswith=query.upper()).order_by("-pk")[:MAX_SHOWN]
    ]


def _profile_at_hand(access: Access) -> BillingProfile | None:
    visible = BillingProfile.objects.visible_to(access)
    last = access.user.last_scope.partition("profile:")[2] if access.user else ""
    return (visible.filter(code=last).first() if last else None) or visible.order_by("name", "pk").first()


def _matches(query: str, words: Iterable[str]) -> bool:
    """Whether each word of the query begins one of the words."""
    parts = [part for part in query.casefold().split() if part != "+"]
    return bool(parts) and all(any(word.startswith(part) for word in words) for part in parts)


def _words(label: Any, others: str) -> frozenset[str]:
    names = []
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            names.append(str(label))
    return frozenset(" ".join([*names, others]).casefold().split())

"""Every scope a person can open, and the one to open first. Three queries however many scopes there are."""

from typing import Any

from django.urls import reverse

from accounts.access import Access, ScopeObject
from accounts.models import BillingAccount, BillingProfile, InvoiceSection
from accounts.querysets import InvoiceSectionQuerySet
from accounts.roles import Role

MAX_SHOWN = 200


def scopes_of(access: Access) -> dict[str, Any]:
    """What the person may open: ``groups`` by account, by name, each with a ``row`` where the person holds a role on
    the account itself; at most `MAX_SHOWN` of each kind, else ``is_cut_off``."""
    accounts = list(BillingAccount.objects.visible_to(access).order_by("name", "pk")[: MAX_SHOWN + 1])
    profiles = list(
        BillingProfile.objects.visible_to(access).select_related("account").order_by("name", "pk")[: MAX_SHOWN + 1]
    )
    sections = list(_held_sections(access)[: MAX_SHOWN + 1])
    groups: dict[int, dict[str, Any]] = {}

    def group_of(account: BillingAccount) -> dict[str, Any]:
        return groups.setdefault(account.pk, {"account": account, "row": None, "profiles": [], "sections": []})

    for account in accounts[:MAX_SHOWN]:
        group_of(account)["row"] = _row(access, account)
    for profile in profiles[:MAX_SHOWN]:
        group_of(profile.account)["profiles"].append(_row(access, profile))
    for section in sections[:MAX_SHOWN]:
        group_of(section.profile.account)["sections"].append(_row(access, section))
    return {
        "groups": sorted(groups.values(), key=lambda group: (group["account"].name, group["account"].pk)),
        "is_cut_off": any(len(places) > MAX_SHOWN for places in (accounts, profiles, sections)),
    }


# Of each kind of scope: its name where it is remembered, the page with which it opens, and the column that names it.
KINDS: dict[type[ScopeObject], tuple[str, str, str]] = {
    BillingProfile: ("profile", "invoices:list", "code"),
    BillingAccount: ("account", "accounts:account", "code"),
    InvoiceSection: ("section", "accounts:section", "pk"),
}


def url_of(place: ScopeObject) -> str:
    """The page with which a scope opens."""
    _kind, route, column = KINDS[type(place)]
    return reverse(route, args=[getattr(place, column)])


def key_of(place: ScopeObject) -> str:
    """How a scope is remembered on its reader, for `landing_for`."""
    kind, _route, column = KINDS[type(place)]
    return f"{kind}:{getattr(place, column)}"


def landing_for(access: Access) -> str:
    """Where "Cost Management + Billing" opens: the only scope, else the last one if it is still visible, else the list.
    A profile counts as the only scope although its account is visible too."""
    place = _only_place(access) or _last_place(access)
    return url_of(place) if place is not None else reverse("accounts:scopes")


def _only_place(access: Access) -> ScopeObject | None:
    profiles = list(BillingProfile.objects.visible_to(access)[:2])
    if len(profiles) > 1:
        return None
    lone_accounts = BillingAccount.objects.visible_to(access).exclude(profiles__in=profiles)[:2]
    places: list[ScopeObject] = [*profiles, *_held_sections(access)[:2], *lone_accounts]
    return places[0] if len(places) == 1 else None


def _last_place(access: Access) -> ScopeObject | None:
    last_kind, _colon, key = access.user.last_scope.partition(":") if access.user is not None else ("", "", "")
    for model, (kind, _route, column) in KINDS.items():
        if kind == last_kind and (column == "code" or key.isdecimal()):
            return model.objects.visible_to(access).filter(**{column: key}).first()
    return None


def _held_sections(access: Access) -> InvoiceSectionQuerySet:
    """Sections on which the person holds a role, of profiles that the person does not see anyway."""
    return (
        InvoiceSection.objects.visible_to(access)
        .exclude(profile__in=BillingProfile.objects.visible_to(access))
        .select_related("profile__account")
        .order_by("name", "pk")
    )


def _row(access: Access, place: ScopeObject) -> dict[str, Any]:
    return {"place": place, "url": url_of(place), "role_names": role_names(access, place)}


def role_names(access: Access, place: ScopeObject) -> str:
    """The roles that reach a scope, the highest first."""
    held = access.roles_at(place)
    return ", ".join(str(role.label) for role in Role if role in held)

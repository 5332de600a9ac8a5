"""Who may do what, as data; the page that explains roles is rendered from it.

Roles exist at three scopes. A role granted higher is inherited downwards, so each scope has its own table with a column
for every role that reaches it. The tables are those of Azure's customer agreement (learn.microsoft.com, "Understand
Microsoft Customer Agreement administrative roles in Azure", 10 February 2026), without what no page of the portal
enforces, and decided where that page contradicts itself: a billing account contributor may pay at no scope (the
profile's table decides).

To add a role: a member of `Role`, its abbreviation in `SHORT` and in the rows below, its place in `ROLES_OF`, a name in
`SHORT_LABELS` where its scope is plain from the page, and `manage.py makemigrations` for the constraint that names the
roles of each scope.
"""

from functools import cache

from django.db import models
from django.utils.translation import gettext_lazy as _


class Scope(models.TextChoices):
    ACCOUNT = "account", _("Billing account")
    PROFILE = "profile", _("Billing profile")
    SECTION = "section", _("Invoice section")


class Role(models.TextChoices):
    ACCOUNT_OWNER = "account_owner", _("Billing account owner")
    ACCOUNT_CONTRIBUTOR = "account_contributor", _("Billing account contributor")
    ACCOUNT_READER = "account_reader", _("Billing account reader")
    PROFILE_OWNER = "profile_owner", _("Billing profile owner")
    PROFILE_CONTRIBUTOR = "profile_contributor", _("Billing profile contributor")
    PROFILE_READER = "profile_reader", _("Billing profile reader")
    INVOICE_MANAGER = "invoice_manager", _("Invoice manager")
    SECTION_OWNER = "section_owner", _("Invoice section owner")
    SECTION_CONTRIBUTOR = "section_contributor", _("Invoice section contributor")
    SECTION_READER = "section_reader", _("Invoice section reader")


class Permission(models.TextChoices):
    """What can be allowed, as ``thing:deed``. The label is the row's heading on the page that explains roles."""

    ROLES_VIEW = "roles:view", _("View role assignments")
    ROLES_ASSIGN = "roles:assign", _("Assign roles")
    PROPERTIES_VIEW = "properties:view", _("View properties, such as addresses and the PO number")
    PROPERTIES_UPDATE = "properties:update", _("Change properties, such as addresses and the PO number")
    INVOICE_VIEW = "invoice:view", _("View invoices")
    INVOICE_PAY = "invoice:pay", _("Pay invoices by card")
    INVOICE_DOWNLOAD = "invoice:download", _("Download invoices and receipts")
    SECTIONS_VIEW = "sections:view", _("View invoice sections")
    METHODS_VIEW = "methods:view", _("View payment methods")
    METHODS_MANAGE = "methods:manage", _("Manage payment methods")
    CREDITS_VIEW = "credits:view", _("View credits")


# By the names that the tables below use.
SHORT = dict(zip(["BAO", "BAC", "BAR", "BPO", "BPC", "BPR", "IM", "ISO", "ISC", "ISR"], Role, strict=True))
TABLES = {
    Scope.ACCOUNT: {
        Permission.ROLES_VIEW: "BAO BAC BAR",
        Permission.ROLES_ASSIGN: "BAO",
        Permission.PROPERTIES_VIEW: "BAO BAC BAR",
        Permission.INVOICE_VIEW: "BAO BAC BAR",
        Permission.INVOICE_PAY: "BAO",
        Permission.INVOICE_DOWNLOAD: "BAO BAC BAR",
    },
    Scope.PROFILE: {
        Permission.ROLES_VIEW: "BPO BPC BPR IM BAO BAC BAR",
        Permission.ROLES_ASSIGN: "BPO BAO",
        Permission.PROPERTIES_VIEW: "BPO BPC BPR IM BAO BAC BAR",
        Permission.PROPERTIES_UPDATE: "BPO BPC BAO BAC",
        Permission.INVOICE_VIEW: "BPO BPC BPR IM BAO BAC BAR",
        Permission.INVOICE_PAY: "BPO BPC IM BAO",
        Permission.INVOICE_DOWNLOAD: "BPO BPC BPR IM BAO BAC BAR",
        Permission.SECTIONS_VIEW: "BPO BPC BPR IM BAO BAC BAR",
        Permission.METHODS_VIEW: "BPO BPC BPR IM BAO BAC BAR",
        Permission.METHODS_MANAGE: "BPO BPC BAO BAC",
        Permission.CREDITS_VIEW: "BPO BPC BPR IM BAO BAC BAR",
    },
    Scope.SECTION: {
        Permission.ROLES_ASSIGN: "ISO BPO BAO",
        Permission.PROPERTIES_VIEW: "ISO ISC ISR BPO BPC BPR IM BAO BAC BAR",
    },
}
GRANTS: dict[Scope, dict[Permission, frozenset[Role]]] = {
    scope: {permission: frozenset(SHORT[name] for name in names.split()) for permission, names in table.items()}
    for scope, table in TABLES.items()
}

ROLES_OF: dict[Scope, tuple[Role, ...]] = {
    Scope.ACCOUNT: (Role.ACCOUNT_OWNER, Role.ACCOUNT_CONTRIBUTOR, Role.ACCOUNT_READER),
    Scope.PROFILE: (Role.PROFILE_OWNER, Role.PROFILE_CONTRIBUTOR, Role.INVOICE_MANAGER, Role.PROFILE_READER),
    Scope.SECTION: (Role.SECTION_OWNER, Role.SECTION_CONTRIBUTOR, Role.SECTION_READER),
}
OWNERS = {Scope.ACCOUNT: Role.ACCOUNT_OWNER, Scope.PROFILE: Role.PROFILE_OWNER, Scope.SECTION: Role.SECTION_OWNER}

# What a role is called where its scope is plain from the page, such as a table of one profile's roles.
SHORT_LABELS = {
    Role.ACCOUNT_OWNER: _("Owner"),
    Role.ACCOUNT_CONTRIBUTOR: _("Contributor"),
    Role.ACCOUNT_READER: _("Reader"),
    Role.PROFILE_OWNER: _("Owner"),
    Role.PROFILE_CONTRIBUTOR: _("Contributor"),
    Role.PROFILE_READER: _("Reader"),
    Role.SECTION_OWNER: _("Owner"),
    Role.SECTION_CONTRIBUTOR: _("Contributor"),
    Role.SECTION_READER: _("Reader"),
}


def short_label(role: Role) -> str:
    return str(SHORT_LABELS.get(role, role.label))


def scope_of(role: Role) -> Scope:
    """The scope at which a role is granted."""
    return next(scope for scope, roles in ROLES_OF.items() if role in roles)


def roles_with(permission: Permission, scope: Scope) -> frozenset[Role]:
    """The roles, inherited ones included, that hold a permission at a scope; empty when none does."""
    return GRANTS[scope].get(permission, frozenset())


@cache
def permissions_of(roles: frozenset[Role], scope: Scope) -> frozenset[Permission]:
    """What a holder of these roles may do at a scope."""
    return frozenset(permission for permission, holders in GRANTS[scope].items() if holders & roles)

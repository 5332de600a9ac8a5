"""The role tables, typed in a second time: a slip in one of the two shows."""

import pytest

from accounts.access import Access, RoleGrant, reason_for_role
from accounts.models import BillingAccount, BillingProfile, InvoiceSection
from accounts.roles import GRANTS, OWNERS, ROLES_OF, SHORT, Permission, Role, Scope, roles_with, scope_of, short_label

# What each role may do: Y, or - for no. The columns are the roles' short names.
ACCOUNT = """
                       BAO BAC BAR
roles:view              Y   Y   Y
roles:assign            Y   -   -
properties:view         Y   Y   Y
invoice:view            Y   Y   Y
invoice:pay             Y   -   -
invoice:download        Y   Y   Y
"""
PROFILE = """
                       BPO BPC BPR IM  BAO BAC BAR
roles:view              Y   Y   Y   Y   Y   Y   Y
roles:assign            Y   -   -   -   Y   -   -
properties:view         Y   Y   Y   Y   Y   Y   Y
properties:update       Y   Y   -   -   Y   Y   -
invoice:view            Y   Y   Y   Y   Y   Y   Y
invoice:pay             Y   Y   -   Y   Y   -   -
invoice:download        Y   Y   Y   Y   Y   Y   Y
sections:view           Y   Y   Y   Y   Y   Y   Y
methods:view            Y   Y   Y   Y   Y   Y   Y
methods:manage          Y   Y   -   -   Y   Y   -
credits:view            Y   Y   Y   Y   Y   Y   Y
"""
SECTION = """
                       ISO ISC ISR BPO BPC BPR IM  BAO BAC BAR
roles:assign            Y   -   -   Y   -   -   -   Y   -   -
properties:view         Y   Y   Y   Y   Y   Y   Y   Y   Y   Y
"""


def read(table):
    head, *rows = table.strip().splitlines()
    columns = head.split()
    return {
        name: {SHORT[column] for column, answer in zip(columns, answers, strict=True) if answer == "Y"}
        for name, *answers in (row.split() for row in rows)
    }


@pytest.mark.parametrize(
    ("scope", "table"), [(Scope.ACCOUNT, ACCOUNT), (Scope.PROFILE, PROFILE), (Scope.SECTION, SECTION)]
)
def test_the_tables_are_as_published_as_far_as_the_portal_enforces_them(scope, table):
    assert {permission.value: set(holders) for permission, holders in GRANTS[scope].items()} == read(table)


def test_no_section_role_sees_downloads_or_pays_invoices():
    section_roles = set(ROLES_OF[Scope.SECTION])
    for permission in (Permission.INVOICE_VIEW, Permission.INVOICE_DOWNLOAD, Permission.INVOICE_PAY):
        assert all(not section_roles & roles_with(permission, scope) for scope in Scope)


@pytest.mark.parametrize("role", Role)
def test_every_role_has_one_scope_a_short_name_and_some_right(role):
    assert sum(role in roles for roles in ROLES_OF.values()) == 1
    assert short_label(role)
    assert any(role in holders for holders in GRANTS[scope_of(role)].values())


def test_every_scope_has_an_owner_who_may_assign_roles():
    assert all(OWNERS[scope] in roles_with(Permission.ROLES_ASSIGN, scope) for scope in Scope)


def test_who_may_not_pay_is_told_who_can():
    assert reason_for_role(Permission.INVOICE_PAY) == (
        "Your role does not include paying. These roles do: Billing account owner, Billing profile owner, "
        "Billing profile contributor, Invoice manager."
    )


def places():
    account = BillingAccount(pk=1)
    profile = BillingProfile(pk=1, account=account)
    return account, profile, InvoiceSection(pk=1, profile=profile)


def test_a_role_reaches_everything_below_and_nothing_above():
    account, profile, section = places()
    access = Access(user=None, held=(RoleGrant(Role.PROFILE_OWNER, profile_id=1),))
    assert access.permissions_at(account) == frozenset()
    assert Permission.INVOICE_PAY in access.permissions_at(profile)
    assert Permission.ROLES_ASSIGN in access.permissions_at(section)


def test_a_role_says_nothing_about_the_scope_beside():
    _account, _profile, section = places()
    beside = BillingProfile(pk=2, account=BillingAccount(pk=2))
    access = Access(
        user=None, held=(RoleGrant(Role.ACCOUNT_OWNER, account_id=1), RoleGrant(Role.SECTION_OWNER, section_id=2))
    )
    assert access.permissions_at(beside) == frozenset()
    assert access.roles_at(section) == {Role.ACCOUNT_OWNER}

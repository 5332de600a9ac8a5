"""Every role of an account may open today's pages of it; one that asks for more turns away who has less."""

import pytest
from django.http import HttpResponse

from accounts.access import NotAllowed
from accounts.decorators import account_view
from accounts.roles import Permission
from tests.factories import BillingAccountFactory, member

pytestmark = pytest.mark.django_db


@account_view(Permission.ROLES_ASSIGN)
def assigning_roles(_request, _access, account):
    return HttpResponse(account.code)


def opened_by(rf, account, role):
    request = rf.get("/")
    request.user = member(account, role)
    return assigning_roles(request, account=account.code)


def test_a_role_with_the_permission_gets_in(rf):
    assert opened_by(rf, BillingAccountFactory(), "account_owner").status_code == 200


@pytest.mark.parametrize("role", ["account_contributor", "account_reader"])
def test_a_role_without_it_is_told_which_roles_would_do(rf, role):
    with pytest.raises(NotAllowed, match="These roles do: Billing account owner"):
        opened_by(rf, BillingAccountFactory(), role)

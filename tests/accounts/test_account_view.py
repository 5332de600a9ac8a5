"""Every role of an account may open today's pages of it; one that asks for more turns away who has less."""

import pytest
from django.http import HttpResponse

from accounts.access import NotAllowed
from accounts.decorators import account_view
from accounts.roles import Permission
from tests.factories import BillingAccountFactory, member

pytestmark = pytest.mark.django_db


@account_view(Permission.PROFILES_CREATE)
def making_profiles(_request, _access, account):
    return HttpResponse(account.code)


def opened_by(rf, account, role):
    request = rf.get("/")
    request.user = member(account, role)
    return making_profiles(request, account=account.code)


@pytest.mark.parametrize("role", ["account_owner", "account_contributor"])
def test_a_role_with_the_permission_gets_in(rf, role):
    account = BillingAccountFactory()
    assert opened_by(rf, account, role).status_code == 200


def test_a_role_without_it_is_told_which_roles_would_do(rf):
    with pytest.raises(NotAllowed, match="Billing account owner, Billing account contributor"):
        opened_by(rf, BillingAccountFactory(), "account_reader")

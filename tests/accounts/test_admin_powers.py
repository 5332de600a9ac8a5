"""What a clerk who may change people cannot do: become somebody else."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(client):
    person = UserFactory(is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(person)
    return person


def set_password(client, person):
    address = reverse("admin:auth_user_password_change", args=[person.pk])
    new = "a long new password"
    return client.post(address, {"password1": new, "password2": new, "usable_password": "true"})


@pytest.mark.parametrize("powers", [{}, {"is_staff": True}, {"is_superuser": True, "is_staff": True}])
def test_a_clerk_sets_nobodys_password(client, clerk, powers):
    other = UserFactory(**powers)
    before = other.password
    assert set_password(client, other).status_code == 403
    other.refresh_from_db()
    assert other.password == before


@pytest.mark.parametrize("powers", [{"is_staff": True}, {"is_superuser": True, "is_staff": True}])
def test_a_clerk_changes_no_member_of_staff(client, clerk, powers):
    other = UserFactory(email="boss@example.com", **powers)
    address = reverse("admin:accounts_user_change", args=[other.pk])
    assert client.post(address, {"email": "clerk@example.net", "is_active": "on"}).status_code == 403
    other.refresh_from_db()
    assert other.email == "boss@example.com"


def test_a_superuser_may(admin_client):
    other = UserFactory(is_staff=True)
    assert set_password(admin_client, other).status_code == 302
    other.refresh_from_db()
    assert other.check_password("a long new password")

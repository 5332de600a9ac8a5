"""What a clerk who may change people cannot do: become somebody else."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission
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


def test_a_clerk_gives_a_group_no_powers(client, clerk):
    """Nor one that they belong to themselves: what a group may do, its members may do."""
    group = Group.objects.create(name="Clerks")
    clerk.groups.add(group)
    clerk.user_permissions.add(*Permission.objects.filter(content_type__model="group"))
    everything = Permission.objects.values_list("pk", flat=True)
    address = reverse("admin:auth_group_change", args=[group.pk])
    assert client.post(address, {"name": "Clerks", "permissions": list(everything)}).status_code == 403
    assert client.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code == 403
    assert not group.permissions.exists()
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("powers", [{"is_staff": True}, {"is_superuser": True, "is_staff": True}])
def test_a_clerk_takes_no_second_factor_from_a_member_of_staff(client, clerk, powers):
    clerk.user_permissions.add(*Permission.objects.filter(content_type__model="authenticator"))
    theirs = Authenticator.objects.create(user=UserFactory(**powers), type="totp", data={})
    address = reverse("admin:mfa_authenticator_delete", args=[theirs.pk])
    assert client.post(address, {"post": "yes"}).status_code == 403
    listed = reverse("admin:mfa_authenticator_changelist")
    client.post(listed, {"action": "delete_selected", "_selected_action": [theirs.pk], "post": "yes"})
    assert Authenticator.objects.filter(pk=theirs.pk).exists()


def test_a_clerk_takes_a_lost_second_factor_from_a_customer(client, clerk):
    clerk.user_permissions.add(*Permission.objects.filter(content_type__model="authenticator"))
    lost = Authenticator.objects.create(user=UserFactory(), type="totp", data={})
    client.post(reverse("admin:mfa_authenticator_delete", args=[lost.pk]), {"post": "yes"})
    assert not Authenticator.objects.exists()

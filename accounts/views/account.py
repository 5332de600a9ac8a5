"""The pages of a billing account, for people with a role on the account itself."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.members import members_of_account, role_table
from accounts.models import BillingAccount, BillingProfile
from accounts.roles import Permission, Scope
from accounts.scoping import account_view


@require_safe
@account_view(Permission.PROPERTIES_VIEW)
def overview(request: HttpRequest, access: Access, account: BillingAccount) -> HttpResponse:
    profiles = BillingProfile.objects.visible_to(access).filter(account=account).order_by("name", "pk")
    context = {"account": account, "profiles": profiles, "tax_ids": account.tax_ids.order_by("kind", "value")}
    return render(request, "accounts/account.html", context)


@require_safe
@account_view(Permission.ROLES_VIEW)
def access_control(request: HttpRequest, _access: Access, account: BillingAccount) -> HttpResponse:
    context = {
        "account": account,
        "members": members_of_account(account),
        "roles": role_table(Scope.ACCOUNT),
    }
    return render(request, "accounts/access.html", context)

"""Scopes and what can be known of them: the list, billing accounts, profiles, invoice sections."""

from django.urls import path

from accounts.views import account, profile, scopes, section

app_name = "accounts"
urlpatterns = [
    path("scopes/", scopes.scope_list, name="scopes"),
    path("billing-accounts/<str:account>/", account.overview, name="account"),
    path("billing-accounts/<str:account>/access/", account.access_control, name="account_access"),
    path("profiles/<str:profile>/properties/", profile.properties, name="properties"),
    path("profiles/<str:profile>/access/", profile.access_control, name="access"),
    path("invoice-sections/<int:section>/", section.overview, name="section"),
]

"""Scopes and what can be known of them: the list, billing accounts, profiles, invoice sections."""

from django.urls import path

from accounts.views import contacts, scopes, wire

app_name = "accounts"
urlpatterns = [
    path("scopes/", scopes.scope_list, name="scopes"),
    path("billing-accounts/<str:account>/", scopes.account, name="account"),
    path("billing-accounts/<str:account>/access/", scopes.account_access, name="account_access"),
    path("billing-accounts/<str:account>/second-factor/", scopes.second_factor, name="second_factor"),
    path("profiles/<str:profile>/properties/", scopes.properties, name="properties"),
    path("profiles/<str:profile>/access/", scopes.profile_access, name="access"),
    path("profiles/<str:profile>/mail/", contacts.contacts, name="contacts"),
    path("profiles/<str:profile>/mail/choose", contacts.choose, name="choose_mails"),
    path("profiles/<str:profile>/mail/contacts", contacts.add, name="add_contact"),
    path("profiles/<str:profile>/mail/contacts/<int:contact_id>/remove", contacts.remove, name="remove_contact"),
    path("profiles/<str:profile>/pay-by-wire/", wire.wire_request, name="wire_request"),
    path("profiles/<str:profile>/pay-by-wire/withdraw", wire.withdraw, name="withdraw_wire_request"),
    path("invoice-sections/<int:section>/", scopes.section, name="section"),
]

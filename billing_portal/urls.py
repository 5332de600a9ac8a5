"""Every address of the portal."""

from allauth.mfa.base.views import authenticate
from allauth.mfa.recovery_codes.views import download_recovery_codes, view_recovery_codes
from allauth.mfa.totp.views import activate_totp, deactivate_totp
from allauth.mfa.webauthn.views import add_webauthn, edit_webauthn
from django.contrib import admin
from django.urls import include, path

from accounts.views import email_address
from billing_portal import home, search, sign_in
from billing_portal.personal_data.views import own_data
from billing_portal.security_activity import security_activity
from billing_portal.sign_in import (
    NewRecoveryCodes,
    changes_second_factors,
    remove_key,
    second_factor_asked_for,
    shows_recovery_codes,
)
from payments.gateways.registry import gateways

# Pages of our own that stand before those of the sign-in library: the first that fits answers.
account_urls = [
    path("account/email/", email_address.change, name="account_email"),
    path("account/email/withdraw", email_address.withdraw, name="account_withdraw_email"),
    path("account/confirm-email/<str:key>/", email_address.confirm, name="account_confirm_email"),
    path("account/cancel-email/<str:key>/", email_address.cancel, name="account_cancel_email"),
    path("account/data/", own_data, name="own_data"),
    path("account/security/", security_activity, name="security_activity"),
    path("account/2fa/", sign_in.second_factor_pages, name="mfa_index"),
    path("account/2fa/back/", sign_in.go_back, name="second_factor_back"),
    path("account/2fa/authenticate/", second_factor_asked_for(authenticate), name="mfa_authenticate"),
    path("account/2fa/totp/activate/", changes_second_factors(activate_totp), name="mfa_activate_totp"),
    path("account/2fa/totp/deactivate/", changes_second_factors(deactivate_totp), name="mfa_deactivate_totp"),
    path("account/2fa/recovery-codes/", shows_recovery_codes(view_recovery_codes), name="mfa_view_recovery_codes"),
    path(
        "account/2fa/recovery-codes/download/",
        shows_recovery_codes(download_recovery_codes),
        name="mfa_download_recovery_codes",
    ),
    path(
        "account/2fa/recovery-codes/generate/",
        changes_second_factors(NewRecoveryCodes.as_view()),
        name="mfa_generate_recovery_codes",
    ),
    path("account/2fa/webauthn/add/", changes_second_factors(add_webauthn), name="mfa_add_webauthn"),
    path("account/2fa/webauthn/keys/<int:pk>/edit/", changes_second_factors(edit_webauthn), name="mfa_edit_webauthn"),
    path("account/2fa/webauthn/keys/<int:pk>/remove/", changes_second_factors(remove_key), name="mfa_remove_webauthn"),
]

urlpatterns = [
    path("", home.home, name="home"),
    path("scopes/menu/<str:profile>", home.scope_menu, name="scope-menu"),
    path("", include("accounts.urls")),
    path("", include("invoices.urls")),
    path("", include("payments.urls")),
    *[path(f"gateways/{gateway.slug}/", include(gateway.urls())) for gateway in gateways()],
    path("search/", search.search, name="search"),
    path("preferences/", home.preferences, name="preferences"),
    path("healthz", home.healthz, name="healthz"),
    path("healthz/worker", home.worker_healthz, name="worker-healthz"),
    path("", include(account_urls)),
    path("account/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "billing_portal.errors.bad_request"
handler403 = "billing_portal.errors.forbidden"
handler429 = "billing_portal.errors.too_many_requests"  # allauth's
handler404 = "billing_portal.errors.not_found"
handler500 = "billing_portal.errors.server_error"

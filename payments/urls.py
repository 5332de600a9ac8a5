"""Addresses of payments. Those of a billing profile hold the profile's code; included without a prefix."""

from django.urls import path

from payments.views import (
    adding,
    checks,
    default_method,
    history,
    methods,
    paying,
    receipts,
    results,
    statements,
    webhooks,
)

app_name = "payments"
urlpatterns = [
    path("profiles/<str:profile>/invoices/<str:number>/pay/", paying.pay_invoice, name="pay"),
    path("profiles/<str:profile>/invoices/<str:number>/payments/", history.for_invoice, name="for_invoice"),
    path("profiles/<str:profile>/invoices/<str:number>/payment", history.latest, name="latest"),
    path("profiles/<str:profile>/payments/", history.history, name="history"),
    path("profiles/<str:profile>/payments/<str:reference>/", results.detail, name="detail"),
    path("profiles/<str:profile>/payments/<str:reference>/receipt", receipts.receipt, name="receipt"),
    path("profiles/<str:profile>/payments/<str:reference>/return", results.returned, name="return"),
    path("profiles/<str:profile>/payments/<str:reference>/check/", checks.check, name="check"),
    path("profiles/<str:profile>/payments/<str:reference>/cancel", results.cancel, name="cancel"),
    path("profiles/<str:profile>/statement/", statements.statement, name="statement"),
    path("profiles/<str:profile>/statement/pdf", statements.pdf, name="statement_pdf"),
    path("profiles/<str:profile>/methods/", methods.methods, name="methods"),
    path("profiles/<str:profile>/methods/default", default_method.choose, name="set_default_method"),
    path("profiles/<str:profile>/methods/add/", adding.add_method, name="add_method"),
    path("profiles/<str:profile>/methods/adding/<uuid:key>/", adding.adding, name="adding"),
    path("profiles/<str:profile>/methods/adding/<uuid:key>/return", adding.added, name="added"),
    path("profiles/<str:profile>/methods/<int:method_id>/default", methods.set_default, name="make_default"),
    path("profiles/<str:profile>/methods/<int:method_id>/remove/", methods.remove, name="remove_method"),
    path("profiles/<str:profile>/methods/<int:method_id>/backup", methods.backup, name="backup"),
    path("profiles/<str:profile>/methods/autopay", methods.autopay, name="autopay"),
    path("webhooks/<slug:gateway>", webhooks.webhook, name="webhook"),
]

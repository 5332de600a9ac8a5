"""Addresses of payments. Those of a billing profile hold the profile's code; included without a prefix."""

from django.urls import path

from payments.views import card_setups, methods, pay, payments, statements, webhooks

app_name = "payments"
urlpatterns = [
    path("profiles/<str:profile>/invoices/<str:number>/pay/", pay.pay_invoice, name="pay"),
    path("profiles/<str:profile>/invoices/<str:number>/payments/", payments.for_invoice, name="for_invoice"),
    path("profiles/<str:profile>/invoices/<str:number>/payment", payments.latest, name="latest"),
    path("profiles/<str:profile>/payments/", payments.history, name="history"),
    path("profiles/<str:profile>/payments/<str:reference>/", payments.detail, name="detail"),
    path("profiles/<str:profile>/payments/<str:reference>/receipt", payments.receipt, name="receipt"),
    path("profiles/<str:profile>/payments/<str:reference>/return", payments.returned, name="return"),
    path("profiles/<str:profile>/payments/<str:reference>/approve/", payments.challenge, name="challenge"),
    path("profiles/<str:profile>/payments/<str:reference>/cancel", payments.cancel, name="cancel"),
    path("profiles/<str:profile>/statement/", statements.statement, name="statement"),
    path("profiles/<str:profile>/statement/pdf", statements.pdf, name="statement_pdf"),
    path("profiles/<str:profile>/methods/", methods.methods, name="methods"),
    path("profiles/<str:profile>/methods/default", methods.choose_default_method, name="set_default_method"),
    path("profiles/<str:profile>/methods/add/", card_setups.add_method, name="add_method"),
    path("profiles/<str:profile>/methods/adding/<uuid:key>/", card_setups.adding, name="adding"),
    path("profiles/<str:profile>/methods/adding/<uuid:key>/return", card_setups.added, name="added"),
    path("profiles/<str:profile>/methods/<int:method_id>/default", methods.set_default, name="make_default"),
    path("profiles/<str:profile>/methods/<int:method_id>/remove/", methods.remove, name="remove_method"),
    path("profiles/<str:profile>/methods/<int:method_id>/backup", methods.backup, name="backup"),
    path("profiles/<str:profile>/methods/autopay", methods.autopay, name="autopay"),
    path("webhooks/<slug:gateway>", webhooks.webhook, name="webhook"),
]

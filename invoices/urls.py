"""Addresses of invoices. Each holds the code of its billing profile; included without a prefix."""

from django.urls import path

from invoices.views import credits, detail, document, downloads, listing, responses, sending, usage  # noqa: A004  not the shell's credits()

app_name = "invoices"
urlpatterns = [
    path("profiles/<str:profile>/invoices/", listing.invoice_list, name="list"),
    path("profiles/<str:profile>/invoices/csv", listing.invoice_table, {"kind": "csv"}, name="csv"),
    path("profiles/<str:profile>/invoices/xlsx", listing.invoice_table, {"kind": "xlsx"}, name="xlsx"),
    path("profiles/<str:profile>/invoices/<str:number>/", detail.invoice_detail, name="detail"),
    path("profiles/<str:profile>/invoices/<str:number>/pdf", downloads.pdf, name="pdf"),
    path("profiles/<str:profile>/invoices/<str:number>/document/", document.invoice_document, name="document"),
    path("profiles/<str:profile>/invoices/<str:number>/document/<int:page>.png", document.invoice_page, name="page"),
    path("profiles/<str:profile>/invoices/<str:number>/xml", downloads.xml, name="xml"),
    path(
        "profiles/<str:profile>/invoices/<str:number>/usage/csv", usage.usage_table, {"kind": "csv"}, name="usage_csv"
    ),
    path(
        "profiles/<str:profile>/invoices/<str:number>/usage/xlsx",
        usage.usage_table,
        {"kind": "xlsx"},
        name="usage_xlsx",
    ),
    path(
        "profiles/<str:profile>/invoices/<str:number>/payment-code.svg", detail.payment_code_image, name="payment_code"
    ),
    path("profiles/<str:profile>/credit-notes/<str:note>/pdf", downloads.credit_note_pdf, name="credit_note_pdf"),
    path("profiles/<str:profile>/credit-notes/<str:note>/xml", downloads.credit_note_xml, name="credit_note_xml"),
    path("profiles/<str:profile>/properties/invoices/", sending.sending, name="sending"),
    path("profiles/<str:profile>/properties/invoices/choose", sending.choose, name="choose_sending"),
    path("e-invoices/answers", responses.einvoice_response, name="einvoice_response"),
    path("profiles/<str:profile>/credits/", credits.credit_list, name="credits"),
    path("profiles/<str:profile>/credits/csv", credits.credit_table, {"kind": "csv"}, name="credits_csv"),
    path("profiles/<str:profile>/credits/xlsx", credits.credit_table, {"kind": "xlsx"}, name="credits_xlsx"),
]

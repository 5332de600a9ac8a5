"""Addresses of invoices; included without a prefix."""

from django.urls import URLPattern

app_name = "invoices"
urlpatterns: list[URLPattern] = []

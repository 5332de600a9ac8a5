"""The search box: pages, invoices, payments and profiles, of what the person may see."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    return render(request, "search.html", {"query": request.GET.get("q", "")[:100].strip()})

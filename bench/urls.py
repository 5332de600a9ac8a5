"""The portal's addresses, and two pages with nothing of ours in them to compare the others with."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from accounts.access import Access
from accounts.decorators import profile_view
from accounts.roles import Permission


def nothing(_request: HttpRequest) -> HttpResponse:
    """What signing in, the session and the middleware cost."""
    return HttpResponse("")


@profile_view(Permission.INVOICE_VIEW)
def frame_alone(request: HttpRequest, _access: Access) -> HttpResponse:
    """The same with a look-up of the profile, and a page that has menus and no content."""
    return render(request, "layouts/page.html", {"layout": "layouts/page.html"})


urlpatterns = [
    path("bench/nothing", nothing),
    path("bench/<str:profile>/frame", frame_alone),
    path("", include("billing_portal.urls")),
]

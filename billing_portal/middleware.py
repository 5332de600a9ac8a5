"""What happens around every request."""

import time
from collections.abc import Callable
from http import HTTPStatus

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils import translation
from django.utils.cache import patch_cache_control

from billing_portal.core.database import UNAVAILABLE
from billing_portal.errors import not_found, too_large, without_length

GetResponse = Callable[[HttpRequest], HttpResponse]
log = structlog.get_logger("portal.request")
# What addresses call the secrets in them.
KEYS = {"key", "challenge"}


def path_for_logs(request: HttpRequest) -> str:
    """The path, without the key of a password reset or of a bank's approval. Such an address is logged as it stands in
    the list of addresses, also where it was answered before it was looked up, as one without its last slash is."""
    match = request.resolver_match or _found(request.path_info) or _found(f"{request.path_info}/")
    if match is not None and KEYS & match.kwargs.keys():
        return f"/{match.route}"
    return request.path


def _found(path: str) -> ResolverMatch | None:
    try:
        return resolve(path)
    except Resolver404:
        return None


def request_log(get_response: GetResponse) -> GetResponse:
    """One line a request: method, path (never the query string, nor a key in the path), status, milliseconds, who."""

    def middleware(request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = get_response(request)
        log.info(
            "request",
            method=request.method,
            path=path_for_logs(request),
            status=response.status_code,
            ms=round((time.perf_counter() - start) * 1000, 1),
            user=_user_id(request),
        )
        return response

    return middleware


def _user_id(request: HttpRequest) -> int | None:
    """None as well while the database that knows it is away: the request is logged all the same."""
    try:
        user = getattr(request, "user", None)
        return user.pk if user is not None and user.is_authenticated else None
    except UNAVAILABLE:
        return None


def retry_after(get_response: GetResponse) -> GetResponse:
    """Whoever gets 503 (the database or a provider does not answer) is told when to come back, in seconds."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code == 503:
            response.headers.setdefault("Retry-After", "60")
        return response

    return middleware


def private_pages(get_response: GetResponse) -> GetResponse:
    """No page may be kept by a browser's or a proxy's cache. Static files are answered before this is reached."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, no_store=True, private=True)
        return response

    return middleware


def no_nul(get_response: GetResponse) -> GetResponse:
    """PostgreSQL fails on a NUL character where a row is looked up. One in the path is refused, one in the query taken
    out. Forms refuse it by themselves."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path:
            raise BadRequest("The address has a NUL character in it.")
        while "%00" in request.META.get("QUERY_STRING", ""):
            request.META["QUERY_STRING"] = request.META["QUERY_STRING"].replace("%00", "")
        return get_response(request)

    return middleware


def no_nul_in_cookies(get_response: GetResponse) -> GetResponse:
    """A cookie may write a NUL character as ``\\000``. Must run before sessions are read."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.COOKIES = {name: value for name, value in request.COOKIES.items() if "\x00" not in value}
        return get_response(request)

    return middleware


def body_limit(get_response: GetResponse) -> GetResponse:
    """Refuses a body unread that says it is larger than `DATA_UPLOAD_MAX_MEMORY_SIZE`, or does not say how large it is
    (Django would take that for an empty one)."""

    def middleware(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if "HTTP_TRANSFER_ENCODING" in request.META:
            return without_length(request)
        if length.isdecimal() and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return too_large(request)
        return get_response(request)

    return middleware


def demo_not_found(get_response: GetResponse) -> GetResponse:
    """In a demo a missing page looks as it does on a server: Django's own, with its list of addresses, is for DEBUG."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if settings.DEMO and settings.DEBUG and response.status_code == HTTPStatus.NOT_FOUND:
            return not_found(request)
        return response

    return middleware


def reader_language(get_response: GetResponse) -> GetResponse:
    """The choice kept with the user, else the cookie's, else the browser's."""

    def middleware(request: HttpRequest) -> HttpResponse:
        chosen = request.user.language if request.user.is_authenticated else ""
        language = chosen or translation.get_language_from_request(request)
        translation.activate(language)
        request.LANGUAGE_CODE = translation.get_language()
        response = get_response(request)
        response.headers.setdefault("Content-Language", translation.get_language() or "en")
        return response

    return middleware

"""What happens around every request."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest, TooManyFilesSent
from django.core.files.uploadhandler import FileUploadHandler, MemoryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils import translation
from django.utils.cache import patch_cache_control
from django.utils.deprecation import MiddlewareMixin

from billing_portal.core.database import UNAVAILABLE
from billing_portal.errors import not_found, too_large, without_length

log = structlog.get_logger("portal.request")
# What addresses call the secrets in them.
KEYS = {"key", "challenge"}

TAKE_A_FILE = {"admin:accounts_seller_add", "admin:accounts_seller_change"}


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


def request_log(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """One line a request: method, path (never the query string, nor a key in the path), status, milliseconds, who."""

    def middleware(request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = get_response(request)
        log.info(
            "request", method=request.method, path=path_for_logs(request), status=response.status_code,
            ms=round((time.perf_counter() - start) * 1000, 1), user=_user_id(request),
        )  # fmt: skip
        return response

    return middleware


def _user_id(request: HttpRequest) -> int | None:
    """None as well while the database that knows it is away: the request is logged all the same."""
    try:
        user = getattr(request, "user", None)
        return user.pk if user is not None and user.is_authenticated else None
    except UNAVAILABLE:
        return None


class RetryAfter(MiddlewareMixin):
    """Whoever gets 503 (the database or a provider does not answer) is told when to come back, in seconds."""

    def process_response(self, _request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if response.status_code == 503:
            response.headers.setdefault("Retry-After", "60")
        return response


class PrivatePages(MiddlewareMixin):
    """No page may be kept by a browser's or a proxy's cache. Static files are answered before this is reached."""

    def process_response(self, _request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, no_store=True, private=True)
        return response


class NoNul(MiddlewareMixin):
    """PostgreSQL fails on NUL in a look-up. A path with it is refused, a query loses it; forms refuse it anyway."""

    def process_request(self, request: HttpRequest) -> None:
        if "\x00" in request.path:
            raise BadRequest("The address has a NUL character in it.")
        while "%00" in request.META.get("QUERY_STRING", ""):
            request.META["QUERY_STRING"] = request.META["QUERY_STRING"].replace("%00", "")


class NoNulInCookies(MiddlewareMixin):
    """A cookie may write a NUL character as ``\\000``. Must run before sessions are read."""

    def process_request(self, request: HttpRequest) -> None:
        request.COOKIES = {name: value for name, value in request.COOKIES.items() if "\x00" not in value}


class NoFiles(FileUploadHandler):
    """Ends the reading at the first file in a body, before anything of it is put on a disk."""

    def new_file(self, *_args: Any, **_options: Any) -> None:
        raise TooManyFilesSent("This page takes no file.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002  Django passes it
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Never reached; Django wants it."""


class BodyLimit(MiddlewareMixin):
    """Refuses, unread, a body above `DATA_UPLOAD_MAX_MEMORY_SIZE` or of unknown size (for Django an empty one), and
    every file but those of staff on the pages that take one."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if "HTTP_TRANSFER_ENCODING" in request.META:
            return without_length(request)
        request.upload_handlers = [MemoryFileUploadHandler(request) if _takes_a_file(request) else NoFiles(request)]
        is_too_large = length.isdecimal() and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return too_large(request) if is_too_large else None


def _takes_a_file(request: HttpRequest) -> bool:
    match = _found(request.path_info) if request.method == "POST" else None
    if match is None or match.view_name not in TAKE_A_FILE:
        return False
    return request.user.is_active and request.user.is_staff


class DemoNotFound(MiddlewareMixin):
    """In a demo a missing page looks as it does on a server: Django's own, with its list of addresses, is for DEBUG."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        is_shown = settings.DEMO and settings.DEBUG and response.status_code == HTTPStatus.NOT_FOUND
        return not_found(request) if is_shown else response


class ReaderLanguage(MiddlewareMixin):
    """The choice kept with the user, else the cookie's, else the browser's."""

    def process_request(self, request: HttpRequest) -> None:
        chosen = request.user.language if request.user.is_authenticated else ""
        translation.activate(chosen or translation.get_language_from_request(request))
        request.LANGUAGE_CODE = translation.get_language()

    def process_response(self, _request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response.headers.setdefault("Content-Language", translation.get_language() or "en")
        return response

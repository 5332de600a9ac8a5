"""Structured logs. One event a line, as text for people or JSON for machines; what must not be written is taken out."""

import copy
import logging
import re
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from django.http import HttpRequest

SECRET_NAMES = re.compile(r"password|secret|token|authorization|cookie|card_number|cvc|client_secret", re.IGNORECASE)
CARD_NUMBER = re.compile(r"\b(?:\d[ -]?){12,18}\d\b")


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Takes out values under secret names, and anything that looks like a card number, however deep it lies."""
    for name, value in event.items():
        event[name] = _clean(name, value)
    return event


def _clean(name: str, value: Any) -> Any:
    if SECRET_NAMES.search(name):
        return "[redacted]"
    if isinstance(value, str):
        return CARD_NUMBER.sub("[number]", value)
    if isinstance(value, Mapping):
        return {key: _clean(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(name, item) for item in value]
    return value


def one_line_for_refusals(record: logging.LogRecord) -> logging.LogRecord:
    """Leaves out the traceback of a refused request: whoever scans the internet would fill the disk with it."""
    if getattr(record, "status_code", 500) >= 500:
        return record
    refusal = copy.copy(record)
    refusal.exc_info = refusal.exc_text = None
    return refusal


def no_keys(record: logging.LogRecord) -> logging.LogRecord:
    """Django's own lines about a failed request name its path. A key in it is left out, as in the portal's own line."""
    request = getattr(record, "request", None)
    if not isinstance(request, HttpRequest) or not isinstance(record.args, tuple):
        return record
    from billing_portal.middleware import path_for_logs  # noqa: PLC0415  needs the settings, which configure this

    written = {request.path, request.path.encode("unicode_escape").decode("ascii")}
    safe = copy.copy(record)
    safe.args = tuple(path_for_logs(request) if each in written else each for each in record.args)
    return safe


def configure(options: dict[str, str]) -> None:
    """Called by Django with the LOGGING setting: ``level`` and ``format`` (``text`` or ``json``)."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if options["format"] == "json"
        else structlog.dev.ConsoleRenderer(colors=False, sort_keys=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.addFilter(one_line_for_refusals)
    handler.addFilter(no_keys)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(options["level"])
    logging.getLogger("django.server").setLevel(logging.ERROR)

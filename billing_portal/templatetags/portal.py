"""What templates load: icons, money, dates and status pills, in the reader's language. Formatting is cached by value: a
grid shows the same few hundred over and over."""

import re
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import lucide
from allauth.mfa.models import Authenticator
from babel import Locale
from babel.dates import format_date, format_datetime
from django import template
from django.conf import settings
from django.db import DatabaseError
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime, now
from django.utils.translation import get_language

from accounts.audit_words import browser_in_words
from accounts.models import User
from accounts.sellers import sender_of
from billing_portal.core.jobs import WorkerStatus, worker_status
from billing_portal.demo.data import PASSWORD, SIGN_INS
from billing_portal.staff_queue import Waiting, what_waits
from invoices.money import Money
from invoices.states import StatusBadge

register = template.Library()


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """A Lucide icon as inline SVG, hidden from screen readers: the words beside it say the same."""
    return _icon(str(name), str(css))


@lru_cache(maxsize=512)
def _icon(name: str, css: str) -> SafeString:
    svg = lucide._render_icon(name, 16, **{"class": f"icon {css}".strip(), "aria-hidden": "true"})  # noqa: SLF001  the library offers it as template tags alone
    return mark_safe(" ".join(svg.split()))  # noqa: S308  drawn by the library from our own names


@register.simple_tag
def status(look: StatusBadge, label: str) -> SafeString:
    """A status pill: color, icon and word, so that color alone says nothing."""
    return _status(look, str(label))


@lru_cache(maxsize=512, typed=True)
def _status(look: StatusBadge, label: str) -> SafeString:
    return format_html('<span class="status {}">{}{}</span>', look.css, _icon(look.icon, ""), label)


@register.filter
def money(amount: Money | None) -> str:
    return "" if amount is None else amount.format()


@register.filter
def minor(amount: int | None, currency: str) -> str:
    """An amount in minor units, as columns hold it: ``{{ invoice.total_minor|minor:invoice.currency }}``."""
    return "" if amount is None else Money(amount, currency).format()


@register.filter
def day(moment: date | datetime | str | None) -> str:
    """``5 Oct 2026``. A moment gives the day where the portal is; a text is a day that a stored mail holds in ISO."""
    if isinstance(moment, str):
        moment = date.fromisoformat(moment) if moment else None
    if moment is None:
        return ""
    if isinstance(moment, datetime):
        moment = localtime(moment).date()
    return _day(moment, get_language() or "en")


@register.filter
def clock(moment: datetime | str | None) -> str:
    """``5 Oct 2026, 09:14``, in the portal's time zone. A text is a moment that a stored mail holds in ISO."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment) if moment else None
    if moment is None:
        return ""
    return format_datetime(localtime(moment), "d MMM y, HH:mm", locale=_locale(get_language() or "en"))


@register.filter
def clock_and_zone(moment: str) -> str:
    """``5 Oct 2026, 09:14 (Central European Summer Time)``: for a mail, which is read anywhere."""
    zone = format_datetime(localtime(datetime.fromisoformat(moment)), "zzzz", locale=_locale(get_language() or "en"))
    return f"{clock(moment)} ({zone})"


@register.filter
def browser(user_agent: str) -> str:
    return browser_in_words(user_agent)


@lru_cache(maxsize=4096)
def _day(value: date, language: str) -> str:
    return format_date(value, "d MMM y", locale=_locale(language))


@lru_cache(maxsize=16)
def _locale(language: str) -> Locale:
    return Locale.parse(language.replace("-", "_"))


@register.simple_block_tag(end_name="end_one_line")
def one_line(content: str) -> SafeString:
    """Its content without line breaks. The space inside an amount stays one that does not break."""
    return mark_safe(re.sub(r"[ \t\r\n\f]+", " ", content).strip(" "))  # noqa: S308  the template has escaped what it rendered


@register.simple_block_tag
def panel(content: str, name: str, title: str, *, note: str = "", body: bool = True, css: str = "") -> SafeString:
    """A part of a page, labelled by its heading. A table takes the whole width: it has no ``body`` around it."""
    aside = format_html('<span class="muted small">{}</span>', note) if note else ""
    inner = format_html('<div class="panel-body">{}</div>', content) if body else content
    head = format_html('<div class="panel-head"><h2 id="{}">{}</h2>{}</div>', name, title, aside)
    return format_html('<section class="panel {}" aria-labelledby="{}">{}{}</section>', css, name, head, inner)


@register.simple_tag
def demo_sign_ins() -> dict[str, Any] | None:
    """The people whom the sign-in page offers, and their one password; nobody unless the demo is on."""
    return {"sign_ins": SIGN_INS, "password": PASSWORD} if settings.DEMO else None


@register.filter
def drawing(svg: str) -> SafeString:
    return mark_safe(svg[svg.index("<svg") :])  # noqa: S308  made by the QR library, not by people


@register.filter
def has_security_key(user: User) -> bool:
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).exists())


@register.simple_tag
def seller() -> dict[str, Any]:
    """The first seller; empty where the database does not answer, because error pages name it too."""
    try:
        return sender_of({})
    except DatabaseError:
        return {}


@register.simple_tag
def staff_queue(user: User) -> list[Waiting]:
    return what_waits(user)


@register.simple_tag
def worker() -> WorkerStatus:
    return worker_status(at=now())

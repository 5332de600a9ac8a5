"""What a browser says of itself, in words: ``Firefox 140 on Linux``."""

from functools import lru_cache

from django.utils.translation import gettext as _
from ua_parser import parse


def browser_in_words(user_agent: str) -> str:
    """In the reader's language; empty when there was no browser, and the browser's own words when they say nothing."""
    if not user_agent:
        return ""
    browser, system = _known(user_agent)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or user_agent


@lru_cache(maxsize=1024)
def _known(user_agent: str) -> tuple[str, str]:
    """The browser with its version, and the system it runs on."""
    result = parse(user_agent)
    browser = f"{result.user_agent.family} {result.user_agent.major or ''}".strip() if result.user_agent else ""
    return browser, result.os.family if result.os else ""

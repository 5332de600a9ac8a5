"""Postal addresses as they are written on an envelope, and the names of countries."""

from collections.abc import Mapping
from functools import lru_cache

from babel import Locale


@lru_cache(maxsize=1024)
def country_name(code: str, language: str) -> str:
    """Remembered, because finding a language takes longer than writing the rest of an address."""
    return str(Locale.parse(language.replace("-", "_")).territories.get(code, code))


def address_lines(parts: Mapping[str, str], language: str) -> list[str]:
    """The lines of an address with the keys company, attention, street, postal_code, city, region and country (two
    letters), some of which may be missing; the country is named in a language."""
    place = " ".join(parts[name] for name in ("postal_code", "city") if parts.get(name))
    country = country_name(parts["country"], language) if parts.get("country") else ""
    lines = [
        *(parts.get(name, "") for name in ("company", "attention", "street")),
        place,
        parts.get("region", ""),
        country,
    ]
    return [line for line in lines if line]

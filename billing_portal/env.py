"""Reads the environment, strictly.

Every setting has a name, a type and, if it may be left out, a default; anything else stops the start with one
sentence that names the variable and says what it takes. A ``.env`` file beside ``manage.py`` is read first; the
process's own environment wins over it. Names of our own families (``SELLER_...``, ``SANDBOX_...``) and every name in
``.env`` must be known, so a misspelt name is found at start and not in production.
"""

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from dotenv import dotenv_values

FAMILIES = ("SELLER_", "SANDBOX_", "EMAIL_", "PORTAL_")
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class Env:
    """Typed look-ups that remember which names were asked for, so that `finish` can name the unknown ones."""

    def __init__(self, dotenv: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.from_file = {key: value or "" for key, value in dotenv_values(dotenv).items()} if dotenv.exists() else {}
        self.values = {**self.from_file, **environ}
        self.known: set[str] = set()
        self.families: tuple[str, ...] = FAMILIES

    def claim(self, prefix: str) -> None:
        """Names that begin like this are ours too, so an unknown one among them is a mistake."""
        self.families += (prefix,)

    def text(self, name: str, default: str | None = None) -> str:
        """The value as it stands; an empty value counts as not given. Without a default the variable is required."""
        self.known.add(name)
        value = self.values.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise ImproperlyConfigured(f"{name} is not set. Set it in the environment or in .env; see .env.example.")
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name, str(default)).lower()
        if value not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
        return value in TRUE

    def number(self, name: str, default: int, *, at_least: int = 0) -> int:
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or int(value) < at_least:
            raise ImproperlyConfigured(f"{name} must be a whole number of at least {at_least}, not {value!r}.")
        return int(value)

    def words(self, name: str, default: str = "") -> list[str]:
        """A list separated by commas."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def secrets(self, name: str, *, at_least: int) -> list[str]:
        """A list of secret texts separated by commas, each of so many characters at least. They are never repeated."""
        secrets = self.words(name)
        if any(len(secret) < at_least for secret in secrets):
            raise ImproperlyConfigured(f"{name} must be texts of at least {at_least} characters, separated by commas.")
        return secrets

    def days(self, name: str, default: str) -> list[int]:
        """Whole numbers of days separated by commas, each larger than the one before; negative ones are before."""
        words = self.words(name, default)
        try:
            days = [int(word) for word in words]
        except ValueError:
            days = []
        if len(days) != len(words) or days != sorted(set(days)):
            raise ImproperlyConfigured(f"{name} must be days in rising order, such as {default}, not {words}.")
        return days

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        return value

    def mapping(self, name: str, default: str = "{}") -> dict[str, str]:
        """A JSON object of texts, such as ``{"EUR": "50000"}``."""
        try:
            value = json.loads(self.text(name, default))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must be a JSON object: {error}.") from error
        if not isinstance(value, dict):
            raise ImproperlyConfigured(f'{name} must be a JSON object, such as {{"EUR": "50000"}}.')
        return {str(key): str(item) for key, item in value.items()}

    def time_zone(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if value not in available_timezones():
            raise ImproperlyConfigured(f"{name} must be a time zone, such as Europe/Amsterdam, not {value!r}.")
        return value

    def database(self, name: str, default: str, *, conn_max_age: int) -> dict[str, Any]:
        """Django's settings of the database at an address such as ``postgresql://user:password@host:5432/portal``."""
        try:
            # The value is not repeated: it may hold a password.
            parsed = dj_database_url.parse(self.text(name, default), conn_max_age=conn_max_age, conn_health_checks=True)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} is not the address of a database. Write it as postgresql://user:password@host:5432/portal."
            ) from error
        if "sqlite" not in parsed["ENGINE"] and "@" in f"{parsed['NAME']}{parsed['HOST']}":
            # Taken apart in the wrong place, part of the password would be shown as the name.
            raise ImproperlyConfigured(
                f"{name} has a user name or password with special characters. Write them as in a web address, / as %2F."
            )
        return {**parsed}

    def finish(self) -> None:
        """Raises ImproperlyConfigured for a name that nothing asked for but that was meant for us."""
        ours = set(self.from_file) | {name for name in self.values if name.startswith(self.families)}
        for name in sorted(ours - self.known):
            near = difflib.get_close_matches(name, self.known, n=1)
            hint = f" Did you mean {near[0]}?" if near else " See .env.example for the names there are."
            raise ImproperlyConfigured(f"{name} is not a setting of the portal.{hint}")

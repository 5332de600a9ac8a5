"""Reads the environment and ``.env`` with environs, strictly.

What is missing or wrong stops the start with one sentence. The process's own environment wins over ``.env``; an empty
value counts as not set. Every name in ``.env`` and of our own families (``PORTAL_...``) must be known, so that a
misspelt one is found at start.
"""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import environs
from django.core.exceptions import ImproperlyConfigured
from environs import EnvNotSetError, EnvValidationError, ValidationError, validate

FAMILIES = ("SANDBOX_", "EMAIL_", "PORTAL_", "STRIPE_")


class Env(environs.Env):
    """Typed look-ups. A value of None for `default` means that the variable is required."""

    def __init__(self, dotenv: Path) -> None:
        super().__init__()
        self.read_env(dotenv, recurse=False)

    def _get_value(self, env_key: str, default: Any) -> Any:
        value = super()._get_value(env_key, default)
        return value.strip() or default if isinstance(value, str) else value

    def _read(self, read: Any, name: str, default: Any, problem: str, **options: Any) -> Any:
        """What `read`, a method of environs, returns. `problem` may show the value as ``{!r}``."""
        try:
            return read(self, name, ... if default is None else default, **options)
        except EnvNotSetError as error:
            sentence = f"{name} is not set. Set it in the environment or in .env; see .env.example."
            raise ImproperlyConfigured(sentence) from error
        except EnvValidationError as error:
            raise ImproperlyConfigured(f"{name} {problem.format(self._get_value(name, ''))}.") from error

    def text(self, name: str, default: str | None = None) -> str:
        return self._read(environs.Env.str, name, default, "")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        problem = f"must be one of {', '.join(choices)}, not {{!r}}"
        return self._read(environs.Env.str, name, default, problem, validate=validate.OneOf(choices))

    def time_zone(self, name: str, default: str) -> str:
        problem = "must be a time zone, such as Europe/Amsterdam, not {!r}"
        return self._read(environs.Env.str, name, default, problem, validate=validate.OneOf(available_timezones()))

    def flag(self, name: str, *, default: bool) -> bool:
        return self._read(environs.Env.bool, name, default, "must be true or false, not {!r}")

    def number(self, name: str, default: int, *, at_least: int = 0) -> int:
        problem = f"must be a whole number of at least {at_least}, not {{!r}}"
        return self._read(environs.Env.int, name, default, problem, validate=validate.Range(min=at_least))

    def words(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """A list separated by commas."""
        return list(filter(None, self._read(environs.Env.list, name, default, "", subcast=str.strip)))

    def secrets(self, name: str, *, at_least: int) -> list[str]:
        """A list of secret texts separated by commas, each of so many characters at least. They are never repeated."""
        secrets = self.words(name)
        if any(len(secret) < at_least for secret in secrets):
            raise ImproperlyConfigured(f"{name} must be texts of at least {at_least} characters, separated by commas.")
        return secrets

    def days(self, name: str, *default: int) -> list[int]:
        """Whole numbers of days separated by commas, rising; negative ones are before. ``none`` is an empty list."""
        words = self.words(name, [str(day) for day in default])
        try:
            days = [] if words == ["none"] else [int(word) for word in words]
        except ValueError:
            days = []
        if words != ["none"] and (not days or days != sorted(set(days))):
            example = ",".join(map(str, default))
            raise ImproperlyConfigured(
                f"{name} must be days in rising order, such as {example}, or none, not {self._get_value(name, '')!r}."
            )
        return days

    def mapping(self, name: str) -> dict[str, str]:
        """A JSON object of texts, such as ``{"EUR": "50000"}``."""
        problem = 'must be a JSON object, such as {{"EUR": "50000"}}, not {!r}'
        value = self._read(environs.Env.json, name, {}, problem, validate=_is_object)
        return {key: str(item) for key, item in value.items()}

    def database(self, name: str, default: str, **options: Any) -> dict[str, Any]:
        """Django's settings of the database at an address such as ``postgresql://user:password@host:5432/portal``."""
        # The value is not repeated: it may hold a password.
        problem = "is not the address of a database. Write it as postgresql://user:password@host:5432/portal"
        parsed = self._read(environs.Env.dj_db_url, name, default, problem, **options)
        if "sqlite" not in parsed["ENGINE"] and "@" in f"{parsed['NAME']}{parsed['HOST']}":
            # Taken apart in the wrong place, part of the password would be shown as the name.
            raise ImproperlyConfigured(
                f"{name} has a user name or password with special characters. Write them as in a web address, / as %2F."
            )
        return parsed

    @property
    def known(self) -> set[str]:
        """The names that were asked for."""
        return set(self._fields)

    def refuse_unknown(self) -> None:
        """Raises ImproperlyConfigured for a name that nothing asked for but that was meant for us."""
        ours = {*self._environ, *(name for name in os.environ if name.startswith(FAMILIES))}
        for name in sorted(ours - self.known):
            near = difflib.get_close_matches(name, self.known, n=1)
            hint = f" Did you mean {near[0]}?" if near else " See .env.example for the names there are."
            raise ImproperlyConfigured(f"{name} is not a setting of the portal.{hint}")


def _is_object(value: object) -> None:
    if not isinstance(value, dict):
        raise ValidationError("no object")

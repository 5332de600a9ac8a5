"""``make run``: the portal on a developer's machine. Sets what such a machine may have and a server must not, unless
the environment or ``.env`` says otherwise, and starts `run_portal`."""

import os
import secrets
import sys
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError

from billing_portal.env import Env

BASE_DIR = Path(__file__).resolve().parent.parent


def local_environment(base: Path) -> None:
    """Sets in the process's environment what neither it nor ``.env`` gives."""
    env = Env(base / ".env")
    debug = env.text("DEBUG", "true")  # without it the demo must not run
    # A line for every request would push the address and the sign-ins off the screen.
    for name, value in (("DEBUG", debug), ("PORTAL_DEMO", debug), ("LOG_LEVEL", "WARNING")):
        if not env.text(name, ""):
            os.environ[name] = value
    if not env.text("SECRET_KEY", ""):
        os.environ["SECRET_KEY"] = secret_key(base / "var")


def secret_key(directory: Path) -> str:
    """The key of this checkout, made at the first start and readable by its owner only."""
    file = directory / "secret-key"
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(50))
    return file.read_text().strip()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
    local_environment(BASE_DIR)
    try:
        django.setup()
        call_command("run_portal", skip_checks=False)
    except ImproperlyConfigured as problem:
        sys.exit(f"Configuration: {problem}")
    except CommandError as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

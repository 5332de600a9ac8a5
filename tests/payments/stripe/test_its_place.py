"""A provider's name, and with it the provider's library, stays in the room of its gateway."""

from django.conf import settings

ROOMS = ("accounts", "bench", "billing_portal", "invoices", "payments", "static", "templates", "tests")
TYPES = {".py", ".html", ".txt", ".js", ".css", ".typ", ".toml"}
ITS_OWN = ("payments/gateways/stripe/", "tests/payments/stripe/")
SETTINGS = {
    *("billing_portal/settings.py", "tests/settings.py", "pyproject.toml"),
    *("billing_portal/env.py", "tests/tooling/test_env.py"),  # the names that it reads
}


def test_the_name_of_the_provider_stands_only_in_its_gateway_and_in_settings():
    files = [settings.BASE_DIR / "pyproject.toml", settings.BASE_DIR / "Makefile"]
    for room in ROOMS:
        files += [path for path in (settings.BASE_DIR / room).rglob("*") if path.suffix in TYPES]
    names = {str(path.relative_to(settings.BASE_DIR)): path for path in files}
    others = {name: path for name, path in names.items() if not name.startswith(ITS_OWN) and name not in SETTINGS}
    assert len(others) > 300
    assert not [name for name, path in others.items() if "stripe" in path.read_text(encoding="utf-8").lower()]

"""The sandbox as a Django app: its tables lie in a database of its own."""

from typing import Any

from django.apps import AppConfig
from django.db.models import Model


class SandboxConfig(AppConfig):
    name = "payments.gateways.sandbox"
    label = "sandbox"


class StoreRouter:
    """Keeps the sandbox's tables in its own database, and everything else out of it."""

    def db_for_read(self, model: type[Model], **_hints: Any) -> str | None:
        return SandboxConfig.label if model._meta.app_label == SandboxConfig.label else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool:
        return (db == SandboxConfig.label) == (app_label == SandboxConfig.label)

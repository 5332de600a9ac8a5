"""The gateways that `PAYMENT_GATEWAYS` names, made once each."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from payments.gateways.base import Gateway


class UnknownGateway(LookupError):
    """No gateway of that name is configured."""


@lru_cache(maxsize=16)
def get_gateway(slug: str) -> Gateway:
    """The configured gateway of that name. Raises UnknownGateway."""
    try:
        entry: dict[str, Any] = settings.PAYMENT_GATEWAYS[slug]
    except KeyError as error:
        raise UnknownGateway(f"No gateway {slug!r} in PAYMENT_GATEWAYS.") from error
    gateway: Gateway = import_string(entry["class"])(slug=slug, **entry.get("options", {}))
    return gateway


def gateways() -> list[Gateway]:
    return [get_gateway(slug) for slug in settings.PAYMENT_GATEWAYS]


def smallest_charges() -> Mapping[str, int]:
    """The least that a new card can be charged, by currency in minor units. Dunning asks nobody for less."""
    gateway = default_gateway()
    return gateway.capabilities.minimum_minor if gateway is not None else {}


def default_gateway() -> Gateway | None:
    """The gateway that new cards are added to: the first one. None when cards cannot be paid at all."""
    return next(iter(gateways()), None)

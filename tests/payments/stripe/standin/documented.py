"""Which parameters Stripe documents for each request: the types in its own library, at the pinned version."""

import types
import typing
from collections.abc import Mapping
from functools import cache

import stripe
import stripe.params
from stripe._request_options import RequestOptions

VERSION = stripe.api_version
# What the types of the library's own options name; no parameters of Stripe's.
OPTIONS = {"Mapping": Mapping, "StripeContext": object}
ENDPOINTS = {
    ("GET", "account"): "AccountRetrieveCurrentParams",
    ("POST", "customers"): "CustomerCreateParams",
    ("GET", "customers/{id}"): "CustomerRetrieveParams",
    ("GET", "disputes"): "DisputeListParams",
    ("GET", "disputes/{id}"): "DisputeRetrieveParams",
    ("POST", "payment_intents"): "PaymentIntentCreateParams",
    ("GET", "payment_intents"): "PaymentIntentListParams",
    ("GET", "payment_intents/search"): "PaymentIntentSearchParams",
    ("GET", "payment_intents/{id}"): "PaymentIntentRetrieveParams",
    ("POST", "payment_intents/{id}/cancel"): "PaymentIntentCancelParams",
    ("GET", "payment_methods/{id}"): "PaymentMethodRetrieveParams",
    ("POST", "payment_methods/{id}/detach"): "PaymentMethodDetachParams",
    ("POST", "refunds"): "RefundCreateParams",
    ("GET", "refunds"): "RefundListParams",
    ("GET", "refunds/{id}"): "RefundRetrieveParams",
    ("POST", "setup_intents"): "SetupIntentCreateParams",
    ("GET", "setup_intents/{id}"): "SetupIntentRetrieveParams",
    ("POST", "setup_intents/{id}/cancel"): "SetupIntentCancelParams",
}


def unknown_parameters(method, route, given):
    """Names, and values of fixed lists, that are not documented; the whole request when its address is not."""
    name = ENDPOINTS.get((method, route))
    if name is None:
        return [f"{method} /v1/{route}"]
    return list(_unknown(getattr(stripe.params, name), given, ""))


def _unknown(typed, given, prefix):
    documented = _hints(typed)
    for key, value in given.items():
        if key not in documented:
            yield prefix + key
            continue
        parts = list(_parts(documented[key]))
        inner = [part for part in parts if typing.is_typeddict(part)]
        if isinstance(value, dict) and inner:
            yield from _unknown(inner[0], value, f"{prefix}{key}.")
        fixed = {choice for part in parts if typing.get_origin(part) is typing.Literal for choice in part.__args__}
        if fixed and bool in parts:
            fixed |= {"true", "false"}
        if fixed:
            values = value if isinstance(value, list) else [value]
            yield from (f"{prefix}{key}={each}" for each in values if isinstance(each, str) and each not in fixed)


@cache
def _hints(typed):
    hints = typing.get_type_hints(typed, localns=OPTIONS)
    takes_options = RequestOptions in getattr(typed, "__orig_bases__", ())
    options = RequestOptions.__annotations__ if takes_options else ()
    return {name: hint for name, hint in hints.items() if name not in options}


def _parts(hint):
    """The types inside unions, lists and what is not required."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType, typing.NotRequired, typing.Required, list}:
        for part in typing.get_args(hint):
            yield from _parts(part)
    else:
        yield hint

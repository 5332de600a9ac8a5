"""Refunds and disputes."""

import secrets
import time

from tests.payments.stripe.standin import intents, numbers
from tests.payments.stripe.standin.books import invalid, missing
from tests.payments.stripe.standin.shop import Shop


def create(shop: Shop, account, given):
    """Refuses what cannot be paid back; what comes back then pays back."""
    payment = intents.export(shop, shop.owned(given["payment_intent"], account, param="payment_intent"))
    if payment["status"] != "succeeded":
        raise invalid("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
    back = [export(shop, id_) for id_ in shop.refunds[payment["id"]]]
    left = payment["amount_received"] - sum(each["amount"] for each in back if each["status"] != "failed")
    amount = int(given.get("amount") or left)
    if not left:
        raise invalid("The charge has already been refunded.", code="charge_already_refunded")
    if not 0 < amount <= left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})."
        raise invalid(message, param="amount")
    return lambda: _create(shop, account, payment, amount, given)


def _create(shop, account, payment, amount, given):
    refund = shop.books.post(
        "/v1/refunds", payment_intent=payment["id"], amount=amount, metadata=given.get("metadata", {})
    )["id"]
    shop.add(refund, account)
    shop.refunds[payment["id"]].append(refund)
    how = numbers.card_of(shop.last_four(payment["payment_method"])).refund
    if how != "succeeded":
        shop.more[refund]["status"] = "pending"
    shop.emit("refund.created", export(shop, refund))
    shop.emit("charge.refunded", {"id": payment["latest_charge"], "object": "charge", "payment_intent": payment["id"]})
    return export(shop, refund)


def change(shop: Shop, refund, **fields):
    """What became of a refund on its way."""
    shop.more[refund] |= fields
    kind = "refund.failed" if fields.get("status") == "failed" else "refund.updated"
    shop.emit(kind, export(shop, refund))


def retrieve(shop: Shop, account, refund, given):
    return export(shop, shop.owned(refund, account, param="refund"))


def listed(shop: Shop, account, given):
    if "payment_intent" in given:
        shop.owned(given["payment_intent"], account, param="payment_intent")
        ids = shop.refunds[given["payment_intent"]]
    else:
        ids = [id_ for refunds in shop.refunds.values() for id_ in refunds if shop.owner[id_] == account]
    found = [each for id_ in reversed(ids) if is_since(each := export(shop, id_), given)]
    after = given.get("starting_after")
    if after:
        found = found[[each["id"] for each in found].index(after) + 1 :]
    limit = int(given.get("limit", 10))
    return {"object": "list", "url": "/v1/refunds", "data": found[:limit], "has_more": len(found) > limit}


def is_since(thing, given):
    return thing["created"] >= int(given.get("created", {}).get("gte", 0))


def listed_disputes(shop: Shop, account, given):
    found = [each for id_, each in shop.disputes.items() if shop.owner[id_] == account and is_since(each, given)]
    return {"object": "list", "url": "/v1/disputes", "data": found[::-1], "has_more": False}


def export(shop: Shop, refund):
    raw = shop.books.get(f"/v1/refunds/{refund}")
    names = ("id", "object", "amount", "currency", "charge", "payment_intent", "metadata", "created", "status")
    return {name: raw[name] for name in names} | {"livemode": shop.live, "failure_reason": None} | shop.more[refund]


def dispute(shop: Shop, account, given):
    """A bank asks the money back."""
    payment = intents.export(shop, given["payment_intent"])
    made = {
        "id": f"du_{secrets.token_hex(8)}",
        "object": "dispute",
        "amount": int(given.get("amount") or payment["amount_received"]),
        "currency": payment["currency"],
        "charge": payment["latest_charge"],
        "payment_intent": payment["id"],
        "reason": given.get("reason", "fraudulent"),
        "status": given.get("status", "needs_response"),
        "evidence_details": {"due_by": int(time.time()) + 7 * 24 * 3600, "has_evidence": False},
        "created": int(time.time()),
        "livemode": shop.live,
        "metadata": {},
    }
    shop.disputes[made["id"]] = made
    shop.add(made["id"], account)
    shop.emit("charge.dispute.created", dict(made))
    return made


def decide(shop: Shop, dispute_id, status):
    """What the bank decided, or how far it is."""
    shop.disputes[dispute_id]["status"] = status
    closed = status in {"won", "lost", "warning_closed", "prevented"}
    shop.emit(f"charge.dispute.{'closed' if closed else 'updated'}", dict(shop.disputes[dispute_id]))
    return shop.disputes[dispute_id]


def retrieve_dispute(shop: Shop, account, dispute_id, given):
    if shop.owner.get(dispute_id) != account:
        raise missing("dispute", dispute_id, "dispute")
    return dict(shop.disputes[dispute_id])

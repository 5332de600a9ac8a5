"""What browsers ask of the edge: Stripe.js, a card typed into it, and the bank's check."""

import html
import json
from pathlib import Path
from urllib.parse import urlencode

from tests.payments.stripe.standin import intents, setups
from tests.payments.stripe.standin.edge import Answer, Edge

CHECK = """<!doctype html><html lang="en"><title>Bank</title><main><h1>Is this you?</h1><p>{what}</p>
<form method="post"><button name="answer" value="approve">Approve payment</button>
<button name="answer" value="fail">Reject</button></form></main></html>"""
HTML = {"Content-Type": "text/html; charset=utf-8"}


def script(edge: Edge) -> Answer:
    """localstripe's own, and after it what that lacks. Its class ``Element`` must not hide the browser's, which htmx
    asks for, so all of it runs in a scope of its own."""
    more = Path(__file__).with_name("more.js").read_text()
    text = f"(() => {{\n{edge.shop.books.text('/js.stripe.com/v3/')}\n{more}\n}})();\n"
    return Answer(200, text.encode(), {"Content-Type": "application/javascript"})


def check(edge: Edge, intent) -> Answer:
    """The bank's page, for browsers without the script."""
    found = _module(intent).export(edge.shop, intent)
    what = html.escape(f"{found.get('amount', 'A card')} {found.get('currency', 'is stored')}: {found['status']}")
    return Answer(200, CHECK.format(what=what).encode(), HTML)


def checked(edge: Edge, intent, given) -> Answer:
    """What was answered there, and the way back as Stripe gives it."""
    found = _authenticate(edge, intent, passed=given.get("answer") == "approve")
    name = "setup_intent" if intent.startswith("seti_") else "payment_intent"
    back = edge.shop.more[intent]["return_url"]
    query = {name: intent, f"{name}_client_secret": found["client_secret"], "redirect_status": found["status"]}
    return Answer(303, b"", {"Location": f"{back}{'&' if '?' in back else '?'}{urlencode(query)}"})


def checked_in_page(edge: Edge, given) -> Answer:
    """The same from the script, which has the client secret and nothing else."""
    intent = given["client_secret"].partition("_secret_")[0]
    if _module(intent).export(edge.shop, intent)["client_secret"] != given["client_secret"]:
        return Answer(401, json.dumps({"error": {"message": "Unauthorized"}}).encode())
    found = _authenticate(edge, intent, passed=given.get("success") == "true")
    failed = found.get("last_payment_error") or found.get("last_setup_error")
    answer = {"error": failed} if failed else {"intent": found}
    return Answer(200, json.dumps(answer).encode())


def _authenticate(edge, intent, *, passed):
    with edge.shop.lock:
        return _module(intent).authenticate(edge.shop, intent, passed=passed)


def _module(intent):
    return setups if intent.startswith("seti_") else intents

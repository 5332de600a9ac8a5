"""Runs the stand-in by hand, and prints the variables that turn the portal to it."""

import argparse
import os
import sys
import threading

from tests.payments.stripe.standin.books import Books
from tests.payments.stripe.standin.edge import Edge
from tests.payments.stripe.standin.messages import Postman
from tests.payments.stripe.standin.server import make_server

VARIABLES = """PAYMENT_GATEWAYS=stripe,sandbox
STRIPE_SECRET_KEY=sk_test_standin
STRIPE_PUBLISHABLE_KEY=pk_test_standin
STRIPE_WEBHOOK_SECRETS={secret}
STRIPE_API_BASE={url}
STRIPE_JS_URL={url}/v3/"""


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8420)
    parser.add_argument("--webhook", default="", help="the portal's address for messages")
    parser.add_argument("--webhook-secret", default="whsec_standin")
    parser.add_argument("--with-parent", action="store_true", help="end when the input does")
    asked = parser.parse_args()
    books = Books()
    edge = Edge(books)
    if asked.webhook:
        edge.shop.on_event = Postman(asked.webhook, asked.webhook_secret)
    server = make_server(edge, asked.port)
    if asked.with_parent:
        threading.Thread(target=lambda: (sys.stdin.read(), books.stop(), os._exit(0)), daemon=True).start()
        _say(edge.shop.url)
    else:
        _say(VARIABLES.format(secret=asked.webhook_secret, url=edge.shop.url))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        books.stop()


if __name__ == "__main__":
    main()

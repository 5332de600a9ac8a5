"""What people and the bank do in the tests of adding cards."""

from uuid import uuid4

from payments.gateways.sandbox import stored
from payments.operations.card_setups import add_card
from tests.factories import NOW
from tests.payments.acts import sandbox


def add(access, last_four="4242", *, at=NOW, **wish):
    """One press on Add card, as the page sends it."""
    wish = {"key": uuid4(), "card_token": f"tok_{last_four}_{uuid4().hex[:8]}"} | wish
    return add_card(access=access, at=at, return_url=lambda setup: f"http://testserver/back/{setup.key}", **wish)


def answer(setup, *, approved=True):
    """What the person says at the bank, in the gateway's own books."""
    with sandbox().books.transaction() as book:
        stored.answer_challenge(book, stored.being_added(book, setup.setup_id), approved=approved)


def cards_at_the_gateway():
    with sandbox().books.reading() as book:
        return len(book.rows("SELECT 1 FROM cards WHERE detached = 0"))

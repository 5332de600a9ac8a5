"""What people and the bank do in the tests of adding cards."""

from uuid import uuid4

from payments.gateways.sandbox import saved_cards
from payments.gateways.sandbox.models import StoredCard, transaction
from payments.operations.card_setups import add_card
from tests.factories import NOW


def add(access, last_four="4242", *, at=NOW, **wish):
    """One press on Add card, as the page sends it."""
    wish = {"key": uuid4(), "card_token": f"tok_{last_four}_{uuid4().hex[:8]}"} | wish
    return add_card(access=access, at=at, return_url=lambda setup: f"http://testserver/back/{setup.key}", **wish)


def answer(setup, *, approved=True):
    """What the person says at the bank, in the gateway's own store."""
    with transaction() as at:
        saved_cards.answer_challenge(saved_cards.find_setup(setup.setup_id), approved=approved, at=at)


def cards_at_the_gateway():
    return StoredCard.objects.filter(pk__startswith="card_", is_gone=False).count()

"""The moves of payments and refunds, typed a second time: whoever adds or drops one has to say so here too."""

import pytest

from payments.states import MOVES, REFUND_MOVES

EXPECTED = {
    "created": "needs_customer pending unknown mismatch succeeded declined expired not_sent",
    "needs_customer": "pending unknown mismatch succeeded declined expired",
    "pending": "mismatch succeeded declined expired",
    "unknown": "needs_customer pending mismatch succeeded declined expired not_sent",
    "mismatch": "succeeded declined",
    "declined": "mismatch succeeded",
    "expired": "mismatch succeeded",
    "not_sent": "mismatch succeeded",
    "succeeded": "",
}
EXPECTED_OF_REFUNDS = {
    "created": "pending unknown succeeded failed",
    "pending": "succeeded failed",
    "unknown": "pending succeeded failed",
    "succeeded": "failed",
    "failed": "",
}


@pytest.mark.parametrize(("moves", "expected"), [(MOVES, EXPECTED), (REFUND_MOVES, EXPECTED_OF_REFUNDS)])
def test_the_moves_are_these_and_no_others(moves, expected):
    assert {old.value: {new.value for new in after} for old, after in moves.items()} == {
        old: set(after.split()) for old, after in expected.items()
    }

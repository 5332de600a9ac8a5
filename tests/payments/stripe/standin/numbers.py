"""What Stripe's published test cards do, by their last four digits. https://docs.stripe.com/testing"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    decline: tuple[str, str] = ("", "")  # code and decline code of every charge
    attachable: bool = True  # False: refused also where it is only stored
    challenge: str = ""  # "always" or "unless_set_up"
    refund: str = "succeeded"
    advice: str = ""
    brand: str = "visa"


def _refused(decline_code, code="card_declined", **more):
    return Card(decline=(code, decline_code), attachable=False, **more)


CARDS = {
    "4242": Card(),
    "4444": Card(brand="mastercard"),
    "0002": _refused("generic_decline"),
    "9995": _refused("insufficient_funds"),
    "9987": _refused("lost_card"),
    "9979": _refused("stolen_card"),
    "0069": _refused("expired_card", code="expired_card"),
    "0127": _refused("incorrect_cvc", code="incorrect_cvc"),
    "0119": _refused("processing_error", code="processing_error"),
    "6975": _refused("card_velocity_exceeded"),
    "0019": _refused("fraudulent"),
    "0341": Card(decline=("card_declined", "generic_decline")),
    "3155": Card(challenge="unless_set_up"),
    "3184": Card(challenge="always"),
    "3220": Card(challenge="always"),
    "3178": Card(challenge="always", decline=("card_declined", "insufficient_funds")),
    "1629": Card(challenge="always", decline=("card_declined", "generic_decline")),
    "7726": Card(refund="pending"),
    "5126": Card(refund="failing"),
}
# Those that localstripe itself asks a check for, whatever was set up.
CHECKED_BY_THE_BOOKS = {"3155", "3184", "3178", "3220", "3063", "1629"}
SMALLEST = {"eur": 50, "usd": 50, "gbp": 30, "jpy": 50, "huf": 17500, "czk": 1500}
LARGEST = 99_999_999
LAST_DIGITS_ZERO = {
    **dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10),
    **dict.fromkeys(("isk", "ugx"), 100),
}


def card_of(last_four):
    return CARDS.get(last_four, Card())

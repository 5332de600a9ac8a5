"""The cards that the sandbox knows, and what each of them does. One table; nothing else is accepted anywhere.

Numbers are those that providers publish for testing, so that one script serves all, and a few of the sandbox's own in
the same range. Behaviour follows the last four digits, which stand in the ids of stored cards (``card_4242_x7Qe``) and
of one-time tokens (``tok_4242_p0Zd``); the number itself is stored nowhere.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import Enum, auto

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.gateways.base import Bucket, Decline, DeclineCode, Result

METHOD = re.compile(r"^(?:tok|card)_(\d{4})_[A-Za-z0-9_-]+$", re.ASCII)


class Habit(Enum):
    NONE = auto()
    APPROVED_ONCE = auto()  # the bank asks for approval unless it was given when the card was stored
    APPROVED_ALWAYS = auto()
    REQUEST_LOST = auto()  # nothing was charged, and no answer comes
    ANSWER_LOST = auto()  # charged, but nobody hears of it
    SETTLES_LATER = auto()
    FAILS_LATER = auto()
    REFUND_LATER = auto()
    REFUND_FAILS = auto()
    TOLD_TWICE = auto()
    TOLD_OUT_OF_ORDER = auto()
    DISPUTED = auto()  # the payer's bank asks the money back as soon as it was taken


NEEDS_APPROVAL = (Habit.APPROVED_ONCE, Habit.APPROVED_ALWAYS)
# How a payment, or a refund, ends that is on its way for a while.
PAYMENT_ENDS = {Habit.SETTLES_LATER: Result.SUCCEEDED, Habit.FAILS_LATER: Result.DECLINED}
REFUND_ENDS = {Habit.REFUND_LATER: Result.SUCCEEDED, Habit.REFUND_FAILS: Result.DECLINED}

# What can be done about a decline; of the others: pay with another card.
BUCKETS = {
    **dict.fromkeys(
        (
            *(DeclineCode.INSUFFICIENT_FUNDS, DeclineCode.PROCESSING_ERROR),
            *(DeclineCode.LIMIT_EXCEEDED, DeclineCode.DUPLICATE),
        ),
        Bucket.RETRY_LATER,
    ),
    **dict.fromkeys((DeclineCode.LOST_OR_STOLEN, DeclineCode.FRAUD, DeclineCode.STOPPED), Bucket.NEVER),
    **dict.fromkeys((DeclineCode.CHALLENGE_FAILED, DeclineCode.CHALLENGE_REQUIRED), Bucket.CUSTOMER_MUST_ACT),
    **dict.fromkeys((DeclineCode.TOO_SMALL, DeclineCode.TOO_LARGE, DeclineCode.AMOUNT), Bucket.CONFIG_ERROR),
}


def decline(code: str) -> Decline:
    return Decline(DeclineCode(code), BUCKETS.get(DeclineCode(code), Bucket.NEW_METHOD))


@dataclass(frozen=True, slots=True)
class TestCard:
    number: str
    label: Promise
    explanation: Promise
    habit: Habit = Habit.NONE
    declined: DeclineCode | None = None
    can_be_stored: bool = True  # False: declined also where it is only stored
    brand: str = "visa"

    @property
    def last_four(self) -> str:
        return self.number[-4:]

    @property
    def grouped_number(self) -> str:
        """As it stands on a card: ``4242 4242 4242 4242``, ``3782 822463 10005``."""
        parts = (4, 10, 15) if self.brand == "amex" else (4, 8, 12, 16)
        return " ".join(self.number[start:end] for start, end in zip((0, *parts), parts, strict=False))

    @property
    def sample_token(self) -> str:
        """For the list of test cards that browsers without JavaScript show."""
        return new_token(self)

    @property
    def code_length(self) -> int:
        return 4 if self.brand == "amex" else 3


def _declined(number: str, label: Promise, explanation: Promise, code: DeclineCode) -> TestCard:
    return TestCard(number, label, explanation, declined=code, can_be_stored=False)


CARDS = (
    TestCard("4242424242424242", _("Visa, works"), _("Every payment succeeds.")),
    TestCard("5555555555554444", _("Mastercard, works"), _("Every payment succeeds."), brand="mastercard"),
    TestCard("378282246310005", _("American Express, works"), _("Every payment succeeds."), brand="amex"),
    TestCard(
        "4000002500003155",
        _("Bank asks for approval, once"),
        _("The bank asks for approval unless the card was approved when it was stored."),
        Habit.APPROVED_ONCE,
    ),
    TestCard(
        "4000002760003184",
        _("Bank asks for approval, always"),
        _("The bank asks for approval of every payment; automatic payments are declined."),
        Habit.APPROVED_ALWAYS,
    ),
    TestCard(
        "4000008260003178",
        _("Approval, then too little money"),
        _("The bank asks for approval, then declines: insufficient funds."),
        Habit.APPROVED_ALWAYS,
        declined=DeclineCode.INSUFFICIENT_FUNDS,
    ),
    TestCard(
        "4000008400001629",
        _("Approval, then declined"),
        _("The bank asks for approval, then declines without a reason."),
        Habit.APPROVED_ALWAYS,
        declined=DeclineCode.GENERIC,
    ),
    TestCard(
        "4000000000000341",
        _("Can be stored, fails later"),
        _("Storing the card works; every payment with it is declined."),
        declined=DeclineCode.GENERIC,
    ),
    _declined("4000000000000002", _("Declined"), _("The bank gives no reason."), DeclineCode.GENERIC),
    _declined("4000000000009995", _("Too little money"), _("Insufficient funds."), DeclineCode.INSUFFICIENT_FUNDS),
    _declined("4000000000000069", _("Expired card"), _("The bank says it has expired."), DeclineCode.EXPIRED_CARD),
    _declined("4000000000000127", _("Wrong security code"), _("The bank rejects the code."), DeclineCode.WRONG_CODE),
    _declined(
        "4000000000000119", _("Processing error"), _("The bank could not process it."), DeclineCode.PROCESSING_ERROR
    ),
    _declined("4000000000009987", _("Lost card"), _("Reported lost."), DeclineCode.LOST_OR_STOLEN),
    _declined("4000000000009979", _("Stolen card"), _("Reported stolen."), DeclineCode.LOST_OR_STOLEN),
    TestCard(
        "4000000000006207",
        _("Answer lost after charging"),
        _("The card is charged, but the answer never arrives."),
        Habit.ANSWER_LOST,
    ),
    TestCard(
        "4000000000006215",
        _("Request lost before charging"),
        _("No answer arrives, and nothing was charged."),
        Habit.REQUEST_LOST,
    ),
    TestCard(
        "4000000000006223",
        _("Settles later"),
        _("The payment is on its way for a few seconds, then succeeds."),
        Habit.SETTLES_LATER,
    ),
    TestCard(
        "4000000000006231",
        _("Fails later"),
        _("The payment is on its way for a few seconds, then is declined."),
        Habit.FAILS_LATER,
    ),
    TestCard(
        "4000000000006249", _("Message sent twice"), _("Succeeds; the portal is told of it twice."), Habit.TOLD_TWICE
    ),
    TestCard(
        "4000000000006256",
        _("Messages out of order"),
        _("Succeeds; the portal is told of the success before the start."),
        Habit.TOLD_OUT_OF_ORDER,
    ),
    TestCard(
        "4000000000007726",
        _("Refund settles later"),
        _("Succeeds; a refund is on its way for a few seconds."),
        Habit.REFUND_LATER,
    ),
    TestCard(
        "4000000000005126",
        _("Refund fails later"),
        _("Succeeds; a refund is on its way for a few seconds, then fails."),
        Habit.REFUND_FAILS,
    ),
    TestCard(
        "4000000000000259",
        _("Disputed"),
        _("Succeeds; then the bank disputes it, and takes the money back after a week without evidence."),
        Habit.DISPUTED,
    ),
)
BY_LAST_FOUR = {card.last_four: card for card in CARDS}
BY_NUMBER = {card.number: card for card in CARDS}


def card_of(method: str) -> TestCard | None:
    """The card that a stored card's id or a token stands for. None for anything else."""
    match = METHOD.match(method)
    return BY_LAST_FOUR.get(match[1]) if match else None


def known(method: str) -> str:
    """The id when it stands for a test card, else nothing: what is sent here by mistake is not written down."""
    return method if card_of(method) else ""


def new_token(card: TestCard) -> str:
    return f"tok_{card.last_four}_{secrets.token_urlsafe(12)}"


def fingerprint(last_four: str) -> str:
    """The same for the same number: in the sandbox the last four digits tell the numbers apart."""
    return "fp_" + hashlib.sha256(f"sandbox card {last_four}".encode()).hexdigest()[:20]

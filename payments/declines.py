"""What a customer reads when a bank said no: the reason and what helps, for each `DeclineCode`. A bank's suspicion of
theft or fraud is not repeated to whoever holds the card, so those codes read like the generic one."""

from collections.abc import Sequence
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.gateways.base import DeclineCode

Text = str | Promise
D = DeclineCode

NO_REASON: Text = _("none; banks often do not say why")
OTHER_CARD: Text = _("Pay with another card.")
ASK_BANK: Text = _("Ask your bank, then try this card again.")
CONTACT: Text = _("Contact us about this invoice.")
BY_WIRE: Text = _("Pay this invoice by wire transfer.")
AGAIN: Text = _("Enter the card's details again, with care.")


class Explanation(NamedTuple):
    """``reason`` completes the sentence "The reason the bank gave: ..."; ``advice`` are whole sentences."""

    reason: Text
    advice: Sequence[Text]


GENERIC = Explanation(NO_REASON, (OTHER_CARD, ASK_BANK))
EXPLANATIONS: dict[DeclineCode, Explanation] = {
    D.GENERIC: GENERIC,
    D.INSUFFICIENT_FUNDS: Explanation(_("not enough funds"), (OTHER_CARD, ASK_BANK)),
    D.EXPIRED_CARD: Explanation(
        _("the card has expired"), (OTHER_CARD, _("If you have the new card already, add it."))
    ),
    D.WRONG_CODE: Explanation(_("the security code is wrong"), (AGAIN, OTHER_CARD)),
    D.WRONG_NUMBER: Explanation(_("the card number is wrong"), (AGAIN, OTHER_CARD)),
    D.PROCESSING_ERROR: Explanation(
        _("a fault while it was processed"), (_("Try again in a few minutes."), OTHER_CARD)
    ),
    D.LOST_OR_STOLEN: GENERIC,
    D.FRAUD: GENERIC,
    D.CHALLENGE_FAILED: Explanation(
        _("the approval was not completed"), (_("Try again, and approve it with your bank."), OTHER_CARD)
    ),
    D.CHALLENGE_REQUIRED: Explanation(
        _("it wants you to approve this payment"),
        (_("Pay now yourself, and approve the payment with your bank."), OTHER_CARD),
    ),
    D.LIMIT_EXCEEDED: Explanation(
        _("the amount is above the card's limit"), (OTHER_CARD, _("Ask your bank to raise the limit, then try again."))
    ),
    D.CURRENCY: Explanation(_("the card cannot pay in this currency"), (OTHER_CARD,)),
    D.METHOD_GONE: Explanation(_("the stored card is no longer valid"), (OTHER_CARD, _("Add the card again."))),
    D.TOO_SMALL: Explanation(_("the amount is too small for a card"), (BY_WIRE,)),
    D.TOO_LARGE: Explanation(_("the amount is too large for a card"), (BY_WIRE,)),
    D.WRONG_EXPIRY: Explanation(_("the expiry date is wrong"), (AGAIN, OTHER_CARD)),
    D.WRONG_ADDRESS: Explanation(_("the postal code or the address is wrong"), (AGAIN, OTHER_CARD)),
    D.INVALID_ACCOUNT: Explanation(_("the card, or the account behind it, is no longer valid"), (OTHER_CARD, ASK_BANK)),
    D.NOT_SUPPORTED: Explanation(_("the card cannot be used for this kind of payment"), (OTHER_CARD, ASK_BANK)),
    D.DUPLICATE: Explanation(
        _("it saw a payment of the same amount a moment ago"),
        (_("See in your payment history whether it was paid already."), _("If not, try again in a few minutes.")),
    ),
    D.STOPPED: Explanation(_("payments to us were stopped for this card"), (OTHER_CARD, ASK_BANK)),
    D.TEST_CARD: Explanation(_("this is a test card"), (OTHER_CARD,)),
    D.AMOUNT: Explanation(_("a card cannot pay exactly this amount"), (CONTACT,)),
}

ANOTHER_CARD: Text = _("Add another card.")
APPROVE: Text = _("Add the card again, and approve it with your bank.")
# They speak of an amount, of a payment, or of a card that was stored before.
ONLY_OF_PAYMENTS = {
    *(D.TOO_SMALL, D.TOO_LARGE, D.LIMIT_EXCEEDED, D.CURRENCY, D.METHOD_GONE),
    *(D.NOT_SUPPORTED, D.DUPLICATE, D.STOPPED, D.AMOUNT),
}


def explain_adding(code: str) -> Explanation:
    """The same for a card that is added without paying, where nothing can be paid with another one."""
    if code == D.CHALLENGE_REQUIRED:
        return Explanation(_("it wants you to approve the card"), (APPROVE, ANOTHER_CARD))
    reason, advice = GENERIC if code in ONLY_OF_PAYMENTS else explain(code)
    return Explanation(reason, [ANOTHER_CARD if text is OTHER_CARD else text for text in advice])


def explain(code: str) -> Explanation:
    """The sentences for a stored decline code; the generic ones for a code that is empty or not known any more."""
    try:
        return EXPLANATIONS[DeclineCode(code)]
    except ValueError:
        return GENERIC


def reason_in_words(code: str) -> str:
    """For staff, who also read of a bank's suspicion: a code whose words are kept from customers comes as it is."""
    if code not in DeclineCode or EXPLANATIONS[DeclineCode(code)] is GENERIC:
        return code.replace("_", " ")
    return str(EXPLANATIONS[DeclineCode(code)].reason)

"""Cards, from the typed number to the saved card.

A typed card becomes a one-time token. The number is looked at here and nowhere else, and stored nowhere. Only the
published test numbers are taken: whoever types a real one by mistake is told so, and it goes no further. Nor may
anybody try number after number. A token becomes a saved card with the bank's approval, where the card asks for it.
"""

import re
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from payments.gateways.base import DeclineCode, GatewayError, MethodInfo, Result, SetupStep
from payments.gateways.sandbox.card_payments import has_expired, method_info, method_of, next_url, save_card, use_token
from payments.gateways.sandbox.cards import BY_NUMBER, NEEDS_APPROVAL, card_of, decline, new_token
from payments.gateways.sandbox.models import CardSetup, StoredCard, TypedCard, record, stored_card, transaction

EXPIRY = re.compile(r"^\s*(\d{1,2})\s*/?\s*(?:20)?(\d{2})\s*$", re.ASCII)
CODE = re.compile(r"^\d{3,4}$", re.ASCII)
LONGEST = 40  # characters of any field
TRIES_A_MINUTE = 20


class TooManyTries(Exception):
    """This person typed too many cards within a minute."""


class InvalidCard(Exception):
    """What was typed is not a test card. Its argument has a sentence for each field."""


@sensitive_variables()
def token_for(typed: dict[str, Any], *, person: str) -> str:
    """A token for what a person typed: ``number``, ``expiry`` as MM / YY, and ``code``. A card that is refused counts
    as a try as well. Counting and making are one transaction, so that of any number of requests at once no more than
    the limit get a token. Raises TooManyTries, InvalidCard."""
    number, expiry, code = (str(typed.get(name) or "")[:LONGEST] for name in ("number", "expiry", "code"))
    card = BY_NUMBER.get(re.sub(r"[\s-]", "", number))
    match = EXPIRY.match(expiry)
    month, year = (int(match[1]), 2000 + int(match[2])) if match else (0, 0)
    with transaction() as at:
        _count_try(person, at=at)
        errors = {}
        if card is None:
            errors["number"] = _number_error(number)
        if not 1 <= month <= 12:
            errors["expiry"] = _("Enter the expiry date as month and year, such as 08 / 28.")
        elif has_expired((month, year), at):
            errors["expiry"] = _("This card has expired. Any month in the future will do.")
        code_length = card.code_length if card is not None else 3
        if not CODE.match(code.strip()) or (card is not None and len(code.strip()) != code_length):
            errors["code"] = _("Enter any four digits.") if code_length == 4 else _("Enter any three digits.")
        if card is not None and not errors:
            return StoredCard.objects.create(id=new_token(card), expiry_month=month, expiry_year=year).pk
    raise InvalidCard(errors)


def _count_try(person: str, *, at: datetime) -> None:
    TypedCard.objects.filter(at__lte=at - timedelta(minutes=1)).delete()
    if TypedCard.objects.filter(person=person).count() >= TRIES_A_MINUTE:
        raise TooManyTries
    TypedCard.objects.create(person=person, at=at)


@sensitive_variables()
def _number_error(number: str) -> str:
    if not number.strip():
        return _("Enter a test card number, such as 4242 4242 4242 4242.")
    return _("This is not one of the test card numbers. Never enter a real card here: no money moves in the sandbox.")


def step_of(setup: CardSetup, slug: str) -> SetupStep:
    return SetupStep(
        setup_id=setup.pk,
        next_url=next_url(setup, slug),
        method=method_of(setup) if setup.state == Result.SUCCEEDED else None,
        decline=decline(setup.decline) if setup.decline else None,
    )


def find_setup(setup_id: str) -> CardSetup:
    """Raises GatewayError for an id that is not the sandbox's."""
    setup = CardSetup.objects.filter(pk=setup_id).first()
    if setup is None:
        raise GatewayError("There is no such card being added.")
    return setup


def begin_setup(*, profile: str, token: str, return_url: str, in_page: bool, at: datetime) -> CardSetup:
    """Uses up a token; the card is saved at once, refused, or saved once the bank's approval is given."""
    card, typed = card_of(token), stored_card(token)
    setup = CardSetup(
        id="set_" + secrets.token_urlsafe(15),
        profile=profile,
        last_four=card.last_four if card else "",
        expiry_month=typed.expiry_month,
        expiry_year=typed.expiry_year,
        return_url=return_url,
        in_page=in_page,
    )
    if card is None or not token.startswith("tok_"):
        setup.state, setup.decline = Result.DECLINED, DeclineCode.WRONG_NUMBER
    elif typed.is_gone:
        setup.state, setup.decline = Result.DECLINED, DeclineCode.METHOD_GONE
    elif not card.can_be_stored:
        setup.state, setup.decline = Result.DECLINED, card.declined or DeclineCode.GENERIC
    elif card.habit in NEEDS_APPROVAL:
        setup.state, setup.challenge = Result.NEEDS_CUSTOMER, "add_" + secrets.token_urlsafe(24)
    else:
        _save(setup, at=at)
    use_token(token)
    setup.save()
    return setup


def answer_challenge(setup: CardSetup, *, approved: bool, at: datetime) -> None:
    """What the person said at the bank. Only a card that still waits for it changes."""
    if setup.state != Result.NEEDS_CUSTOMER:
        return
    if approved:
        _save(setup, at=at)
    else:
        setup.state, setup.decline = Result.DECLINED, DeclineCode.CHALLENGE_FAILED
    setup.save()


def _save(setup: CardSetup, *, at: datetime) -> None:
    setup.state, setup.saved_card = Result.SUCCEEDED, save_card(setup)
    record("method.saved", setup.saved_card, at=at)


def find(card_id: str, *, customer: str) -> MethodInfo | None:
    """A card as it stands now. None for one that is forgotten, or that another payer has."""
    card, saved = card_of(card_id), stored_card(card_id)
    if card is None or saved.is_gone or (saved.customer and customer not in {"", saved.customer}):
        return None
    return method_info(saved, card, card_id=card_id, customer=saved.customer or customer)


def detach(card_id: str, *, at: datetime) -> None:
    """Forgets a card, also one that only its id tells of; once forgotten, again changes nothing."""
    saved = stored_card(card_id)
    if card_of(card_id) is not None and not saved.is_gone:
        saved.is_gone = True
        saved.save()
        record("method.detached", card_id, at=at)

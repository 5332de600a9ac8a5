"""Cards that the sandbox keeps for a payer: made from a token, with the bank's approval where the card asks for it."""

import secrets
import sqlite3

from payments.gateways.base import DeclineCode, GatewayError, MethodInfo, SetupStep
from payments.gateways.sandbox.books import Book
from payments.gateways.sandbox.cards import DEFAULT_EXPIRY, Challenge, card_of, decline, known, new_card_id
from payments.gateways.sandbox.charges import challenge_url, customer_of, fingerprint, method_info
from payments.gateways.sandbox.events import record


def step_of(row: sqlite3.Row, slug: str) -> SetupStep:
    """How adding a card stands."""
    card = card_of(row["token"])
    stored = method_info(
        last_four=card.last_four if card else "",
        expiry=(row["expiry_month"], row["expiry_year"]),
        stored=row["stored"],
        profile=row["profile"],
    )
    return SetupStep(
        setup_id=row["id"],
        next_url=challenge_url(row, slug),
        method=stored if row["state"] == "succeeded" else None,
        decline=decline(row["decline"]) if row["decline"] else None,
    )


def being_added(book: Book, setup_id: str) -> sqlite3.Row:
    """Raises GatewayError for an id that is not the sandbox's."""
    row = book.row("SELECT * FROM setups WHERE id = ?", setup_id)
    if row is None:
        raise GatewayError("There is no such card being added.")
    return row


def begin(book: Book, *, profile: str, token: str, return_url: str, in_page: bool) -> sqlite3.Row:
    """Uses up a token; the card is kept at once, refused, or kept once the bank's approval is given."""
    card = card_of(token)
    made = book.row("SELECT * FROM tokens WHERE id = ?", token)
    setup_id = "set_" + secrets.token_urlsafe(15)
    book.insert(
        "setups",
        id=setup_id,
        profile=profile,
        token=known(token),
        expiry_month=made["expiry_month"] if made else DEFAULT_EXPIRY[0],
        expiry_year=made["expiry_year"] if made else DEFAULT_EXPIRY[1],
        state="new",
        return_url=return_url,
        in_page=in_page,
    )
    refusal = None
    if card is None or not token.startswith("tok_"):
        refusal = DeclineCode.WRONG_NUMBER
    elif made is not None and made["used"]:
        refusal = DeclineCode.METHOD_GONE
    elif not card.can_be_stored:
        refusal = card.declined
    book.change("UPDATE tokens SET used = 1 WHERE id = ?", token)
    if refusal is not None or card is None:
        book.change(
            "UPDATE setups SET state = 'declined', decline = ? WHERE id = ?",
            refusal or DeclineCode.WRONG_NUMBER,
            setup_id,
        )
    elif card.challenge != Challenge.NEVER:
        book.change(
            "UPDATE setups SET state = 'needs_customer', challenge = ? WHERE id = ?",
            "add_" + secrets.token_urlsafe(24),
            setup_id,
        )
    else:
        _keep(book, setup_id)
    return book.rows("SELECT * FROM setups WHERE id = ?", setup_id)[0]


def answer_challenge(book: Book, row: sqlite3.Row, *, approved: bool) -> None:
    """What the person said at the bank. Only a card that still waits for it changes."""
    if row["state"] != "needs_customer":
        return
    if approved:
        _keep(book, row["id"])
    else:
        book.change(
            "UPDATE setups SET state = 'declined', decline = ? WHERE id = ?", DeclineCode.CHALLENGE_FAILED, row["id"]
        )


def find(book: Book, *, card_id: str, customer: str) -> MethodInfo | None:
    """A card as it stands now. None for one that is forgotten, or that another payer has."""
    row, card = book.row("SELECT * FROM cards WHERE id = ?", card_id), card_of(card_id)
    if card is None or (row is not None and (row["detached"] or customer not in {"", row["customer"]})):
        return None
    return MethodInfo(
        brand=card.brand,
        last_four=card.last_four,
        expiry_month=row["expiry_month"] if row else DEFAULT_EXPIRY[0],
        expiry_year=row["expiry_year"] if row else DEFAULT_EXPIRY[1],
        gateway_method=card_id,
        gateway_customer=row["customer"] if row else customer,
        fingerprint=fingerprint(card.last_four),
    )


def renew(book: Book, card_id: str, *, expiry: tuple[int, int]) -> None:
    """The bank sent the payer a new card with the same number, and tells of it; the portal had no part in that."""
    if book.change("UPDATE cards SET expiry_month = ?, expiry_year = ? WHERE id = ?", *expiry, card_id):
        record(book, "method.updated", card_id)


def detach(book: Book, card_id: str) -> None:
    """Forgets a card, also one that only its id tells of; once forgotten, again changes nothing."""
    row = book.row("SELECT detached FROM cards WHERE id = ?", card_id)
    card = card_of(card_id)
    if card is None or (row is not None and row["detached"]):
        return
    if row is None:
        month, year = DEFAULT_EXPIRY
        book.insert("cards", id=card_id, customer="", expiry_month=month, expiry_year=year, set_up=False, detached=True)
    else:
        book.change("UPDATE cards SET detached = 1 WHERE id = ?", card_id)
    record(book, "method.detached", card_id)


def _keep(book: Book, setup_id: str) -> None:
    row = book.rows("SELECT * FROM setups WHERE id = ?", setup_id)[0]
    card = card_of(row["token"])
    stored = new_card_id(card.last_four if card else "")
    book.insert(
        "cards",
        id=stored,
        customer=customer_of(row["profile"]),
        expiry_month=row["expiry_month"],
        expiry_year=row["expiry_year"],
        set_up=True,
    )
    book.change("UPDATE setups SET state = 'succeeded', stored = ? WHERE id = ?", stored, setup_id)
    record(book, "method.saved", stored)

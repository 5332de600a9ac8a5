"""Where to send the money for an invoice, and the code that a banking app reads.

An invoice prints its seller's account of its currency with the latest ``valid_from_on`` not after the invoice date,
else that the payer should ask. It keeps a copy of what it printed; the portal shows the account that holds now besides.
"""

import re
from collections.abc import Iterable
from datetime import date
from io import BytesIO
from typing import Any, NamedTuple

from django.db.models import F, Q
from segno.helpers import make_epc_qr
from stdnum import iban

from billing_portal.core.iso_codes import countries
from invoices.models import Invoice, RemittanceAccount
from invoices.money import Money

LATEST_FIRST = F("valid_from_on").desc(nulls_last=True)
MAX_CODED_MINOR = 99_999_999_999  # EPC069-12: 999999999.99


class Remittance(NamedTuple):
    """One account of ours as an invoice prints it. ``since`` is empty for one that was valid from the start."""

    holder: str
    iban: str
    bic: str = ""
    bank: str = ""
    check_address: str = ""
    since: date | None = None

    @classmethod
    def of_account(cls, account: RemittanceAccount) -> "Remittance":
        return cls(
            holder=account.account_holder,
            iban=compact(account.iban),
            bic=compact(account.bic),
            bank=account.bank,
            check_address=account.check_address.replace("\r\n", "\n").strip(),
            since=account.valid_from_on,
        )

    @classmethod
    def printed_on(cls, invoice: Invoice) -> "Remittance | None":
        """The copy that an issued invoice keeps; None when there was no account in its currency."""
        if not invoice.remittance:
            return None
        since = invoice.remittance["since"]
        return cls(**invoice.remittance | {"since": date.fromisoformat(since) if since else None})

    def as_json(self) -> dict[str, str]:
        values: dict[str, Any] = self._asdict()
        return values | {"since": self.since.isoformat() if self.since else ""}

    def for_mail(self) -> dict[str, str]:
        return {"account_holder": self.holder, "iban": self.grouped_iban, "bic": self.bic}

    def is_same_account(self, other: "Remittance") -> bool:
        """Whether money sent to one arrives where the other says; the day from which it holds does not matter."""
        return self[:5] == other[:5]

    @property
    def grouped_iban(self) -> str:
        """An IBAN as it is typed over; another account number as its bank writes it."""
        return in_fours(self.iban) if iban.is_valid(self.iban) else self.iban


class Remittances:
    """The accounts of every seller and currency, read once and asked for many invoices: for a billing run or an
    import."""

    def __init__(self, accounts: Iterable[RemittanceAccount] | None = None) -> None:
        """One query, unless the accounts are given, the latest first."""
        rows = RemittanceAccount.objects.order_by(LATEST_FIRST) if accounts is None else accounts
        self._latest_first: dict[tuple[int, str], list[Remittance]] = {}
        for account in rows:
            self._latest_first.setdefault((account.seller_id, account.currency), []).append(
                Remittance.of_account(account)
            )
        self._copies: dict[Remittance | None, dict[str, str]] = {}

    def on(self, seller_id: int, currency: str, day: date) -> Remittance | None:
        """The one that holds for a currency on a day; None when there is none to print."""
        for remittance in self._latest_first.get((seller_id, currency), ()):
            if remittance.since is None or remittance.since <= day:
                return remittance
        return None

    def copy_for(self, seller_id: int, currency: str, day: date) -> dict[str, str]:
        """What an invoice of that currency and date keeps: empty when there is no account."""
        remittance = self.on(seller_id, currency, day)
        if remittance not in self._copies:
            self._copies[remittance] = remittance.as_json() if remittance else {}
        return self._copies[remittance]


def current_remittance(seller_id: int, currency: str, day: date) -> Remittance | None:
    """The account to send money to today. One query."""
    held = Q(valid_from_on__lte=day) | Q(valid_from_on=None)
    accounts = RemittanceAccount.objects.filter(held, seller=seller_id, currency=currency).order_by(LATEST_FIRST)
    return Remittances(accounts[:1]).on(seller_id, currency, day)


def without_account(billed: Iterable[tuple[int, str]], day: date) -> list[str]:
    """Those of the currencies, each with the seller who bills in it, in which there is no account on a day. One
    query."""
    accounts = Remittances()
    return sorted({currency for seller_id, currency in billed if accounts.on(seller_id, currency, day) is None})


def has_payment_code(remittance: Remittance, amount: Money) -> bool:
    """Only for an amount in euro, within the limits of the code, to an account with an IBAN."""
    return amount.currency == "EUR" and 0 < amount.minor <= MAX_CODED_MINOR and iban.is_valid(remittance.iban)


def payment_code_svg(remittance: Remittance, amount: Money, reference: str) -> str:
    """The code of EPC069-12, black on white on any page, or no scanner reads it. ``reference`` is ISO 11649."""
    code = make_epc_qr(
        name=remittance.holder[:70],
        iban=remittance.iban,
        bic=remittance.bic or None,
        amount=amount.amount,
        reference=reference,
        encoding="utf-8",
    )
    drawing = BytesIO()
    code.save(drawing, kind="svg", dark="#000", light="#fff", omitsize=True, xmldecl=False, nl=False)
    return drawing.getvalue().decode()


def is_account_number(number: str) -> bool:
    """An IBAN with the right check digits, or the number of an account in a country without IBAN: it has at least four
    digits, and does not begin with a country as an IBAN does. Money that is sent to a wrong one comes back after days,
    or never."""
    compacted = compact(number)
    if compacted[:2] in countries():
        return bool(iban.is_valid(compacted))
    return len(re.findall("[0-9]", compacted)) >= 4 and re.fullmatch("[A-Z0-9./-]+", compacted) is not None


def compact(text: str) -> str:
    return "".join(text.split()).upper()


def in_fours(text: str) -> str:
    """``RF46 INV0 0014 8``: as people type an account number or a reference over."""
    letters = text.replace(" ", "")
    return " ".join(letters[start : start + 4] for start in range(0, len(letters), 4))

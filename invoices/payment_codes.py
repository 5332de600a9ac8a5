"""What an account's country adds to a transfer: the QR bill of Switzerland and Liechtenstein, and the structured
communication of Belgium. Both follow from the payment reference (ISO 11649) that every invoice has.

Sources: Swiss Implementation Guidelines QR-bill 2.3 (SIX, in force since 21 November 2025); Febelfin, "structured
communication" (OGM-VCS), modulo 97.
"""

import re
from collections.abc import Mapping
from io import BytesIO
from typing import Any, NamedTuple

import segno
from stdnum import iban
from stdnum.be import ogm_vcs
from stdnum.ch import esr

from invoices.models import Invoice
from invoices.money import Money
from invoices.remittances import Remittance, has_payment_code, in_fours, payment_code_svg

SWISS = ("CH", "LI")
SWISS_CURRENCIES = ("CHF", "EUR")
MAX_SWISS_MINOR = 99_999_999_999
# Institutions (IID) that a QR-IBAN names: only with a QR reference, and a QR reference only with one of them.
QR_IID = range(30000, 32000)
# Letters that Swiss banks take: the guidelines, 4.1.1.
SWISS_LETTERS = re.compile("[ -~\u00a0-\u017f\u0218-\u021b\u20ac]*")
VIEW_BOX = re.compile(r'viewBox="0 0 (\d+) \d+"')
SIDE, CROSS = 46, 7  # millimeters of the code, and of the cross in its middle


class SwissBill(NamedTuple):
    """The payment part of a QR bill: its drawing (an SVG), and the texts beside it."""

    svg: str
    account: str
    creditor: list[str]
    debtor: list[str]
    reference: str
    currency: str
    amount: str


def bill_of(invoice: Invoice, remittance: Remittance) -> SwissBill | None:
    """The QR bill of what is due on an issued invoice now."""
    return swiss_bill(
        remittance, invoice.amount_due, invoice.payment_reference, seller=invoice.seller, buyer=invoice.buyer
    )


def has_code(invoice: Invoice, remittance: Remittance) -> bool:
    """Whether a banking app can read what is due now from a code."""
    return has_payment_code(remittance, invoice.amount_due) or bill_of(invoice, remittance) is not None


def code_of(invoice: Invoice, remittance: Remittance) -> str:
    """The code for banking apps as an SVG with a white margin: that of the QR bill, else the European one. Needs
    `has_code`."""
    bill = bill_of(invoice, remittance)
    if bill is None:
        return payment_code_svg(remittance, invoice.amount_due, invoice.payment_reference)
    white = '<rect x="-4" y="-4" width="100%" height="100%" fill="#fff"/><path'
    return VIEW_BOX.sub(_with_margin, bill.svg).replace("<path", white, 1)


def _with_margin(view_box: re.Match[str]) -> str:
    size = int(view_box[1]) + 8
    return f'viewBox="-4 -4 {size} {size}"'


def belgian_communication(remittance: Remittance, reference: str) -> str:
    """``+++000/0000/14851+++`` for an account in Belgium, else empty: the last ten digits of the payment reference,
    with check digits of their own."""
    if not remittance.iban.startswith("BE"):
        return ""
    digits = "".join(filter(str.isdecimal, reference[4:]))[-10:].zfill(10)
    return f"+++{ogm_vcs.format(digits + ogm_vcs.calc_check_digits(digits))}+++"


def swiss_bill(
    remittance: Remittance, amount: Money, reference: str, *, seller: Mapping[str, Any], buyer: Mapping[str, Any]
) -> SwissBill | None:
    """For an account in Switzerland or Liechtenstein and an amount in francs or euros; None where that has no QR bill.
    ``seller`` and ``buyer`` are as an invoice keeps them."""
    account = remittance.iban
    if account[:2] not in SWISS or not iban.is_valid(account) or amount.currency not in SWISS_CURRENCIES:
        return None
    creditor = _party({**seller, "company": remittance.holder})
    if not 0 < amount.minor <= MAX_SWISS_MINOR or not creditor:
        return None
    debtor = _party(buyer.get("bill_to", {}))
    kind, reference = swiss_reference(account, reference)
    figure = f"{amount.amount:.2f}"
    lines = [
        "SPC", "0200", "1", account, *creditor, *[""] * 7, figure, amount.currency, *(debtor or [""] * 7), kind,
        reference, "", "EPD",
    ]  # fmt: skip
    is_qr = kind == "QRR"
    whole, cents = figure.split(".")
    return SwissBill(
        svg=_drawing("\n".join(lines)),
        account=in_fours(account),
        creditor=_as_printed(creditor),
        debtor=_as_printed(debtor),
        reference=f"{reference[:2]} {_in_fives(reference[2:])}" if is_qr else in_fours(reference),
        currency=amount.currency,
        amount=f"{int(whole):,}".replace(",", " ") + f".{cents}",
    )


def swiss_reference(account: str, reference: str) -> tuple[str, str]:
    """Its kind and the reference: of a QR-IBAN the 27 digits of a QR reference (``QRR``), in which letters are the
    numbers of ISO 11649 (A is 10); else the ISO 11649 reference itself (``SCOR``)."""
    if int(account[4:9]) not in QR_IID:
        return "SCOR", reference
    digits = "".join(str(int(letter, 36)) for letter in reference[4:])[-26:].zfill(26)
    return "QRR", digits + esr.calc_check_digit(digits)


def _party(parts: Mapping[str, str]) -> list[str]:
    """A structured address as the code holds it, without a number of the house, which stands with the street. Empty
    where the banks would not take it."""
    lines = ["S", *(parts.get(name, "") for name in ("company", "street")), "", parts.get("postal_code", ""),
             parts.get("city", ""), parts.get("country", "")]  # fmt: skip
    lengths = [1, 70, 70, 16, 16, 35, 2]
    if not all((lines[1], lines[4], lines[5], lines[6])) or not all(map(SWISS_LETTERS.fullmatch, lines)):
        return []
    return [line[:length].strip() for line, length in zip(lines, lengths, strict=True)]


def _as_printed(party: list[str]) -> list[str]:
    if not party:
        return []
    _kind, name, street, _number, code, city, country = party
    return [line for line in (name, street, f"{country}-{code} {city}") if line]


def _in_fives(digits: str) -> str:
    return " ".join(digits[start : start + 5] for start in range(0, len(digits), 5))


def _drawing(payload: str) -> str:
    """The code with the Swiss cross in its middle, without a margin."""
    code = segno.make_qr(payload, error="m", boost_error=False, encoding="utf-8", mode="byte")
    drawing = BytesIO()
    code.save(drawing, kind="svg", border=0, dark="#000", light="#fff", omitsize=True, xmldecl=False, nl=False)
    size = code.symbol_size(border=0)[0]
    unit = size / SIDE
    cross = [
        (CROSS, CROSS, "#fff"), (CROSS - 0.7, CROSS - 0.7, "#000"), (1.17, 3.89, "#fff"), (3.89, 1.17, "#fff"),
    ]  # fmt: skip
    marks = "".join(
        f'<rect x="{(size - width * unit) / 2:.3f}" y="{(size - height * unit) / 2:.3f}" width="{width * unit:.3f}"'
        f' height="{height * unit:.3f}" fill="{color}"/>'
        for width, height, color in cross
    )
    return drawing.getvalue().decode().replace("</svg>", f"{marks}</svg>")

"""What every document has: its names, the seller in head and foot, whom it is for, and on which paper."""

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.company_numbers import number_label
from accounts.models import SellerLogo
from billing_portal.core.postal_addresses import address_lines
from invoices.money import Money

NOTES_WIDTH = 135  # letters, in the foot of a page
LETTER_PAPER = {"US", "CA", "MX", "CL", "CO", "PH"}


def frame(
    title: str,
    *,
    kind: str,
    number: str,
    seller: Mapping[str, Any],
    buyer: Mapping[str, str],
    status: Any = None,
) -> dict[str, Any]:
    """The names of a document, its seller as the document keeps it, and the page number for the template to fill in.
    ``buyer`` is an address; its country chooses the paper, and how the characters of East Asia are drawn."""
    address = address_lines({**seller, "company": "", "attention": ""}, language())
    numbers = numbers_of(seller["numbers"], seller["country"])
    contact = [part for part in (seller["contact"], seller["phone"], seller["email"]) if part]
    paper = "us-letter" if buyer.get("country", "") in LETTER_PAPER else "a4"
    return {
        "language": language(),
        "region": buyer.get("country", ""),
        "paper": paper,
        "watermark": "",
        "title": title,
        "kind": kind,
        "number": number,
        "status": status,
        "page": _("Page %(page)s of %(pages)s") % {"page": "{page}", "pages": "{pages}"},
        "seller": {"name": seller["name"], "lines": [*address, *numbers, *contact]},
        "logo": _logo(seller["logo"]),
        "footer": " · ".join((seller["name"], *address, *numbers, seller["email"])),
        "notes": legal_notes(seller["notes"]),
    }


def _logo(digest: str) -> dict[str, Any] | None:
    """The logo that a document names, as the template draws it. One query, none without one."""
    logo = SellerLogo.objects.filter(pk=digest).first() if digest else None
    return {"format": "svg" if logo.is_svg else "png", "bytes": list(bytes(logo.content))} if logo else None


def legal_notes(notes: Mapping[str, str]) -> list[str]:
    """The seller's legal notes in the language of the document, else in English, else in the first that there is: as
    lines of the width of a page."""
    text = notes.get(language()) or notes.get("en") or next(iter(notes.values()), "")
    return [line for paragraph in text.splitlines() for line in wrap(paragraph, NOTES_WIDTH)]


def parties(buyer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who bought, from the copy that the document keeps. Addresses that are equal stand once."""
    sold_to, bill_to = (address_lines(buyer[name], language()) for name in ("sold_to", "bill_to"))
    numbers = numbers_of(buyer["numbers"], buyer["sold_to"]["country"])
    if sold_to == bill_to:
        return [{"label": _("Sold to"), "lines": [*sold_to, *numbers]}]
    return [{"label": _("Sold to"), "lines": [*sold_to, *numbers]}, {"label": _("Bill to"), "lines": bill_to}]


def numbers_of(numbers: list[dict[str, str]], country: str) -> list[str]:
    """Numbers of a company, each with what it is called in its country."""
    return [f"{number_label(number['kind'], country)}: {number['value']}" for number in numbers]


def sum_row(label: str, minor: int, currency: str, *, strong: bool = False) -> dict[str, Any]:
    return {"label": label, "value": Money(minor, currency).format(), "strong": strong}


def carry_words(lines: int) -> list[str] | None:
    """What stands at the head and the foot of a page before the sum so far; none where lines need no second page."""
    return [_("Brought forward"), _("Carried forward")] if lines > 20 else None


def language() -> str:
    """The language that is active, which is the document's."""
    return get_language() or "en"

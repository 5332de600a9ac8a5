"""What a check of an e-invoice is, and what it finds."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoices.documents.einvoice.terms import Address, Format, Terms


class About(models.TextChoices):
    """Whose data a fault is in, and so who can put it right."""

    SELLER = "seller", gettext_lazy("Seller")
    BUYER = "buyer", gettext_lazy("Customer")
    DOCUMENT = "document", gettext_lazy("Document")


class Fault(NamedTuple):
    """Something that a document lacks in its format. The text may be shown to staff, that about the buyer to the
    customer too."""

    check: str
    about: About
    text: str


type Finds = Callable[[Terms, Format], Iterator[str]]


class Check(NamedTuple):
    """``finds`` yields a text for each fault. ``rules`` are those of which it makes sure."""

    name: str
    about: About
    formats: frozenset[Format]
    rules: Sequence[str]
    finds: Finds


ALL = frozenset({Format.FACTURX, Format.UBL, Format.XRECHNUNG, Format.EN16931})
FACTURX, PEPPOL, XRECHNUNG = (frozenset({form}) for form in (Format.FACTURX, Format.UBL, Format.XRECHNUNG))
ADDRESSED = PEPPOL | XRECHNUNG


class Checks(list[Check]):
    """Checks in the order in which their faults are told."""

    def add(self, about: About, *rules: str, formats: frozenset[Format] = ALL) -> Callable[[Finds], Finds]:
        """A decorator: the name of the check is that of the function."""

        def register(finds: Finds) -> Finds:
            self.append(Check(finds.__name__, about, formats, rules, finds))
            return finds

        return register


def is_german(terms: Terms, form: Format) -> bool:
    """Whether the rules of XRechnung hold, which Peppol has for seller and buyer in Germany (DE-R)."""
    return form == Format.XRECHNUNG or terms.seller.address.country == terms.buyer.address.country == "DE"


def is_dutch(terms: Terms) -> bool:
    """Between a seller and a buyer in the Netherlands."""
    return terms.seller.address.country == terms.buyer.address.country == "NL"


def lacking(address: Address, *names: str) -> str:
    """Those of the parts of an address that are empty, in words."""
    words = {"street": _("street"), "postal_code": _("postal code"), "city": _("city")}
    return ", ".join(words[name] for name in names if not getattr(address, name))


def seller_lacks(what: str) -> str:
    return _("The seller's %(what)s is missing. Add it to the seller in the staff pages.") % {"what": what}


def buyer_lacks(what: str) -> str:
    return _("The buyer's %(what)s is missing. Add it under Properties.") % {"what": what}

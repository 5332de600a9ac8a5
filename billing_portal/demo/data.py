"""What the demo holds, as data: a customer with a profile in every state, the invoices of each profile by age, and one
person for each role, all with one password."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models.customers import LAST_DAY

PASSWORD = "demo-portal-2026"  # noqa: S105  offered on the sign-in page while the demo is on


class SignIn(NamedTuple):
    """Somebody to sign in as: the role's name, and what there is to see."""

    email: str
    label: Promise
    what: Promise


SIGN_INS = [
    SignIn("manager@example.com", _("Invoice manager"), _("Pays the invoices of one profile")),
    SignIn("owner@example.com", _("Billing profile owner"), _("Pays, and manages the cards of seven profiles")),
    SignIn("contributor@example.com", _("Billing profile contributor"), _("Pays and manages, but grants no roles")),
    SignIn("reader@example.com", _("Billing profile reader"), _("Sees everything and may pay nothing")),
    SignIn("accountowner@example.com", _("Billing account owner"), _("Sees every profile of the customer")),
    SignIn("stranger@example.com", _("Owner at another customer"), _("Sees nothing of the first customer")),
    SignIn("admin@example.com", _("Staff"), _("Works in the staff pages")),
]

HOSTING = ("Web hosting", "Virtual machines", "1240", "HUR", "0.0985")
STORAGE = ("Web hosting", "Object storage", "860.5", "E34", "0.0210")
DATABASE = ("Data platform", "Managed database", "730", "HUR", "0.4120")
TRAFFIC = ("Data platform", "Outgoing traffic", "412.75", "E34", "0.0700")
SUPPORT = ("Support", "Support plan, standard", "1", "MON", "89.00")
LICENSES = ("Development", "Developer seats", "12", "C62", "18.50")

SMALL = (STORAGE, TRAFFIC)
USUAL = (HOSTING, STORAGE, DATABASE, TRAFFIC)
LARGE = (HOSTING, STORAGE, DATABASE, TRAFFIC, SUPPORT, LICENSES)


class Fate(Enum):
    """What became of an invoice after it was issued."""

    OPEN = "open"
    CARD = "paid with a card"
    DECLINED = "declined, and still open"
    CHALLENGE = "waits for the bank's approval"
    MISMATCH = "the gateway took another amount; staff decide"
    WIRE = "paid by wire"
    PART = "part of it came by wire"
    REFUNDED = "paid with a card, part refunded"
    VOID = "void"
    PLANNED = "is going to be charged automatically"
    REFUSED = "was charged automatically and refused; another day is planned"
    REBILLED = "void, and billed again"


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice issued ``age`` days ago. ``price`` scales the unit prices, for currencies of another size."""

    age: int
    fate: Fate = Fate.OPEN
    lines: tuple[tuple[str, str, str, str, str], ...] = USUAL
    price: int = 1
    kind: str = "service"


@dataclass(frozen=True, slots=True)
class Profile:
    """``card`` is the last four digits of the default card, one of the sandbox's test cards. Only with ``autopay`` is
    anything charged automatically; elsewhere whoever tries the demo is to press Pay now."""

    name: str
    currency: str = "EUR"
    invoice_day: int = 5
    company: str = "Example Trading B.V."
    street: str = "Voorbeeldstraat 12"
    postal_code: str = "1011 AA"
    city: str = "Amsterdam"
    country: str = "NL"
    document_language: str = "en"
    invoice_format: str = "pdf"
    tax_rate: str = "21"
    tax_category: str = "S"
    po_number: str = ""
    card: str = ""
    expired_card: str = ""
    by_wire: bool = False
    autopay: bool = False
    bills: tuple[Bill, ...] = ()


OPERATIONS = Profile(
    name="Operations NL",
    po_number="PO-2048",
    card="4242",
    bills=(
        *(Bill(age, Fate.CARD) for age in (402, 372, 341, 311, 280, 250)),
        Bill(219, Fate.CARD, LARGE),
        Bill(189, Fate.VOID, LARGE),
        Bill(188, Fate.CARD),
        Bill(158, Fate.CARD, LARGE),
        Bill(152, Fate.CARD, (SUPPORT,), kind="support"),
        Bill(127, Fate.WIRE),
        Bill(97, Fate.CARD, LARGE),
        Bill(66, Fate.CARD, LARGE),
        Bill(34, Fate.REFUNDED, LARGE),
        Bill(36, Fate.DECLINED, (LICENSES,), kind="marketplace"),
        Bill(6, Fate.OPEN, LARGE),
        Bill(2, Fate.OPEN, (SUPPORT,), kind="support"),
    ),
)
MARKETING = Profile(
    name="Marketing UK",
    currency="GBP",
    invoice_day=LAST_DAY,
    company="Example Trading UK Ltd",
    street="1 Example Street",
    postal_code="EC1A 1AA",
    city="London",
    country="GB",
    tax_rate="0",
    tax_category="AE",
    card="4444",
    bills=(
        Bill(95, Fate.CARD),
        Bill(64, Fate.CARD),
        Bill(33, Fate.REBILLED, SMALL),
        Bill(20, Fate.CHALLENGE),
        Bill(9, Fate.MISMATCH, SMALL),
        Bill(3),
    ),
)
TOKYO = Profile(
    name="Tokyo office",
    currency="JPY",
    company="Example Trading K.K.",
    street="1-1 Example",
    postal_code="100-0001",
    city="Tokyo",
    country="JP",
    tax_rate="0",
    tax_category="AE",
    card="4242",
    autopay=True,
    bills=(Bill(70, Fate.CARD, price=160), Bill(34, price=160), Bill(8, Fate.PLANNED, price=160)),
)
KUWAIT = Profile(
    name="Kuwait branch",
    currency="KWD",
    street="Example Street 3",
    postal_code="13001",
    city="Kuwait City",
    country="KW",
    tax_rate="0",
    tax_category="G",
    card="9995",
    autopay=True,
    bills=(Bill(75, Fate.WIRE), Bill(12, Fate.REFUSED)),
)
HEAD_OFFICE = Profile(
    name="Head office, by wire",
    po_number="PO-7001",
    by_wire=True,
    bills=(Bill(98, Fate.WIRE, LARGE), Bill(67, Fate.WIRE, LARGE), Bill(35, Fate.PART, LARGE), Bill(7, lines=LARGE)),
)
LABS = Profile(
    name="Labs",
    street="Proefweg 4",
    postal_code="2628 AA",
    city="Delft",
    expired_card="4242",
    bills=(Bill(45, lines=SMALL), Bill(14, lines=SMALL)),
)
NEW_VENTURE = Profile(name="New venture")
CUSTOMER = (OPERATIONS, MARKETING, TOKYO, KUWAIT, HEAD_OFFICE, LABS, NEW_VENTURE)

LOGISTICS = Profile(
    name="Logistics",
    company="Sample Logistics GmbH",
    street="Musterstraße 5",
    postal_code="10115",
    city="Berlin",
    country="DE",
    document_language="de",
    invoice_format="facturx",
    tax_rate="0",
    tax_category="AE",
    card="4242",
    bills=(Bill(61, Fate.CARD), Bill(34), Bill(10)),
)

"""Sellers and buyers of e-invoices, and invoices and credit notes that are drawn at random.

What an invoice says of seller and buyer is set on the row in memory, in the shape in which issuing stores it.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from accounts.access import staff_access, system_access
from accounts.models import BillingProfile, TaxId
from billing_portal.core.exact_decimals import rounded_product
from invoices.bulk import new_row
from invoices.documents.einvoice.terms import Mandate, Means, Payment, Period, Terms, terms_of, terms_of_note
from invoices.models import CreditNote, Invoice, InvoiceLine
from invoices.money import exponent
from invoices.operations.credit_notes import CannotCorrect, credit_note, rest_of
from invoices.operations.issuing import compute_sums, issue_invoices
from invoices.states import InvoiceStatus
from invoices.tax import WITH_REASON
from invoices.units import UNITS
from tests.factories import NOW, TODAY, BillingProfileFactory, UserFactory, exchange_rate, granted

CURRENCIES = ("EUR", "USD", "GBP", "JPY", "CHF", "SEK")
WORDS = [
    "Hosting", "storage", "traffic", "support", "licence", "Büro", "naïve", "株式会社", "<b>&amp;", "\x0b", "“quoted”",
    "a\nb",
]  # fmt: skip


def party_json(name, street, postal_code, city, country, numbers, endpoint, **more) -> dict[str, Any]:
    """``numbers`` are kind and value."""
    kinds = [{"kind": kind, "value": value} for kind, value in numbers]
    address = {"street": street, "postal_code": postal_code, "city": city, "region": "", "country": country}
    return {"name": name, "numbers": kinds, "endpoint": endpoint, **address, **more}


CONTACT = {"contact": "Accounts receivable", "phone": "+31 20 000 0000", "email": "billing@example.com"}
FRENCH = (
    "SAS au capital de 10 000 EUR, RCS Paris.\nPénalités de retard : 10 %.\n"
    "Indemnité forfaitaire pour frais de recouvrement : 40 EUR.\nPas d'escompte pour paiement anticipé."
)
NOTES = {
    "en": "Registered in Amsterdam.\nPaid late, interest is due.",
    "de": "Geschäftsführer: A. Beispiel",
    "fr": FRENCH,
}
MORE = {"code": "MAIN", "notes": NOTES, "logo": "", "tax_currency": "EUR", **CONTACT}
SELLERS = {
    "NL": party_json(
        "Example Cloud B.V.", "Voorbeeldkade 1", "1011 AA", "Amsterdam", "NL",
        [("vat", "NL000000001B64"), ("company", "12345678")], {"scheme": "0106", "id": "12345678"}, **MORE,
    ),
    "DE": party_json(
        "Beispiel GmbH", "Musterweg 1", "10115", "Berlin", "DE",
        [("vat", "DE136695976"), ("company", "HRB 1234"), ("national", "30/123/45678")],
        {"scheme": "9930", "id": "DE136695976"}, **MORE,
    ),
    "BE": party_json(
        "Voorbeeld NV", "Kaai 1", "1000", "Brussel", "BE", [("vat", "BE0403019261"), ("company", "0403.019.261")],
        {"scheme": "0208", "id": "0403019261"}, **MORE,
    ),
    "FR": party_json(
        "Exemple SAS", "1 rue de l'Exemple", "75001", "Paris", "FR",
        [("vat", "FR40303265045"), ("company", "303 265 045 00011")],
        {"scheme": "0009", "id": "30326504500011"}, **MORE,
    ),
    "GB": party_json(
        "Example Ltd", "1 Example Road", "EC1A 1AA", "London", "GB", [("vat", "GB980780684"), ("company", "01234567")],
        {"scheme": "0088", "id": "4006381333931"}, **MORE,
    ),
    "US": party_json(
        "Example Inc.", "350 Fifth Avenue", "10118", "New York", "US",
        [("national", "12-3456789"), ("company", "5790000")], {"scheme": "0060", "id": "123456789"}, **MORE,
    ),
    "JP": party_json(
        "株式会社例", "丸の内1-1-1", "100-0005", "東京都千代田区", "JP",
        [("vat", "T7000012050002"), ("company", "7000012050002")], {"scheme": "0188", "id": "7000012050002"}, **MORE,
    ),
    "DK": party_json(
        "Eksempel A/S", "Eksempelvej 1", "1050", "København", "DK",
        [("vat", "DK13585628"), ("company", "13585628")], {"scheme": "0184", "id": "13585628"}, **MORE,
    ),
    "IS": party_json(
        "Dæmi ehf.", "Dæmigata 1", "101", "Reykjavík", "IS",
        [("vat", "IS00621"), ("company", "4504013150")], {"scheme": "0196", "id": "4504013150"}, **MORE,
    ),
    "IT": party_json(
        "Esempio S.r.l.", "Via Esempio 1", "20121", "Milano", "IT",
        [("vat", "IT00743110157"), ("company", "MI-123456"), ("national", "00743110157")],
        {"scheme": "0211", "id": "IT00743110157"}, **MORE,
    ),
    "NO": party_json(
        "Eksempel AS", "Eksempelveien 1", "0150", "Oslo", "NO",
        [("vat", "NO 988 077 917 MVA"), ("company", "988077917")], {"scheme": "0192", "id": "988077917"}, **MORE,
    ),
    "SE": party_json(
        "Exempel AB", "Exempelgatan 1", "111 22", "Stockholm", "SE",
        [("vat", "SE123456789701"), ("company", "1234567897"), ("national", "Godkänd för F-skatt")],
        {"scheme": "0007", "id": "1234567897"}, **MORE,
    ),
}  # fmt: skip
# A number of VAT of some country, and how the buyer is reached.
FOREIGN = {"US": [("vat", "DE136695976")], "JP": [("vat", "DE136695976"), ("company", "7000012050002")]}


def buyer_json(country: str, **more) -> dict[str, Any]:
    """As an invoice keeps it. Buyers outside Europe are registered for VAT in Germany, for reverse charge."""
    seller = SELLERS[country]
    names = ("street", "postal_code", "city", "region", "country")
    address = {"company": seller["name"], "attention": "Accounts payable", **{name: seller[name] for name in names}}
    numbers = seller["numbers"]
    if country in FOREIGN:
        numbers = [{"kind": kind, "value": value} for kind, value in FOREIGN[country]]
    return {
        "agreement_type": "customer", "profile": "Operations", "sold_to": address, "bill_to": address,
        "numbers": numbers, "reference": "04011000-12345-03", "endpoint": seller["endpoint"], "language": "en",
        "format": "ubl", "is_payable_online": True, "card_limit_minor": None, **more,
    }  # fmt: skip


def profiles(currencies=CURRENCIES) -> list[BillingProfile]:
    """One in each currency, with the tax ID and the rate of exchange that issuing asks for."""
    made = [BillingProfileFactory(currency=currency) for currency in currencies]
    for profile in made:
        TaxId.objects.create(account=profile.account, value="DE136695976")
        if profile.currency != "EUR":
            exchange_rate(profile.currency, "160" if profile.currency == "JPY" else "1.7")
    return made


def drawn_invoices(random: Random, made: list[BillingProfile], count: int, *, most_lines: int) -> list[Invoice]:
    """Issued invoices, each of one of the profiles in turn, from one line to so many. The largest has all of them."""
    drafts = []
    for index in range(count):
        profile = made[index % len(made)]
        if random.random() < 0.2:
            granted(profile, random.randint(1, 900_000))
        lines = most_lines if index == count - 1 else 1 + int(min(120, most_lines) * random.random() ** 3)
        drafts.append(drawn_draft(random, profile, lines))
    for invoice, lines in drafts:
        issue_invoices([invoice], lines, access=system_access(), at=NOW)
    rows = Invoice.objects.filter(pk__in=[invoice.pk for invoice, _lines in drafts])
    invoices = list(rows.select_related("profile__account", "replaces").order_by("pk"))
    for invoice in invoices:
        draw_parties(random, invoice)
    return invoices


def drawn_draft(random: Random, profile: BillingProfile, count: int) -> tuple[Invoice, list[InvoiceLine]]:
    """A draft whose total is not negative. Outside the scope of VAT is nothing else beside it (BR-O-11). A rate of less
    than half a percent is refused by a fault of the rules, which round it to none."""
    kinds = [("S", f"{random.randint(500, 27_000)}e-3") for _ in range(random.randint(1, 4))]
    if random.random() < 0.2:  # as a seller in Sweden may have them
        kinds = [("S", rate) for rate in random.sample(["6", "12", "25"], random.randint(1, 3))]
    kinds += [(category, "0") for category in random.sample(["Z", "E", "AE", "K", "G"], random.randint(0, 5))]
    kinds = [("O", "0")] if random.random() < 0.1 else kinds
    invoice = new_row(Invoice, currency=profile.currency, issued_on=TODAY)
    invoice.profile = profile
    if random.random() < 0.6:
        invoice.period_start_on, invoice.period_end_on = TODAY - timedelta(days=30), TODAY - timedelta(days=1)
    invoice.po_number = random.choice(["", "PO-4500000001", "4500 / 17"])
    lines = [drawn_line(random, invoice, *random.choice(kinds)) for _ in range(count - 1)]
    met = set()
    for line in lines:  # deducted from lines of its own rate
        kind = line.tax_category, line.tax_rate
        line.is_allowance = kind in met and random.random() < 0.08
        met.add(kind)
    lines.append(drawn_line(random, invoice, *kinds[0], large=True))  # more than all that is deducted
    compute_sums(invoice, lines)
    if random.random() < 0.2:
        invoice.paid_minor = invoice.paid_before_minor = random.randint(1, invoice.total_minor)
        invoice.paid_before_on = TODAY
    return invoice, lines


def drawn_line(random: Random, invoice: Invoice, category: str, rate: str, *, large=False) -> InvoiceLine:
    """One in five is deducted, by a negative quantity or a negative price. No amount is rounded to zero."""
    signs = random.choice("-+++++++++"), random.choice("-+++++++++")
    quantity, price = f"{random.randint(1_000_000, 30_000_000)}e-6", f"{random.randint(100_000_000, 9_000_000_000)}e-8"
    quantity, price = ("1000", "100000") if large else (signs[0] + quantity, signs[1] + price)
    line = new_row(
        InvoiceLine, description=" ".join(random.choices(WORDS, k=random.randint(1, 24)))[:200],
        unit=random.choice(sorted(UNITS)), quantity=Decimal(quantity), unit_price=Decimal(price),
        tax_category=category, tax_rate=Decimal(rate), exemption_reason="Education" if category == "E" else "",
        exemption_code=random.choice(["", "VATEX-EU-132-1I"]) if category == "E" else "",
    )  # fmt: skip
    line.description = line.description.strip() or "Hosting"
    if random.random() < 0.5:
        line.happened_on = TODAY - timedelta(days=random.randint(0, 45))
    if not rounded_product(line.quantity, line.unit_price, exponent(invoice.currency)):
        line.unit_price = Decimal(1000)
    line.invoice = invoice
    return line


def draw_parties(random: Random, invoice: Invoice) -> None:
    """Complete ones of any country, as the invoice keeps them, in memory."""
    rates = invoice.lines.filter(tax_category="S").values_list("tax_rate", flat=True)
    swedish = ["SE"] * 3 if set(rates) <= {6, 12, 25} else []
    country = random.choice(["NL", "NL", "DE", "BE", "FR", "GB", "DK", "IS", "IT", "NO", *swedish])
    buyer = country if random.random() < 0.3 else random.choice(list(SELLERS))
    invoice.seller = deepcopy(SELLERS[country])
    invoice.buyer = deepcopy(buyer_json(buyer, language=random.choice(["en", "nl", "de", "fr"])))
    if random.random() < 0.3:
        invoice.remittance = {}
    if invoice.remittance and random.random() < 0.2:
        invoice.remittance = invoice.remittance | {"iban": "123-4567", "bic": ""}
    if invoice.seller["country"] == invoice.buyer["sold_to"]["country"] == "NL" and not invoice.remittance:
        invoice.remittance = {"holder": "Example", "iban": "NL53EXAM0000000000", "bic": "", "bank": "", "since": ""}
    if country == buyer == "DK" and invoice.remittance:  # whose means of payment need it
        invoice.remittance = invoice.remittance | {"bic": "EXAMNL2A"}
    invoice.pays_by_wire = random.random() < 0.5
    if not invoice.pays_by_wire and random.random() < 0.5:
        invoice.buyer |= {"is_charged": True, "card": random.choice([None, {"last_four": "4242", "network": "VISA"}])}


def drawn_mandate(random: Random) -> Mandate | None:
    mandate = Mandate("MANDATE-1", "NL98ZZZ999999990000", "DE89370400440532013000")
    return random.choice([None, None, None, mandate])


def drawn_notes(random: Random, invoices: list[Invoice]) -> Iterator[CreditNote]:
    """Credit notes over all of an invoice, over some lines, and over an amount, one or two of each."""
    access = staff_access(UserFactory(is_staff=True))
    for invoice in invoices:
        for _ in range(random.randint(1, 2)):
            rest = rest_of(invoice)
            if rest.total_minor <= 1 or invoice.status == InvoiceStatus.VOID:
                break
            asked: dict[str, Any] = random.choice(
                [{}, {"total_minor": random.randint(1, rest.total_minor - 1)}, {"amounts": _amounts(random, rest)}]
            )
            try:
                note = credit_note(
                    access=access, invoice_id=invoice.pk, reason="Billed\x0b too much", today=TODAY, at=NOW, **asked
                )
            except CannotCorrect:
                continue
            note.invoice, note.seller, note.buyer = invoice, invoice.seller, invoice.buyer
            yield note


def _amounts(random: Random, rest) -> dict[int, int]:
    parts = random.sample(rest.parts, random.randint(1, len(rest.parts)))
    return {part.line.pk: int(part.amount_minor * random.choice([1, 1, random.random()])) for part in parts}


def drawn_terms(
    random: Random, made: list[BillingProfile], count: int, *, most_lines: int = 120, spoiled: bool = False
) -> list[Terms]:
    """Of so many invoices, and of credit notes on a third of them; ``spoiled`` lack something, or have it wrong."""
    invoices = drawn_invoices(random, made, count, most_lines=most_lines)
    for invoice in invoices if spoiled else ():
        spoil_parties(random, invoice)
    terms = [terms_of(invoice, mandate=drawn_mandate(random)) for invoice in invoices]
    terms += [terms_of_note(note) for note in drawn_notes(random, invoices[: max(1, count // 3)])]
    return [spoiled_terms(random, one) for one in terms] if spoiled else terms


WRONG = {
    "country": ["", "XK", "DK", "SE", "IT", "IS", "NO", "GR"], "region": ["Somewhere"], "email": ["", "nobody", "a@b"],
    "phone": ["", "12", "none"], "numbers": [[]],
    "endpoint": [{}, {"scheme": "", "id": "1"}, {"scheme": "9999", "id": "1"}, {"scheme": "0219", "id": "1"},
                 {"scheme": "EM", "id": "a@example.com"}, {"scheme": "0106", "id": "1234567"},
                 {"scheme": "0208", "id": "0403019262"}, {"scheme": "0088", "id": "4006381333930"},
                 {"scheme": "0192", "id": "123456789"}, {"scheme": "0007", "id": "5560000000"},
                 {"scheme": "0151", "id": "12345678901"}, {"scheme": "0211", "id": "IT12345678901"},
                 {"scheme": "0210", "id": "x"}, {"scheme": "0201", "id": "12345"}, {"scheme": "0184", "id": "1"},
                 {"scheme": "0096", "id": "1"}, {"scheme": "0198", "id": "12345678"}, {"scheme": "0190", "id": "1"},
                 {"scheme": "9944", "id": "NL1"}, {"scheme": "9930", "id": "anything"}],
}  # fmt: skip
NUMBERS = {
    "vat": ["", "QQ123", "NL1234", "123456789", "EL094259216", "XI123456789", "FR40 303 265 045"],
    "company": ["", "1234", "0403019262", "HRB 1", "0403.019.261"],
    "national": ["", "12-345"],
}


def spoil_parties(random: Random, invoice: Invoice) -> None:
    """Takes things out of what the invoice keeps, or puts wrong ones in."""
    for _ in range(random.choice([1, 1, 1, 2, 6])):
        kept = random.choice([invoice.seller, invoice.buyer, invoice.buyer["sold_to"]])
        key = random.choice([*kept, "numbers"])
        if key in {"sold_to", "bill_to", "agreement_type", "format", "language", "notes", "tax_currency"}:
            continue
        if key == "numbers" and kept.get("numbers") and random.random() < 0.8:
            number = random.choice(kept["numbers"])
            number["value"] = random.choice(NUMBERS.get(number["kind"], [""]))
        else:
            kept[key] = random.choice(WRONG.get(key, [""]))
    if random.random() < 0.3:
        invoice.po_number = ""
    if random.random() < 0.2:
        invoice.remittance = random.choice([{}, invoice.remittance | {"iban": "NL53EXAM0000000001", "holder": ""}])


def spoiled_terms(random: Random, terms: Terms) -> Terms:
    """One in three with what no stored row should hold."""
    return random.choice(SPOILED)(random, terms) if random.random() < 0.33 else terms


def _without_reasons(_random: Random, terms: Terms) -> Terms:
    return replace(terms, taxes=[tax._replace(exemption_reason="", exemption_code="") for tax in terms.taxes])


def _with_codes(random: Random, terms: Terms) -> Terms:
    code = random.choice(["VATEX-FOO", "VATEX-EU-G", "VATEX-EU-D", "VATEX-EU-AE"])
    taxes = [tax._replace(exemption_code=code) if tax.category in WITH_REASON else tax for tax in terms.taxes]
    return replace(terms, taxes=taxes)


def _with_other_tax(_random: Random, terms: Terms) -> Terms:
    first, *others = terms.taxes
    return replace(terms, taxes=[first._replace(tax_minor=first.tax_minor + 150), *others])


def _turned_round(_random: Random, terms: Terms) -> Terms:
    period = terms.period or Period(TODAY - timedelta(days=9), TODAY)
    lines = [replace(line, period=None) for line in terms.lines]
    return replace(terms, lines=lines, period=Period(period.end, period.start))


def _by_debit(random: Random, terms: Terms) -> Terms:
    mandate = Mandate(
        *(random.choice(["", text]) for text in ("MANDATE-1", "NL98ZZZ999999990000", "NL53EXAM0000000000"))
    )
    return replace(terms, payment=Payment(Means.SEPA_DEBIT, mandate=mandate))


SPOILED = [
    lambda _random, terms: replace(terms, lines=()),
    lambda _random, terms: replace(terms, taxes=terms.taxes[1:]),
    lambda random, terms: replace(terms, currency=random.choice(["KWD", "STN"]), seller_tax=None),
    lambda _random, terms: replace(terms, payment=Payment(Means.SEPA_TRANSFER)),
    lambda _random, terms: replace(terms, payment=Payment(Means.CARD)),
    _without_reasons, _with_codes, _with_other_tax, _turned_round, _by_debit,
]  # fmt: skip

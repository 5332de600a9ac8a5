"""Charges from a file, for the next invoice of each profile.

A CSV file holds one row per charge. Files are in UTF-8 or Windows-1252, separated by commas, semicolons or tabs.
Numbers may have a decimal comma and dates may be 5-10-2026, where the file shows it.

| Column | Needed | What it holds |
|---|---|---|
| `profile` | yes | code of the billing profile, such as `K7QX-2M9P`; it must not be closed |
| `reference` | yes | the sender's own reference of the charge, at most 64 characters, once in a profile |
| `section` | yes | name of an invoice section that the profile has; sections are not created |
| `date` | yes | `2026-10-05`, of the service or sale; decides the billing period |
| `currency` | no | must be that of the profile |
| `kind` | no | `usage` (when empty), `one_off` or `return`; only a return is negative |
| `description` | yes | at most 200 characters |
| `quantity` | no | at most 12 decimals, kept exactly; 1 when empty |
| `unit` | no | code of UN/ECE Recommendation 20, or a name such as `hours`; any other text joins the description |
| `unit_price` | yes | in major units without tax, at most 10 decimals, kept exactly; negative for a return |
| `tax_rate` | yes | name of a tax rate in use, such as `VAT high`; what is not taxed has one too, with the reason |
| `creditable` | no | whether credits may pay for it: `yes` (when empty) or `no` |

Everything is checked first and every bad row named; then everything is written in one transaction. The same charge
(profile, reference, same content) met again is left alone; with other content it is an error. A charge of a period that
has closed already comes on the next invoice.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import batched

from accounts import audit
from accounts.models import BillingProfile, InvoiceSection
from billing_portal.core.exact_decimals import rounded_product
from billing_portal.core.spelling import compact
from invoices.importing.columns import Column, Columns, Row, day, identifier, number, one_of, text, yes_or_no
from invoices.importing.csv_reader import Problems, Seen, Texts
from invoices.importing.file_format import BadRow
from invoices.importing.pipeline import (
    FileImport,
    Imported,
    check_currency,
    described,
    sections_named,
    stored_by_reference,
)
from invoices.models import Charge, TaxRate
from invoices.money import exponent
from invoices.operations.charges import CannotCharge, compute_charge, differing_facts, record_charges

BATCH = 2000
COLUMNS = Columns(
    profile=Column(identifier(12), needed=True),
    reference=Column(identifier(64), needed=True, is_unique=True),
    section=Column(text(120), needed=True),
    date=Column(day, "date", needed=True),
    currency=Column(text(3), default=""),
    kind=Column(one_of(Charge.Kind.values), default=Charge.Kind.USAGE.value),
    description=Column(text(200), needed=True),
    quantity=Column(number(12, 12), "number", default=Decimal(1)),
    unit=Column(text(60), default=""),
    unit_price=Column(number(13, 10), "number", needed=True),
    tax_rate=Column(text(60), needed=True),
    creditable=Column(yes_or_no, default=True),
)
# What a charge has under the same name as the file, and under another.
SAME = ("kind", "quantity", "unit_price")
COLUMN_OF = {"section_id": "section", "tax_rate_id": "tax_rate", "happened_on": "date", "is_creditable": "creditable"}
Numbered = tuple[int, Row]


class ChargeImport(FileImport[list[Numbered], Charge]):
    columns = COLUMNS

    def begin_pass(self) -> None:
        """Tax rates are few: they are read once for a pass."""
        self.rates = {rate.name: rate for rate in TaxRate.objects.all()}
        self.exact: dict[str, Decimal] = {}

    def batches(
        self, rows: Iterable[tuple[int, Texts]], problems: Problems, seen: Seen | None
    ) -> Iterator[list[Numbered]]:
        return map(list, batched(_good_rows(rows, problems, seen), BATCH))

    def resolve(self, batch: list[Numbered], problems: Problems) -> tuple[list[Charge], int]:
        """Five queries a batch, whatever it holds."""
        codes = {row["profile"] for _line, row in batch}
        rows = BillingProfile.objects.filter(code__in=codes).only("code", "currency", "status")
        profiles = {profile.code: profile for profile in rows}
        names = {row["section"] for _line, row in batch}
        sections = sections_named(names, [profile.pk for profile in profiles.values()])
        references = ((profiles[row["profile"]].pk, row["reference"]) for _, row in batch if row["profile"] in profiles)
        stored = stored_by_reference(Charge, references)
        new, unchanged = [], 0
        for line, row in batch:
            try:
                charge = self._make(row, profiles.get(row["profile"]), sections)
                earlier = stored.get((charge.profile_id, compact(charge.source_reference)))
                if earlier is None:
                    new.append(charge)
                    if charge.description != row["description"]:
                        self.keep_unit(row["unit"])
                elif differing := [COLUMN_OF.get(name, name) for name in differing_facts(charge, earlier)]:
                    reference = charge.source_reference
                    raise BadRow(
                        f"reference {reference!r} was recorded before, with other values in {', '.join(differing)}."
                    )
                else:
                    unchanged += 1
            except (BadRow, CannotCharge) as reason:
                problems.add(line, str(reason))
        return new, unchanged

    def write(self, new: list[Charge], imported: Imported) -> None:
        record_charges(new, access=self.access, at=self.at)
        for charge in new:
            currency = charge.profile.currency
            self.exact[currency] = self.exact.get(currency, Decimal(0)) + charge.exact_amount
        for currency, amount in self.exact.items():
            imported.minor[currency] = rounded_product(amount, Decimal(1), exponent(currency))
        imported.count += len(new)

    def finish(self, imported: Imported, name: str) -> None:
        if imported.count:
            totals = {total.currency: total.minor for total in imported.totals}
            audit.record(
                access=self.access, at=self.at, action="charges.imported", subject=name[:120], charges=imported.count,
                totals=totals,
            )  # fmt: skip

    def _make(
        self, row: Row, profile: BillingProfile | None, sections: dict[tuple[int, str], InvoiceSection]
    ) -> Charge:
        """Raises BadRow and CannotCharge."""
        if profile is None:
            raise BadRow(f"there is no billing profile {row['profile']!r}.")
        if profile.is_closed:
            raise BadRow(f"billing profile {row['profile']} is closed.")
        check_currency(row, profile)
        section = sections.get((profile.pk, row["section"]))
        if section is None:
            raise BadRow(f"profile {row['profile']} has no invoice section {row['section']!r}. Create it first.")
        rate = self.rates.get(row["tax_rate"])
        if rate is None or not rate.is_active:
            raise BadRow(f"there is no tax rate {row['tax_rate']!r} in use.")
        description, unit = described(row)
        charge = Charge(
            profile=profile, section=section, description=description, unit=unit, tax_rate=rate,
            happened_on=row["date"], is_creditable=row["creditable"],
            source_reference=row["reference"], **{name: row[name] for name in SAME},
        )  # fmt: skip
        compute_charge(charge)
        return charge


def _good_rows(rows: Iterable[tuple[int, Texts]], problems: Problems, seen: Seen | None) -> Iterator[Numbered]:
    for line, texts in rows:
        try:
            row = COLUMNS.row(texts)
            first = seen.first_line(row["profile"], row["reference"], line) if seen is not None else line
            if first != line:
                raise BadRow(f"reference {row['reference']!r} stands on line {first} already.")
        except BadRow as reason:
            problems.add(line, str(reason))
        else:
            yield line, row

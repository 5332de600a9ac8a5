"""What the portal has already of what a batch names: profiles, sections and invoices."""

import json
from collections.abc import Iterable
from datetime import date, datetime
from functools import cached_property

from accounts.models import BillingProfile, InvoiceSection
from invoices.bulk import JsonText
from invoices.importing.problems import BadRow
from invoices.models import Invoice
from invoices.money import UnknownCurrency, exponent
from invoices.operations import parties_of

# Pairs, because a list of profiles and a list of references would be looked up each with each. The last condition is
# the index's own, which is not used without it.
IMPORTED_BEFORE = """
WITH wanted (profile_id, reference) AS (VALUES {pairs})
SELECT invoice.id, invoice.number, invoice.profile_id, invoice.source_reference, invoice.source_digest
FROM wanted JOIN invoices_invoice AS invoice
ON invoice.profile_id = wanted.profile_id AND invoice.source_reference = wanted.reference
AND NOT (invoice.source_reference = '')
"""


class Customer:
    """A profile, and what is worked out once for all of its invoices."""

    def __init__(self, profile: BillingProfile, at: datetime) -> None:
        self.profile = profile
        self.profile_id: int = profile.pk
        self.today: date = profile.day_of(at)
        self.fault = _fault(profile)

    @cached_property
    def parties(self) -> dict[str, JsonText]:
        return {name: JsonText(json.dumps(party)) for name, party in parties_of(self.profile).items()}


def _fault(profile: BillingProfile) -> str:
    """Why it gets no invoices; empty when it does."""
    if profile.is_closed:
        return f"billing profile {profile.code} is closed."
    try:
        exponent(profile.currency)
    except UnknownCurrency as error:
        return f"billing profile {profile.code}: {error}"
    return ""


class Customers:
    """Those of the last batch are kept for the next, which often names them again."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.by_code: dict[str, Customer] = {}

    def load(self, codes: set[str]) -> None:
        """Afterwards ``by_code`` holds those of the codes that exist."""
        kept = {code: customer for code, customer in self.by_code.items() if code in codes}
        missing = codes - kept.keys()
        found = BillingProfile.objects.filter(code__in=missing).select_related("account")
        loaded = found.prefetch_related("account__tax_ids") if missing else []
        self.by_code = kept | {profile.code: Customer(profile, self.at) for profile in loaded}

    def get(self, code: str) -> Customer:
        """Raises BadRow for a profile that does not exist or gets no invoices."""
        customer = self.by_code.get(code)
        if customer is None:
            raise BadRow(f"there is no billing profile {code!r}.")
        if customer.fault:
            raise BadRow(customer.fault)
        return customer


def sections(names: set[str], profiles: Iterable[int]) -> dict[tuple[int, str], int]:
    """Ids by profile and name, of those that the profiles have."""
    if not names:
        return {}
    found = InvoiceSection.objects.filter(profile_id__in=profiles, name__in=names)
    return {(profile_id, name): pk for pk, profile_id, name in found.values_list("pk", "profile_id", "name")}


def imported_before(references: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Invoice]:
    """The invoices that have these references, by profile and reference."""
    wanted = list(references)
    if not wanted:
        return {}
    statement = IMPORTED_BEFORE.format(pairs=", ".join(["(%s, %s)"] * len(wanted)))
    found = Invoice.objects.raw(statement, [value for pair in wanted for value in pair])
    return {(invoice.profile_id, invoice.source_reference): invoice for invoice in found}

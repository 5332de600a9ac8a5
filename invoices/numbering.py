"""Invoice numbers without gaps, and the payment reference that goes with each."""

import re
from collections.abc import Iterable, Sequence
from datetime import date

from django.db.models import Q
from stdnum.iso7064 import mod_97_10

from accounts.models import Seller
from invoices.models import Invoice, NumberSeries


def take_numbers(prefix: str, count: int = 1) -> list[str]:
    """The next ``count`` numbers of a series, such as ``INV-000148``, in capitals. Must run inside a transaction: the
    series' row stays locked until it ends, so a rolled-back issue leaves no gap."""
    prefix = prefix.upper()
    series, _created = NumberSeries.objects.select_for_update().get_or_create(prefix=prefix)
    first = series.next_number
    if count:
        series.next_number = first + count
        series.save(update_fields=["next_number"])
    return [f"{prefix}{number:06d}" for number in range(first, first + count)]


def lock_series(prefixes: Iterable[str]) -> None:
    """Locks several series until the transaction ends, in one order: for a transaction that takes numbers of them more
    than once, where another one might hold the second series and wait for the first."""
    several = {prefix.upper() for prefix in prefixes}
    if len(several) > 1:
        for prefix in sorted(several):
            take_numbers(prefix, 0)


def last_issued_on(prefix: str) -> date | None:
    """The invoice date of the last number that a series gave; None before its first."""
    prefix = prefix.upper()
    series = NumberSeries.objects.filter(prefix=prefix).first()
    last = f"{prefix}{series.next_number - 1:06d}" if series is not None else None
    return Invoice.objects.filter(number=last).values_list("issued_on", flat=True).first() if last else None


def creditor_reference(number: str) -> str:
    """The ISO 11649 reference of an invoice number, which banks check as it is typed: ``RF``, two check digits, letters
    and digits of the number. ``INV-000148`` gives ``RF46INV000148``."""
    body = _letters_and_digits(number)[-21:]
    return f"RF{mod_97_10.calc_check_digits(f'{body}RF')}{body}"


def own_series() -> tuple[str, ...]:
    """The letters and digits with which numbers of ours begin, those of earlier prefixes too. One query."""
    sellers, series = Seller.objects.order_by(), NumberSeries.objects.values_list("prefix", flat=True)
    in_use = (sellers.values_list(name, flat=True) for name in ("invoice_prefix", "credit_note_prefix"))
    return tuple(map(_letters_and_digits, series.union(*in_use)))


def is_ours(number: str, series: tuple[str, ...]) -> bool:
    """Whether a number of somebody else's could be one of our ``series``, now or later."""
    return _letters_and_digits(number).startswith(series)


def differ(prefix: str, other: str) -> bool:
    """Whether the numbers of two series have different payment references, which hold letters and digits alone: number
    1 of ``INV-1`` would be number 1,000,001 of ``INV-``."""
    shorter, longer = sorted((_letters_and_digits(prefix), _letters_and_digits(other)), key=len)
    return re.fullmatch(f"{shorter}[0-9]*", longer) is None


def has_imported(prefix: str) -> bool:
    """Whether an imported invoice has a number, or payment reference, that a series with this prefix would come to."""
    letters = _letters_and_digits(prefix)
    imported = Invoice.objects.filter(is_numbered_elsewhere=True)
    return imported.filter(payment_reference__regex=rf"^RF[0-9]{{2}}{letters}[0-9]").exists()


def taken_numbers(numbers: Sequence[str]) -> set[str]:
    """Those of ``numbers`` that an invoice has, or whose payment reference an imported one has. One query."""
    by_reference = {creditor_reference(number): number for number in numbers}
    of_others = Q(is_numbered_elsewhere=True, payment_reference__in=by_reference)
    invoices = Invoice.objects.filter(Q(number__in=numbers) | of_others) if numbers else Invoice.objects.none()
    return {by_reference[reference] for reference in invoices.values_list("payment_reference", flat=True)}


def named(written: str) -> Q:
    """The invoice with this number or creditor reference, however it is written. A reference is taken back to the
    numbers that it can stand for, because those have an index."""
    number = "".join(written.split()).upper()
    reference = _letters_and_digits(number)
    numbers = []
    if reference.startswith("RF"):
        for prefix in NumberSeries.objects.values_list("prefix", flat=True):
            start = _letters_and_digits(prefix)
            if reference[4:].startswith(start):
                numbers.append(prefix + reference[4 + len(start) :])
        of_others = Q(is_numbered_elsewhere=True, payment_reference=reference)
        return Q(number=number) | Q(number__in=numbers, payment_reference=reference) | of_others
    return Q(number=number)


def _letters_and_digits(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text.upper())

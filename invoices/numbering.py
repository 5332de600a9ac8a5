"""Invoice numbers without gaps, and the payment reference that goes with each."""

import re

from django.db.models import Q
from stdnum.iso7064 import mod_97_10

from invoices.models import NumberSeries


def take_numbers(prefix: str, count: int = 1) -> list[str]:
    """The next ``count`` numbers of a series, such as ``INV-000148``, in capitals. Must run inside a transaction: the
    series' row stays locked until it ends, so a rolled-back issue leaves no gap."""
    prefix = prefix.upper()
    NumberSeries.objects.get_or_create(prefix=prefix)
    series = NumberSeries.objects.select_for_update().get(prefix=prefix)
    first = series.next_number
    series.next_number = first + count
    series.save(update_fields=["next_number"])
    return [f"{prefix}{number:06d}" for number in range(first, first + count)]


def creditor_reference(number: str) -> str:
    """The ISO 11649 reference of an invoice number, which banks check as it is typed: ``RF``, two check digits, letters
    and digits of the number. ``INV-000148`` gives ``RF46INV000148``."""
    body = _letters_and_digits(number)[-21:]
    return f"RF{mod_97_10.calc_check_digits(f'{body}RF')}{body}"


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
    return Q(number=number) | Q(number__in=numbers, payment_reference=reference)


def _letters_and_digits(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text.upper())

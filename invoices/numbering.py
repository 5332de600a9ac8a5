"""Invoice numbers without gaps, and the payment reference that goes with each."""

from invoices.models import NumberSeries


def take_numbers(prefix: str, count: int = 1) -> list[str]:
    """The next ``count`` numbers of a series, such as ``INV-000148``.

    Numbers are in capitals, so that a search finds them however it is typed. The series' row stays locked until the
    caller's transaction ends, so a rolled-back issue leaves no gap. Must run inside a transaction.
    """
    prefix = prefix.upper()
    NumberSeries.objects.get_or_create(prefix=prefix)
    series = NumberSeries.objects.select_for_update().get(prefix=prefix)
    first = series.next_number
    series.next_number = first + count
    series.save(update_fields=["next_number"])
    return [f"{prefix}{number:06d}" for number in range(first, first + count)]


def creditor_reference(number: str) -> str:
    """The ISO 11649 reference of an invoice number: ``RF`` plus two check digits plus the letters and digits of the
    number. A bank checks it as the payer types it. ``INV-000148`` gives ``RF46INV000148``."""
    body = "".join(letter for letter in number.upper() if letter.isascii() and letter.isalnum())[-21:]
    digits = "".join(str(int(letter, 36)) for letter in body + "RF00")
    return f"RF{98 - int(digits) % 97:02d}{body}"

"""Units of measure by their code of UN/ECE Recommendation 20, which EN 16931 asks of every line (BT-130).

A line and a charge keep the code; people read and type names. To add a unit, add a row here.
"""

import re
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import npgettext_lazy, override

# "One" of the recommendation: a plain number, of a line that names no unit. Nothing is shown for it.
ONE = "C62"


class Unit(NamedTuple):
    """``names`` are a symbol that is the same in every language, or a singular and plural to be translated.
    ``spellings`` are further ones that files and people use, parted by commas."""

    code: str
    names: Any
    spellings: str = ""


ALL = (
    Unit(ONE, "", "one, unit, units, eenheid, eenheden"),
    # Counted.
    Unit("H87", npgettext_lazy("unit", "piece", "pieces"), "pc, pcs, each, ea, item, items, st, stk"),
    Unit("LS", npgettext_lazy("unit", "lump sum", "lump sums"), "fixed price, vaste prijs"),
    Unit("E48", npgettext_lazy("unit", "service unit", "service units"), "service, services, dienst, diensten"),
    Unit("ACT", npgettext_lazy("unit", "activity", "activities")),
    Unit("E51", npgettext_lazy("unit", "job", "jobs")),
    Unit("E54", npgettext_lazy("unit", "trip", "trips")),
    Unit("E55", npgettext_lazy("unit", "use", "uses")),
    Unit("E50", npgettext_lazy("unit", "accounting unit", "accounting units")),
    Unit("IE", npgettext_lazy("unit", "person", "persons"), "people, mensen"),
    Unit("C0", npgettext_lazy("unit", "call", "calls"), "gesprek, gesprekken"),
    Unit("NF", npgettext_lazy("unit", "message", "messages"), "sms"),
    Unit("EB", npgettext_lazy("unit", "mailbox", "mailboxes")),
    Unit("D68", npgettext_lazy("unit", "word", "words")),
    Unit("ZP", npgettext_lazy("unit", "page", "pages"), "pagina's"),
    Unit("ROM", npgettext_lazy("unit", "room", "rooms")),
    Unit("Q3", npgettext_lazy("unit", "meal", "meals")),
    Unit("SET", npgettext_lazy("unit", "set", "sets")),
    Unit("KT", npgettext_lazy("unit", "kit", "kits")),
    Unit("PR", npgettext_lazy("unit", "pair", "pairs"), "paar"),
    Unit("NMP", npgettext_lazy("unit", "pack", "packs"), "package, packages"),
    Unit("XBX", npgettext_lazy("unit", "box", "boxes")),  # of Recommendation 21, whose codes begin with an X here
    Unit("5B", npgettext_lazy("unit", "batch", "batches")),
    Unit("DZN", npgettext_lazy("unit", "dozen", "dozens"), "dz"),
    Unit("CEN", npgettext_lazy("unit", "hundred", "hundreds")),
    Unit("MIL", npgettext_lazy("unit", "thousand", "thousands")),
    Unit("P1", npgettext_lazy("unit", "percent", "percent"), "%, pct"),
    # Time.
    Unit("C26", npgettext_lazy("unit", "millisecond", "milliseconds"), "ms"),
    Unit("SEC", npgettext_lazy("unit", "second", "seconds"), "s, secs"),
    Unit("MIN", npgettext_lazy("unit", "minute", "minutes"), "mins"),
    Unit("HUR", npgettext_lazy("unit", "hour", "hours"), "h, hr, hrs, u, uren"),
    Unit(
        "LH",
        npgettext_lazy("unit", "labor hour", "labor hours"),
        "labour hour, labour hours, man hour, man hours, manuur",
    ),
    Unit("DAY", npgettext_lazy("unit", "day", "days"), "d, dgn"),
    Unit("E49", npgettext_lazy("unit", "working day", "working days"), "work day, work days"),
    Unit("WEE", npgettext_lazy("unit", "week", "weeks"), "wk, wks"),
    Unit("MON", npgettext_lazy("unit", "month", "months"), "mo, mos, mth, mths, mnd"),
    Unit("QAN", npgettext_lazy("unit", "quarter", "quarters"), "qtr, qtrs"),
    Unit("SAN", npgettext_lazy("unit", "half year", "half years")),
    Unit("ANN", npgettext_lazy("unit", "year", "years"), "yr, yrs, jr, jaren"),
    # Data. The recommendation has decimal multiples and binary ones, which differ by up to 13 percent.
    Unit("A99", npgettext_lazy("unit", "bit", "bits")),
    Unit("AD", npgettext_lazy("unit", "byte", "bytes")),
    Unit("2P", "kB", "kilobyte, kilobytes"),
    Unit("4L", "MB", "megabyte, megabytes"),
    Unit("E34", "GB", "gigabyte, gigabytes"),
    Unit("E35", "TB", "terabyte, terabytes"),
    Unit("E36", "PB", "petabyte, petabytes"),
    Unit("E64", "KiB", "kibibyte, kibibytes"),
    Unit("E63", "MiB", "mebibyte, mebibytes"),
    Unit("E62", "GiB", "gibibyte, gibibytes"),
    Unit("E61", "TiB", "tebibyte, tebibytes"),
    Unit("E60", "PiB", "pebibyte, pebibytes"),
    Unit("C74", "kbit/s", "kbps"),
    Unit("E20", "Mbit/s", "mbps"),
    Unit("B80", "Gbit/s", "gbps"),
    # Mass.
    Unit("GRM", "g", "gr, gram, grams"),
    Unit("KGM", "kg", "kgs, kilo, kilos, kilogram, kilograms"),
    Unit("TNE", npgettext_lazy("unit", "tonne", "tonnes"), "t, metric ton, metric tons"),
    Unit("LBR", "lb", "lbs, pound, pounds"),
    # Length, area, volume.
    Unit("MMT", "mm", "millimeter, millimeters, millimetre, millimetres"),
    Unit("CMT", "cm", "centimeter, centimeters, centimetre, centimetres"),
    Unit("MTR", "m", "mtr, meter, meters, metre, metres"),
    Unit("KMT", "km", "kms, kilometer, kilometers, kilometre, kilometres"),
    Unit("MTK", "m²", "m2, sqm, square meter, square meters, square metre, square metres, vierkante meter"),
    Unit("MLT", "ml", "milliliter, milliliters, millilitre, millilitres"),
    Unit("LTR", npgettext_lazy("unit", "liter", "liters"), "l, ltr, litre, litres"),
    Unit("MTQ", "m³", "m3, cbm, cubic meter, cubic meters, cubic metre, cubic metres, kubieke meter"),
    Unit("TKM", npgettext_lazy("unit", "tonne-kilometer", "tonne-kilometers"), "tkm"),
    # Energy and power.
    Unit("WHR", "Wh", "watt hour, watt hours"),
    Unit("KWH", "kWh", "kilowatt hour, kilowatt hours, kilowattuur"),
    Unit("MWH", "MWh", "megawatt hour, megawatt hours, megawattuur"),
    Unit("GV", "GJ", "gigajoule, gigajoules"),
    Unit("KWT", "kW", "kilowatt, kilowatts"),
    Unit("KVA", "kVA"),
)
UNITS = {unit.code: unit for unit in ALL}
BITS_OR_BYTES = re.compile("[KMGTP]b")


def unit_name(code: str, quantity: Decimal) -> str:
    """What stands behind a quantity, in the language that is active: ``hour`` for 1, ``hours`` for 2.5, ``GB``.
    Nothing for `ONE`."""
    unit = UNITS.get(code)
    return _name(unit, quantity) if unit is not None else code


def _name(unit: Unit, quantity: Decimal) -> str:
    if isinstance(unit.names, str):
        return unit.names
    count = abs(quantity)
    return str(unit.names % (int(count) if count == int(count) else 2))  # 1.5 is a plural


def unit_choices() -> list[tuple[str, str]]:
    """Codes with the plural of their names, for forms."""
    return [(unit.code, _name(unit, Decimal(2)) or _("no unit")) for unit in ALL]


@lru_cache(maxsize=1024)
def unit_of(text: str) -> str | None:
    """The code of a unit that somebody wrote as code, as a name in one of our languages, or as it is usually spelled;
    `ONE` for nothing. None for a text that names no unit, and for ``Gb``, which may be gigabits."""
    return None if BITS_OR_BYTES.fullmatch(text.strip()) else _spellings().get(_spelled(text))


@cache
def _spellings() -> dict[str, str | None]:
    """Codes by what people write for them. None where it can be two: "dozen" is twelve, or Dutch for boxes."""
    codes: dict[str, str | None] = {}
    for unit in ALL:
        texts = {unit.code, *unit.spellings.split(",")}
        for language, _label in settings.LANGUAGES:
            with override(language):
                texts |= {_name(unit, Decimal(count)) for count in (1, 2)}
        for spelled in map(_spelled, texts):
            if codes.setdefault(spelled, unit.code) != unit.code and spelled:
                codes[spelled] = None
    return codes


def _spelled(text: str) -> str:
    """Without capitals, full stops at the end, and with hyphens as spaces: "Man-Hours" is "man hours"."""
    return " ".join(text.casefold().replace("-", " ").split()).rstrip(".")

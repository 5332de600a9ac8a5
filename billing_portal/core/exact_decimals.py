"""Decimals of more digits than a floating-point number holds, kept exactly on both databases.

SQLite turns what it stores as a decimal into a floating-point number after some fifteen digits. So there these columns
are text, and what SQL computes with them are functions of ours. Texts are no numbers to a filter or an ordering:
compare such a column in Python, or by `Cast` where the sign is all that matters.
"""

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from django.db import models

# Of up to a million quantities of 24 digits, times a price of 22: nothing is lost on the way to the rounded amount.
CONTEXT = Context(prec=60, rounding=ROUND_HALF_UP)
ZERO, ONE = Decimal(0), Decimal(1)


class ExactDecimalField(models.DecimalField):  # type: ignore[type-arg]  # takes none when it runs
    """A decimal column of any number of digits: numeric on PostgreSQL, text on SQLite. Values come back without the
    zeros at their end."""

    def get_internal_type(self) -> str:
        return "ExactDecimalField"  # or SQLite would read it as a floating-point number

    def db_type(self, connection: Any) -> str:
        if connection.vendor == "sqlite":
            return "text"
        return f"numeric({self.max_digits}, {self.decimal_places})"

    def cast_db_type(self, connection: Any) -> str:
        return self.db_type(connection)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if not prepared:
            value = self.get_prep_value(value)
        if value is None:
            return None
        return plain(value) if connection.vendor == "sqlite" else value

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return value if hasattr(value, "as_sql") else self.get_db_prep_value(value, connection)

    def from_db_value(self, value: Any, _expression: Any, _connection: Any) -> Decimal | None:
        return None if value is None else short(Decimal(value))


def short(value: Decimal) -> Decimal:
    """The same number without zeros at its end and without an exponent: ``744``, ``0.125``."""
    value = CONTEXT.normalize(value) or ZERO  # not -0, which is another text
    return value if value.as_tuple().exponent <= 0 else CONTEXT.quantize(value, ONE)  # type: ignore[operator]  # finite


def plain(value: Decimal) -> str:
    return f"{short(value):f}"


def rounded_product(quantity: Decimal, price: Decimal, digits: int) -> int:
    """Quantity times price in the smallest unit of a currency with so many decimals, rounded half-up once."""
    product = CONTEXT.scaleb(CONTEXT.multiply(quantity, price), digits)
    return int(product.quantize(ONE, context=CONTEXT))


class _Sum:
    """SQLite's EXACT_SUM."""

    def __init__(self) -> None:
        self.sum = ZERO

    def step(self, value: str | None) -> None:
        if value is not None:
            self.sum = CONTEXT.add(self.sum, Decimal(value))

    def finalize(self) -> str:
        return plain(self.sum)


def sum_sql(column: str, vendor: str) -> str:
    return f"EXACT_SUM({column})" if vendor == "sqlite" else f"SUM({column})"


def product_sql(quantity: str, price: str, digits: int, vendor: str) -> str:
    """SQL of `rounded_product`; PostgreSQL rounds a numeric half away from zero too."""
    if vendor == "sqlite":
        return f"EXACT_PRODUCT({quantity}, {price}, {digits})"
    return f"CAST(ROUND({quantity} * {price} * {10**digits}) AS bigint)"


def text_sql(column: str, vendor: str) -> str:
    """A column as `plain` writes it, the same on both databases."""
    return column if vendor == "sqlite" else f"CAST(trim_scale({column}) AS text)"


def teach_sqlite(connection: Any, **_signal: Any) -> None:
    """Gives a new connection to SQLite the functions that are named here."""
    if connection.vendor == "sqlite":
        driver = connection.connection
        driver.create_aggregate("EXACT_SUM", 1, _Sum)
        driver.create_function(
            "EXACT_PRODUCT",
            3,
            lambda quantity, price, digits: rounded_product(Decimal(quantity), Decimal(price), digits),
            deterministic=True,
        )

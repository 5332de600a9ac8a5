"""The statements of one payment, taken down while the portal makes it, and sent again without the portal.

What is replayed is the same text with the same kinds of values, in the same transactions, over the same driver: only
the code that decides and builds is missing. It is the floor under any way of writing `pay`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg2
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg2 import extensions
from psycopg2.extras import Json

Statement = tuple[str, tuple[Any, ...]]
Fresh = Mapping[str, Any]


@dataclass(frozen=True)
class Recording:
    """The statements by transaction. ``words`` are the values of the recorded payment, by name."""

    transactions: list[list[Statement]]
    words: Fresh

    @property
    def queries(self) -> int:
        return sum(len(statements) for statements in self.transactions)

    def with_values(self, fresh: Fresh) -> list[list[Statement]]:
        """The same payment with other ids. Numbers and words are exchanged wherever they stand, also inside JSON."""
        exact = {old: fresh[name] for name, old in self.words.items() if isinstance(old, int | UUID)}
        inside = [(str(old), str(fresh[name])) for name, old in self.words.items()]

        def other(value: Any) -> Any:
            if isinstance(value, Json):
                value = json.dumps(value.adapted)
            if isinstance(value, str):
                for old, new in inside:
                    value = value.replace(old, new)
                return value
            return exact.get(value, value) if isinstance(value, int | UUID) else value

        return [[(text, tuple(map(other, values))) for text, values in part] for part in self.transactions]


def record(act: Callable[[], Fresh]) -> Recording:
    """Runs ``act``, which names the values of its own that a replay must exchange."""
    transactions: list[list[Statement]] = []

    with CaptureQueriesContext(connection) as log:

        def take_down(execute: Callable[..., Any], text: str, values: Any, many: bool, context: Any) -> Any:
            number = sum(query["sql"] == "COMMIT" for query in log.captured_queries)
            while len(transactions) <= number:
                transactions.append([])
            transactions[number].append((text, tuple(values or ())))
            return execute(text, values, many, context)

        with connection.execute_wrapper(take_down):
            words = act()
    return Recording(transactions, words)


def send(bare: extensions.connection, transactions: list[list[Statement]]) -> None:
    """Every statement in its transaction, and every row of every answer fetched."""
    cursor = bare.cursor()
    for statements in transactions:
        for text, values in statements:
            cursor.execute(text, values)
            if cursor.description is not None:
                cursor.fetchall()
        bare.commit()
    cursor.close()


def bare_connection() -> extensions.connection:
    """To the same database, as Django's own connection reaches it."""
    parameters = {key: value for key, value in connection.get_connection_params().items() if key != "cursor_factory"}
    return psycopg2.connect(**{key: value for key, value in parameters.items() if key != "context"})

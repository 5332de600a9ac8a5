"""A database that does not answer, or that somebody else holds for too long: what people are told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from time import monotonic

from django.db import Error, InterfaceError, InternalError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

# What a database raises that is absent, read-only, full, or held by somebody else. psycopg2 calls a read-only one an
# InternalError, and a connection that broke an InterfaceError, which is no DatabaseError.
UNAVAILABLE = (OperationalError, InterfaceError, InternalError)
WRITABLE_SECONDS = 10.0


def is_unavailable(error: BaseException | None) -> bool:
    """Whether to come back later will help. A missing table, of SQLite an OperationalError too, is our own fault."""
    return isinstance(error, UNAVAILABLE) and not str(error).startswith("no such ")


def why_unreachable() -> str:
    """One sentence without the password; empty when the database answers."""
    connection.close()
    try:
        connection.ensure_connection()
    except Error as error:
        database = connection.settings_dict
        where = f"{database['NAME']} at {database['HOST']}" if database["HOST"] else str(database["NAME"])
        reason = str(error).strip().splitlines()[0].rstrip(".")
        return f"The database {where} cannot be reached: {reason}. See DATABASE_URL."
    return ""


_last_answer: tuple[float, str] | None = None  # when `why_read_only` was answered last, and what


def why_read_only() -> str:
    """What the database says when it takes no changes, such as a standby after a failover; empty when it does. An
    answer counts for some seconds. Changes nothing, and waits for nobody: who is held up by a lock may write."""
    global _last_answer  # noqa: PLW0603  one answer for the process
    if _last_answer is None or monotonic() - _last_answer[0] >= WRITABLE_SECONDS:
        _last_answer = monotonic(), _try_to_write()
    return _last_answer[1]


def _try_to_write() -> str:
    with connection.cursor() as cursor:
        patience = 0
        if connection.vendor == "sqlite":
            patience = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
            cursor.execute("PRAGMA busy_timeout = 0")
        try:
            cursor.execute("UPDATE django_migrations SET app = app WHERE 1 = 0")
        except UNAVAILABLE as error:
            reason = str(error).strip().splitlines()[0]
            return reason if "read" in reason and "only" in reason else ""
        finally:
            if connection.vendor == "sqlite":
                cursor.execute(f"PRAGMA busy_timeout = {patience}")
    return ""


class MigrationsMissing(Exception):
    """The code is newer than the tables."""


@cache
def require_migrations() -> None:
    """Raises MigrationsMissing until the database has every migration of this code. From then on it costs nothing."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MigrationsMissing


def translate_lock_timeout[**P, R](refusal: type[Exception]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """An operation that raises ``refusal``, with a sentence for the person, when a lock does not come."""

    def wrapping(operation: Callable[P, R]) -> Callable[P, R]:
        @wraps(operation)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return operation(*args, **kwargs)
            except UNAVAILABLE as busy:
                raise refusal(_("The portal is busy. Nothing was changed. Try again in a minute.")) from busy

        return guarded

    return wrapping


def lock_text(text: str) -> None:
    """Holds back every other transaction that calls this with the same text until the caller's ends: for a question
    about rows that may not be there yet. SQLite lets one transaction write at a time anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [text])


def prefer_indexes() -> None:
    """Until the transaction ends, PostgreSQL looks rows up by index: for queries about some thousand rows of a large
    table, for which it would otherwise read all of another table, time and again. Its compiler would cost more than
    such a query."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for option in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"):
                cursor.execute(f"SET LOCAL {option} = off")


@contextmanager
def snapshot() -> Iterator[None]:
    """Whatever is read inside is of one moment, however long it takes. Nothing may be written inside, and nobody else
    is held back: a transaction of Django's would hold the lock of SQLite. Inside one, the caller's own counts."""
    if connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    with connection.cursor() as cursor:
        on_postgresql = connection.vendor == "postgresql"
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if on_postgresql else "BEGIN")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")

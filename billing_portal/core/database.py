"""A database that does not answer, or that somebody else holds for too long: what people are told."""

from collections.abc import Callable
from functools import wraps

from django.db import Error, OperationalError, connection
from django.utils.translation import gettext as _


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


def translate_lock_timeout[**P, R](refusal: type[Exception]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """An operation that raises ``refusal``, with a sentence for the person, when a lock does not come."""

    def wrapping(operation: Callable[P, R]) -> Callable[P, R]:
        @wraps(operation)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return operation(*args, **kwargs)
            except OperationalError as busy:
                raise refusal(_("The portal is busy. Nothing was changed. Try again in a minute.")) from busy

        return guarded

    return wrapping

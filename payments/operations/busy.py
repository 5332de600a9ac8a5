"""A database that somebody else holds for too long: the person is told, and nothing was changed."""

from collections.abc import Callable
from functools import wraps

from django.db import OperationalError
from django.utils.translation import gettext as _


def refuses_when_busy[**P, R](refusal: type[Exception]) -> Callable[[Callable[P, R]], Callable[P, R]]:
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

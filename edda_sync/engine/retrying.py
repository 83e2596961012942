"""Retrying: a transaction that met somebody else's change is run again, on what is there by then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from edda_sync.engine.transaction import Transaction
from edda_sync.words import arguments, limits
from edda_sync.words.errors import ConflictError, StaleError

T = TypeVar("T")


def retried(begin: Callable[[], Transaction], work: Callable[[Transaction], T], retries: int) -> T:
    """
    Run ``work`` in a transaction; if something that it read or wrote has changed meanwhile, run it again in another one.

    Raises:
        ConflictError: It changed at every attempt.
        StaleError: It changed since an object was read that ``work`` writes back.
    """
    arguments.function("work", work)
    arguments.whole_number("retries", retries, limits.RETRIES_MAX)
    for attempt in range(retries + 1):
        try:
            with begin() as tx:
                result = work(tx)
            return result
        except StaleError:  # an object from outside stays as it is
            raise
        except ConflictError:
            if attempt == retries:
                raise
    raise AssertionError("the last attempt returned or raised")

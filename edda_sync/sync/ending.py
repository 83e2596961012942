"""Ending: any error in a session ends that session, a bug too, so that everything else on the device goes on."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from edda_sync.sync.effects import Effect, Said
from edda_sync.words import errors

P = ParamSpec("P")


class Ends(Protocol):
    """A session, as far as its end is concerned."""

    def spoken(self, said: Said) -> list[Effect]:
        """Return messages as frames, and effects as they are."""
        ...

    def fail(self, error: errors.EddaError) -> list[Effect]:
        """End the session over an error."""
        ...


S = TypeVar("S", bound=Ends)


def ending(work: Callable[Concatenate[S, P], Said]) -> Callable[Concatenate[S, P], list[Effect]]:
    """Make any error in a method end the session that it belongs to."""

    @wraps(work)
    def ends(session: S, /, *args: P.args, **kwargs: P.kwargs) -> list[Effect]:
        try:
            return session.spoken(work(session, *args, **kwargs))
        except errors.EddaError as error:
            return session.fail(error)
        except BaseException as bug:
            if not errors.is_bug(bug):
                raise
            return session.fail(errors.BugError(bug))  # the runner reports it, with its trace

    return ends

"""What a program gave to be called: its functions, and the handlers of its log. None of them may fail a step of ours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, ParamSpec

from edda_sync.words.errors import CallbackError

if TYPE_CHECKING:
    import logging

P = ParamSpec("P")
LOG_NAME: Final = "edda_sync"
MEANT_FOR_ALL: Final = (KeyboardInterrupt, SystemExit)


class Callback(Generic[P]):
    """
    A function that a program gave to be called. Once it has raised something, it is not called any more: it runs in the
    midst of our own steps, and none of these may end over it, or seem to have failed.

    What is meant for the whole program, such as :class:`KeyboardInterrupt`, goes on its way.

    Args:
        function: The function.
        about: What it is told, as a sentence begins: ``What happens``.
        on_broken: Called once, with what to say of the function; it goes to the log by default.
        passes: Tells of anything else that was raised whether it goes on its way; nothing does by default.
    """

    def __init__(
        self,
        function: Callable[P, object],
        about: str,
        on_broken: Callable[[CallbackError], None] | None = None,
        *,
        passes: Callable[[BaseException], bool] = lambda _: False,
    ) -> None:
        self._function: Callable[P, object] | None = function
        self._about = about
        self._on_broken = on_broken or log_broken
        self._passes = passes
        self._said = threading.Lock()  # taken once and for all: several threads may call

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the function, unless it has raised something before."""
        function = self._function
        if function is None:
            return
        try:
            function(*args, **kwargs)
        except MEANT_FOR_ALL:
            raise
        except BaseException as raised:  # a panic of native code is no Exception
            if self._passes(raised):
                raise
            self._function = None
            if self._said.acquire(blocking=False):
                self._on_broken(CallbackError(self._about, raised))


def log_broken(error: CallbackError) -> None:
    """Write to the log that a function of the program's raised something, with its trace."""
    import logging

    log(logging.getLogger(LOG_NAME), logging.ERROR, str(error), error.raised)


def log(logger: logging.Logger, level: int, text: str, cause: BaseException | None = None) -> None:
    """
    Write to the log. Should a handler of the program's raise something, the text goes to standard error instead.

    Args:
        logger: Where to.
        level: How bad it is, such as ``logging.ERROR``.
        text: What to say.
        cause: What raised; its trace is logged too.
    """
    try:
        logger.log(level, "%s", text, exc_info=cause)
    except MEANT_FOR_ALL:
        raise
    except BaseException as raised:  # noqa: BLE001 - as above
        text = f"{text} (A handler of the log raised {type(raised).__name__}: {raised})"
        trace = None if cause is None else (type(cause), cause, cause.__traceback__)
        import logging

        record = logger.makeRecord(logger.name, level, __file__, 0, text, (), trace)
        logging.StreamHandler().handle(record)

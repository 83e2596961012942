"""Code of the program that we call: its functions, and the handlers of its log. It must not make our own steps fail."""

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
    A function that a program gave us to call. Once it has raised an exception, it is not called again: it runs in the middle
    of our own steps, and must not end them or make them look failed.

    An exception that is meant for the whole program, such as :class:`KeyboardInterrupt`, is raised on.

    Args:
        function: The function.
        about: What the function is told, as a phrase that can begin a sentence: ``What happens``.
        on_broken: Called once, with the error to report; by default it is logged.
        passes: Tells whether another exception is raised on, too; by default none is.
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
        self._said = threading.Lock()  # taken once and never released: several threads may call

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the function, unless it has raised an exception before."""
        function = self._function
        if function is None:
            return
        try:
            function(*args, **kwargs)
        except MEANT_FOR_ALL:
            raise
        except BaseException as raised:  # a panic of native code is not an Exception
            if self._passes(raised):
                raise
            self._function = None
            if self._said.acquire(blocking=False):
                self._on_broken(CallbackError(self._about, raised))


def log_broken(error: CallbackError) -> None:
    """Log that a function of the program raised an exception, with the traceback."""
    import logging

    log(logging.getLogger(LOG_NAME), logging.ERROR, str(error), error.raised)


def log(logger: logging.Logger, level: int, text: str, cause: BaseException | None = None) -> None:
    """
    Write to the log. If a handler of the program raises an exception, the text goes to standard error instead.

    Args:
        logger: The logger.
        level: The severity, such as ``logging.ERROR``.
        text: The message.
        cause: An exception whose traceback is logged, too.
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

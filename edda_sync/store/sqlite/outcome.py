"""
What becomes of a transaction: what it returned, or raised.

``concurrent.futures.Future`` costs ten times as much, and cannot be waited for where Ctrl-C is pressed: an interrupt may
come between its taking of the lock of its condition and the block that frees that, and the writer's thread, which takes it
too, would then wait for ever.
"""

from __future__ import annotations

import threading
from typing import Any


class Outcome:
    """What becomes of a transaction on the caller's own thread."""

    __slots__ = ("_error", "_is_done", "_result")

    def __init__(self) -> None:
        self._result: Any = None
        self._error: BaseException | None = None
        self._is_done = False

    def begin(self) -> bool:
        """Note that the transaction begins; tell whether it may."""
        return True

    def done(self) -> bool:
        return self._is_done

    def set_result(self, result: Any) -> None:
        self._result, self._is_done = result, True

    def set_exception(self, error: BaseException) -> None:
        self._error, self._is_done = error, True

    def result(self) -> Any:
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # or error and frames would keep each other
        return self._result

    def exception(self) -> BaseException | None:
        return self._error


class Awaited(Outcome):
    """
    What becomes of a transaction on another thread. Whoever waits for it asks as of a future, and may :meth:`cancel` it.

    A ``with`` block on a lock of Python's is all that is waited in, since no interrupt leaves that half done.
    """

    __slots__ = ("_begun", "_running")

    def __init__(self) -> None:
        super().__init__()
        self._begun = threading.Lock()  # taken once and for all, by whoever begins or cancels it
        self._running = threading.Lock()
        self._running.acquire()

    def begin(self) -> bool:
        """Note that the transaction begins; tell whether it may: it was not cancelled."""
        return self._begun.acquire(blocking=False)

    def cancel(self) -> bool:
        """Let it not begin any more; tell whether that was in time."""
        return self._begun.acquire(blocking=False)

    def set_result(self, result: Any) -> None:
        """Note what it returned, and let go on whoever waits."""
        super().set_result(result)
        self._running.release()

    def set_exception(self, error: BaseException) -> None:
        """Note what it raised, and let go on whoever waits."""
        super().set_exception(error)
        self._running.release()

    def wait(self, timeout: float | None = None) -> None:
        """
        Wait for its end.

        Raises:
            TimeoutError: It took longer than so many seconds.
        """
        if timeout is None:
            with self._running:
                return
        if not self._running.acquire(timeout=timeout):
            raise TimeoutError
        self._running.release()

    def result(self, timeout: float | None = None) -> Any:
        """Return what it returned, or raise what it raised, once it has ended."""
        self.wait(timeout)
        return super().result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what it raised, if anything, once it has ended."""
        self.wait(timeout)
        return super().exception()

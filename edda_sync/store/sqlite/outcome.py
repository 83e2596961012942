"""
The outcome of a transaction: what it returned, or raised.

``concurrent.futures.Future`` costs ten times as much, and is not safe where Ctrl-C is pressed: an interrupt may come
after it has taken the lock of its condition and before the block that releases it. The writer's thread, which needs the
same lock, would then wait forever.
"""

from __future__ import annotations

import threading
from typing import Any


class Outcome:
    """The outcome of a transaction on the caller's own thread."""

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
                self._error = None  # otherwise the error and its frames would keep each other alive
        return self._result

    def exception(self) -> BaseException | None:
        return self._error


class Awaited(Outcome):
    """
    The outcome of a transaction on another thread. A waiting thread uses it like a future, and may :meth:`cancel` it.

    It waits only in ``with`` blocks on locks of the interpreter, since no interrupt leaves such a block half done.
    """

    __slots__ = ("_begun", "_running")

    def __init__(self) -> None:
        super().__init__()
        self._begun = threading.Lock()  # taken once and never released, by whoever begins or cancels it
        self._running = threading.Lock()
        self._running.acquire()

    def begin(self) -> bool:
        """Note that the transaction begins; tell whether it may, because it was not cancelled."""
        return self._begun.acquire(blocking=False)

    def cancel(self) -> bool:
        """Keep the transaction from beginning; tell whether this was in time."""
        return self._begun.acquire(blocking=False)

    def set_result(self, result: Any) -> None:
        """Note what the transaction returned, and wake waiting threads."""
        super().set_result(result)
        self._running.release()

    def set_exception(self, error: BaseException) -> None:
        """Note what the transaction raised, and wake waiting threads."""
        super().set_exception(error)
        self._running.release()

    def wait(self, timeout: float | None = None) -> None:
        """
        Wait for the end of the transaction.

        Raises:
            TimeoutError: It took longer than ``timeout`` seconds.
        """
        if timeout is None:
            with self._running:
                return
        if not self._running.acquire(timeout=timeout):
            raise TimeoutError
        self._running.release()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end, and return what the transaction returned, or raise what it raised."""
        self.wait(timeout)
        return super().result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end, and return what the transaction raised; None if it raised nothing."""
        self.wait(timeout)
        return super().exception()

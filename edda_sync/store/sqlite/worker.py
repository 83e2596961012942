"""A thread that is begun when there is something to do for it, and of which there is one at most."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable


class Worker:
    """
    A thread that is begun when it is needed. It keeps no process alive, and one thread at a time begins it.

    Whoever begins it may be interrupted at any moment. ``threading.Thread.start`` would not bear that: it waits for the
    new thread by a condition, whose lock an interrupt may leave taken, so that the new thread never gets to its work.
    """

    def __init__(self) -> None:
        self._alive = threading.Lock()  # taken by the thread for as long as it lives

    def begin(self, work: Callable[[], None]) -> None:
        """
        Begin the thread, unless there is one.

        Raises:
            RuntimeError: There is no thread to be had, as at the end of the interpreter.
        """
        if not self._alive.locked():
            ready = threading.Lock()
            ready.acquire()
            _thread.start_new_thread(self._live, (work, ready))
            with ready:  # from now on it is waited for
                pass

    def leave(self) -> None:
        """Let whoever begins it next begin another one; the thread itself calls this, when its work is over."""
        self._alive = threading.Lock()

    def join(self) -> None:
        """Wait until the thread, if there is one, has ended."""
        with self._alive:
            pass

    def _live(self, work: Callable[[], None], ready: threading.Lock) -> None:
        alive = self._alive
        is_first = alive.acquire(blocking=False)  # an interrupted caller may have begun one before
        ready.release()
        if is_first:
            try:
                work()
            finally:
                alive.release()

"""A thread that is started when there is work. There is at most one at a time."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable


class Worker:
    """
    A thread that is started when it is needed. It keeps no process alive. Only one thread at a time may start it.

    The starting thread may be interrupted at any moment. ``threading.Thread.start`` is not safe then: it waits for the
    new thread with a condition, and an interrupt may leave the condition's lock taken, so that the new thread never
    gets to its work.
    """

    def __init__(self) -> None:
        self._alive = threading.Lock()  # held by the thread as long as it lives

    def begin(self, work: Callable[[], None]) -> None:
        """
        Start the thread, unless there is one.

        Raises:
            RuntimeError: No thread can be started, as at the end of the interpreter.
        """
        if not self._alive.locked():
            ready = threading.Lock()
            ready.acquire()
            _thread.start_new_thread(self._live, (work, ready))
            with ready:  # from now on, ``join`` waits for it
                pass

    def leave(self) -> None:
        """Make the next :meth:`begin` start another thread. The thread itself calls this when its work is over."""
        self._alive = threading.Lock()

    def join(self) -> None:
        """Wait until the thread, if there is one, has ended."""
        with self._alive:
            pass

    def _live(self, work: Callable[[], None], ready: threading.Lock) -> None:
        alive = self._alive
        is_first = alive.acquire(blocking=False)  # an interrupted caller may have started one before
        ready.release()
        if is_first:
            try:
                work()
            finally:
                alive.release()

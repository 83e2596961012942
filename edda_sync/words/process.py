"""
Resources that belong to one process. A fork makes a second process, with a copy of the memory and the same open files.

Connections, locks, threads and sockets do not survive a fork: the child has no thread that serves them, and holds none of
the locks that its memory says it holds. Its writes would collide with those of the parent. So everything that is opened
notes its :class:`Owner`, and refuses to be used in another process.

Source: https://sqlite.org/howtocorrupt.html, "Carrying an open database connection across a fork".
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

from edda_sync.words.errors import UsageError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_loops: Final[weakref.WeakKeyDictionary[Any, AbstractEventLoop]] = weakref.WeakKeyDictionary()
_descriptors: Final[set[int]] = set()


class Owner:
    """
    The process that opened something. Call :meth:`check` at each use.

    Args:
        what: The opened thing, as the beginning of a sentence: ``This store``.
    """

    def __init__(self, what: str) -> None:
        self._what, self._pid = what, os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this process is the owner."""
        return os.getpid() == self._pid

    def check(self) -> None:
        """
        Check that this process is the owner.

        Raises:
            UsageError: This process is a fork of the owner.
        """
        if os.getpid() != self._pid:
            self.refuse()

    def refuse(self, *_: object) -> NoReturn:
        """Raise the error of :meth:`check`."""
        raise UsageError(f"{self._what} was opened before this process was forked; open it again in this process.")


def keep_for_ever(thing: object) -> None:
    """Keep an object from ever being freed, even at the end of the interpreter, because it must not be closed here."""
    import ctypes  # rarely needed

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def hold_loop(holder: object, loop: AbstractEventLoop) -> None:
    """
    Keep a forked child from running an event loop, until :func:`release_loop`.

    On Linux, the list of files that a loop waits for is in the kernel, and a fork shares it. If the child runs the loop,
    even only to end its tasks as ``asyncio.run`` does, it sends over its parent's connections and removes the parent's files
    from the list. So in the child, the loop fails at its next step instead.

    Args:
        holder: The object that runs on the loop.
        loop: The running loop.
    """
    _loops[holder] = loop


def release_loop(holder: object) -> None:
    """Release the loop on which this holder runs."""
    _loops.pop(holder, None)


@contextmanager
def held(descriptor: int) -> Iterator[None]:
    """
    Keep a file from forked children while the context lasts. Otherwise a child that lives on would hold a lock or port, even
    after the process that needs it has released it.
    """
    _descriptors.add(descriptor)
    try:
        yield
    finally:
        _descriptors.discard(descriptor)


def _let_go() -> None:
    """Redirect descriptors that a forked child must not have to /dev/null, so that it cannot change its parent's lists."""
    if not _loops and not _descriptors:
        return
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (*_descriptors, *_lists()):
        os.dup2(nowhere, descriptor, inheritable=False)  # not closed, since the holder will close this number later
    os.close(nowhere)
    _descriptors.clear()


def _lists() -> Iterator[int]:
    """Yield the descriptors of the kernel's lists of files that loops wait for."""
    for loop in set(_loops.values()):
        selector: Any = getattr(loop, "_selector", None)  # asyncio has no public name for it
        if type(selector).__name__ == "EpollSelector":
            yield selector.fileno()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

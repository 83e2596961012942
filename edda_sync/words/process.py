"""
What belongs to one process. A fork makes a second process with a copy of the first one's memory and the same open files.

Connections, locks, threads and sockets do not survive that: the child has no thread to serve it and holds none of the
locks that its memory speaks of, and what it wrote would go over or under what the parent writes. So whatever is opened
notes its :class:`Owner`, and refuses to be used by anybody else.

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
        what: What it opened, as a sentence begins: ``This store``.
    """

    def __init__(self, what: str) -> None:
        self._what, self._pid = what, os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this process is the owner."""
        return os.getpid() == self._pid

    def check(self) -> None:
        """
        Raises:
            UsageError: This process is a fork of the owner.
        """
        if os.getpid() != self._pid:
            self.refuse()

    def refuse(self, *_: object) -> NoReturn:
        """Raise what :meth:`check` raises."""
        raise UsageError(f"{self._what} was opened before this process was forked; open it again in this process.")


def keep_for_ever(thing: object) -> None:
    """Let nothing free an object, not even the end of the interpreter: for what must never be closed here."""
    import ctypes  # seldom needed

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def hold_loop(holder: object, loop: AbstractEventLoop) -> None:
    """
    Keep a forked child from running an event loop, until :func:`release_loop`.

    On Linux the list of files that a loop waits for is the kernel's, and a fork shares it. A child that runs the loop, if
    only to end its tasks as ``asyncio.run`` does, sends over its parent's connections and takes the parent's files off
    the list. In the child the loop fails at its next step instead.

    Args:
        holder: What runs on the loop.
        loop: The running loop.
    """
    _loops[holder] = loop


def release_loop(holder: object) -> None:
    """Let go of the loop that this holder runs on."""
    _loops.pop(holder, None)


@contextmanager
def held(descriptor: int) -> Iterator[None]:
    """
    Keep a file from a forked child for as long as the context lasts: a lock or a port that the child has as well is held
    for as long as the child lives, whatever becomes of the process that needs it.
    """
    _descriptors.add(descriptor)
    try:
        yield
    finally:
        _descriptors.discard(descriptor)


def _let_go() -> None:
    """Point descriptors that a forked child must not have at nothing: with them it would change its parent's lists."""
    if not _loops and not _descriptors:
        return
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (*_descriptors, *_lists()):
        os.dup2(nowhere, descriptor, inheritable=False)  # and not closed: its holder closes the number later
    os.close(nowhere)
    _descriptors.clear()


def _lists() -> Iterator[int]:
    """Yield the descriptors of the kernel's lists that the loops wait for."""
    for loop in set(_loops.values()):
        selector: Any = getattr(loop, "_selector", None)  # asyncio has no public name for it
        if type(selector).__name__ == "EpollSelector":
            yield selector.fileno()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

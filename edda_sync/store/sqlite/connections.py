"""
Connections to the files of stores, and what becomes of them when the process is forked.

SQLite notes the locks that it holds on a file once for the whole process. A fork copies the note, and the kernel gives the
child none of the locks: whoever uses one of the parent's connections there writes without a lock, and so does whoever
opens the file anew, since SQLite finds the note and believes it. Hence:

1. Before a fork every connection that nobody is using is closed, so SQLite knows nothing of the file in the child. The
   parent makes new connections when it needs them.
2. A connection that is in use at that moment stays open. In the child it is kept for ever and never used: closing it, even
   by the garbage collector at the interpreter's end, could remove the journal that the parent writes, or change the index
   that both map. The child may not open that file.

Source: https://sqlite.org/howtocorrupt.html, "Carrying an open database connection across a fork".
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, TypeVar

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.words import limits
from edda_sync.words.errors import DiskFaultError, UsageError
from edda_sync.words.process import Owner, keep_for_ever

File = tuple[int, int]  # device and inode

_LOOK_AGAIN_S: Final = 0.001  # a fork that waits for others looks again so soon


class Forked(Protocol):
    """Whatever holds connections; :func:`watch_forks` tells it of forks."""

    def pause(self) -> None:
        """Close what nobody is using; nobody begins until the fork is over."""
        ...

    def disown(self) -> None:
        """Let what was in use refuse every further use, in the child."""
        ...


class Connection(sqlite.Connection):  # type: ignore[misc]  # sqlcipher3 has no types
    """
    A connection that is known of until it is closed.

    Attributes:
        MODE: How SQLite opens the file.
        file: Which file it is open to.
        journal: Which file its journal is, once that is open.
        index: Which file that journal's shared index is, once that is open.
        must_stay: Tells whether closing it would do harm: it is kept until the process ends then.
    """

    MODE: ClassVar = "rw"

    file: File
    journal: File | None = None
    index: File | None = None
    must_stay: Callable[[Connection], bool] | None = None

    def close(self) -> None:
        """Close it, once, and in the process that opened it."""
        if self in _open:
            if self.must_stay is not None and self.must_stay(self):
                keep_for_ever(self)
                return  # and it stays known of: whoever opens the file here would share what is wrong with it
            super().close()
            _open.discard(self)


class Gate:
    """
    Where whoever uses a store passes, so that a fork can wait until nobody does. A process has one.

    Ctrl-C, and whatever else a signal's handler raises, comes where a function begins, or right after a call of C. So what
    must not be left half done is one call of C here: the hooks that shut and open the gate are methods of a lock, and
    whoever is inside is so for as long as a block lasts, whatever ends it.

    Attributes:
        shut: Lets nobody enter any more.
        open: Lets everybody enter again, when the same thread calls it.
    """

    def __init__(self) -> None:
        self._forking = threading.RLock()  # two threads may fork at once
        self.shut, self.open = self._forking.acquire, self._forking.release
        self._lock = threading.RLock()  # a reader that is forgotten may be freed on any thread, at any moment
        self._inside: list[tuple[weakref.ref[threading.Lock], int]] = []  # passes and their threads

    def enter(self, owner: Owner) -> threading.Lock:
        """
        Return a pass, once no fork is under way. Whoever uses a store does so in a ``with`` block on it, and keeps it
        nowhere else: one is inside until the pass is gone.

        Args:
            owner: The process that opened the store.

        Raises:
            UsageError: This process was forked since.
        """
        owner.check()
        here = threading.get_ident()
        if here in self.inside():  # whoever is inside must get through to get out
            return self._pass(here)
        with self._forking:
            return self._pass(here)

    def inside(self) -> list[int]:
        """Return the threads that are inside, each as often as it entered."""
        return [thread for each, thread in self._inside if each() is not None]

    def wait_until_empty(self, timeout_s: float) -> None:
        """Wait until all other threads are out; no longer than so many seconds."""
        here, until = threading.get_ident(), time.monotonic() + timeout_s
        while any(thread != here for thread in self.inside()) and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN_S)

    def forget(self) -> None:
        """Forget who is inside, in a forked child: these threads are in the parent."""
        self._lock = threading.RLock()
        self._inside = []

    def _pass(self, thread: int) -> threading.Lock:
        made = threading.Lock()  # the lightest thing of C's that a block can be made of
        with self._lock:
            self._inside = [each for each in self._inside if each[0]() is not None]
            self._inside.append((weakref.ref(made), thread))
        return made


C = TypeVar("C", bound=Connection)

_open: Final[weakref.WeakSet[Connection]] = weakref.WeakSet()
_holders: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
_opening = threading.RLock()
GATE: Final = Gate()
_parents: Final[set[File]] = set()  # files of which SQLite knows something that is true in the parent only


def connect(path: Path, file: File | None = None) -> Connection:
    """Return a plain connection to a file, as :func:`connect_as`."""
    return connect_as(Connection, path, file)


def connect_as(kind: type[C], path: Path, file: File | None = None, mode: str = "") -> C:
    """
    Return a connection to a file that is there; SQLite never makes one.

    Args:
        kind: What kind of connection it is.
        path: The file.
        file: Which file it was at a look a moment ago; looked up by default.
        mode: How SQLite opens it; as that kind of connections says by default.

    Raises:
        DiskFaultError: It is not there any more.
        sqlite.Error: It cannot be opened.
    """
    file = file or file_of(path)
    if file is None:
        raise DiskFaultError(str(path), "the file is gone")
    name = f"{path.as_uri()}?mode={mode or kind.MODE}"  # nothing but a URI tells SQLite that no file is to be made
    connection: C = sqlite.connect(
        name, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256, factory=kind
    )
    connection.file = file
    _open.add(connection)
    return connection


def opening() -> AbstractContextManager[object]:
    """
    Let no other thread open a store, in a ``with`` block.

    Who looks at a file before SQLite does, and closes it again, drops the locks that SQLite got on it in between.
    """
    return _opening


def is_open(path: Path) -> bool:
    """Tell whether this process has connections to a file: then closing any other descriptor of it drops their locks."""
    return bool(_open) and bool(open_to(file_of(path)))


def open_to(file: File | None) -> list[Connection]:
    """Return the connections of this process to a file."""
    return [connection for connection in list(_open) if connection.file == file]


def beside(connection: Connection) -> list[Connection]:
    """Return the other connections of this process to the same file."""
    if len(_open) == 1:  # mostly, when a store is opened
        return []
    return [other for other in open_to(connection.file) if other is not connection]


def check_not_the_parents(path: Path) -> None:
    """
    Raises:
        UsageError: This process was forked while the parent was using this file.
    """
    if _parents and file_of(path) in _parents:
        raise UsageError(
            f"{path} was being read or written when this process was forked, and cannot be opened here; fork while nothing "
            "uses the store, or start processes with multiprocessing's `spawn`."
        )


def watch_forks(holder: Forked) -> None:
    """Tell a holder of connections of forks, for as long as it lives."""
    _holders.add(holder)


def file_of(path: Path | str) -> File | None:
    """Return what tells a file from any other one that lies there later; None for none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def has_other_names(path: Path | str) -> bool:
    """Tell whether a file has names beside this one."""
    try:
        return os.stat(path).st_nlink > 1
    except OSError:  # it is not there, or whoever opens it says why
        return False


def _before() -> None:
    GATE.wait_until_empty(limits.FORK_WAIT_S)
    for holder in list(_holders):
        holder.pause()


def _after_in_child() -> None:
    global _opening
    _opening = threading.RLock()  # whoever held it is not in this process
    GATE.forget()
    for connection in list(_open):
        _parents.add(connection.file)
        keep_for_ever(connection)
    _open.clear()
    for holder in list(_holders):
        holder.disown()
    _holders.clear()


if hasattr(os, "register_at_fork"):  # what is to be called before a fork is called in the reverse order
    os.register_at_fork(before=_before, after_in_child=_after_in_child)
    os.register_at_fork(before=GATE.shut, after_in_parent=GATE.open, after_in_child=GATE.open)

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
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, TypeVar

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.words.errors import DiskFaultError, UsageError
from edda_sync.words.process import Owner, keep_for_ever

File = tuple[int, int]  # device and inode


class Forked(Protocol):
    """Whatever holds connections; :func:`watch_forks` tells it of forks."""

    def pause(self) -> None:
        """Close what nobody is using, and let nobody begin."""
        ...

    def resume(self) -> None:
        """Let everybody go on, in the parent."""
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
            _open.discard(self)
            super().close()


class Gate:
    """
    Where whoever uses a store passes, so that a fork can wait until it is empty.

    Args:
        owner: The process that opened the store.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._lock = threading.RLock()  # a reader that is forgotten leaves on any thread, at any moment
        self._changed = threading.Condition(self._lock)
        self._inside: list[int] = []  # threads, each as often as it entered
        self._is_shut = False

    def enter(self) -> int:
        """
        Go in, once no fork is under way; return what :meth:`leave` needs.

        Raises:
            UsageError: This process was forked since the store was opened.
        """
        self._owner.check()
        here = threading.get_ident()
        with self._lock:
            while self._is_shut and here not in self._inside:  # whoever is inside must get through to get out
                self._changed.wait()
            self._inside.append(here)
        return here

    def leave(self, entered: int) -> None:
        """Go out."""
        if self._owner.is_here:  # else the lock may be held by a thread that this process does not have
            with self._lock:
                self._inside.remove(entered)
                if self._is_shut:
                    self._changed.notify_all()

    def shut(self, timeout_s: float) -> None:
        """Let nobody enter, and wait until all other threads are out; no longer than so many seconds."""
        here = threading.get_ident()
        with self._lock:
            self._is_shut = True
            self._changed.wait_for(lambda: all(thread == here for thread in self._inside), timeout_s)

    def open(self) -> None:
        """Let everybody enter again."""
        with self._lock:
            self._is_shut = False
            self._changed.notify_all()


C = TypeVar("C", bound=Connection)

_open: Final[weakref.WeakSet[Connection]] = weakref.WeakSet()
_holders: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
_forking = threading.Lock()  # two threads may fork at once
_opening = threading.RLock()
_paused: Final[list[Forked]] = []
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


@contextmanager
def opening() -> Iterator[None]:
    """
    Let no other thread open a store meanwhile.

    Who looks at a file before SQLite does, and closes it again, drops the locks that SQLite got on it in between.
    """
    with _opening:
        yield


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
    _forking.acquire()
    for holder in list(_holders):
        _paused.append(holder)
        holder.pause()


def _after_in_parent() -> None:
    while _paused:
        _paused.pop().resume()
    _forking.release()


def _after_in_child() -> None:
    global _forking, _opening
    _forking, _opening = threading.Lock(), threading.RLock()  # whoever held them is not in this process
    _paused.clear()
    for connection in list(_open):
        _parents.add(connection.file)
        keep_for_ever(connection)
    _open.clear()
    for holder in list(_holders):
        holder.disown()
    _holders.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)

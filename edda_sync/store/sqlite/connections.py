"""
Connections to the files of stores, and what happens to them when the process forks.

SQLite keeps a record, for the whole process, of the locks that it holds on a file. A fork copies that record, but the
kernel gives the child none of the locks. A child that uses one of the parent's connections therefore writes without a
lock. So does a child that opens the file again, since SQLite finds the record and believes it. Hence:

1. Before a fork, every connection that nobody is using is closed, so that SQLite has no record of the file in the
   child. The parent makes new connections when it needs them.
2. A connection that is in use during the fork stays open. The child keeps it forever and never uses it: closing it,
   even by the garbage collector at the end of the interpreter, could remove the journal that the parent writes, or
   change the index that both map. The child may not open that file.

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

_LOOK_AGAIN_S: Final = 0.001  # how often a fork checks whether others have finished


class Forked(Protocol):
    """A holder of connections, which :func:`watch_forks` notifies of forks."""

    def pause(self) -> None:
        """Close what nobody is using. Nobody begins before the fork is over."""
        ...

    def disown(self) -> None:
        """Make everything that was in use refuse further use, in the child."""
        ...


class Connection(sqlite.Connection):  # type: ignore[misc]  # sqlcipher3 has no types
    """
    A connection that is known to this module until it is closed.

    Attributes:
        MODE: The mode in which SQLite opens the file.
        file: The file to which it is open.
        journal: The file that is its journal, once that is open.
        index: The file that is the journal's shared index, once that is open.
        key: Its key, as SQLCipher takes it, if the file is encrypted.
        must_stay: Tells whether closing it would do harm. It is then kept until the process ends.
    """

    MODE: ClassVar = "rw"

    file: File
    journal: File | None = None
    index: File | None = None
    key: str | None = None
    must_stay: Callable[[Connection], bool] | None = None

    def close(self) -> None:
        """Close it, only once, and only in the process that opened it."""
        if self in _open:
            if self.must_stay is not None and self.must_stay(self):
                keep_for_ever(self)
                return  # it stays known: a new connection here to the same file would share what is wrong with it
            super().close()
            _open.discard(self)


class Gate:
    """
    A gate that every user of a store passes, so that a fork can wait until no one is inside. A process has one gate.

    Ctrl-C, or any exception of a signal handler, is raised at the beginning of a function or right after a call of C
    code. So
    each step that must not be left half done is a single call of C code here: the hooks that shut and open the gate are
    methods of a lock, and a user is inside as long as a block lasts, however the block ends.

    Attributes:
        shut: Lets nobody enter from now on.
        open: Lets everybody enter again. It must be called by the thread that called ``shut``.
    """

    def __init__(self) -> None:
        self._forking = threading.RLock()  # two threads may fork at the same time
        self.shut, self.open = self._forking.acquire, self._forking.release
        self._lock = threading.RLock()  # a forgotten reader may be freed on any thread, at any moment
        self._inside: list[tuple[weakref.ref[threading.Lock], int]] = []  # passes, with their threads

    def enter(self, owner: Owner) -> threading.Lock:
        """
        Return a pass, once no fork is under way. Use the store inside a ``with`` block on the pass, and keep no other
        reference to
        the pass: its thread is inside until the pass is gone.

        Args:
            owner: The process that opened the store.

        Raises:
            UsageError: This process was forked since.
        """
        owner.check()
        here = threading.get_ident()
        if here in self.inside():  # whoever is inside must be able to finish
            return self._pass(here)
        with self._forking:
            return self._pass(here)

    def inside(self) -> list[int]:
        """Return the threads that are inside, each as often as it has entered."""
        return [thread for each, thread in self._inside if each() is not None]

    def wait_until_empty(self, timeout_s: float) -> None:
        """Wait until all other threads are outside, at most for ``timeout_s``."""
        here, until = threading.get_ident(), time.monotonic() + timeout_s
        while any(thread != here for thread in self.inside()) and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN_S)

    def forget(self) -> None:
        """Forget who is inside, in a forked child: these threads exist only in the parent."""
        self._lock = threading.RLock()
        self._inside = []

    def _pass(self, thread: int) -> threading.Lock:
        made = threading.Lock()  # the lightest object in C that works in a ``with`` block
        with self._lock:
            self._inside = [each for each in self._inside if each[0]() is not None]
            self._inside.append((weakref.ref(made), thread))
        return made


C = TypeVar("C", bound=Connection)

_open: Final[weakref.WeakSet[Connection]] = weakref.WeakSet()
_holders: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
_opening = threading.RLock()
GATE: Final = Gate()
_parents: Final[set[File]] = set()  # files for which SQLite has a record that is true only in the parent


def connect(path: Path, file: File | None = None) -> Connection:
    """Return a plain connection to a file; see :func:`connect_as`."""
    return connect_as(Connection, path, file)


def connect_as(kind: type[C], path: Path, file: File | None = None, mode: str = "") -> C:
    """
    Return a connection to an existing file. SQLite never creates one here.

    Args:
        kind: The class of the connection.
        path: The file.
        file: Which file it was when it was checked a moment ago; looked up by default.
        mode: The mode in which SQLite opens it; by default that of the class.

    Raises:
        DiskFaultError: The file no longer exists.
        sqlite.Error: It cannot be opened.
    """
    file = file or file_of(path)
    if file is None:
        raise DiskFaultError(str(path), "the file is gone")
    name = f"{path.as_uri()}?mode={mode or kind.MODE}"  # only a URI can tell SQLite not to create a file
    connection: C = sqlite.connect(
        name, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256, factory=kind
    )
    connection.file = file
    _open.add(connection)
    return connection


def opening() -> AbstractContextManager[object]:
    """
    Keep other threads from opening a store, in a ``with`` block.

    Otherwise a thread that checks a file before SQLite opens it, and closes it again, could drop locks that SQLite has
    just got on it.
    """
    return _opening


def is_open(path: Path) -> bool:
    """Tell whether this process has connections to a file. If so, closing any other descriptor of it drops their locks."""
    return bool(_open) and bool(open_to(file_of(path)))


def open_to(file: File | None) -> list[Connection]:
    """Return the connections of this process to a file."""
    return [connection for connection in list(_open) if connection.file == file]


def lost_its_key(connection: Connection, error: BaseException) -> bool:
    """Tell whether a connection to an encrypted file fails because the key was replaced. A new one gets the new key."""
    return connection.key is not None and getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB"


def has_key(path: Path) -> bool:
    """Tell whether the connections of this process to a file have a key."""
    return any(connection.key is not None for connection in open_to(file_of(path)))


def beside(connection: Connection) -> list[Connection]:
    """Return the other connections of this process to the same file."""
    if len(_open) == 1:  # the usual case when a store is opened
        return []
    return [other for other in open_to(connection.file) if other is not connection]


def check_not_the_parents(path: Path) -> None:
    """
    Check that the parent process was not using a file when this process was forked.

    Raises:
        UsageError: The parent was using it.
    """
    if _parents and file_of(path) in _parents:
        raise UsageError(
            f"{path} was being read or written when this process was forked, and cannot be opened here; fork while nothing "
            "uses the store, or start processes with multiprocessing's `spawn`."
        )


def watch_forks(holder: Forked) -> None:
    """Notify a holder of connections of forks, as long as it lives."""
    _holders.add(holder)


def file_of(path: Path | str) -> File | None:
    """Return the identity of a file (device and inode); None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def has_other_names(path: Path | str) -> bool:
    """Tell whether a file has other names."""
    try:
        return os.stat(path).st_nlink > 1
    except OSError:  # it is missing, or opening it will report the reason
        return False


def _before() -> None:
    GATE.wait_until_empty(limits.FORK_WAIT_S)
    for holder in list(_holders):
        holder.pause()


def _after_in_child() -> None:
    global _opening
    _opening = threading.RLock()  # the thread that held it is not in this process
    GATE.forget()
    for connection in list(_open):
        _parents.add(connection.file)
        keep_for_ever(connection)
    _open.clear()
    for holder in list(_holders):
        holder.disown()
    _holders.clear()


if hasattr(os, "register_at_fork"):  # hooks that run before a fork run in the reverse order
    os.register_at_fork(before=_before, after_in_child=_after_in_child)
    os.register_at_fork(before=GATE.shut, after_in_parent=GATE.open, after_in_child=GATE.open)

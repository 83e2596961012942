"""
Soundly: what rots in the rows of a store is made anew while it is read, before anybody sees it or builds on it.

A store notices rows that are not what was written (``store.sqlite.sums``), and raises an error in their place. Then the rows
are made anew from the states of their items, which have checksums of their own; if that does not suffice, all tables are
made anew from the log, whose changes are compared with their hashes. A store that cannot be written says what is damaged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, Protocol, TypeVar

from edda_sync.words.errors import CorruptError, DamagedRowsError, RemoteProtocolError

if TYPE_CHECKING:
    from edda_sync.ledger.ledger import Ledger

MENDED_MAX: Final = 4  # one read meets rows, tags of items, names of tags and links, one kind of damage at a time
P = ParamSpec("P")
T = TypeVar("T")


class _Mends(Protocol):
    def mend(self, error: DamagedRowsError) -> None: ...


class Writes(_Mends, Protocol):
    """The write side of a store, as reading needs it: its ledger, and ``mend``, which makes damaged rows anew."""

    ledger: Ledger


R = TypeVar("R", bound=_Mends)


class Stored:
    """Tells that stored bytes are damaged where their decoder would say that a peer has sent them: nobody has."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, RemoteProtocolError):
            raise CorruptError(f"This store ({error.reason})") from None


def soundly(read: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
    """Let a method that reads have damaged rows made anew, and read again; its object says how (``mend``)."""

    @wraps(read)
    def asked(reading: R, /, *args: P.args, **named: P.kwargs) -> T:
        for _ in range(MENDED_MAX):
            try:
                return read(reading, *args, **named)
            except DamagedRowsError as error:
                reading.mend(error)
        return read(reading, *args, **named)

    return asked


def mending(mends: _Mends, write: Callable[[], T]) -> T:
    """Write, and if what is to be written builds on what rotted, have that made anew and write again."""
    try:
        return write()
    except DamagedRowsError as error:
        mends.mend(error)
        return write()

"""
Missing: changes that this device's store acknowledged, but no longer holds.

A disk may lose what it was told to keep: SQLite ends a damaged journal at the first wrong byte, and an older file that is
put back lacks what was written since. The sidecar shows this (see ``life``): it is written after each commit, so it never
names a change that the store did not hold.

The store then notes how far it had come, before it goes on in a new life and the sidecar names a change of that life. Peers
need not be told: a store's hello says what it holds, and any peer that holds more of its lives sends it. A change that came
back is no longer missing. Changes of other devices, which the sidecar counts, come again in the same way.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlcipher3 import dbapi2 as sqlite

if TYPE_CHECKING:
    from edda_sync.crdt.frontier import Dot
    from edda_sync.store.seams import StoreReader, StoreWriter
    from edda_sync.store.sqlite.store import SqliteStore

MISSING_KEY: Final = "missing"
_NOTE: Final = struct.Struct(">16sQ?")  # a life, its last acknowledged change, and whether that was given up


def look(store: SqliteStore, last: Dot | None, extent: int) -> list[str]:
    """
    Check whether a store that was just opened lacks changes that it had, and note them.

    The journal that may have held them is kept, since SQLite is about to drop it.

    Args:
        store: The store.
        last: The change that the sidecar remembers; None if it remembers none.
        extent: The position of the log that the sidecar remembers.

    Returns:
        What a person must know about it, in sentences.
    """
    with store.read() as reader:  # open the reader after reading the sidecar: another process may be writing
        lost = last if last is not None and is_lost(reader, last) else None
        fewer = _fewer(reader, extent)
        received = fewer - count(reader) if lost is None else 0
    if lost is None and received <= 0 and store.set_aside is None:
        return []
    if lost is not None or received > 0:
        store.checks.keep_journal()
    if lost is not None:
        store.transact(partial(note, last=lost))
    with store.read() as reader:
        own = count(reader)
        return sentences(own, store.checks.journals_aside(), received=max(0, fewer - own))


def is_whole(reader: StoreReader, last: Dot | None, extent: int) -> bool:
    """Tell whether a store surely holds all that it had, which is the usual case. :func:`look` looks closer."""
    position = None if last is None else reader.log.position_of(*last)
    if last is not None and position is None:
        return False
    return (position or 0) >= extent or not _fewer(reader, extent)


def _fewer(reader: StoreReader, extent: int) -> int:
    """Return how many changes fewer the log has than the sidecar remembers."""
    try:
        return max(0, extent - reader.log.position())
    except sqlite.Error:  # the end of the log cannot be read, which the doctor says; what can be read can be used
        return 0


def is_lost(reader: StoreReader, last: Dot) -> bool:
    """
    Tell whether a store lacks a change that it had, and that nobody has noted yet.

    Args:
        reader: A reader that was opened after ``last`` was read: another process may be writing.
        last: The change that the sidecar remembers.
    """
    from edda_sync.changes.chains import names_of, points_of
    from edda_sync.changes.early import is_reissued
    from edda_sync.workspace.actor import actor_of

    actor, seq = last
    if reader.log.position_of(*last) is not None:
        return False
    known, _ = _noted(reader).get(actor, (0, False))
    if seq <= max(known, _held(reader, actor)):
        return False
    if points_of(reader, names_of(reader).actor(actor)):
        return False  # a life that is proved to fork: its changes are here under other names
    return not is_reissued(reader, actor, actor_of(reader))


def note(tx: StoreWriter, last: Dot) -> None:
    """Note how far a life of this store had come."""
    noted = {actor: each for actor, each in _noted(tx).items() if each[0] > _held(tx, actor)}
    noted[last[0]] = max(last[1], noted.get(last[0], (0, False))[0]), False
    _write(tx, noted)


def count(reader: StoreReader) -> int:
    """Return how many changes are missing."""
    noted = _noted(reader).items()
    return sum(max(0, seq - _held(reader, actor)) for actor, (seq, given_up) in noted if not given_up)


def give_up(tx: StoreWriter) -> None:
    """Give up all changes that are missing now."""
    _write(tx, {actor: (seq, True) for actor, (seq, _) in _noted(tx).items()})  # the sidecar still names them


def sentences(number: int, aside: Sequence[str], received: int = 0) -> list[str]:
    """Return what a person must know about missing changes, own and received, and about journals that were put aside."""
    own, others = [sentence(number)] if number else [], [received_sentence(received)] if received else []
    return own + others + ([aside_sentence(aside)] if aside else [])


def sentence(number: int) -> str:
    """Return what a person must know and do if changes are missing."""
    changes = "1 change that was" if number == 1 else f"{number:,} changes that were"
    it = "it" if number == 1 else "them"
    return (
        f"{changes} written here and acknowledged {'is' if number == 1 else 'are'} missing: the store's journal was damaged"
        f" or taken away, or an older state was put back. Other devices that have {it} give {it} back while `edda up` runs;"
        f" `edda doctor --rebuild` gives {it} up, should nobody have {it}."
    )


def received_sentence(number: int) -> str:
    """Return what a person must know if changes of other devices are missing."""
    changes, they = ("1 change", "it comes") if number == 1 else (f"{number:,} changes", "they come")
    return (
        f"{changes} of other devices that this one had received {'is' if number == 1 else 'are'} missing: the store's"
        f" journal was damaged or taken away, or an older state was put back. {they.capitalize()} again by `edda up`."
    )


def aside_sentence(names: Sequence[str]) -> str:
    """Return what a person must know about journals that were put aside."""
    was = f"{names[0]} was" if len(names) == 1 else f"{', '.join(names[:3])} were"
    return (
        f"{was} put aside: a journal that is damaged, or belongs to another file than the one that is here now. It holds"
        " what was written last there, and nothing that this store needs: move it away."
    )


def _noted(reader: StoreReader) -> dict[bytes, tuple[int, bool]]:
    """Return the last change of each life, and whether it was given up."""
    noted = _NOTE.iter_unpack(reader.meta.get(MISSING_KEY) or b"")
    return {actor: (seq, given_up) for actor, seq, given_up in noted}


def _write(tx: StoreWriter, noted: Mapping[bytes, tuple[int, bool]]) -> None:
    tx.meta.set(MISSING_KEY, b"".join(_NOTE.pack(actor, *each) for actor, each in noted.items()))


def _held(reader: StoreReader, actor: bytes) -> int:
    head = reader.log.heads().get(actor)
    return 0 if head is None else head.seq

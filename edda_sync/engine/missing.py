"""
Missing: changes that this device's store acknowledged and does not hold any more.

What a disk was told to keep may be gone all the same: SQLite ends a damaged journal at the first byte that is wrong, and
whoever puts an older state of a file back takes away what was written since. The sidecar tells it (see ``life``): it is
written after each commit, so it never knows of a change that the store did not hold.

How far the store had come is then noted in it, before it goes on in a new life and the sidecar tells of that one. Peers
need not be told: a store says hello with what it holds, and whoever holds more of one of its lives sends it. What came
back is missing no more.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edda_sync.crdt.frontier import Dot
    from edda_sync.store.seams import StoreReader, StoreWriter
    from edda_sync.store.sqlite.store import SqliteStore

MISSING_KEY: Final = "missing"
_NOTE: Final = struct.Struct(">16sQ?")  # a life, its last change that was acknowledged, and whether it was given up


def look(store: SqliteStore, last: Dot | None) -> list[str]:
    """
    Look whether a store that was just opened lacks what it had, and note it; return what is news to a person, in sentences.

    The journal that may have held it is kept: SQLite is about to drop it.

    Args:
        store: The store.
        last: What its sidecar remembers.
    """
    with store.read() as reader:  # after the sidecar was read: another process may write at this moment
        lost = last if last is not None and is_lost(reader, last) else None
    if lost is not None:
        store.keep_journal()
        store.transact(partial(note, last=lost))
    elif store.set_aside is None:
        return []
    with store.read() as reader:
        return sentences(count(reader), store.journals_aside())


def is_whole(reader: StoreReader, last: Dot | None) -> bool:
    """Tell whether a store surely holds all that it had, which is nearly always; :func:`look` looks closer."""
    return last is None or reader.log.position_of(*last) is not None


def is_lost(reader: StoreReader, last: Dot) -> bool:
    """
    Tell whether a store lacks a change that it had, and nobody noted it yet.

    Args:
        reader: The store, as it is after ``last`` was looked up: another process may write at this moment.
        last: What the sidecar remembers.
    """
    from edda_sync.changes.chains import names_of, points_of
    from edda_sync.changes.early import is_reissued
    from edda_sync.workspace.actor import actor_of

    actor, seq = last
    if is_whole(reader, last):
        return False
    known, _ = _noted(reader).get(actor, (0, False))
    if seq <= max(known, _held(reader, actor)):
        return False
    if points_of(reader, names_of(reader).actor(actor)):
        return False  # of a life that is proved to fork, what was written is here under another name
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
    """Miss nothing any more of what is missing now."""
    _write(tx, {actor: (seq, True) for actor, (seq, _) in _noted(tx).items()})  # the sidecar still tells of it


def sentences(number: int, aside: Sequence[str]) -> list[str]:
    """Return what a person must know of so many changes that are missing, and of journals that were put aside."""
    return ([sentence(number)] if number else []) + ([aside_sentence(aside)] if aside else [])


def sentence(number: int) -> str:
    """Return what a person must know, and do, whose store lacks so many changes."""
    changes = "1 change that was" if number == 1 else f"{number:,} changes that were"
    it = "it" if number == 1 else "them"
    return (
        f"{changes} written here and acknowledged {'is' if number == 1 else 'are'} missing: the store's journal was damaged"
        f" or taken away, or an older state was put back. Other devices that have {it} give {it} back while `edda up` runs;"
        f" `edda doctor --rebuild` gives {it} up, should nobody have {it}."
    )


def aside_sentence(names: Sequence[str]) -> str:
    """Return what a person must know of journals that were put aside."""
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

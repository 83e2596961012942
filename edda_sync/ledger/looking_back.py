"""
Looking back: what some entities would be without some changes, or were at an earlier time or after a change, folded from
the log.

The fold is the one that every change takes, into a view that lies in memory and is thrown away. Nothing of the store is
written. :mod:`~edda_sync.fold.inverse` compares the result with what is there now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

from edda_sync.changes import change as changes
from edda_sync.changes.past import Pasts, Walk
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.keys import kind_and_id
from edda_sync.crdt.rows import version_of
from edda_sync.fold.fold import Fold
from edda_sync.fold.texts import Texts
from edda_sync.ledger.refold import replay
from edda_sync.store.composed import ComposedWriter
from edda_sync.store.delta import apply
from edda_sync.store.memory.journal import empty_tables
from edda_sync.store.memory.writer import MemoryWriter
from edda_sync.store.seams import StoreReader, StoreWriter


def without(reader: StoreReader, keys: Collection[bytes], dots: Collection[Dot]) -> StoreReader:
    """
    Return some entities as they would be if some changes had no effect. What others wrote keeps its own.

    Args:
        reader: A reader of the store, whose log is whole: it has no segment.
        keys: The keys of the entities.
        dots: The dots of the changes, by the log's names.

    Raises:
        CorruptError: A change in the log is damaged.
    """
    return _folded(reader, keys, _mentioning(reader, keys), dots)


def as_of(reader: StoreReader, keys: Collection[bytes], wall_ms: int) -> StoreReader:
    """
    Return some entities as they were at a time: by the changes that were made by then, as their authors' clocks say.

    A change that depends on a later one is left out with it, so that what is shown is a state that there was.

    Args:
        reader: A reader of the store, whose log is whole: it has no segment.
        keys: The keys of the entities.
        wall_ms: The time, in milliseconds since 1970.

    Raises:
        CorruptError: A change in the log is damaged.
    """
    walk, later = Walk(Pasts(), reader), dict[bytes, int]()
    kept = []
    for position in _mentioning(reader, keys):
        logged = reader.log.read(position)
        past = walk.at(logged.actor, logged.seq)
        if changes.decode_header(logged.raw).wall_ms > wall_ms or any(
            past.get(actor, 0) >= seq for actor, seq in later.items()
        ):
            later.setdefault(logged.actor, logged.seq)
        else:
            kept.append(position)
    return _folded(reader, keys, kept, ())


def after(reader: StoreReader, keys: Collection[bytes], dot: Dot) -> StoreReader:
    """
    Return some entities as the author of a change saw them right after it, whatever the clocks say.

    A change beats what it saw, so that whatever it wrote is shown there.

    Args:
        reader: A reader of the store, whose log is whole: it has no segment.
        keys: The keys of the entities.
        dot: The change, by the log's name; it is in the log.

    Raises:
        CorruptError: A change in the log is damaged.
    """
    past = Pasts().through(reader, dot)
    seen = []
    for position in _mentioning(reader, keys):
        logged = reader.log.read(position)
        if logged.seq <= past.get(logged.actor, 0):
            seen.append(position)
    return _folded(reader, keys, seen, ())


def at_version(reader: StoreReader, key: bytes, version: str) -> StoreReader | None:
    """
    Return a task or document as it was here when it had a version; None if it never had that version on this device.

    Args:
        reader: A reader of the store, whose log is whole: it has no segment.
        key: Its key.
        version: From :func:`~edda_sync.crdt.rows.version_of`.

    Raises:
        CorruptError: A change in the log is damaged.
    """
    scratch = _beside(reader)
    write: Callable[..., None] = partial(apply, scratch)
    fold = Fold(scratch, Texts(), only=frozenset((key,)), write=write)

    def is_reached() -> bool:
        entity = fold.entities.existing(*kind_and_id(key))
        return entity is not None and version_of(entity.touched) == version

    replay(scratch, fold, Pasts(), _mentioning(reader, (key,)), until=is_reached)
    if not is_reached():
        return None
    fold.flush()
    fold.refresh()
    return cast("StoreReader", scratch)


def _mentioning(reader: StoreReader, keys: Iterable[bytes]) -> Sequence[int]:
    return sorted({position for key in keys for position in reader.mentions.of(key)})


def _folded(
    reader: StoreReader, keys: Collection[bytes], positions: Iterable[int], dots: Collection[Dot]
) -> StoreReader:
    scratch = _beside(reader)
    write: Callable[..., None] = partial(apply, scratch)
    fold = Fold(scratch, Texts(), only=frozenset(keys), write=write)
    replay(scratch, fold, Pasts(), positions, dots)
    fold.flush()
    fold.refresh()
    return cast("StoreReader", scratch)


def _beside(reader: StoreReader) -> StoreWriter:
    """Return a transaction with an empty view in memory, and the log of a store."""
    whole = cast("StoreWriter", reader)  # replaying a log does not write to it
    return replace(
        ComposedWriter.of(MemoryWriter(empty_tables(), set())),
        log=whole.log,
        signatures=whole.signatures,
        evidence=whole.evidence,
        segments=whole.segments,
        blobs=whole.blobs,
    )

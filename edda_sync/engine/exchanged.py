"""What a sync brought and sent, in tasks and documents, and which conflicts arose by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from edda_sync.crdt.frontier import Frontier, lacking
from edda_sync.crdt.keys import kind_and_id
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreReader
from edda_sync.workspace.keys import ACTOR_KEY

_NAMES: Final = ("tasks", "documents")
_Conflicts = frozenset[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Held:
    """
    What a store held at a moment; pass it to :func:`exchanged` later.

    Attributes:
        frontier: Its changes.
        conflicts: Its conflicts, each with the values that are kept.
    """

    frontier: Frontier = field(default_factory=dict)
    conflicts: _Conflicts = frozenset()


def held(engine: StorageEngine) -> Held:
    """Return what a store holds now."""
    return Held(engine.frontier(), _conflicts(engine))


def exchanged(engine: StorageEngine, since: Held, peers: Mapping[str, tuple[Frontier, Frontier]]) -> dict[str, Any]:
    """
    Return what came from others and what was sent to them, as the answer to a sync has it.

    Args:
        engine: The engine of the store.
        since: What it held before.
        peers: What each peer held before, and what it holds now, by device id.

    Returns:
        ``came`` and ``sent``: how many ``tasks`` and ``documents`` are new or changed by it, here or there (None where
        only a segment's content is here), and by how many ``changes``; ``new_conflicts``: how many fields are in conflict
        now that were not before, or with other values.
    """
    now = engine.frontier()
    with engine.store.read() as reader:
        own = reader.meta.get(ACTOR_KEY)
        came = _count(reader, now, {**since.frontier, **({own: now[own]} if own in now else {})})
        gone: set[int] = set()
        changes = 0
        for before, after in peers.values():
            gone |= set(reader.log.positions_after(before)) - set(reader.log.positions_after(after))
            changes = max(changes, lacking(before, {name: min(seq, after.get(name, 0)) for name, seq in now.items()}))
        sent = {**_items(reader, sorted(gone)), "changes": changes}
    return {"came": came, "sent": sent, "new_conflicts": len(_conflicts(engine) - since.conflicts)}


def _count(reader: StoreReader, now: Frontier, before: Frontier) -> dict[str, int | None]:
    positions, changes = reader.log.positions_after(before), lacking(before, now)
    if len(positions) < changes:  # a segment came, and the log behind it has not come yet
        return {**dict.fromkeys(_NAMES), "changes": changes}
    return {**_items(reader, positions), "changes": changes}


def _items(reader: StoreReader, positions: Sequence[int]) -> dict[str, int | None]:
    """Return how many tasks and documents the changes at some positions are about."""
    kinds = Counter(kind_and_id(key)[0] for key in reader.mentions.entities_at(positions))
    return {name: kinds[kind] for kind, name in zip(("task", "document"), _NAMES, strict=True)}


def _conflicts(engine: StorageEngine) -> _Conflicts:
    return frozenset(
        (each.kind, each.id, each.field, frozenset((kept.actor, kept.seq) for kept in each.kept))
        for each in engine.conflicts()
    )

"""
The deletions of entities that are open: nobody who had seen them has answered.

They form a register like a cell (``crdt.cells``): a deletion replaces those that its author had seen, and whoever brings the
entity back, or keeps it, answers those that they had seen. An edit of a task or document is no answer, since its author may
not know of the deletion; a tag is answered by everything that defines or uses it. So what is open depends on the set of
changes, and not on their order. It has no effect on what is shown: it tells people of a deletion that an edit has undone.
"""

from __future__ import annotations

from collections.abc import Iterable

from edda_sync.crdt import cells
from edda_sync.crdt.cells import Siblings
from edda_sync.crdt.entity import Entity
from edda_sync.fold.current import Current
from edda_sync.store.seams import Deleted, StoreReader


class Deletions:
    """
    The open deletions of a fold's entities.

    Args:
        reader: The store's transaction.
    """

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._stored: dict[bytes, Siblings] = {}  # as the store has them
        self._held: dict[bytes, Siblings] = {}

    def deleted(self, entity: Entity, change: Current) -> None:
        """Note that a change deletes an entity."""
        write = (change.actor, change.seq, change.wall_ms, None)
        self._held[entity.key] = cells.written(self._of(entity.key), write, change.past)

    def answered(self, entity: Entity, change: Current) -> None:
        """Note that a change brings an entity back, or keeps it."""
        if entity.deleted and (before := self._of(entity.key)):
            self._held[entity.key] = cells.unseen(before, change.past)

    def take(self, entities: Iterable[Entity]) -> dict[bytes, Deleted | None]:
        """Return what is to be written about some entities of the fold, and forget everything."""
        ever = {each.key: each for each in entities if each.deleted}
        self._load(ever)
        found: dict[bytes, Deleted | None] = {}
        for key, entity in ever.items():
            now = self._of(key)
            if now:
                found[key] = Deleted(tuple(now), is_contested(entity, now))
            elif self._stored[key]:
                found[key] = None
        self._stored, self._held = {}, {}
        return found

    def _of(self, key: bytes) -> Siblings:
        if key not in self._held:
            self._load((key,))
            self._held[key] = self._stored[key]
        return self._held[key]

    def _load(self, keys: Iterable[bytes]) -> None:
        wanted = [key for key in keys if key not in self._stored]
        if wanted:
            found = self._reader.index.deletions(wanted)
            self._stored |= {key: list(found.get(key, ())) for key in wanted}


def is_contested(entity: Entity, deletions: Siblings) -> bool:
    """Tell whether people should look at open deletions: those of what is shown, and those of a tag that has several."""
    return bool(deletions) and (not entity.hidden or (entity.kind == "tag" and len(deletions) > 1))

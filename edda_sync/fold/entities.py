"""The entities that a fold holds in memory, with the records that the store had of them before."""

from __future__ import annotations

from collections.abc import Iterable

from edda_sync.crdt import state
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.fold.newborn import Newborn
from edda_sync.store.seams import Record, StoreReader


class Entities:
    """
    The entities of a fold. What was read once is not read again before :meth:`clear`.

    An entity is decoded when it is asked for. If others only point at it, only its visibility is needed.

    Args:
        reader: The store's transaction.

    Attributes:
        newborns: The entities that one operation wrote, and that were not asked for since.
        grown: The keys of newborns that were asked for, and whether a peer wrote them.
    """

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._held: dict[bytes, Entity] = {}
        self._encoded: dict[bytes, bytes] = {}  # the states that were read and not asked for yet
        self._before: dict[bytes, Record | None] = {}  # of every entity that was looked up
        self.newborns: dict[bytes, Newborn] = {}
        self.grown: dict[bytes, bool] = {}

    def __len__(self) -> int:
        return len(self._held) + len(self._encoded) + len(self.newborns)

    def __getitem__(self, key: bytes) -> Entity:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def get(self, key: bytes) -> Entity | None:
        """Return an entity that was already read or created; None if it was not."""
        found = self._held.get(key)
        if found is not None:
            return found
        if key in self._encoded:
            found = self._held[key] = state.decode(kind_and_id(key)[1], self._encoded[key])
            del self._encoded[key]
        elif key in self.newborns:
            newborn = self.newborns.pop(key)
            found = self._held[key] = newborn.entity()
            self.grown[key] = newborn.is_strange
        return found

    def may_differ(self, key: bytes) -> bool:
        """Tell whether an entity may differ from the stored one, because it was created or asked for."""
        return key in self._held or key in self.newborns

    def is_unwritten(self, key: bytes) -> bool:
        """Tell whether nobody has written an entity yet, here or in the store. It must have been looked up."""
        return key in self._before and self._before[key] is None and key not in self._held and key not in self.newborns

    def bear(self, newborn: Newborn) -> None:
        """Add an entity that one operation created."""
        self.newborns[newborn.key] = newborn

    def of(self, kind: str, entity_id: bytes) -> Entity:
        """Return an entity; a new one if there is none."""
        key = key_of(kind, entity_id)
        found = self.get(key)
        if found is None:
            self.load((key,))
            found = self.get(key)
        if found is None:
            found = self._held[key] = Entity(entity_id, kind)
        return found

    def existing(self, kind: str, entity_id: bytes) -> Entity | None:
        """Return an entity that anything ever touched or deleted; None if there is none."""
        key = key_of(kind, entity_id)
        self.load((key,))
        found = self.get(key)
        return found if found is not None and (found.touched or found.deleted) else None

    def expect_new(self, keys: Iterable[bytes]) -> None:
        """Assume that nothing is stored under these keys. If something is, the store refuses to show it as new."""
        self._before.update(dict.fromkeys(keys))

    def load(self, keys: Iterable[bytes]) -> None:
        """
        Read entities that will be asked for. Many at once cost little more than one.

        Raises:
            CorruptError: The stored data of one of them is damaged.
        """
        wanted = [key for key in keys if key not in self._before]
        if wanted:
            for record in self._reader.states.get(wanted).values():
                self._encoded[record.key] = state.state_of(record.key, record.state)
                self._before[record.key] = record
            for key in wanted:  # last, so that what cannot be read does not count as unwritten
                self._before.setdefault(key)

    def hold(self, record: Record) -> Entity:
        """Add the entity of a record."""
        entity = self._held[record.key] = state.entity_of(record.key, record.state)
        self._before[record.key] = record
        self._encoded.pop(record.key, None)
        return entity

    def before(self, key: bytes) -> Record | None:
        """Return the record that the store has of an entity, which must have been looked up."""
        return self._before[key]

    def known(self, key: bytes) -> Record | None:
        """Return the record that the store has of an entity, if it has one and that was looked up."""
        return self._before.get(key)

    def was_visible(self, key: bytes) -> bool:
        """Tell whether the tables show an entity, which must have been looked up."""
        before = self._before[key]
        return before is not None and not before.hidden

    def is_visible(self, key: bytes) -> bool:
        """Tell whether an entity is visible in this fold."""
        if key in self.newborns:
            return True
        if key not in self._before:
            self.load((key,))
        entity = self._held.get(key)
        return not entity.hidden if entity is not None else self.was_visible(key)

    def clear(self) -> None:
        """Forget all entities."""
        self._held, self._encoded, self._before = {}, {}, {}
        self.newborns, self.grown = {}, {}

"""
Operations that are not applied: they *wait* while a newer version may know them, or they are *refused* for good.

An operation that no version accepts is refused, unless something in its past waits, on the same entity or on an unreadable
one: a newer version may decide otherwise once that is folded. So the verdict depends on the change's past, and on nothing
    else that came
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.fold.current import NO_CHANGE, Current
from edda_sync.fold.entities import Entities
from edda_sync.fold.waiting import Waiting
from edda_sync.store.seams import StoreReader, Unapplied
from edda_sync.words import limits

UNREADABLE: Final = key_of("workspace", bytes(16))
"""The key that stands for the entity of operations that are refused or wait, and whose entity cannot be read."""

# A number greater than that of any operation, including one that is too much.
_NEVER: Final = limits.CHANGE_OPERATIONS_MAX + 2


class NotApplied:
    """
    The operations that a fold has not applied, until :meth:`take`.

    Args:
        reader: The store's transaction.
        entities: The fold's entities.
        waiting: Where operations wait in the store.
        reads_all: Whether the fold also handles operations whose entity cannot be read; otherwise these stay as stored.
    """

    def __init__(self, reader: StoreReader, entities: Entities, waiting: Waiting, *, reads_all: bool) -> None:
        self._reader, self._entities, self._stored, self._reads_all = reader, entities, waiting, reads_all
        self._change: Current = NO_CHANGE
        self._listed: list[Unapplied] = []
        self._waiting: dict[bytes, dict[bytes, int]] = {}  # of this fold: by entity, the first change of each name
        self._waits: dict[bytes, bool] = {}  # by entity: whether something in the change's past waits
        self._passed_over: int | None = None  # set when it was looked up

    def begin(self, change: Current) -> None:
        """Start a change."""
        self._change = change
        self._waits, self._passed_over = {}, None

    def refuse(self, key: bytes, number: int, why: str) -> bool:
        """
        Refuse an operation for good, so that its entity's state says so; or make it wait, if what waits may decide about it.

        Args:
            key: The entity's key.
            number: The operation's number in its change.
            why: The reason, for a person.

        Returns:
            Whether it is refused.
        """
        if self._waits_in_past(key, number):
            self.wait(key, number, f"what it is about waits for a newer version ({why})")
            return False
        change = self._change
        self._listed.append(Unapplied(change.position, number, key, True, why))
        self._entities.of(*kind_and_id(key)).refuse(change.actor, change.seq, number)
        return True

    def wait(self, key: bytes, number: int, why: str) -> None:
        """Make an operation wait for a newer version."""
        change = self._change
        self._listed.append(Unapplied(change.position, number, key, False, why))
        self._waiting.setdefault(key, {}).setdefault(change.actor, change.seq)
        self._waits[key] = True

    def within(self, key: bytes, past: Mapping[bytes, int]) -> bool:
        """Tell whether an operation in a past waits, on an entity or on an unreadable one."""
        return any(self._waits_about(about, past) for about in (key, UNREADABLE))

    def take(self) -> list[Unapplied]:
        """Return all operations, in order, and forget them, because the store has them from now on."""
        listed, self._listed, self._waiting = self._listed, [], {}
        return listed

    def _waits_in_past(self, key: bytes, number: int) -> bool:
        """Tell whether something before an operation waits, on the same entity or on an unreadable one."""
        for about in (key, UNREADABLE):
            if about not in self._waits:  # earlier operations of the same change are noted when they come
                self._waits[about] = self._waits_about(about, self._change.deps)
        return self._waits[key] or self._waits[UNREADABLE] or self._first_passed_over() < number

    def _waits_about(self, about: bytes, past: Mapping[bytes, int]) -> bool:
        pending = self._waiting.get(about, {})
        waits = any(seq <= past.get(name, 0) for name, seq in pending.items())
        return waits or self._stored.within(self._reader, about, past)

    def _first_passed_over(self) -> int:
        """Return the first operation of the change that waits and is not folded now, because its entity cannot be read."""
        if self._reads_all:
            return _NEVER
        if self._passed_over is None:
            stored = self._reader.unapplied.operations(UNREADABLE, self._change.position)
            self._passed_over = min((each.number for each in stored if not each.refused), default=_NEVER)
        return self._passed_over

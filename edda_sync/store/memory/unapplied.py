"""Operations that are not folded, in the memory store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edda_sync.store.memory.journal import Facet, WriterFacet
from edda_sync.store.seams.unapplied import Unapplied


class MemoryUnapplied(Facet):
    """Implementation of ``seams.unapplied.UnappliedReader``."""

    __slots__ = ()

    def operations(self, entity: bytes | None = None, position: int | None = None) -> Sequence[Unapplied]:
        held = self._tables["unapplied"].values()
        return sorted(e for e in held if entity in (None, e.entity) and position in (None, e.position))

    def waits(self) -> bool:
        return any(not each.refused for each in self._tables["unapplied"].values())

    def waiting(self) -> int:
        return sum(not each.refused for each in self._tables["unapplied"].values())

    def waiting_at(self, entity: bytes, after: int = 0) -> Sequence[int]:
        waiting = {each.position for each in self.operations(entity) if not each.refused}
        return sorted(position for position in waiting if position > after)

    def waiting_numbers(self) -> Sequence[tuple[int, str]]:
        found: dict[int, list[str]] = {}
        for each in self.operations():
            if not each.refused:
                found.setdefault(each.position, []).append(str(each.number))
        return [(position, ",".join(numbers)) for position, numbers in found.items()]


class MemoryUnappliedWriter(WriterFacet, MemoryUnapplied):
    """Implementation of ``seams.unapplied.UnappliedWriter``."""

    __slots__ = ()

    def add(self, unapplied: Sequence[Unapplied]) -> None:
        for each in unapplied:
            self._journal.set("unapplied", (each.position, each.number, each.refused), each)

    def drop(self, entities: Iterable[bytes]) -> None:
        """Forget the operations about some entities."""
        gone = set(entities)
        for key in [key for key, each in self._tables["unapplied"].items() if each.entity in gone]:
            self._journal.drop("unapplied", key)

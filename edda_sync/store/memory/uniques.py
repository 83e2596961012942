"""Claims under unique indexes, in the memory store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from edda_sync.store.memory.journal import Facet, WriterFacet
from edda_sync.store.seams.uniques import Claim


class MemoryUniques(Facet):
    """Implementation of ``seams.uniques.UniquesReader``."""

    __slots__ = ()

    def settings(self) -> Mapping[str, bytes]:
        return dict(self._tables["unique"])

    def claims_of(self, entities: Collection[bytes]) -> list[Claim]:
        return sorted(claim for entity in entities for claim in self._tables["claims"].get(entity, ()))

    def holders(self, name: str, value: bytes, limit: int) -> list[Claim]:
        found = [claim for claim in self._all() if (claim.name, claim.value) == (name, value)]
        return sorted(found)[:limit]

    def withheld(self, name: str) -> list[Claim]:
        return sorted(claim for claim in self._all() if claim.name == name and claim.withheld)

    def scan(self) -> Iterator[Claim]:
        yield from sorted(self._all(), key=lambda each: (each.name, each.entity))

    def clashes(self) -> int:
        return sum(claim.withheld for claim in self._all())

    def _all(self) -> list[Claim]:
        return [claim for claims in self._tables["claims"].values() for claim in claims]


class MemoryUniquesWriter(WriterFacet, MemoryUniques):
    """Implementation of ``seams.uniques.UniquesWriter``."""

    __slots__ = ()

    def define(self, name: str, record: bytes | None) -> None:
        self.put([(name, claim.entity) for claim in self._all() if claim.name == name], [])
        if record is None:
            self._journal.drop("unique", name)
        else:
            self._journal.set("unique", name, record)

    def put(self, gone: Sequence[tuple[str, bytes]], held: Sequence[Claim]) -> None:
        written, left_out = {(each.name, each.entity): each for each in held}, set(gone)
        by_entity: dict[bytes, list[Claim]] = {}
        for each in written.values():
            by_entity.setdefault(each.entity, []).append(each)
        for entity in dict.fromkeys([*(entity for _, entity in gone), *(each.entity for each in held)]):
            left = [each for each in self._tables["claims"].get(entity, ()) if (each.name, entity) not in left_out]
            kept = [each for each in left if (each.name, entity) not in written]
            self._set(entity, [*kept, *by_entity.get(entity, ())])

    def drop(self, entities: Sequence[bytes]) -> None:
        """Forget the claims of some entities."""
        for entity in entities:
            self._set(entity, [])

    def _set(self, entity: bytes, claims: Sequence[Claim]) -> None:
        if claims:
            self._journal.set("claims", entity, tuple(claims))
        else:
            self._journal.drop("claims", entity)

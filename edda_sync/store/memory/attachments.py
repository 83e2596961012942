"""Which files documents refer to, and which are here, in the memory store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from edda_sync.store.memory.journal import Facet, WriterFacet
from edda_sync.store.seams.attachments import Attached


class MemoryAttachments(Facet):
    """Implementation of ``seams.attachments.AttachmentsReader``."""

    __slots__ = ()

    def of(self, entity: bytes) -> Sequence[Attached]:
        return list(self._tables["attachments"].get(entity, ()))

    def scan(self) -> Iterator[tuple[bytes, Attached]]:
        for entity, attached in sorted(self._tables["attachments"].items()):
            yield from ((entity, each) for each in attached)

    def referring(self, root: bytes) -> Sequence[tuple[bytes, Attached]]:
        return [(entity, each) for entity, each in self.scan() if each.root == root]

    def missing(self, size_max: int, limit: int) -> Sequence[Attached]:
        found = {each.root: each for _, each in reversed([*self.scan()]) if each.size <= size_max}
        lacking = [each for each in found.values() if each.root not in self._tables["held_files"]]
        return sorted(lacking, key=lambda each: (each.size, each.root))[:limit]

    def lacking(self) -> tuple[int, int]:
        sizes = {each.root: each.size for _, each in self.scan() if each.root not in self._tables["held_files"]}
        return len(sizes), sum(sizes.values())

    def holds(self, root: bytes) -> bool:
        return root in self._tables["held_files"]


class MemoryAttachmentsWriter(WriterFacet, MemoryAttachments):
    """Implementation of ``seams.attachments.AttachmentsWriter``."""

    __slots__ = ()

    def put(self, attached: Mapping[bytes, Sequence[Attached]]) -> None:
        for entity, rows in attached.items():
            if rows:
                self._journal.set("attachments", entity, tuple(rows))
            else:
                self._journal.drop("attachments", entity)

    def hold(self, root: bytes) -> None:
        self._journal.set("held_files", root, True)

    def release(self, roots: Collection[bytes]) -> None:
        for root in roots:
            self._journal.drop("held_files", root)

    def drop(self, entities: Sequence[bytes]) -> None:
        """Forget the attachments of some documents."""
        for entity in entities:
            self._journal.drop("attachments", entity)

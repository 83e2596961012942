"""Which files documents refer to, and which are here, in the memory store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

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
        entities = sorted(self._tables["attached"].get(root, ()))
        return [(key, each) for key in entities for each in self._tables["attachments"][key] if each.root == root]

    def missing(self, size_max: int, limit: int, after: tuple[int, bytes] | None = None) -> Sequence[Attached]:
        found = {each.root: each for _, each in reversed([*self.scan()]) if each.size <= size_max}
        lacking = [each for each in found.values() if each.root not in self._tables["held_files"]]
        lacking = [each for each in lacking if after is None or (each.size, each.root) > after]
        return sorted(lacking, key=lambda each: (each.size, each.root))[:limit]

    def totals(self) -> tuple[int, int]:
        return _counted(each for _, each in self.scan())

    def lacking(self) -> tuple[int, int]:
        return _counted(each for _, each in self.scan() if each.root not in self._tables["held_files"])

    def unneeded(self) -> Sequence[bytes]:
        needed = {each.root for _, each in self.scan()}
        return sorted(root for root in self._tables["held_files"] if root not in needed)

    def holds(self, root: bytes) -> bool:
        return root in self._tables["held_files"]


class MemoryAttachmentsWriter(WriterFacet, MemoryAttachments):
    """Implementation of ``seams.attachments.AttachmentsWriter``."""

    __slots__ = ()

    def put(self, attached: Mapping[bytes, Sequence[Attached]]) -> None:
        for entity, rows in attached.items():
            self._put(entity, tuple(rows))

    def hold(self, root: bytes) -> None:
        self._journal.set("held_files", root, True)

    def release(self, roots: Collection[bytes]) -> None:
        for root in roots:
            self._journal.drop("held_files", root)

    def drop(self, entities: Sequence[bytes]) -> None:
        """Forget the attachments of some documents."""
        for entity in entities:
            self._put(entity, ())

    def _put(self, entity: bytes, rows: tuple[Attached, ...]) -> None:
        roots, roots_before = {each.root for each in rows}, {each.root for each in self.of(entity)}
        for root in roots ^ roots_before:
            entities = self._tables["attached"].get(root, frozenset()) ^ {entity}
            if entities:
                self._journal.set("attached", root, entities)
            else:
                self._journal.drop("attached", root)
        if rows:
            self._journal.set("attachments", entity, rows)
        else:
            self._journal.drop("attachments", entity)


def _counted(among: Iterable[Attached]) -> tuple[int, int]:
    """Return how many files there are among some attachments, and their size: the least, should somebody have lied."""
    sizes = {each.root: each.size for each in sorted(among, key=lambda each: -each.size)}
    return len(sizes), sum(sizes.values())

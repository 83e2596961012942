"""Inner objects: what a manifest names not itself, but by an index of attached files or by an image that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from edda_sync.backup import image as images
from edda_sync.backup.manifest import Manifest, Ref
from edda_sync.backup.packs import read_index
from edda_sync.backup.repository import Repository


class Inner:
    """
    The inner objects of the backups at one target. Each index and image is read once, since most backups name the same.

    Args:
        repository: The target.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[Ref, tuple[Ref, ...]] = {}

    def of(self, backup: Manifest) -> Iterator[Ref]:
        """
        Yield the inner objects of a backup.

        Raises:
            BackupError: An index or image is missing or damaged.
        """
        for index in backup.packs:
            yield from self._look(index, lambda ref: (pack for pack, _ in read_index(self._repository, ref).entries))
        if backup.image is not None:
            yield from self._look(backup.image.ref, lambda ref: images.read(self._repository, ref).pages)

    def _look(self, ref: Ref, read: Callable[[Ref], Iterable[Ref]]) -> tuple[Ref, ...]:
        if ref not in self._known:
            self._known[ref] = tuple(read(ref))
        return self._known[ref]

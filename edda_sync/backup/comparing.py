"""
Comparing a store with what a backup of it holds: which tasks and documents are different, and in what.

Both are stores. Entities with equal hashes are equal, so only the others are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edda_sync.crdt.attachments import GROUP
from edda_sync.crdt.keys import kind_and_id
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreReader
from edda_sync.words.listed import Tag
from edda_sync.words.model import Item, Task
from edda_sync.words.values import id_text

_DERIVED: Final = ("id", "created_at", "updated_at", "version", "_base")


class How(StrEnum):
    """How a task or document of a backup and of the store differ."""

    MISSING = "missing here"  # the store has never had it, or has lost it
    DELETED = "in the trash here"
    CHANGED = "different here"
    ONLY_HERE = "not in the backup"  # it is newer, or was in the trash then
    MERGED = "gets changes that are missing here"  # and that come with what a backup brings back
    DELETED_THEN = "was deleted, which is missing here"


@dataclass(frozen=True, slots=True)
class Difference:
    """
    A task or document that is not the same in a backup and in the store.

    Attributes:
        kind, id: Which.
        how: How they differ.
        then, now: What it is in the backup and here; None where it is not shown.
        fields: The names of the fields that differ, with ``links`` and ``files``.
        attached: The attachments of a document that it has in the backup and not here: the id and record of each.
        detached: The ids of those that it has only here.
    """

    kind: str
    id: str
    how: How
    then: Item | None
    now: Item | None
    fields: tuple[str, ...] = ()
    attached: tuple[tuple[str, bytes], ...] = ()
    detached: tuple[str, ...] = ()

    @property
    def is_missing(self) -> bool:
        """Whether the backup shows it, or something that is attached to it, and the store does not."""
        return self.then is not None and (self.now is None or bool(self.attached))

    @property
    def title(self) -> str:
        """Its title, for a person."""
        shown = self.now or self.then
        return "" if shown is None else shown.title


def differences(backup: StorageEngine, store: StorageEngine) -> Iterator[Difference]:
    """
    Yield the tasks and documents that are shown differently in a backup and in a store, in the order of their keys.

    Args:
        backup: A store that holds what the backup holds.
        store: The store.
    """
    with backup.snapshot() as before, store.snapshot() as here:
        for key in _differing(before, here):
            kind, entity = kind_and_id(key)
            if kind in ("task", "document"):
                then, now = _attached(before, key), _attached(here, key)
                found = _difference(
                    backup, store, kind, id_text(entity), then, now, is_known=key in here.states.get([key])
                )
                if found is not None:
                    yield found


def tags_lacking(backup: StorageEngine, store: StorageEngine) -> list[Tag]:
    """Return the tags of a backup that a store lacks, or shows with another name, colour or description."""
    here = {each.id: each for each in store.tags()}
    return [each for each in backup.tags() if not _covers(here.get(each.id), each)]


def _covers(now: Tag | None, then: Tag) -> bool:
    """Tell whether a tag shows all that it showed. A colour or description that it got later stays."""
    if now is None or now.name != then.name:
        return False
    return then.color in (None, now.color) and then.description in (None, now.description)


def _differing(before: StoreReader, here: StoreReader) -> Iterator[bytes]:
    """Yield the keys of the entities whose hashes are not equal, in order."""
    one, other = (((each.key, each.hash) for each in reader.states.scan()) for reader in (before, here))
    left, right = next(one, None), next(other, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None, "one of the two is left"
            yield left[0]
            left = next(one, None)
        elif left is None or right[0] < left[0]:
            yield right[0]
            right = next(other, None)
        else:
            if left[1] != right[1]:
                yield left[0]
            left, right = next(one, None), next(other, None)


def _attached(reader: StoreReader, key: bytes) -> dict[str, bytes]:
    """Return the attachments of a document: the record of each, by its id."""
    return {each.cell.removeprefix(GROUP): each.record for each in reader.attachments.of(key)}


def _difference(
    backup: StorageEngine,
    store: StorageEngine,
    kind: str,
    item_id: str,
    files_then: Mapping[str, bytes],
    files_now: Mapping[str, bytes],
    *,
    is_known: bool,
) -> Difference | None:
    then, now = backup.reading.get(kind, item_id), store.reading.get(kind, item_id)
    if then is None and now is None:
        return None
    if then is None:
        return Difference(kind, item_id, How.ONLY_HERE, None, now)
    attached = tuple((name, record) for name, record in files_then.items() if name not in files_now)
    detached = tuple(name for name in files_now if name not in files_then)
    if now is None:
        how = How.DELETED if is_known else How.MISSING
        return Difference(kind, item_id, how, then, None, (), attached, detached)
    fields = [name for name in _fields(then) if getattr(then, name) != getattr(now, name)]
    if isinstance(then, Task) and _links(backup, item_id) != _links(store, item_id):
        fields.append("links")
    if attached or detached:
        fields.append("files")
    return Difference(kind, item_id, How.CHANGED, then, now, tuple(fields), attached, detached) if fields else None


def _fields(item: Item) -> list[str]:
    return [name for name in item.__dataclass_fields__ if name not in _DERIVED]


def _links(engine: StorageEngine, task_id: str) -> set[tuple[str, str]]:
    return {(link.document_id, link.relationship_type) for link in engine.links(task_id=task_id)}

"""Bringing along: what a store holds is created in the store of another workspace, under the same ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.transaction import Transaction
from edda_sync.imports.batches import batches, text_length
from edda_sync.imports.order import parents_first
from edda_sync.words import limits
from edda_sync.words.errors import DamagedFileError, FileNotHereError
from edda_sync.words.listed import Link, Tag
from edda_sync.words.model import Document, Item, Task
from edda_sync.words.query import DocumentQuery, TaskQuery

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Brought:
    """
    How much was brought along.

    Attributes:
        tasks, documents: How many of those that were shown.
        known: How many items stayed as the workspace has them, because it knew their ids.
        trash: How many tasks and documents of the trash. They are in the trash again.
        lost: How many attached files could not come along, since their content is not, or not whole, on this device.
    """

    tasks: int
    documents: int
    known: int
    trash: int = 0
    lost: int = 0


def bring(old: StorageEngine, new: StorageEngine) -> Brought:
    """
    Create what one store shows, and what is in its trash, in another one, under the same ids.

    It is written in several transactions (``imports.batches``), parents first, so that no device waits long for any of
    them. Whatever ends it midway, the old store stays as it is, and what is in its trash is not shown in the new one.

    Args:
        old: The store to copy from; it is only read.
        new: The store to copy to. Items that it already has stay as they are, unless they are in the trash there only.
    """
    tasks: list[Item] = [*parents_first(old.query_tasks(TaskQuery()), lambda task: task)]
    documents: list[Item] = [*old.query_documents(DocumentQuery())]
    known = {task.id for task in new.query_tasks(TaskQuery())}
    known |= {document.id for document in new.query_documents(DocumentQuery())}
    trash = {item.id for kind in ("task", "document") for item in new.trash(kind)}
    tags = {tag.id for tag in new.tags()}
    overfull = {entity_id for _, entity_id in new.reading.overfull()}  # nothing can be written into these
    shown, known, tags = known - overfull, known | overfull, tags | overfull
    doomed = _deleted(old, known | trash, shown | {item.id for item in (*tasks, *documents)})
    linked = {(link.task_id, link.document_id) for link in new.links()}

    def write(write_one: Callable[[Transaction, T], object], what: Iterable[T], length: Callable[[T], int]) -> None:
        for batch in batches([*what], length):
            new.transact(partial(_each, write_one, batch), reason="brought along")

    write(_create_tag, (tag for tag in old.tags() if tag.id not in tags), lambda _: 0)
    created, attached = _unknown([*tasks, *documents], known), _Attached(old, new)
    write(lambda tx, item: _create(tx, item, attached, item.id in trash), created, text_length)
    for some in _together(doomed):
        if len(some) <= limits.BULK_ITEMS_MAX:
            new.transact(partial(_create_deleted, some, attached), reason="brought along")
        else:  # one task with so many below it: they are shown until the last one is here
            write(lambda tx, item: _create(tx, item, attached), some, text_length)
            write(_delete, some, lambda _: 0)
    links = (link for link in old.links() if (link.task_id, link.document_id) not in linked)
    write(_link, links, lambda _: 0)
    counts = [sum(1 for _ in _unknown(items, known)) for items in (tasks, documents)]
    return Brought(counts[0], counts[1], len(tasks) + len(documents) - sum(counts), len(doomed), len(attached.lost))


class _Attached:
    """
    Attaches what is attached to documents of one store to the same documents of another one.

    Attributes:
        lost: Ids of the attachments that could not come along.
    """

    def __init__(self, old: StorageEngine, new: StorageEngine) -> None:
        self._old, self._new = old, new
        self.lost: set[str] = set()

    def bring(self, tx: Transaction, document: Document) -> None:
        """Attach what the document of the new store, which may have come out of the trash, does not have."""
        there = {each.name for each in self._new.attachments(document.id)}
        for each in self._old.attachments(document.id):
            if each.name in there:
                continue
            try:
                with self._old.reading.files.stream(each) as stream:
                    tx.attach(document.id, stream, name=each.name, content_type=each.content_type)
            except (FileNotHereError, DamagedFileError):
                self.lost.add(each.id)


def _each(write_one: Callable[[Transaction, T], object], batch: Iterable[T], tx: Transaction) -> None:
    for each in batch:
        write_one(tx, each)


def _create_tag(tx: Transaction, tag: Tag) -> None:
    tx.create_tag(tag.name, tag.color, tag.description)


def _create_deleted(items: Sequence[Item], attached: _Attached, tx: Transaction) -> None:
    for item in items:
        _create(tx, item, attached)
    for item in items:
        _delete(tx, item)


def _together(items: Sequence[Item]) -> Iterator[list[Item]]:
    """
    Yield items, each task together with all that are below it, because none can be created below a deleted one.

    Args:
        items: The items, each after its parent.
    """
    families: dict[str, list[Item]] = {}  # by item; a task's is that of its parent
    for item in items:
        families[item.id] = family = families.get(item.parent_id or "", []) if isinstance(item, Task) else []
        family.append(item)
    batch: list[Item] = []
    length = 0
    for family in [each for item, each in families.items() if each[0].id == item]:
        more = sum(map(text_length, family))
        if batch and (len(batch) + len(family) > limits.BULK_ITEMS_MAX or length + more > limits.BULK_CODE_POINTS_MAX):
            yield batch
            batch, length = [], 0
        batch += family
        length += more
    if batch:
        yield batch


def _delete(tx: Transaction, item: Item) -> None:
    (tx.delete_task if isinstance(item, Task) else tx.delete_document)(item.id)


def _link(tx: Transaction, link: Link) -> None:
    tx.link(link.task_id, link.document_id, link.relationship_type)


def _deleted(old: StorageEngine, known: set[str], shown: set[str]) -> list[Item]:
    """
    Return what is in a store's trash and is not known, each after its parent; one whose parent will not be there has none.

    Args:
        old: The store.
        known: Ids that are left out.
        shown: Ids of what will be shown where they go.
    """
    tasks = [item for item in old.trash("task") if isinstance(item, Task) and item.id not in known]
    there = shown | {task.id for task in tasks}
    for task in tasks:
        if task.parent_id not in there:
            task.parent_id = None
    documents = [item for item in old.trash("document") if item.id not in known]
    return [*parents_first(tasks, lambda task: task), *documents]


def _unknown(items: Iterable[Item], known: set[str]) -> Iterator[Item]:
    return (item for item in items if item.id not in known)


def _create(tx: Transaction, item: Item, attached: _Attached, in_trash: bool = False) -> None:
    fresh = replace(item, _base=None)  # it was read from another store than the one it goes to
    if isinstance(fresh, Task):
        if in_trash:
            tx.restore_task(fresh.id)
            tx.update_task(fresh)
        else:
            tx.create_task(fresh)
        return
    if in_trash:
        tx.restore_document(fresh.id)
        tx.update_document(fresh)
    else:
        tx.create_document(fresh)
    attached.bring(tx, fresh)

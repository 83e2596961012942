"""
Restoring into a store that lives on: as new changes, which sync like any others and can be taken back.

Two things are offered. *Bringing back what is missing* takes from the trash what the backup shows, and leaves everything
else as it is. *Making the backup the truth* gives every task and document the values that it had then, and moves what is
newer to the trash. Neither makes the store forget anything: devices that were away merge with it as always.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from typing import Final, TypeVar

from edda_sync.backup.comparing import Difference, How
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.transaction import Transaction
from edda_sync.words.listed import Tag
from edda_sync.words.model import Document, Item, Task

T = TypeVar("T")

_AT_ONCE: Final = (
    1_000  # tasks and documents in one change: each change is seen whole, and a huge one would block others
)


def bring_back(backup: StorageEngine, store: StorageEngine, found: Sequence[Difference], reason: str) -> int:
    """
    Bring back what a backup shows and a store does not; return how many tasks and documents that were.

    What lies in the trash comes from there, and what a document lacks of its attachments is attached again. What is not
    known here at all is made anew, under its id: should its own changes come one day, they merge with that.

    Args:
        backup: A store that holds what the backup holds.
        store: The store.
        found: The differences from the backup.
        reason: Why, for the history.
    """
    wanted = [each for each in found if each.is_missing]
    hidden = {
        kind: store.reading.in_trash(kind, [each.id for each in wanted if each.kind == kind])
        for kind in ("task", "document")
    }
    trash = [each for each in wanted if each.id in hidden[each.kind]]
    unknown = [
        each for each in wanted if each.id not in hidden[each.kind] and store.reading.get(each.kind, each.id) is None
    ]
    for group in _groups(trash):
        with store.begin_transaction(reason=reason) as tx:
            for each in group:
                _take_from_trash(tx, each)
    for group in _groups(unknown):
        with store.begin_transaction(reason=reason) as tx:
            for each in group:
                _make(tx, each)
    _attach(store, wanted, reason)
    _complete(backup, store, unknown, reason)
    return len(wanted)


def make_true(
    backup: StorageEngine, store: StorageEngine, compare: Callable[[], Sequence[Difference]], reason: str
) -> int:
    """
    Give every task and document the values of a backup; return how many were changed.

    Args:
        backup: A store that holds what the backup holds.
        store: The store.
        compare: Returns the present differences between the two.
        reason: Why, for the history.
    """
    found = compare()
    bring_back(backup, store, found, reason)
    newer = [each for each in found if each.how is How.ONLY_HERE]
    for group in _groups(newer):
        with store.begin_transaction(reason=reason) as tx:
            for each in group:
                (tx.delete_task if each.kind == "task" else tx.delete_document)(each.id)
    changed = {(each.kind, each.id) for each in found if each.how is not How.ONLY_HERE}
    # What leaves the trash shows in others, too: what was put under it, or linked to it, since the backup, is so again.
    tried = set[tuple[str, tuple[str, ...]]]()  # a parent that is gone for good stays a difference
    while left := [each for each in compare() if each.how is How.CHANGED and (each.id, each.fields) not in tried]:
        _complete(backup, store, left, reason)
        tried |= {(each.id, each.fields) for each in left}
        changed |= {(each.kind, each.id) for each in left}
    return len(changed) + len(newer)


def bring_tags(store: StorageEngine, tags: Sequence[Tag], reason: str) -> None:
    """Give tags the names, colours and descriptions that they had in a backup."""
    for group in _groups(tags):
        with store.begin_transaction(reason=reason) as tx:
            for each in group:
                tx.create_tag(each.name, each.color, each.description)


def _complete(backup: StorageEngine, store: StorageEngine, found: Sequence[Difference], reason: str) -> None:
    """Give tasks and documents that are here the values that they had in a backup."""
    for group in _groups(found):
        with store.begin_transaction(reason=reason) as tx:
            for each in group:
                assert each.then is not None, "the backup shows it"
                _give(tx, each.then)
                if isinstance(each.then, Task):
                    _link(tx, backup, store, each.id)
                for attachment in each.detached:
                    tx.detach(each.id, attachment)


def _attach(store: StorageEngine, found: Sequence[Difference], reason: str) -> None:
    """Attach again what documents lack of their attachments. Their content comes back by itself, where it is not here."""
    for group in _groups([each for each in found if each.attached]):
        with store.begin_transaction(reason=reason) as tx:
            for each in group:
                here = {attachment.id for attachment in store.attachments(each.id)}
                for attachment, record in each.attached:
                    if attachment not in here:
                        tx.reattach(each.id, attachment, record)


def _groups(found: Sequence[T]) -> Sequence[Sequence[T]]:
    return [found[at : at + _AT_ONCE] for at in range(0, len(found), _AT_ONCE)]


def _take_from_trash(tx: Transaction, each: Difference) -> None:
    (tx.restore_task if each.kind == "task" else tx.restore_document)(each.id)


def _make(tx: Transaction, each: Difference) -> None:
    """Make what is not known here. Its parent and links follow, once everything is there that they may lead to."""
    item = copy(each.then)
    if isinstance(item, Task):
        item.parent_id = None
        tx.create_task(item)
    elif isinstance(item, Document):
        tx.create_document(item)


def _give(tx: Transaction, then: Item) -> None:
    """Give a task or document the values that it had in a backup. Only what differs is written."""
    if isinstance(then, Task):
        task = tx.get_task(then.id)
        assert task is not None, "it is shown by now"
        task.title, task.description, task.priority = then.title, then.description, then.priority
        task.due_date, task.tags = then.due_date, set(then.tags)
        if then.parent_id is None or tx.get_task(then.parent_id) is not None:  # it may be gone, and not be wanted
            task.parent_id = then.parent_id
        task.metadata, task.agent_context = deepcopy(then.metadata), deepcopy(then.agent_context)
        if (task.status, task.completed_at) != (then.status, then.completed_at):
            task.status, task.completed_at = then.status, then.completed_at
        tx.update_task(task)
    else:
        document = tx.get_document(then.id)
        assert isinstance(document, Document), "it is shown by now"
        document.title, document.content, document.tags = then.title, then.content, set(then.tags)
        document.content_type, document.doc_type = then.content_type, then.doc_type
        document.metadata, document.agent_context = deepcopy(then.metadata), deepcopy(then.agent_context)
        tx.update_document(document)


def _link(tx: Transaction, backup: StorageEngine, store: StorageEngine, task_id: str) -> None:
    """Give a task the links that it had in a backup. A link to a document that is gone for good is left out."""
    then = {link.document_id: link.relationship_type for link in backup.links(task_id=task_id)}
    now = {link.document_id: link.relationship_type for link in store.links(task_id=task_id)}
    for document, kind in then.items():
        if now.get(document) != kind and tx.get_document(document) is not None:
            tx.link(task_id, document, kind)
    for document in now.keys() - then.keys():
        tx.unlink(task_id, document)

"""Recorded: the specification's operations of a transaction, as it was asked for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from edda_sync.changes.drafts import Draft, Put
from edda_sync.engine.items import item_with
from edda_sync.words import values
from edda_sync.words.model import UNSET, Item, Task

if TYPE_CHECKING:
    from edda_sync.words.operations import TransactionOperation


class Recorded:
    """The operations of one transaction. What they hold is made only if somebody asks for it, with :meth:`listed`."""

    def __init__(self) -> None:
        self._done: list[int | Callable[[], TransactionOperation]] = []  # a number is that of a creation's draft

    def created(self, number: int) -> None:
        """Note that an item is created, by the draft with this number."""
        self._done.append(number)

    def updated(self, item: Item) -> None:
        """Note that an item is updated, with the fields that it has now."""
        self._done.append(partial(_updated, _copied(item)))

    def deleted(self, kind: str, item_id: str) -> None:
        """Note that an item is deleted."""
        self._done.append(partial(_deleted, kind, item_id))

    def listed(self, drafts: Sequence[Draft]) -> list[TransactionOperation]:
        """Return the operations, in order; ``drafts`` are those of the transaction."""
        return [_created(drafts[done]) if isinstance(done, int) else done() for done in self._done]


def _copied(item: Item) -> Item:
    """Return a copy that stays as it is when the program goes on with the object."""
    held = {name: getattr(item, name) for name in ("metadata", "agent_context", "tags")}
    return replace(item, _base=None, **{name: copy(each) for name, each in held.items() if each is not UNSET})


def _created(draft: Draft) -> TransactionOperation:
    from edda_sync.words.operations import CreateDocument, CreateTask  # rarely asked for

    assert isinstance(draft, Put), "the last draft of a creation has its cells"
    made = item_with(draft.kind, values.id_text(draft.id), draft.cells)
    return CreateTask(made) if isinstance(made, Task) else CreateDocument(made)


def _updated(item: Item) -> TransactionOperation:
    from edda_sync.words.operations import UpdateDocument, UpdateTask

    return UpdateTask(item) if isinstance(item, Task) else UpdateDocument(item)


def _deleted(kind: str, item_id: str) -> TransactionOperation:
    from edda_sync.words.operations import DeleteDocument, DeleteTask

    return DeleteTask(item_id) if kind == "task" else DeleteDocument(item_id)

"""
Composing: turns drafts into operations. Each operation is folded as soon as it is made, so that the next one sees it.

This module makes the decisions that only an author makes: whether a text is begun or edited, which tags are created, what a
deletion covers. The effect of an operation is decided by the fold, for authors and peers alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from edda_sync.changes.chains import names_of
from edda_sync.changes.drafts import Delete, Draft, EditText, Expect, Put, Rewrite, Touch
from edda_sync.crdt import frontier
from edda_sync.crdt import operation as ops
from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Operation
from edda_sync.fold.budget import check_room
from edda_sync.fold.fold import Fold
from edda_sync.ledger import retold
from edda_sync.store.seams import StoreWriter
from edda_sync.words import values
from edda_sync.words.errors import InTrashError, InvalidValueError, NotFoundError
from edda_sync.words.model import TEXT_FIELDS, After, Replacement


class Composer:
    """
    Makes one change's operations.

    Args:
        tx: A transaction of the store.
        fold: A fold of it, in which the change was begun.
        again: Whether everything was acknowledged before. Then a ring of parents, or a full text, is no reason to refuse it.
        keeps: Whether to keep what edited texts contained before and after, so that the words can be written again if their
            base turns out to be false, or is lost.
    """

    def __init__(self, tx: StoreWriter, fold: Fold, *, again: bool = False, keeps: bool = False) -> None:
        self._tx, self._fold, self._again, self._keeps = tx, fold, again, keeps
        self._tagged: set[bytes] = set()

    def operations(self, draft: Draft) -> Iterator[Operation]:
        """
        Yield the operations of a draft, each already folded.

        Raises:
            NotFoundError: It names something that is not here.
            InvalidValueError: A text edit is outside of its text. (If a task would become its own ancestor, the fold's
                next flush raises it.)
            LimitError: A text would be too large, or this life has written as much into an entity as it may.
        """
        fold = self._fold
        if isinstance(draft, Rewrite):
            yield from self._rewrite(draft)
            return
        if isinstance(draft, EditText):
            yield self._edit(draft, rewrite=draft.whole)
            return
        if isinstance(draft, Expect):
            _expect(fold, draft)
            return
        if isinstance(draft, Put):
            cells = draft.cells
            yield from self._tagging(cells)
            operation: Operation = ops.Put(draft.kind, draft.id, cells)
        else:
            operation = self._hide_or_touch(draft)
        fold.write(operation)
        if isinstance(operation, ops.Put) and operation.cells.get("parent_id") and not self._again:
            fold.forbid_ring(operation.id)
        if not self._again:
            fold.uniques.forbid(key_of(operation.kind, operation.id))
        yield operation

    def _tagging(self, cells: dict[str, Any]) -> Iterator[Operation]:
        """Create or touch the tags of a Put: in a draft a tag cell contains the tag's name, in an operation True."""
        entities, names = self._fold.entities, {}
        for cell in [cell for cell in cells if cell.startswith("tag.")]:
            value = cells[cell]
            if isinstance(value, str):
                cells[cell] = True
                tag_id = values.id_bytes("tags", cell[4:])
                if tag_id not in self._tagged:
                    names[tag_id] = value
        if not names:
            return
        entities.load([key_of("tag", tag_id) for tag_id in names])
        self._tagged.update(names)
        for tag_id, name in names.items():
            tag = entities.existing("tag", tag_id)
            made: Operation = ops.Touch("tag", tag_id)
            if tag is None or "name" not in tag.cells:
                made = ops.Put("tag", tag_id, {"created_at": OWN_TIME, "name": name})
            self._fold.write(made)
            yield made

    def _rewrite(self, draft: Rewrite) -> Iterator[Operation]:
        entity = visible(self._fold, draft.kind, draft.id)
        current = self._reads(entity, self._shown(entity))
        if draft.new == current:
            return
        if draft.new is None or current is None:
            yield self._start(entity, draft.new)
            return
        from edda_sync.crdt.text.diff import diff, rebase

        edits = diff(draft.base or "", draft.new)
        if draft.base != current:
            edits = rebase(edits, draft.base or "", current)
        if edits:
            yield self._edit(EditText(draft.kind, draft.id, tuple(edits)), rewrite=True)

    def _edit(self, draft: EditText, *, rewrite: bool = False) -> Operation:
        entity = visible(self._fold, draft.kind, draft.id)
        shown = self._shown(entity)
        edits: Sequence[Replacement] = draft.edits
        if draft.base is not None:  # otherwise the text, which may be long, is not needed
            base, current = draft.base(), self._reads(entity, shown) or ""
            if base != current:
                from edda_sync.crdt.text.diff import rebase

                edits = rebase(list(edits), base, current)
        if shown is None:  # the first words of an empty field are its start
            return self._start(entity, _written(edits, TEXT_FIELDS[draft.kind]))
        genesis = shown if isinstance(shown, bytes) else self._fold.texts.genesis(entity, shown)
        return self._made(entity, genesis, edits, rewrite=rewrite, after=draft.after)

    def _shown(self, entity: Entity) -> str | bytes | None:
        """
        Return the text that this change edits, as its cell says it.

        That is the shown text, or else the one that this change edited before. Another text, with a greater clock, may be
        shown after that edit, but a change writes only one text of a field.
        """
        field, dot = TEXT_FIELDS[entity.kind], self._fold.change.dot
        own = [write[3] for write in entity.cells.get(field, ()) if write[:2] == dot]
        shown: str | bytes | None = own[0] if own else entity.value(field)
        return shown

    def _reads(self, entity: Entity, shown: str | bytes | None) -> str | None:
        """Return the content of a text."""
        return self._fold.texts.readable(self._fold.view, entity, TEXT_FIELDS[entity.kind], shown)

    def _made(
        self, entity: Entity, genesis: bytes, edits: Sequence[Replacement], *, rewrite: bool, after: After = ()
    ) -> Operation:
        fold, field = self._fold, TEXT_FIELDS[entity.kind]
        key = (entity.key, field, genesis)
        before = fold.texts.string(fold.view, entity, genesis) if self._keeps else ""
        edit, pieces = fold.texts.edit(
            fold.view, entity, genesis, fold.change.dot, fold.change.deps, edits, after,
            rewrite=rewrite, merging=self._again,
        )  # fmt: skip
        fold.write_edit(entity, field, genesis, pieces, len(edit))
        if self._keeps:
            shown = fold.texts.document(fold.view, key).string()
            retold.keep(self._tx, fold.change.position, entity.key, before, edits, shown)
        return ops.Edit(entity.kind, entity.id, field, genesis, edit)

    def _start(self, entity: Entity, start: str | None) -> Operation:
        """Start a text, or clear it. A text with this start that was edited before is brought back to it by edits."""
        fold, field = self._fold, TEXT_FIELDS[entity.kind]
        if start is not None:
            genesis = fold.texts.genesis(entity, start)
            key = (entity.key, field, genesis)
            if fold.view.text(key) is not None:
                from edda_sync.crdt.text.diff import diff

                edits = diff(fold.texts.document(fold.view, key).string(), start)
                if edits:
                    return self._made(entity, genesis, edits, rewrite=True)
        operation = ops.Put(entity.kind, entity.id, {field: start})
        fold.write(operation)
        return operation

    def _hide_or_touch(self, draft: Delete | Touch) -> Operation:
        if isinstance(draft, Delete):
            fold = self._fold
            seen = names_of(fold.reader).written_as(visible(fold, draft.kind, draft.id).touched, fold.change.past)
            return ops.Delete(draft.kind, draft.id, tuple(frontier.to_pairs(seen)))
        if self._fold.entities.existing(draft.kind, draft.id) is None:
            raise NotFoundError(draft.kind, values.id_text(draft.id))
        return ops.Touch(draft.kind, draft.id)


def visible(fold: Fold, kind: str, entity_id: bytes) -> Entity:
    """
    Return a visible entity of a kind.

    Raises:
        NotFoundError: There is none.
        InTrashError: It was deleted.
        LimitError: It is overfull.
    """
    entity = fold.entities.existing(kind, entity_id)
    if entity is None:
        check_room(fold.entities.get(key_of(kind, entity_id)))
        raise NotFoundError(kind, values.id_text(entity_id))
    if entity.hidden:
        in_trash = kind in ("task", "document")  # a deleted tag does not exist any more
        raise (InTrashError if in_trash else NotFoundError)(kind, values.id_text(entity_id))
    return entity


def _expect(fold: Fold, draft: Expect) -> None:
    if draft.present:
        visible(fold, draft.kind, draft.id)
    elif fold.entities.existing(draft.kind, draft.id) is not None:
        raise InvalidValueError("id", f"is that of a {draft.kind} that exists already", values.id_text(draft.id))


def _written(edits: Iterable[Replacement], field: str) -> str:
    """Return the result of edits of an empty text."""
    text = ""
    for at, deleted, inserted in edits:
        if not 0 <= at <= len(text) or not 0 <= deleted <= len(text) - at:
            raise InvalidValueError(field, f"has no position {at:,}", at)
        text = text[:at] + inserted + text[at + deleted :]
    return values.text(field, text)

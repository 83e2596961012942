"""Applying: what a checked operation does to its entity and its text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edda_sync.changes.chains import Chains
from edda_sync.crdt import cells
from edda_sync.crdt.cells import Write
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.operation import Delete, Edit, Operation, Put, Touch
from edda_sync.fold.budget import check_room
from edda_sync.fold.checks import Checks
from edda_sync.fold.current import NO_CHANGE, Current
from edda_sync.fold.deletions import Deletions
from edda_sync.fold.entities import Entities
from edda_sync.fold.projector import Became, Projector
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.words.errors import InvalidValueError, LimitError, RefusedTextError
from edda_sync.words.model import TEXT_FIELDS

if TYPE_CHECKING:
    from edda_sync.crdt.text.edits import TextEdit


class Applying:
    """
    Applies operations to the entities and texts of a fold. Each call is about the change that was last begun.

    Args:
        view, entities, texts, projector, checks, deletions: The fold's.
    """

    def __init__(
        self,
        view: View,
        entities: Entities,
        texts: Texts,
        projector: Projector,
        checks: Checks,
        deletions: Deletions,
    ) -> None:
        self._view, self._entities, self._texts = view, entities, texts
        self._projector, self._checks, self._deletions = projector, checks, deletions
        self._change: Current = NO_CHANGE
        self._chains: Chains | None = None
        self._written_void: dict[bytes, bytes | None] = {}  # by a void change: the text that an entity's field contains

    def begin(self, change: Current) -> None:
        """Start a change."""
        self._change = change
        self._chains = None  # depends on this change, because one before it may have begun a branch
        self._written_void = {}

    def pay(self, one: Operation, size: int) -> Entity:
        """
        Apply an operation within its author's budget, and return its entity. A refused operation costs nothing.

        Args:
            one: The operation, which was checked.
            size: The number of bytes that a Put writes.

        Raises:
            LimitError: Its author has written as much into the entity as one life may.
            RefusedTextError: The text refuses the edit; nothing has changed.
        """
        entity, chain = self._entities.of(one.kind, one.id), self._change.chain
        if entity.overfull:
            check_room(entity)  # a peer's operations have no effect on it, and do not come here
        if isinstance(one, Put):
            entity.charge(chain, len(one.cells), size)
        elif isinstance(one, Edit):
            edit = self._texts.decode(one.edit)
            entity.charge(chain, edit.pieces, len(one.edit))
            try:
                self._edit(entity, one, edit)
            except RefusedTextError:
                entity.refund(chain[-1], edit.pieces, len(one.edit))
                raise
            return entity
        self.apply(entity, one)
        return entity

    def apply(self, entity: Entity, one: Put | Delete | Touch) -> None:
        """Apply an operation that is known to be valid."""
        change = self._change
        if isinstance(one, Put):
            self._put(entity, one.cells)
            if entity.kind == "tag":
                self._deletions.answered(entity, change)
        elif isinstance(one, Delete):
            self._chains = self._chains or Chains(self._view.reader)
            if seen := self._chains.pairs(one.seen, change.past):
                entity.delete(seen)
                self._deletions.deleted(entity, change)
            self._projector.note(entity.key, Became.SHOWN, ())
            return
        else:  # every change that uses a tag touches it, without a visible effect
            same = one.kind == "tag" and self._entities.was_visible(entity.key)
            self._projector.note(entity.key, Became.TOUCHED if same else Became.SHOWN, ())
            self._deletions.answered(entity, change)
        entity.touch(change.actor, change.seq)

    def _put(self, entity: Entity, written: Mapping[str, Any]) -> None:
        self._projector.note(entity.key, Became.SHOWN, written)
        text_field, change = TEXT_FIELDS.get(entity.kind), self._change
        actor, seq, wall, past = change.actor, change.seq, change.wall_ms, change.past
        if not entity.cells:  # the entity is new, the usual case
            entity.cells = {name: [(actor, seq, wall, value)] for name, value in written.items()}
            return
        for name, value in written.items():
            if name == text_field and name in entity.cells:
                # A concurrent edit still needs the starts that this write replaces.
                self._texts.keep_starts(self._view, entity, name, past)
                if isinstance(value, str):
                    self._texts.started(self._view, entity, name, value, (actor, seq))
            entity.put(name, (actor, seq, wall, value), past)

    def _edit(self, entity: Entity, one: Edit, edit: TextEdit) -> None:
        if one.field != TEXT_FIELDS.get(entity.kind):
            raise RefusedTextError("it edits a field that is no text")
        dot, siblings = self._change.dot, entity.cells.get(one.field, [])
        if any(write[:2] == dot and not self._reads(entity, write, one.genesis) for write in siblings):
            raise RefusedTextError(
                "its change writes another text of the same field"
            )  # a cell holds one write of each change
        self._texts.apply(self._view, entity, one, edit, dot, self._change.deps)
        self.note_edit(entity, one.field, one.genesis)

    def note_edit(self, entity: Entity, field: str, genesis: bytes) -> None:
        """Write the cell of an edited text. An edit replaces the same text, and an empty one, if its author saw them."""
        change, siblings = self._change, entity.cells.get(field, [])
        kept = [
            write
            for write in siblings
            if write[1] > change.past.get(write[0], 0) or not self._reads(entity, write, genesis)
        ]
        shown_before = cells.visible(siblings)[3] if siblings else None
        own = (change.actor, change.seq, change.wall_ms, genesis)
        entity.cells[field] = sorted((*kept, own), key=lambda w: (w[0], w[1])) if kept else [own]
        entity.touch(change.actor, change.seq)
        same = shown_before is not None and self._genesis(entity, shown_before) == genesis
        seen = same and self._entities.was_visible(entity.key)
        self._projector.note(entity.key, Became.EDITED if seen else Became.SHOWN, (field,))

    def _reads(self, entity: Entity, write: Write, genesis: bytes) -> bool:
        """Tell whether a write of a text cell stands for an empty text, or for the text of this genesis."""
        return write[3] is None or self._genesis(entity, write[3]) == genesis

    def _genesis(self, entity: Entity, value: str | bytes) -> bytes:
        return value if isinstance(value, bytes) else self._texts.genesis(entity, value)

    def keep_void(self, one: Put | Edit) -> None:
        """Keep the places of what a void change wrote into a text; what would be refused has no place."""
        entity, field = self._entities.of(one.kind, one.id), TEXT_FIELDS.get(one.kind, "")
        change, written = self._change, self._written_void
        try:
            if isinstance(one, Edit):
                if one.field != field or written.get(entity.key, one.genesis) not in (None, one.genesis):
                    return
                edit = self._texts.decode(one.edit)
                self._texts.apply(self._view, entity, one, edit, change.dot, change.deps, void=True)
                written[entity.key] = one.genesis
            elif field in one.cells:
                self._checks.put(change, one)
                start = one.cells[field]
                written[entity.key] = None if start is None else self._genesis(entity, start)
                if start is not None:
                    self._texts.started_void(self._view, entity, field, start, change.dot)
        except (InvalidValueError, LimitError, RefusedTextError):
            return

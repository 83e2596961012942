"""Pending: a reader with uncommitted drafts on top, as one view: what a commit of the drafts would show."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

from edda_sync.changes.drafts import Delete, Draft, EditText, Put, Rewrite, Touch
from edda_sync.crdt import rows
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.engine.drafting import Drafts
from edda_sync.engine.items import blank_item, item_of_row, matches_item, set_cells
from edda_sync.engine.matching import matching
from edda_sync.engine.reading import tag_names
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.errors import NotFoundError
from edda_sync.words.model import TEXT_FIELDS, Item, remember_base
from edda_sync.words.query import Plan, Query, in_order, plan

Look = Callable[[str, bytes], None]
"""Called with the kind and id of each entity that is read."""


class _Made:
    """An item to which some drafts were applied, and how many."""

    __slots__ = ("drafts", "item")

    def __init__(self, drafts: int, item: Item | None) -> None:
        self.drafts, self.item = drafts, item


class Pending:
    """
    One fixed state of a store, with drafts on top.

    Args:
        reader: The state.
        drafts: The drafts; more may be added later.
        look: Called with each entity that is read.
    """

    def __init__(self, reader: StoreReader, drafts: Drafts, look: Look) -> None:
        self.reader, self._drafts, self._look = reader, drafts, look
        self._made: dict[bytes, _Made] = {}  # items with drafts applied; nobody else has these objects
        self._taken_back = 0

    def item(self, kind: str, entity: bytes) -> Item | None:
        """Return a task or document; None if there is none, or it is in the trash."""
        self._look(kind, entity)
        key = key_of(kind, entity)
        if self._drafts.taken_back != self._taken_back:
            self._taken_back = self._drafts.taken_back
            self._made.clear()
        made = self._made.get(key)
        drafts = self._drafts.of(key, 0 if made is None else made.drafts)
        if made is None:
            stored = self._stored_item(kind, entity)
            if not drafts:
                return stored
            made = self._made[key] = _Made(0, stored)
        for draft in drafts:
            made.item = self._with_draft(kind, entity, made.item, draft)
        made.drafts += len(drafts)
        if made.item is None:
            return None
        item = deepcopy(replace(made.item, _base=None))
        remember_base(item)
        return item

    def _stored_item(self, kind: str, entity: bytes) -> Item | None:
        entity_id = values.id_text(entity)
        row = self.reader.tables.row(kind, entity_id)
        if row is None:
            return None
        return item_of_row(kind, row, tag_names(self.reader, kind, [entity_id])[entity_id])

    def text(self, kind: str, entity: bytes) -> str:
        """
        Return the description of a task or the content of a document.

        Raises:
            NotFoundError: There is no such task or document.
        """
        item = self.item(kind, entity)
        if item is None:
            raise NotFoundError(kind, values.id_text(entity))
        return getattr(item, TEXT_FIELDS[kind]) or ""

    def query(self, query: Query) -> list[Item]:
        """Return the tasks or documents that meet a query, in its order."""
        checked = plan(query)
        kind, reader = checked.kind, self.reader
        pending = self._drafts.ids(kind)
        # Items with drafts may move others out of the page, or leave it. So read enough, and cut the page afterwards.
        wide = checked._replace(limit=checked.limit + checked.offset + len(pending), offset=0) if pending else checked
        left_out = {values.id_text(entity) for entity in pending}
        found_rows = [row for row in matching(reader, wide) if row[0] not in left_out]
        names = tag_names(reader, kind, [row[0] for row in found_rows])
        found = [item_of_row(kind, row, names[row[0]]) for row in found_rows]
        for item in found:
            self._look(kind, values.id_bytes("id", item.id))
        if not pending:
            return found
        found += self._matching(checked, pending)
        ordered = in_order(checked, found, lambda item, column: getattr(item, column))
        return ordered[checked.offset : checked.offset + checked.limit]

    def stored(self, kind: str, entity: bytes) -> Entity | None:
        """Return an entity as it is stored, without the drafts."""
        key = key_of(kind, entity)
        record = self.reader.states.get([key]).get(key)
        return None if record is None else entity_of(key, record.state)

    def _matching(self, checked: Plan, pending: list[bytes]) -> list[Item]:
        linked = (
            {row[1] for row in self.reader.edges.links_of(checked.linked_from, None)} if checked.linked_from else set()
        )
        items = (self.item(checked.kind, entity) for entity in pending)
        return [item for item in items if item is not None and matches_item(checked, item, item.id in linked)]

    def _with_draft(self, kind: str, entity: bytes, item: Item | None, draft: Draft) -> Item | None:
        """Return an item with a draft applied."""
        if isinstance(draft, Delete):
            return None
        if isinstance(draft, Touch):
            return item if item is not None else self._from_trash(kind, entity)
        if isinstance(draft, Put):
            item = item if item is not None else blank_item(kind, values.id_text(entity))
            set_cells(item, draft.cells)
        elif isinstance(draft, (Rewrite, EditText)) and item is not None:
            field = TEXT_FIELDS[kind]
            setattr(item, field, _with_text_draft(getattr(item, field) or "", draft))
        return item

    def _from_trash(self, kind: str, entity: bytes) -> Item | None:
        reader, state = self.reader, self.stored(kind, entity)
        if state is None:
            return None
        tags, parent_id = [], None
        for edge in rows.edges_of(state):
            target = values.id_text(edge.target)
            if edge.cell.startswith("tag.") and (tag := reader.tables.row("tag", target)) is not None:
                tags.append(tag[1])
            elif edge.cell == "parent_id" and reader.tables.row("task", target) is not None:
                parent_id = target
        return item_of_row(kind, rows.row_of(state, Texts().text_of(View(reader), state), parent_id), tags)


def _with_text_draft(text: str, draft: Rewrite | EditText) -> str | None:
    """Return a text with a draft applied."""
    from edda_sync.crdt.text.diff import apply_edits, diff, rebase  # only needed by those who read a changed text

    if isinstance(draft, EditText):
        return apply_edits(text, list(draft.edits))
    if draft.new is None:
        return None
    base = draft.base or ""
    return apply_edits(text, rebase(diff(base, draft.new), base, text))

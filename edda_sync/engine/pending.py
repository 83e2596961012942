"""Pending: a reader with uncommitted drafts on top, as one view: what a commit of the drafts would show."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

from edda_sync.changes.drafts import Delete, Draft, EditText, Put, Rewrite, Touch
from edda_sync.crdt import rows
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.engine.drafting import Drafts
from edda_sync.engine.items import blank_item, item_of_row, matches_item, row_of, set_cells, tag_names
from edda_sync.engine.matching import matching
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import Row, StoreReader
from edda_sync.store.seams.edges import among
from edda_sync.words import values
from edda_sync.words.errors import NotFoundError
from edda_sync.words.fitting import reached, sorting
from edda_sync.words.model import TAG_COLUMNS, TEXT_FIELDS, Item, Task, remember_base
from edda_sync.words.order import in_order
from edda_sync.words.query import Plan, Query, TaskQuery, plan, whole

if TYPE_CHECKING:
    from edda_sync.engine.reading import Reading

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
        checked: Checks a query, and returns it as a plan.
    """

    def __init__(
        self, reader: StoreReader, drafts: Drafts, look: Look, checked: Callable[[Query], Plan] = plan
    ) -> None:
        self.reader, self._drafts, self._look, self._checked = reader, drafts, look, checked
        self._made: dict[bytes, _Made] = {}  # items with drafts applied; nobody else has these objects
        self._taken_back = 0
        self._mentioning: dict[str, dict[tuple[str, str], None]] = {}  # what drafts tag or untag, by tag
        self._looked_through = 0  # drafts, for it

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

    def has(self, kind: str, entity: bytes) -> bool:
        """Tell whether there is such a task or document, outside of the trash."""
        return self.item(kind, entity) is not None

    def _stored_item(self, kind: str, entity: bytes) -> Item | None:
        entity_id = values.id_text(entity)
        row = row_of(self.reader, kind, entity_id)
        if row is None:
            return None
        return item_of_row(kind, row, tag_names(self.reader, kind, [entity_id])[entity_id])

    def tag(self, tag: str) -> Row | None:
        """Return the row of a tag, without when it was made; None if there is none."""
        if self._drafts.is_deleted(key_of("tag", values.id_bytes("id", tag))):
            return None
        made = self.made_tag(tag)
        if made is not None:
            return made
        carrying = (self.item(kind, values.id_bytes("id", each)) for kind, each in self.carriers(tag))
        names = (name for item in carrying if item is not None for name in item.tags or ())
        return next(((tag, name, None, None) for name in names if values.tag_id(name) == tag), None)

    def made_tag(self, tag: str) -> Row | None:
        """Return the row of a tag that was made as such, and not only used, even if the drafts delete it; as :meth:`tag`."""
        row = self.reader.tables.row("tag", tag)
        for draft in self._drafts.of(key_of("tag", values.id_bytes("id", tag))):
            if isinstance(draft, Put):
                told = dict(zip(TAG_COLUMNS, row or (tag, None, None, None), strict=False)) | draft.cells
                row = tuple(told[name] for name in TAG_COLUMNS[:4])
        return row

    def carriers(self, tag: str) -> list[tuple[str, str]]:
        """Return kind and id of each task or document that carries a tag."""
        for draft in self._drafts.listed[self._looked_through :]:
            if isinstance(draft, Put):
                for name in draft.cells:
                    if name.startswith("tag."):
                        self._mentioning.setdefault(name[4:], {})[draft.kind, values.id_text(draft.id)] = None
        self._looked_through = len(self._drafts.listed)
        may_carry = dict.fromkeys(self.reader.edges.carriers(tag)) | self._mentioning.get(tag, {})
        return [each for each in may_carry if self._carries(*each, tag)]

    def _carries(self, kind: str, entity_id: str, tag: str) -> bool:
        entity = values.id_bytes("id", entity_id)
        if not self._drafts.of(key_of(kind, entity)):
            return True
        item = self.item(kind, entity)
        return item is not None and tag in map(values.tag_id, item.tags or ())

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
        checked = self._checked(query)
        kind, reader = checked.kind, self.reader
        pending = self._drafts.ids(kind)
        left_out = {values.id_text(entity) for entity in pending}
        found_rows = [row for row in matching(reader, self._wide(checked, len(pending))) if row[0] not in left_out]
        allowed = self._among(checked)
        if allowed is not None:
            found_rows = [row for row in found_rows if row[0] in allowed]
        names = tag_names(reader, kind, [row[0] for row in found_rows])
        found = [item_of_row(kind, row, names[row[0]]) for row in found_rows]
        for item in found:
            self._look(kind, values.id_bytes("id", item.id))
        items = (self.item(kind, entity) for entity in pending)
        found += [
            item
            for item in items
            if item is not None and matches_item(checked, item, allowed is None or item.id in allowed)
        ]
        if not pending and not self._draws_edges(checked):
            return found
        ordered = in_order(checked.order, found, sorting(checked, getattr), checked.ahead)
        return ordered[checked.offset : checked.offset + checked.limit]

    def count(self, query: Query) -> int:
        """Return how many tasks or documents meet a query's conditions."""
        return len(self.query(replace(query, limit=None, offset=0, after=None)))

    def _wide(self, checked: Plan, pending: int) -> Plan:
        """
        Return a plan that finds enough rows of the store, so that the page can be cut once items with drafts are added.

        These may move others out of the page, or leave it. Drafts of parents and links change which other rows count.
        """
        if self._draws_edges(checked):
            return whole(checked)._replace(linked_from=None, linked_to=None, under=None, after=checked.after)
        return checked._replace(limit=checked.limit + checked.offset + pending, offset=0) if pending else checked

    def _draws_edges(self, checked: Plan) -> bool:
        """Tell whether a plan asks for links or a subtree, which the drafts of tasks may change."""
        asks = checked.linked_from is not None or checked.linked_to is not None or checked.under is not None
        return asks and bool(self._drafts.ids("task"))

    def _among(self, checked: Plan) -> set[str] | None:
        """Return the ids that a plan's links and subtree allow, with the drafts; None for any."""
        drawn = self._draws_edges(checked)
        return among(_DraftedEdges(self, self._drafts) if drawn else self.reader.edges, checked)

    def stored(self, kind: str, entity: bytes) -> Entity | None:
        """Return an entity as it is stored, without the drafts."""
        key = key_of(kind, entity)
        record = self.reader.states.get([key]).get(key)
        return None if record is None else entity_of(key, record.state)

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


class _DraftedEdges:
    """The links and subtrees of a store with drafts on top: what ``store.seams.edges.among`` asks for."""

    def __init__(self, pending: Pending, drafts: Drafts) -> None:
        self._pending, self._drafts = pending, drafts
        self._tasks = {values.id_text(each): each for each in drafts.ids("task")}

    def links_of(self, task: str | None, document: str | None) -> list[Row]:
        """Return pairs of a task and a document that it links to."""
        stored = self._pending.reader.edges.links_of
        linked = {row[:2] for row in stored(task, document) if row[0] not in self._tasks}
        for each, entity in self._tasks.items():
            if task in (None, each) and self._pending.item("task", entity) is not None:
                documents = {row[1] for row in stored(each, None)}
                for draft in self._drafts.of(key_of("task", entity)):
                    cells = draft.cells.items() if isinstance(draft, Put) else ()
                    for name, value in cells:
                        if name.startswith("link."):
                            (documents.discard if value is None else documents.add)(name[5:])
                linked |= {(each, to) for to in documents if document in (None, to)}
        gone = {
            values.id_text(each) for each in self._drafts.ids("document") if not self._pending.has("document", each)
        }
        return sorted(pair for pair in linked if pair[1] not in gone)

    def below(self, task: str) -> set[str]:
        """Return the ids of the tasks below a task."""
        is_gone = task in self._tasks and not self._pending.has("task", self._tasks[task])
        return set() if is_gone else reached(task, self._children)

    def _children(self, task: str) -> list[str]:
        rows = self._pending.reader.tables.rows(plan(TaskQuery(parent=task)))
        children = [row[0] for row in rows if row[0] not in self._tasks]
        for each, entity in self._tasks.items():
            item = self._pending.item("task", entity)
            if isinstance(item, Task) and item.parent_id == task:
                children.append(each)
        return children


def _with_text_draft(text: str, draft: Rewrite | EditText) -> str | None:
    """Return a text with a draft applied."""
    from edda_sync.crdt.text.diff import apply_edits, diff, rebase  # only needed by those who read a changed text

    if isinstance(draft, EditText):
        return apply_edits(text, list(draft.edits))
    if draft.new is None:
        return None
    base = draft.base or ""
    return apply_edits(text, rebase(diff(base, draft.new), base, text))


class Sight:
    """
    Opens the state that a transaction sees, at its first look. Close it at the end.

    Args:
        reading: Reads the store.
        drafts: The drafts on top of the state.
        look: Called with each entity that is read.
    """

    def __init__(self, reading: Reading, drafts: Drafts, look: Look) -> None:
        self._reading, self._drafts, self._look = reading, drafts, look
        self._opened: AbstractContextManager[StoreReader] | None = None
        self._pending: Pending | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything was looked at."""
        return self._pending is not None

    def open(self) -> Pending:
        """Return the state, which stays the same until :meth:`close`."""
        if self._pending is None:
            self._opened = self._reading.snapshot()
            self._pending = Pending(self._opened.__enter__(), self._drafts, self._look, self._reading.plan)
        return self._pending

    def close(self) -> None:
        """Release the state."""
        if self._opened is not None:
            self._opened.__exit__(None, None, None)
        self._opened = self._pending = None

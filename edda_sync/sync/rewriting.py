"""
Rewriting: what a device wrote in lives that were given to nobody becomes changes of a new life.

This is needed when the base of those changes does not hold: a segment that the log contradicts
(:mod:`~edda_sync.sync.fallback`), or a change that is lost (:mod:`~edda_sync.sync.readmission`). What was truly seen when a
change was written counts as seen, and is replaced; what was not seen stays beside it. Texts are merged as edits. What does
not fit is kept in documents (:mod:`~edda_sync.sync.kept`), so that a device can always go on. Who made a change, when and
why stay the same. The last change that an old one becomes names it, so that no change is written again twice.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from edda_sync.changes import change as changes
from edda_sync.changes import early
from edda_sync.changes.change import Change
from edda_sync.changes.drafts import Delete, Draft, Put, Rewrite, Touch, Verbatim
from edda_sync.crdt import operation
from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.crdt.schema import unknown_cells
from edda_sync.fold.entities import Entities
from edda_sync.ledger.ledger import Ledger
from edda_sync.ledger.retold import Retold
from edda_sync.store.seams import Rewritten, StoreReader, StoreWriter
from edda_sync.sync.kept import Kept, note
from edda_sync.words.errors import InvalidValueError, LocalError, RefusedTextError
from edda_sync.words.model import TEXT_FIELDS
from edda_sync.workspace.keys import BIRTH_KEY


class Drafted(NamedTuple):
    """
    A change that this device made and did not give to anybody.

    Attributes:
        position: Its position in the log.
        change: The change.
        operations: Its operations; those that only a newer version can read are verbatim.
        rewritten: What each of its edits made of a text, in order.
    """

    position: int
    change: Change
    operations: tuple[operation.Operation | Verbatim, ...]
    rewritten: tuple[Rewritten, ...]


class Seen(Protocol):
    """Tells what a change had seen, when it was made, of what is there now."""

    def cell(self, key: bytes, entity: Entity | None, cell: str) -> bool:
        """Tell whether the change had seen everything that is in a cell."""
        ...

    def whole(self, key: bytes, entity: Entity | None) -> bool:
        """Tell whether the change had seen everything that is in an entity."""
        ...

    def tag(self, key: bytes) -> str | None:
        """Return the former name of a tag that the change had seen, and that is not there now; None if there is none."""
        ...


class _Becomes(Enum):
    MERGED = "edits of the text"
    WHOLE = "a text of its own"
    NOTHING = "it is written again already"


class _Text(NamedTuple):
    """
    An edit of a text that is to be written again. The texts themselves are read only in its turn, to save memory.

    Attributes:
        kind, id: The entity's kind and id.
        kept: What was kept of the edit.
        becomes: What the edit becomes.
    """

    kind: operation.Kind
    id: bytes
    kept: Rewritten
    becomes: _Becomes


_Planned = Draft | Verbatim | _Text


def drafted(tx: StoreReader, lives: Collection[bytes]) -> Iterator[Drafted]:
    """Yield the changes of some lives, in log order."""
    rewritten: defaultdict[int, list[Rewritten]] = defaultdict(list)
    for each in tx.segments.rewritten():
        rewritten[each.position].append(each)
    for position in tx.log.positions_after({}):
        logged = tx.log.read(position)
        if logged.actor in lives:
            header = changes.decode_header(logged.raw)
            body = tx.log.parts(position) if header.parts else (logged.body,)
            found = map(_operation, operation.cut(body, header.operations))
            operations = tuple(one for one in found if one is not None)
            yield Drafted(position, Change(header, logged.raw, logged.body), operations, tuple(rewritten[position]))


def whole_texts(drafts: Iterable[Drafted]) -> tuple[set[bytes], set[bytes]]:
    """Return the keys of entities whose text is written as a whole; and those of them where it was written again before."""
    found, again = set[bytes](), set[bytes]()
    for each in drafts:
        for one in each.operations:
            if isinstance(one, operation.Put) and TEXT_FIELDS.get(one.kind) in one.cells:
                found.add(key_of(one.kind, one.id))
                if each.change.header.again is not None:
                    again.add(key_of(one.kind, one.id))
    return found, again


def _operation(encoded: bytes | memoryview) -> operation.Operation | Verbatim | None:
    """Return what an operation does; None for one that no version will ever fold."""
    one = operation.decode(encoded)
    if isinstance(one, operation.Unread):
        return None if one.refused else Verbatim(bytes(encoded))
    try:
        is_newer = isinstance(one, operation.Put) and unknown_cells(one.kind, one.id, one.cells)
    except InvalidValueError:
        return one  # it was acknowledged, so it is kept
    return Verbatim(bytes(encoded)) if is_newer else one


def write_again(tx: StoreWriter, ledger: Ledger, drafts: Sequence[tuple[Drafted, Seen | None]], nonce: bytes) -> None:
    """
    Write drafts again. Those that had not seen what is there come first, because a life never sees less than it did before.

    Args:
        tx: A transaction of the store.
        ledger: Its ledger.
        drafts: All drafts, each with what it had seen; with None if it was already written again.
        nonce: Random bytes, for the ids of documents that keep what does not fit.
    """
    birth = changes.decode_birth(tx.meta.get(BIRTH_KEY) or b"")
    strange = {key for each, saw in drafts if saw is not None for key in _about_strange(each)}
    plan = _Plan(ledger.fold(tx).entities, strange, is_early=early.is_missing(tx, birth))
    parted = [plan.parted(*each) for each in drafts]
    kept, retold = Kept(), Retold()
    for seen in (False, True):
        for (each, _), parts in zip(drafts, parted, strict=True):
            told = [written for one in parts[seen] if (written := _told(one, retold)) is not None]
            _write_what_fits(tx, ledger, told, each.change, kept, seen=seen, last=seen or not parts[True])

    def title_of(key: bytes) -> str:
        entity = ledger.fold(tx).entities.existing(*kind_and_id(key))
        title = None if entity is None else entity.value("title")
        return title if isinstance(title, str) else kind_and_id(key)[0]

    documents = list(kept.documents(title_of, nonce))
    for document in documents:
        ledger.write_again(tx, [document], drafts[-1][0].change, seen=True)
    note(tx, [document.id for document in documents])


def _about_strange(drafted: Drafted) -> Iterator[bytes]:
    """Yield the keys of the entities about which a change has operations that only a newer version can read."""
    for one in drafted.operations:
        if isinstance(one, Verbatim):
            read = operation.decode(one.encoded)
            if read.kind is not None and read.id is not None:
                yield key_of(read.kind, read.id)


def _made_by(one: Verbatim) -> Iterator[bytes]:
    """Yield the key of the entity that an operation creates, if any."""
    read = operation.decode(one.encoded)
    if isinstance(read, operation.Put):
        yield key_of(read.kind, read.id)


def _told(one: _Planned, retold: Retold) -> Draft | Verbatim | None:
    """Return what to write, with the texts; None where nothing is to be written."""
    if not isinstance(one, _Text):
        return one
    before, after = retold.next(one.kept)
    if one.becomes is _Becomes.NOTHING:
        return None
    if one.becomes is _Becomes.WHOLE:
        return Put.of(one.kind, one.id, {TEXT_FIELDS[one.kind]: after})
    return Rewrite(one.kind, one.id, before, after)


def _write_what_fits(
    tx: StoreWriter,
    ledger: Ledger,
    drafts: list[Draft | Verbatim],
    former: Change,
    kept: Kept,
    *,
    seen: bool,
    last: bool,
) -> None:
    """Write drafts again in one change, or in as few changes as they fit in. What fits in none is kept."""
    if not drafts:
        return
    try:
        with tx.undoing():
            ledger.write_again(tx, drafts, former, seen=seen, last=last)
    except (LocalError, RefusedTextError):
        ledger.rolled_back()
        if len(drafts) == 1:
            kept.add(drafts[0])
            return
        half = len(drafts) // 2
        _write_what_fits(tx, ledger, drafts[:half], former, kept, seen=seen, last=False)
        _write_what_fits(tx, ledger, drafts[half:], former, kept, seen=seen, last=last)


class _Plan:
    """
    Sorts what to write again of each draft: what had not seen the present values where it writes, and what had.

    Everything about one cell, or about an entity that does not exist now, keeps its order, so all of it is on one side. The
    same holds for all writes to an entity about which there are operations that only a newer version can read.

    Args:
        entities: The present entities.
        strange: The keys of the entities with such operations.
        is_early: Whether the change that the new life continues is not here. Then the life can have seen nothing, so it
            edits no text, but puts its own text beside each.
            puts its own beside each.
    """

    def __init__(self, entities: Entities, strange: Collection[bytes], *, is_early: bool) -> None:
        self._entities, self._strange, self._is_early = entities, strange, is_early
        self._shown: dict[bytes, bool] = {}  # by key: whether what was written so far leaves an entity visible

    def parted(self, drafted: Drafted, saw: Seen | None) -> tuple[list[_Planned], list[_Planned]]:
        """Return the drafts of a change that had not seen what is there, and those that had."""
        unseen: list[_Planned] = []
        seen: list[_Planned] = []
        edits: defaultdict[bytes, deque[Rewritten]] = defaultdict(deque)
        for each in drafted.rewritten:
            edits[each.entity].append(each)
        for one in drafted.operations:
            if isinstance(one, Verbatim):
                if saw is not None:
                    unseen.append(one)
                    self._shown |= dict.fromkeys(_made_by(one), True)
                continue
            key = key_of(one.kind, one.id)
            entity = self._entities.existing(one.kind, one.id)
            fitting = unseen if entity is None and key in self._strange else seen
            if isinstance(one, operation.Edit):
                if edits[key]:
                    fitting.extend(self._text(one, entity, edits[key].popleft(), is_done=saw is None))
            elif saw is None:
                continue
            elif isinstance(one, operation.Delete):
                if self._is_visible(key, entity) and (entity is None or saw.whole(key, entity)):
                    self._shown[key] = False
                    fitting.append(Delete(one.kind, one.id))  # if nothing exists, of what this device wrote itself
            elif isinstance(one, operation.Put) and entity is not None:
                self._put(one, entity, saw, unseen, seen)
            else:
                fitting.extend(self._created(one, entity, saw))
        return ([*unseen, *seen], []) if self._is_early else (unseen, seen)

    def _created(self, one: operation.Put | operation.Touch, entity: Entity | None, saw: Seen) -> Iterator[Put | Touch]:
        """Yield what creates a missing entity, or brings one back. A tag that is used gets its former name."""
        key, cells = key_of(one.kind, one.id), one.cells if isinstance(one, operation.Put) else {}
        is_here = entity is not None or key in self._shown
        name = saw.tag(key) if one.kind == "tag" and not is_here else None
        if name is not None:
            cells = {"created_at": OWN_TIME, "name": name, **cells}
        if cells or is_here:
            self._shown[key] = True
            yield Put.of(one.kind, one.id, cells) if cells else Touch(one.kind, one.id)

    def _put(self, one: operation.Put, entity: Entity, saw: Seen, unseen: list[_Planned], seen: list[_Planned]) -> None:
        """Sort the cells that a draft writes to an existing entity."""
        key, cells = key_of(one.kind, one.id), dict(one.cells)
        if "record" in cells and "record" in entity.cells:
            return  # another device has let that device in meanwhile, and a record is written only once
        field = TEXT_FIELDS.get(one.kind, "")
        written = cells.get(field)
        text = cells.pop(field) if written and isinstance(written, str) else None
        true = set[str]() if key in self._strange else {cell for cell in cells if saw.cell(key, entity, cell)}
        for drafts, which in ((unseen, cells.keys() - true), (seen, true)):
            if which:
                drafts.append(Put.of(one.kind, one.id, {cell: cells[cell] for cell in cells if cell in which}))
        if text is not None and self._is_early:
            seen.append(Put.of(one.kind, one.id, {field: text}))
        elif text is not None:
            seen.extend(self._back(one.kind, one.id, entity))
            seen.append(Rewrite(one.kind, one.id, None, text))
        self._shown[key] = True

    def _text(
        self, one: operation.Edit, entity: Entity | None, kept: Rewritten, *, is_done: bool
    ) -> Iterator[_Text | Touch]:
        """Yield what repeats an edit of a text."""
        key = key_of(one.kind, one.id)
        becomes = _Becomes.MERGED
        if is_done:
            becomes = _Becomes.NOTHING
        elif (entity is None and key not in self._shown) or (entity is not None and self._is_early):
            becomes = _Becomes.WHOLE
        else:
            yield from self._back(one.kind, one.id, entity)
        if not is_done:
            self._shown[key] = True
        yield _Text(one.kind, one.id, kept, becomes)

    def _back(self, kind: operation.Kind, entity_id: bytes, entity: Entity | None) -> Iterator[Touch]:
        """Yield what brings an entity back, if it is hidden."""
        if not self._is_visible(key_of(kind, entity_id), entity):
            yield Touch(kind, entity_id)

    def _is_visible(self, key: bytes, entity: Entity | None) -> bool:
        return self._shown.get(key, entity is not None and not entity.hidden)

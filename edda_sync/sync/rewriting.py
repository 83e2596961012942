"""
Writing again: what a device wrote in lives that nobody was given becomes changes of another life of it.

So it is where what it was written on does not stand: it was in a segment that the log does not bear out
(:mod:`~edda_sync.sync.fallback`), or it rests on a change that is lost (:mod:`~edda_sync.sync.readmission`). What was truly
seen when it was written counts as seen, and is replaced; what was not stays beside it. Texts are merged as edits. What does
not fit is kept beside (:mod:`~edda_sync.sync.kept`): nothing of it keeps a device from going on. Who asked
for it, when and why stay as they are, and each change names the one that it was, so that none is written again twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Protocol

from edda_sync.crdt import change as changes
from edda_sync.crdt import early, operation
from edda_sync.crdt.change import Change
from edda_sync.crdt.drafts import Delete, Draft, Put, Rewrite, Touch, Verbatim
from edda_sync.crdt.entities import Entities
from edda_sync.crdt.entity import Entity, key_of, kind_and_id
from edda_sync.crdt.ledger import BIRTH_KEY, Ledger
from edda_sync.crdt.schema import unknown_cells
from edda_sync.errors import InvalidValueError, LocalError, RefusedTextError
from edda_sync.model import TEXT_FIELDS
from edda_sync.protocols import Rewritten, StoreReader, StoreWriter
from edda_sync.sync.kept import Kept, note


class Drafted(NamedTuple):
    """
    A change that this device made and gave to nobody.

    Attributes:
        position: Where it stands in the log.
        change: What it is.
        operations: What it does; as it stands there what only a newer version can read.
        rewritten: What it made of texts.
    """

    position: int
    change: Change
    operations: tuple[operation.Operation | Verbatim, ...]
    rewritten: tuple[Rewritten, ...]


class Seen(Protocol):
    """What was seen when a change was made, of what stands now."""

    def cell(self, key: bytes, entity: Entity | None, cell: str) -> bool:
        """Tell whether all that stands in a cell was seen."""
        ...

    def whole(self, key: bytes, entity: Entity | None) -> bool:
        """Tell whether all that stands in an entity was seen."""
        ...


def drafted(tx: StoreReader, lives: Collection[bytes]) -> Iterator[Drafted]:
    """Yield the changes of some lives, in log order."""
    rewritten = tx.rewritten()
    for position in tx.positions_missing({}):
        logged = tx.logged(position)
        if logged.actor in lives:
            header = changes.decode_header(logged.raw)
            body = tx.parts(position) if header.parts else (logged.body,)
            found = map(_operation, operation.cut(body, header.operations))
            operations = tuple(each for each in found if each is not None)
            texts = tuple(each for each in rewritten if each.position == position)
            yield Drafted(position, Change(header, logged.raw, logged.body), operations, texts)


def _operation(encoded: bytes | memoryview) -> operation.Operation | Verbatim | None:
    """Return what an operation does; None for one that no version will ever fold."""
    one = operation.decode(encoded)
    if isinstance(one, operation.Unread):
        return None if one.refused else Verbatim(bytes(encoded))
    try:
        is_newer = isinstance(one, operation.Put) and unknown_cells(one.kind, one.id, one.cells)
    except InvalidValueError:
        return one  # it was acknowledged: it is kept
    return Verbatim(bytes(encoded)) if is_newer else one


def write_again(tx: StoreWriter, ledger: Ledger, drafts: Sequence[tuple[Drafted, Seen]], nonce: bytes) -> None:
    """
    Write drafts again: first what had not seen what stands there, since what a life has seen never grows less.

    Args:
        tx: A transaction of the store.
        ledger: Its ledger's keeper.
        drafts: Each with what had been seen.
        nonce: Random bytes, for the ids of documents in which is kept what does not fit.
    """
    birth = changes.decode_birth(tx.meta(BIRTH_KEY) or b"")
    plan = _Plan(ledger.fold(tx).entities, is_early=early.is_missing(tx, birth))
    parted = [plan.parted(*each) for each in drafts]
    kept = Kept()
    for seen in (False, True):
        for (each, _), parts in zip(drafts, parted, strict=True):
            _write_what_fits(tx, ledger, parts[seen], each.change, kept, seen=seen)

    def title_of(key: bytes) -> str:
        entity = ledger.fold(tx).entities.existing(*kind_and_id(key))
        title = None if entity is None else entity.value("title")
        return title if isinstance(title, str) else kind_and_id(key)[0]

    documents = list(kept.documents(title_of, nonce))
    for document in documents:
        ledger.write_again(tx, [document], drafts[-1][0].change, seen=True)
    note(tx, [document.id for document in documents])


def _write_what_fits(
    tx: StoreWriter, ledger: Ledger, drafts: list[Draft | Verbatim], former: Change, kept: Kept, *, seen: bool
) -> None:
    """Write drafts again in one change, or else in as few as they fit in; what fits in none is kept."""
    if not drafts:
        return
    try:
        with tx.undoing():
            ledger.write_again(tx, drafts, former, seen=seen)
    except (LocalError, RefusedTextError):
        ledger.rolled_back()
        if len(drafts) == 1:
            kept.add(drafts[0])
            return
        half = len(drafts) // 2
        for part in (drafts[:half], drafts[half:]):
            _write_what_fits(tx, ledger, part, former, kept, seen=seen)


class _Plan:
    """
    What to write again of each draft: apart what has not seen what stands where it writes, and what has.

    Args:
        entities: What stands now.
        is_early: Whether what the new life continues is not here: then it can have seen nothing, and edits no text, but
            puts its own beside each.
    """

    def __init__(self, entities: Entities, *, is_early: bool) -> None:
        self._entities, self._is_early = entities, is_early
        self._made: set[bytes] = set()

    def parted(self, drafted: Drafted, saw: Seen) -> tuple[list[Draft | Verbatim], list[Draft | Verbatim]]:
        """Return the drafts of a change that have not seen what stands there, and those that have."""
        unseen: list[Draft | Verbatim] = []
        seen: list[Draft | Verbatim] = []
        for one in drafted.operations:
            if isinstance(one, Verbatim):
                unseen.append(one)
                continue
            key = key_of(one.kind, one.id)
            entity = self._entities.existing(one.kind, one.id)
            if isinstance(one, operation.Put):
                if "record" in one.cells and entity is not None and "record" in entity.cells:
                    continue  # somebody else has let that device in meanwhile, and a record is written once
                cells = dict(one.cells)
                field = TEXT_FIELDS.get(one.kind)
                text = cells.pop(field) if field is not None and entity is not None and cells.get(field) else None
                true = {cell for cell in cells if saw.cell(key, entity, cell)}
                for drafts, which in ((unseen, cells.keys() - true), (seen, true)):
                    if which:
                        drafts.append(Put.of(one.kind, one.id, {cell: cells[cell] for cell in cells if cell in which}))
                self._made.add(key)
                if text is not None:
                    seen.extend(self._text(one.kind, one.id, None, text))
            elif isinstance(one, operation.Touch) and self._is_here(key, entity):
                seen.append(Touch(one.kind, one.id))
            elif isinstance(one, operation.Delete) and saw.whole(key, entity) and self._is_visible(key, entity):
                seen.append(Delete(one.kind, one.id))
        for each in drafted.rewritten:
            seen.extend(self._text(*kind_and_id(each.entity), each.before, each.after))
        return ([*unseen, *seen], []) if self._is_early else (unseen, seen)

    def _text(self, kind: str, entity_id: bytes, before: str | None, after: str) -> list[Draft]:
        key, entity = key_of(kind, entity_id), self._entities.existing(kind, entity_id)
        if not self._is_here(key, entity) or (self._is_early and entity is not None):
            self._made.add(key)
            return [Put.of(kind, entity_id, {TEXT_FIELDS[kind]: after})]
        merged = Rewrite(kind, entity_id, before, after)
        return [merged] if self._is_visible(key, entity) else [Touch(kind, entity_id), merged]

    def _is_here(self, key: bytes, entity: Entity | None) -> bool:
        return entity is not None or key in self._made

    def _is_visible(self, key: bytes, entity: Entity | None) -> bool:
        return not entity.hidden if entity is not None else key in self._made

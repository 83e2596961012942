"""
Falling back: what becomes of a store whose segment the log does not bear out, or whose log behind it never comes.

1. What this device writes while its segment is provisional are *drafts*: changes of a life that is given to nobody. So
   nobody's work ever rests on what only a segment says.
2. The log behind the segment stands, as far as it is here; nothing else was taken meanwhile.
3. Each draft is written again, in a new life of this device: what the segment showed truly counts as seen, so that it is
   replaced; what it showed falsely does not, so that the truth stays beside what was written. Texts are merged as edits.
4. What does not fit is kept beside (:mod:`~edda_sync.sync.kept`): a segment that is a lie goes in every case.
5. The same is done on a segment that the log does bear out, where the drafts could not say what they had seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from edda_sync.backup import segment as segments
from edda_sync.crdt import change as changes
from edda_sync.crdt import early, operation
from edda_sync.crdt.cells import Siblings
from edda_sync.crdt.drafts import Delete, Draft, Put, Rewrite, Touch
from edda_sync.crdt.entities import Entities
from edda_sync.crdt.entity import Entity, key_of, kind_and_id
from edda_sync.crdt.ledger import BIRTH_KEY, Ledger, actor_of, begin_life, new_life
from edda_sync.crdt.state import decode
from edda_sync.errors import LocalError, RefusedTextError
from edda_sync.model import TEXT_FIELDS
from edda_sync.protocols import Rewritten, StoreReader, StoreWriter
from edda_sync.sync.kept import Kept, note
from edda_sync.sync.merging import open_taken

WHY: Final = "what it began with was not so"
UNNAMED: Final = "what it wrote before could not say all that it had seen"


class _Drafted(NamedTuple):
    """A change that this device made on a segment: its header, what it does, and what it made of texts."""

    header: changes.Header
    operations: tuple[operation.Operation, ...]
    rewritten: tuple[Rewritten, ...]


def fall_back(
    tx: StoreWriter,
    ledger: Ledger,
    segment: bytes,
    nonce: bytes,
    why: str = WHY,
    stands: Callable[[], None] = lambda: None,
) -> None:
    """
    Let the log behind a segment stand, and write the drafts again.

    Args:
        tx: A transaction of the store.
        ledger: Its ledger's keeper.
        segment: The segment's name.
        nonce: 16 random bytes, for the life in which the drafts are written again.
        why: Why that begins, for a person.
        stands: What to call once the log behind the segment is folded, and nothing else.
    """
    drafted = list(_drafted(tx))
    about = {key_of(one.kind, one.id) for each in drafted for one in each.operations}
    entries = segments.read(segments.parts_of(tx, segment)).entries
    showed = {entry.key: decode(entry.key[1:], entry.state) for entry in entries if entry.key in about}
    wrote, first = actor_of(tx), _first_life(tx)
    early.forget_drafted(tx)
    tx.fall_back()
    tx.end_segment(segment)
    ledger.rebuild(tx, open_taken, check=True)
    stands()
    begin_life(tx, first)
    if drafted:
        tx.set_meta(early.REISSUED_KEY, wrote + new_life(tx, nonce, why))
        _write_again(tx, ledger, drafted, showed, nonce)


def _first_life(tx: StoreReader) -> changes.Birth:
    """Return the birth of the first life on the segment: what it continues is in the log, and those after it continue it."""
    birth, heads = changes.decode_birth(tx.meta(BIRTH_KEY) or b""), tx.heads()
    lives = early.drafted(tx)
    while birth.parent in lives:
        birth = changes.decode_birth(heads[birth.parent].birth)
    return birth


def _drafted(tx: StoreReader) -> Iterator[_Drafted]:
    lives, rewritten = early.drafted(tx), tx.rewritten()
    for position in tx.positions_missing({}):
        logged = tx.logged(position)
        if logged.actor in lives:
            header = changes.decode_header(logged.raw)
            body = tx.parts(position) if header.parts else (logged.body,)
            decoded = (operation.decode(each) for each in operation.cut(body))
            known = tuple(each for each in decoded if not isinstance(each, operation.Unread))
            yield _Drafted(header, known, tuple(each for each in rewritten if each.position == position))


# --- drafts, written again --------------------------------------------------------------------------------------------


class _Plan:
    """
    What to write again of each draft: apart what has not seen what stands where it writes, and what has.

    Args:
        entities: What stands now.
        showed: What the segment showed, by key.
        is_early: Whether what the new life continues is not here: then it can have seen nothing, and edits no text, but
            puts its own beside each.
    """

    def __init__(self, entities: Entities, showed: Mapping[bytes, Entity], *, is_early: bool) -> None:
        self._entities, self._showed, self._is_early = entities, showed, is_early
        self._made: set[bytes] = set()

    def parted(self, drafted: _Drafted) -> tuple[list[Draft], list[Draft]]:
        """Return the drafts of a change that have not seen what stands there, and those that have."""
        unseen: list[Draft] = []
        seen: list[Draft] = []
        for one in drafted.operations:
            key = key_of(one.kind, one.id)
            entity, shown = self._entities.existing(one.kind, one.id), self._showed.get(key)
            if isinstance(one, operation.Put):
                cells = dict(one.cells)
                text = (
                    cells.pop(TEXT_FIELDS[one.kind], None) if entity is not None and one.kind in TEXT_FIELDS else None
                )
                true = {cell for cell in cells if _siblings(entity, cell) == _siblings(shown, cell)}
                for drafts, which in ((unseen, cells.keys() - true), (seen, true)):
                    if which:
                        drafts.append(Put.of(one.kind, one.id, {cell: cells[cell] for cell in cells if cell in which}))
                self._made.add(key)
                if text is not None:
                    (unseen if self._is_early else seen).extend(self._text(one.kind, one.id, None, text))
            elif isinstance(one, operation.Touch) and self._is_here(key, entity):
                seen.append(Touch(one.kind, one.id))
            elif isinstance(one, operation.Delete) and entity == shown and self._is_visible(key, entity):
                seen.append(Delete(one.kind, one.id))
        for each in drafted.rewritten:
            texts = self._text(*kind_and_id(each.entity), each.before, each.after)
            (unseen if self._is_early else seen).extend(texts)
        return unseen, seen

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


def _siblings(entity: Entity | None, cell: str) -> Siblings:
    return [] if entity is None else entity.cells.get(cell, [])


def _write_again(
    tx: StoreWriter, ledger: Ledger, drafted: list[_Drafted], showed: Mapping[bytes, Entity], nonce: bytes
) -> None:
    """Write drafts again: first what had not seen what stands there, since what a life has seen never grows less."""
    birth = changes.decode_birth(tx.meta(BIRTH_KEY) or b"")
    plan = _Plan(ledger.fold(tx).entities, showed, is_early=early.is_missing(tx, birth))
    parted = [plan.parted(each) for each in drafted]
    kept = Kept()
    for seen in (False, True):
        for each, drafts in zip(drafted, parted, strict=True):
            _write_what_fits(tx, ledger, drafts[seen], each.header, kept, seen=seen)

    def title_of(key: bytes) -> str:
        for entity in (ledger.fold(tx).entities.existing(*kind_and_id(key)), showed.get(key)):
            title = None if entity is None else entity.value("title")
            if isinstance(title, str):
                return title
        return kind_and_id(key)[0]

    documents = list(kept.documents(title_of, nonce))
    for document in documents:
        ledger.write_again(tx, [document], drafted[-1].header, seen=True)
    note(tx, [document.id for document in documents])


def _write_what_fits(
    tx: StoreWriter, ledger: Ledger, drafts: list[Draft], header: changes.Header, kept: Kept, *, seen: bool
) -> None:
    """Write drafts again in one change, or else in as few as they fit in; what fits in none is kept."""
    if not drafts:
        return
    try:
        with tx.undoing():
            ledger.write_again(tx, drafts, header, seen=seen)
    except (LocalError, RefusedTextError):
        ledger.rolled_back()
        if len(drafts) == 1:
            kept.add(drafts[0])
            return
        half = len(drafts) // 2
        for part in (drafts[:half], drafts[half:]):
            _write_what_fits(tx, ledger, part, header, kept, seen=seen)

"""
Falling back: what a store does when the log contradicts its segment, or when the log behind it never comes.

1. What this device writes while its segment is provisional are *drafts*: changes of a life that is given to nobody. So
   nobody else's work ever depends on what only a segment says.
2. The log behind the segment counts, as far as it is here. Nothing else was taken meanwhile.
3. Each draft is written again, in a new life (:mod:`~edda_sync.sync.rewriting`). What the segment showed correctly counts as
   seen, so the draft replaces it. What it showed wrongly does not count as seen, so the true value stays beside the draft's.
4. The same is done on a segment that the log confirms, if the drafts could not say what they had seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Final

from edda_sync.changes import change as changes
from edda_sync.changes import early
from edda_sync.changes.drafts import Verbatim
from edda_sync.crdt.cells import Siblings
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import decode
from edda_sync.ledger.ledger import Ledger
from edda_sync.segments import segment as segments
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.sync import rewriting
from edda_sync.sync.merging import open_taken
from edda_sync.words.errors import CorruptError
from edda_sync.workspace import closing
from edda_sync.workspace.actor import actor_of, begin_life, new_life
from edda_sync.workspace.keys import BIRTH_KEY

WHY: Final = "what it began with was wrong"
UNNAMED: Final = "what it wrote before did not say everything that it had seen"


def fall_back(
    tx: StoreWriter,
    ledger: Ledger,
    segment: bytes,
    nonce: bytes,
    why: str = WHY,
    stands: Callable[[], None] = lambda: None,
) -> None:
    """
    Make the log behind a segment count, and write the drafts again.

    Args:
        tx: A transaction of the store.
        ledger: Its ledger.
        segment: The segment's name.
        nonce: 16 random bytes, for the life in which the drafts are written again.
        why: The reason for the new life, for a person.
        stands: Called as soon as the log behind the segment is folded, before anything is written on it.
    """
    drafted = list(rewriting.drafted(tx, early.drafted(tx)))
    wrote_to = (one for each in drafted for one in each.operations if not isinstance(one, Verbatim))
    about = {key_of(one.kind, one.id) for one in wrote_to}
    showed = _Showed(_shown(tx, segment, about))
    wrote, first = actor_of(tx), _first_life(tx)
    early.forget_drafted(tx)
    early.forget(tx)
    tx.segments.fall_back()
    tx.segments.end(segment)
    closing.drop_gone(tx)
    ledger.rebuild(tx, open_taken, check=True)
    stands()
    begin_life(tx, first)
    if drafted:
        early.note_reissued(tx, wrote, new_life(tx, nonce, why))
        rewriting.write_again(tx, ledger, [(each, showed) for each in drafted], nonce)


def _first_life(tx: StoreReader) -> changes.Birth:
    """Return the birth of the first life on the segment. Its parent is in the log; later lives continue it."""
    birth, heads = changes.decode_birth(tx.meta.get(BIRTH_KEY) or b""), tx.log.heads()
    lives = early.drafted(tx)
    while birth.parent in lives:
        birth = changes.decode_birth(heads[birth.parent].birth)
    return birth


def _shown(tx: StoreReader, segment: bytes, about: Set[bytes]) -> Mapping[bytes, Entity]:
    """Return what a segment showed of some entities; nothing if it rotted on this disk, as then nothing counts as seen."""
    try:
        with segments.ours():
            entries = segments.read(segments.parts_of(tx, segment)).entries
            return {entry.key: decode(entry.key[1:], entry.state) for entry in entries if entry.key in about}
    except CorruptError:
        return {}


class _Showed:
    """
    What a segment showed: tells which of the present values count as seen.

    Args:
        showed: Its entities, by key.
    """

    def __init__(self, showed: Mapping[bytes, Entity]) -> None:
        self._showed = showed

    def cell(self, key: bytes, entity: Entity | None, cell: str) -> bool:
        return _siblings(entity, cell) == _siblings(self._showed.get(key), cell)

    def whole(self, key: bytes, entity: Entity | None) -> bool:
        return entity == self._showed.get(key)

    def tag(self, key: bytes) -> str | None:
        showed = self._showed.get(key)
        name = None if showed is None else showed.value("name")
        return name if isinstance(name, str) else None


def _siblings(entity: Entity | None, cell: str) -> Siblings:
    return [] if entity is None else entity.cells.get(cell, [])

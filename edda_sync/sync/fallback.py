"""
Falling back: what becomes of a store whose segment the log does not bear out, or whose log behind it never comes.

1. What this device writes while its segment is provisional are *drafts*: changes of a life that is given to nobody. So
   nobody's work ever rests on what only a segment says.
2. The log behind the segment stands, as far as it is here; nothing else was taken meanwhile.
3. Each draft is written again, in a new life (:mod:`~edda_sync.sync.rewriting`): what the segment showed truly counts as
   seen, so that it is replaced; what it showed falsely does not, so that the truth stays beside what was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edda_sync.backup import segment as segments
from edda_sync.crdt import early
from edda_sync.crdt.cells import Siblings
from edda_sync.crdt.drafts import Verbatim
from edda_sync.crdt.entity import Entity, key_of
from edda_sync.crdt.ledger import Ledger, actor_of, new_life
from edda_sync.crdt.state import decode
from edda_sync.protocols import StoreWriter
from edda_sync.sync import rewriting
from edda_sync.sync.merging import open_taken

WHY: Final = "what it began with was not so"


def fall_back(tx: StoreWriter, ledger: Ledger, segment: bytes, nonce: bytes) -> None:
    """
    Let the log behind a segment stand, and write the drafts again.

    Args:
        tx: A transaction of the store.
        ledger: Its ledger's keeper.
        segment: The segment's name.
        nonce: 16 random bytes, for the life in which the drafts are written again.
    """
    drafted = list(rewriting.drafted(tx, early.drafted(tx)))
    wrote_to = (one for each in drafted for one in each.operations if not isinstance(one, Verbatim))
    about = {key_of(one.kind, one.id) for one in wrote_to}
    entries = segments.read(segments.parts_of(tx, segment)).entries
    showed = _Showed({entry.key: decode(entry.key[1:], entry.state) for entry in entries if entry.key in about})
    wrote = actor_of(tx)
    early.forget_drafted(tx)
    early.forget(tx)
    tx.fall_back()
    tx.end_segment(segment)
    ledger.pasts.forget()
    ledger.rebuild(tx, open_taken, check=True)
    if drafted:
        tx.set_meta(early.REISSUED_KEY, wrote + new_life(tx, nonce, WHY))
        rewriting.write_again(tx, ledger, [(each, showed) for each in drafted])


class _Showed:
    """
    What a segment showed, and of what stands now counts as seen.

    Args:
        showed: Its entities, by key.
    """

    def __init__(self, showed: Mapping[bytes, Entity]) -> None:
        self._showed = showed

    def cell(self, key: bytes, entity: Entity | None, cell: str) -> bool:
        return _siblings(entity, cell) == _siblings(self._showed.get(key), cell)

    def whole(self, key: bytes, entity: Entity | None) -> bool:
        return entity == self._showed.get(key)


def _siblings(entity: Entity | None, cell: str) -> Siblings:
    return [] if entity is None else entity.cells.get(cell, [])

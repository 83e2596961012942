"""
Readmission: how a device continues after the change that let it into the workspace was lost.

A device's first life continues the change that made it a member. The device that wrote that change may lose it before
anybody else has it, when its disk is put back to an earlier state. Then everything that the newcomer wrote depends on a
change that nobody has, and nobody can take it. Nobody was given it either, because early changes are kept back until that
change is here (``changes.early``).

1. The newcomer is refused as a stranger by the device that let it in, and tells its person so (:mod:`.shut_out`).
2. A member lets it in once more: by another change, which arrives like any other.
3. Once that change is here and the lost one is not, the newcomer forgets its early lives, begins a new life that continues
   the new change, and writes again in it what it had written. What it had received when it wrote counts as seen.

If the lost change appears after all, the device was let in twice, which changes nothing. If it appears first, the early
changes take their place after it, and the second change that lets the device in has no effect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

from edda_sync.changes import change as changes
from edda_sync.changes import early
from edda_sync.changes.change import DEP_HASH_BYTES, Birth
from edda_sync.changes.early import Placed
from edda_sync.crdt import ext as exts
from edda_sync.crdt import frontier
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.frontier import Frontier
from edda_sync.ledger.ledger import Ledger
from edda_sync.store import anew
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.sync import rewriting, shut_out
from edda_sync.sync.rewriting import Drafted, Seen
from edda_sync.workspace import authority, closing
from edda_sync.workspace.actor import actor_of, begin_life
from edda_sync.workspace.keys import ACTOR_KEY, BIRTH_KEY

WHY: Final = "it was let in again, because the change that had let it in was lost"
SAW_OTHERWISE: Final = "what it had written was based on other things than the change that let it in"


def readmit(tx: StoreWriter, ledger: Ledger, random: Callable[[int], bytes]) -> bool:
    """
    Continue from the change that let this device in again, if that change is here and the earlier one is lost.

    Args:
        tx: A transaction of the store.
        ledger: Its ledger.
        random: Source of random bytes, for the new life.

    Returns:
        Whether it did so; then earlier changes were replaced by others that say the same.
    """
    placed = early.placed(tx)
    if placed is not None:
        goes_on = _saw_otherwise(tx, ledger, placed) and _go_on(
            tx, ledger, random, placed.lives, SAW_OTHERWISE, placed.made_at
        )
        if not goes_on:
            early.forget(tx)
        return goes_on
    return is_due(tx) and _go_on(tx, ledger, random, early.lives(tx), WHY)


def _saw_otherwise(tx: StoreWriter, ledger: Ledger, placed: Placed) -> bool:
    """
    Tell whether the early changes had seen something else, about their entities, than their past contains.

    They had seen more, if a change of another device had come that is not in their past. They had seen less, if their past
    contains a text that they would replace as a whole: one that came later, or that stood beside theirs at a rewriting.
    """
    past = ledger.pasts.before(tx, placed.birth)
    own: list[int] = []
    more: list[int] = []
    later: list[int] = []
    beside: list[int] = []
    for position in tx.log.positions_after({}):
        logged = tx.log.read(position)
        if logged.actor in placed.lives:
            own.append(position)
        elif logged.seq <= past.get(logged.actor, 0):
            (beside if position < placed.made_at[0] else later).append(position)
        elif position < placed.made_at[-1]:
            more.append(position)
    if more and not set(tx.mentions.entities_at(more)).isdisjoint(tx.mentions.entities_at(own)):
        return True
    whole, whole_again = rewriting.whole_texts(rewriting.drafted(tx, placed.lives))
    less = (whole, later), (whole_again, beside)
    return any(texts and not texts.isdisjoint(tx.mentions.entities_at(positions)) for texts, positions in less)


def _go_on(
    tx: StoreWriter,
    ledger: Ledger,
    random: Callable[[int], bytes],
    lives: frozenset[bytes],
    because: str,
    made_at: Sequence[int] = (),
) -> bool:
    """Forget some lives, begin one that continues what lets this device in, and write again in it what those contained."""
    key = _own_key(tx)
    added, drafted = authority.added_by(tx, key), list(rewriting.drafted(tx, lives))
    assert added is not None, "it is here"
    if not all(each.change.header.is_understood for each in drafted):
        return False  # only a newer version can tell what is to be written again, so it waits for that
    from edda_sync.sync.making import forget_made  # here: segments import much that a command does not need

    left = _left(tx, drafted, made_at or [each.position for each in drafted])
    wrote, about = actor_of(tx), tx.mentions.entities_at([each.position for each in drafted])
    early.forget(tx)
    shut_out.forget(tx)
    forget_made(tx)
    tx.log.drop_lives(lives)
    closing.drop_gone(tx)
    anew.note(tx)
    ledger.refold(tx, about)
    why = exts.of({changes.WHY: because.encode()})
    actor = begin_life(tx, Birth(key, random(16), *added, why))
    if drafted:
        early.note_reissued(tx, wrote, actor)
        rewriting.write_again(tx, ledger, left, random(16))
    return True


def is_due(reader: StoreReader) -> bool:
    """Tell whether this store's early changes depend on a lost change, and there is another change to continue from."""
    if not _rests_on_nothing(reader) or reader.segments.merged():
        return False
    return authority.added_by(reader, _own_key(reader)) is not None


def is_shut_out(reader: StoreReader) -> bool:
    """Tell whether this device may have to be let in again."""
    return shut_out.by(reader) is not None or _rests_on_nothing(reader)


def _rests_on_nothing(reader: StoreReader) -> bool:
    """Tell whether what this store wrote, or would write next, continues a change that is not here."""
    if early.is_pending(reader):
        return True
    raw, actor = reader.meta.get(BIRTH_KEY), reader.meta.get(ACTOR_KEY)
    return raw is not None and actor not in reader.log.heads() and early.is_missing(reader, changes.decode_birth(raw))


def _own_key(reader: StoreReader) -> bytes:
    return changes.decode_birth(reader.meta.get(BIRTH_KEY) or b"").public_key


# --- what is to be written again --------------------------------------------------------------------------------------


class _Arrived:
    """What had arrived when a change was made: by its place in the log, all that is before it there."""

    def __init__(self, arrived: Frontier) -> None:
        self._arrived = arrived

    def cell(self, key: bytes, entity: Entity | None, cell: str) -> bool:  # noqa: ARG002 - a segment goes by it
        siblings = () if entity is None else entity.cells.get(cell, ())
        return all(seq <= self._arrived.get(actor, 0) for actor, seq, _, _ in siblings)

    def whole(self, key: bytes, entity: Entity | None) -> bool:  # noqa: ARG002 - a segment goes by it
        return entity is None or frontier.covers(self._arrived, entity.touched)

    def tag(self, key: bytes) -> str | None:  # noqa: ARG002 - a segment goes by it
        return None  # what had arrived stands


def _left(tx: StoreReader, drafted: Sequence[Drafted], made_at: Sequence[int]) -> list[tuple[Drafted, Seen | None]]:
    """
    Return what was written early, with what had been seen by then; with None, if it is written again already.

    Args:
        tx: The store.
        drafted: What was written.
        made_at: Where each of these stood in the log when it was made.
    """
    done, arrived = _written_again(tx, {each.change.hash[:DEP_HASH_BYTES] for each in drafted})
    own = {each.position for each in drafted}
    others = deque(position for position in tx.log.positions_after({}) if position not in own)
    left: list[tuple[Drafted, Seen | None]] = []
    for each, made in zip(drafted, made_at, strict=True):
        while others and others[0] < made:
            logged = tx.log.read(others.popleft())
            arrived[logged.actor] = max(logged.seq, arrived.get(logged.actor, 0))
        is_left = each.change.hash[:DEP_HASH_BYTES] not in done
        left.append((each, _Arrived(dict(arrived)) if is_left else None))
    return left


def _written_again(reader: StoreReader, early_hashes: Collection[bytes]) -> tuple[set[bytes], Frontier]:
    """
    Return which early changes are here under another life, and how far that reaches in it.

    So it is where this store was put back to a state from before it was let in again.
    """
    done, reached = set[bytes](), Frontier()
    for name, head in reader.log.heads().items():
        if changes.decode_birth(head.birth).public_key == _own_key(reader):
            for header in map(changes.decode_header, reader.log.headers(name, 1, head.seq)):
                if header.again is not None and header.again in early_hashes:
                    done.add(header.again)
                    reached[name] = header.seq
    return done, reached

"""
Early writes: what a device writes after it became a member, and before the workspace's log is here, or is proved.

The device's first life continues the change that made it a member. An early write therefore depends on that change and on
everything before it, although the device has none of that yet and folds the write on an empty store. Its peers fold it
behind that change. As soon as the change arrives, this store does so, too: it moves the early writes behind it, and folds
anew the entities that they are about.

Until then early writes are sent to nobody, and nothing that another device builds on them is taken: what that depends on is
not all here. The change may be lost for good, together with the only disk that had it; then the early writes are made again
behind another change (``sync.readmission``), and no device can hold them twice. They are made again also where somebody
else's changes to the same entities arrived first and are not in that change's past: behind it, the early writes would have
seen less than their author had.

A write on a provisional segment is sent to nobody until the log has confirmed the segment: if the log does not, nobody's
work rests on something that never existed. Where the segment brought more lives than a header has room to name, a write on
it names none of them. It has seen all of the segment nevertheless, and is made again once the log is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes.chains import Chains, names_of
from edda_sync.changes.change import Birth
from edda_sync.crdt.frontier import ACTOR_BYTES
from edda_sync.store.seams import Logged, StoreReader, StoreWriter

EARLY_KEY: Final = "early"  # the birth of the life that wrote early
DRAFTED_KEY: Final = "drafted"  # the lives in which this store wrote on a segment that is provisional
UNNAMED_KEY: Final = "unnamed"  # there are drafts that do not name the segment on which they were written
PLACED_KEY: Final = "placed"  # the early writes that have just been moved to their place, see :func:`placed`
REISSUED_KEY: Final = "reissued"  # lives of which this store wrote all again in the next, and the last of these


_placed_encoder = msgspec.msgpack.Encoder()
_decode_placed = msgspec.msgpack.Decoder(tuple[bytes, tuple[int, ...]]).decode


def is_missing(reader: StoreReader, birth: Birth) -> bool:
    """Tell whether the change that a life continues is missing. A change for which a segment stands is not missing."""
    if birth.parent is None:
        return False
    chains = Chains(reader)
    return chains.continued(birth) is None and not chains.is_uncertain(birth.parent, birth.parent_seq)


def note(tx: StoreWriter, birth: Birth | None) -> None:
    """Note that a life began with this birth, if the change that it continues is missing, or only in a segment."""
    if birth is None:
        return
    if is_missing(tx, birth):
        tx.meta.set(EARLY_KEY, changes.encode_birth(birth))
    if tx.segments.merged():
        tx.meta.set(DRAFTED_KEY, b"".join(sorted(drafted(tx) | {changes.actor_of(changes.encode_birth(birth))})))


def drafted(reader: StoreReader) -> frozenset[bytes]:
    """Return the lives in which this store wrote on a provisional segment. These drafts are given to nobody until then."""
    raw = reader.meta.get(DRAFTED_KEY) or b""
    return frozenset(raw[at : at + ACTOR_BYTES] for at in range(0, len(raw), ACTOR_BYTES))


def forget_drafted(tx: StoreWriter) -> None:
    """Forget the drafts: the segment is confirmed and they may be sent, or they are no longer there."""
    tx.meta.drop(DRAFTED_KEY)
    tx.meta.drop(UNNAMED_KEY)


def note_unnamed(tx: StoreWriter) -> None:
    """Note that a draft does not name the segment on which it is written."""
    tx.meta.set(UNNAMED_KEY, b"1")


def is_unnamed(reader: StoreReader) -> bool:
    """Tell whether there are drafts that have seen the whole segment on which they were written, but do not name it."""
    return reader.meta.get(UNNAMED_KEY) is not None


def note_reissued(tx: StoreWriter, former: bytes, actor: bytes) -> None:
    """Note that the changes of one life are written again in another one. This may happen more than once."""
    before = tx.meta.get(REISSUED_KEY) or b""
    tx.meta.set(REISSUED_KEY, (before if before.endswith(former) else former) + actor)


def is_reissued(reader: StoreReader, former: bytes, actor: bytes) -> bool:
    """Tell whether this store itself wrote the changes of a former life again in a later one."""
    raw = reader.meta.get(REISSUED_KEY)
    if raw is None:
        return False  # the usual case, and asked at each write
    lives = [raw[at : at + ACTOR_BYTES] for at in range(0, len(raw), ACTOR_BYTES)]
    return actor in lives[1:] and former in lives[: lives.index(actor)]


def held_back(reader: StoreReader) -> frozenset[bytes]:
    """Return the names of the lives whose changes are not sent yet: drafts and early writes."""
    return drafted(reader) | lives(reader)


def is_pending(reader: StoreReader) -> bool:
    """Tell whether there are early writes that wait for the change that they continue."""
    return reader.meta.get(EARLY_KEY) is not None


def are_below(reader: StoreReader, author: bytes, *past: Mapping[bytes, int], begins: bool) -> bool:
    """
    Tell whether a change from elsewhere depends on early writes, so that it comes too early itself.

    Its author may be this very device, if a copy of its store began a life of its own, or this store was put back. Then a
    change that goes on in a life that is here is one more early write, and one that begins a life comes too early.

    Args:
        reader: A reader of the store.
        author: The key of the device that made the change.
        past: What the change depends on. Wherever a later early life is, the first one is, because the later continues it.
        begins: Whether the change begins a life.
    """
    raw = reader.meta.get(EARLY_KEY)
    if raw is None or (changes.decode_birth(raw).public_key == author and not begins):
        return False
    first = changes.actor_of(raw)
    return any(name in each for name in (first, *names_of(reader).branches(first)) for each in past)


def awaited(reader: StoreReader) -> list[bytes]:
    """Return the actor of the change that early writes continue, while it is not here."""
    raw = reader.meta.get(EARLY_KEY)
    parent = None if raw is None else changes.decode_birth(raw).parent
    return [] if parent is None else [parent]


def lives(reader: StoreReader) -> frozenset[bytes]:
    """Return the life that wrote early, and those that continue it; none if nothing waits."""
    raw = reader.meta.get(EARLY_KEY)
    return frozenset() if raw is None else _lives(reader, raw)


def forget(tx: StoreWriter) -> None:
    """Forget the early writes: they are in their place now, or were made again."""
    tx.meta.drop(EARLY_KEY)
    tx.meta.drop(PLACED_KEY)
    tx.segments.forget_rewritten()


def settle(tx: StoreWriter, logged: Logged) -> list[bytes]:
    """
    Move the early writes after the change that they continue; return the keys of the entities to fold again.

    The caller then uses :func:`placed` in the same transaction.

    Args:
        tx: A transaction of the store.
        logged: The newest change of the log. If the early writes do not continue this change, nothing is done.
    """
    raw = tx.meta.get(EARLY_KEY)
    if raw is None or changes.decode_birth(raw).parent_hash != logged.hash:
        return []
    written = lives(tx)
    early = [at for at in tx.log.positions_after({}) if tx.log.read(at).actor in written]
    tx.meta.drop(EARLY_KEY)
    tx.meta.set(PLACED_KEY, _placed_encoder.encode((raw, early)))
    tx.log.move_to_end(early)
    return list(tx.mentions.entities_at([tx.log.position() - number for number in range(len(early))]))


class Placed(NamedTuple):
    """
    The early writes that have just been moved to their place.

    Attributes:
        birth: Of the first life that wrote early.
        lives: All lives that wrote early, by name.
        made_at: The old log position of each of their changes, in order. The author had seen what was before that
            position.
    """

    birth: Birth
    lives: frozenset[bytes]
    made_at: tuple[int, ...]


def placed(reader: StoreReader) -> Placed | None:
    """Return the early writes that were moved to their place, until :func:`forget` is called."""
    stored = reader.meta.get(PLACED_KEY)
    if stored is None:
        return None
    raw, made_at = _decode_placed(stored)
    return Placed(changes.decode_birth(raw), _lives(reader, raw), made_at)


def _lives(reader: StoreReader, raw: bytes) -> frozenset[bytes]:
    """Return the life of a birth, and the lives that continue it."""
    found, births = {changes.actor_of(raw)}, {name: head.birth for name, head in reader.log.heads().items()}
    parents = {name: changes.decode_birth(birth).parent for name, birth in births.items()}
    size = 0
    while size < len(found):
        size = len(found)
        found.update(name for name, parent in parents.items() if parent in found)
    return frozenset(found)

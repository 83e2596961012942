"""
Early writes: what a device writes after it was let in, and before the workspace's log is here, or is proved.

Its first life continues the change that made it a member. So what it writes depends on that and on all before it, and was
folded on nothing. Its peers fold it behind that. Once that is here, so does this store: what was early is put behind it,
and what it is about is folded anew. Until then it is given to nobody: that change may be lost for good, with the disk of
the one device that had it. Then all of it is written again behind another one (``sync.readmission``), and nobody can
hold it twice. So it is where what it is about had come from others before that change, and is not in its past: in its
place it would have seen less than it had.

What it writes on a segment is given to nobody at all until the log has confirmed that: should it not, nobody's work rests
on what never was. Where the segment brought more lives than a header has room for, what is written on it names nothing: it
has seen all of the segment all the same, and is written again once the log is here, which can be named bit by bit.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes.chains import Chains
from edda_sync.changes.change import Birth
from edda_sync.crdt.frontier import ACTOR_BYTES
from edda_sync.store.seams import Logged, StoreReader, StoreWriter

EARLY_KEY: Final = "early"  # the birth of the life that wrote early
DRAFTED_KEY: Final = "drafted"  # the lives in which this store wrote on a segment that is provisional
UNNAMED_KEY: Final = "unnamed"  # there are drafts that name nothing of the segment on which they were written
PLACED_KEY: Final = "placed"  # what was early and has just come to its place: see :func:`placed`
REISSUED_KEY: Final = "reissued"  # lives of which this store wrote all again in the next, and the last one of these


_placed_encoder = msgspec.msgpack.Encoder()
_decode_placed = msgspec.msgpack.Decoder(tuple[bytes, tuple[int, ...]]).decode


def is_missing(reader: StoreReader, birth: Birth) -> bool:
    """Tell whether the change that a life continues is not here; where a segment stands for it, it is."""
    if birth.parent is None:
        return False
    chains = Chains(reader)
    return chains.continued(birth) is None and not chains.is_uncertain(birth.parent, birth.parent_seq)


def note(tx: StoreWriter, birth: Birth | None) -> None:
    """Note that a life began whose birth is this, if what it continues is not here, or only in what a segment says."""
    if birth is None:
        return
    if is_missing(tx, birth):
        tx.set_meta(EARLY_KEY, changes.encode_birth(birth))
    if tx.segments():
        tx.set_meta(DRAFTED_KEY, b"".join(sorted(drafted(tx) | {changes.actor_of(changes.encode_birth(birth))})))


def drafted(reader: StoreReader) -> frozenset[bytes]:
    """Return the lives in which this store wrote on a segment that is provisional: drafts, given to nobody until then."""
    raw = reader.meta(DRAFTED_KEY) or b""
    return frozenset(raw[at : at + ACTOR_BYTES] for at in range(0, len(raw), ACTOR_BYTES))


def forget_drafted(tx: StoreWriter) -> None:
    """Give drafts to everybody from now on: the segment is confirmed; or forget that there were any."""
    tx.drop_meta(DRAFTED_KEY)
    tx.drop_meta(UNNAMED_KEY)


def note_unnamed(tx: StoreWriter) -> None:
    """Note that a draft names nothing of the segment on which it is written."""
    tx.set_meta(UNNAMED_KEY, b"1")


def is_unnamed(reader: StoreReader) -> bool:
    """Tell whether there are drafts that have seen all of the segment on which they were written, and do not say so."""
    return reader.meta(UNNAMED_KEY) is not None


def note_reissued(tx: StoreWriter, former: bytes, actor: bytes) -> None:
    """Note that what was written in one life is written again in another one, as may happen more than once."""
    before = tx.meta(REISSUED_KEY) or b""
    tx.set_meta(REISSUED_KEY, (before if before.endswith(former) else former) + actor)


def is_reissued(reader: StoreReader, former: bytes, actor: bytes) -> bool:
    """Tell whether this store itself wrote again in one life what it had written in a former one."""
    raw = reader.meta(REISSUED_KEY) or b""
    lives = [raw[at : at + ACTOR_BYTES] for at in range(0, len(raw), ACTOR_BYTES)]
    return actor in lives[1:] and former in lives[: lives.index(actor)]


def held_back(reader: StoreReader) -> frozenset[bytes]:
    """Return the names of the lives of which nobody is given anything yet: drafts, and what was written early."""
    return drafted(reader) | lives(reader)


def is_pending(reader: StoreReader) -> bool:
    """Tell whether something was written early, and what it continues is not here yet."""
    return reader.meta(EARLY_KEY) is not None


def lives(reader: StoreReader) -> frozenset[bytes]:
    """Return the life that wrote early, and those that continue it; none while nothing is pending."""
    raw = reader.meta(EARLY_KEY)
    return frozenset() if raw is None else _lives(reader, raw)


def forget(tx: StoreWriter) -> None:
    """Forget that something was written early: it is in its place now, or is no more."""
    tx.drop_meta(EARLY_KEY)
    tx.drop_meta(PLACED_KEY)
    tx.forget_rewritten()


def settle(tx: StoreWriter, logged: Logged) -> list[bytes]:
    """
    Put what was early behind the change that it continues; return the entities to fold anew, by key.

    Whoever calls it asks :func:`placed` in the same transaction.

    Args:
        tx: A transaction of the store.
        logged: The newest change of the log; nothing is done where it is another one.
    """
    raw = tx.meta(EARLY_KEY)
    if raw is None or changes.decode_birth(raw).parent_hash != logged.hash:
        return []
    written = lives(tx)
    early = [at for at in tx.positions_missing({}) if tx.logged(at).actor in written]
    tx.drop_meta(EARLY_KEY)
    tx.set_meta(PLACED_KEY, _placed_encoder.encode((raw, early)))
    tx.move_to_end(early)
    return list(tx.entities_at([tx.log_position() - number for number in range(len(early))]))


class Placed(NamedTuple):
    """
    What was early, and has just come to its place.

    Attributes:
        birth: Of the first life that wrote early.
        lives: The lives that did, by name.
        made_at: Of each of their changes, in their order, where it stood in the log: what came before it had been seen.
    """

    birth: Birth
    lives: frozenset[bytes]
    made_at: tuple[int, ...]


def placed(reader: StoreReader) -> Placed | None:
    """Return what has come to its place, until it is forgotten that it was early."""
    stored = reader.meta(PLACED_KEY)
    if stored is None:
        return None
    raw, made_at = _decode_placed(stored)
    return Placed(changes.decode_birth(raw), _lives(reader, raw), made_at)


def _lives(reader: StoreReader, raw: bytes) -> frozenset[bytes]:
    """Return the life of a birth, and those that continue it."""
    found, births = {changes.actor_of(raw)}, {name: head.birth for name, head in reader.heads().items()}
    parents = {name: changes.decode_birth(birth).parent for name, birth in births.items()}
    size = 0
    while size < len(found):
        size = len(found)
        found.update(name for name, parent in parents.items() if parent in found)
    return frozenset(found)

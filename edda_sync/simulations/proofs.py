"""A lie about content: a false proof at an equal frontier, and coded cells or pages that pretend to show what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from edda_sync.crdt import pages
from edda_sync.crdt.digests import HASH_BYTES, Item
from edda_sync.crdt.sketch import CELL_BYTES, Sketch
from edda_sync.simulations.liars import CODEC, Liar
from edda_sync.simulations.lies import Frames, lie
from edda_sync.simulations.links import Host
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.sync.messages import Ack, Cells, Listed, Message
from edda_sync.words import limits

HOWS: Final = (
    "other content", "everything", "noise", "cells from nowhere", "too many cells", "half a cell", "pages",
    "pages out of order", "half a page", "other things wait",
)  # fmt: skip


def differ(sim: Simulation, draws: Draws, liar: Liar) -> Frames:
    """It says that its content differs, and then where: by coded cells or by pages, some well formed and some not."""
    del sim
    how = draws.pick("how", HOWS)
    false = draws.draw("proof", 1 << 30).to_bytes(16, "big")
    noise = 1 + draws.draw("noise", 255)

    def frames(listener: Host) -> Sequence[bytes]:
        assert liar.replica is not None, "it is awake"
        exchange = liar.replica.exchange
        true = liar.act(lambda _: exchange.proof())
        if true is None:
            return []
        proof = false + true.heads_hash
        said = Ack((), 0, False, proof, true.waiting, true.evidence, true.unread)
        items = [(key, bytes(each ^ noise for each in digest)) for key, digest in exchange.items()]
        if how != "everything":
            items = items[:1]
        told: list[Message] = [said, *_shown(how, proof, items, _key(liar, listener), noise)]
        if how == "other things wait":  # the peer has begun to compare what is here
            told[1:1] = [msgspec.structs.replace(said, unread=bytes(16))]
        return [CODEC.encode(message) for message in told]

    return frames


def _shown(how: str, proof: bytes, items: Sequence[Item], key: bytes, noise: int) -> list[Message]:
    if how in ("other content", "everything"):  # if they can be decoded, they name what is really here
        sketch = Sketch(key, items, limits.CODED_CELLS_FIRST)
        return [Cells(proof, 0, sketch.cells(0, len(sketch)))]
    if how in ("noise", "other things wait"):
        return [Cells(proof, 0, bytes([noise]) * CELL_BYTES * limits.CODED_CELLS_FIRST)]
    if how == "cells from nowhere":
        return [Cells(proof, 7, bytes(CELL_BYTES))]
    if how == "too many cells":
        return [Cells(proof, 0, bytes(CELL_BYTES * (limits.CODED_CELLS_MAX + 1)))]
    if how == "half a cell":
        return [Cells(proof, 0, bytes(CELL_BYTES // 2))]
    listed = [Listed(proof, *page) for page in pages.pages(items)]
    if how == "pages out of order":
        return [Listed(proof, items[0][0], pages.LAST_KEY, b""), *listed]
    if how == "half a page":
        return [Listed(proof, pages.BEFORE_ALL, pages.LAST_KEY, bytes(HASH_BYTES))]
    return [*listed]


def _key(liar: Liar, listener: Host) -> bytes:
    """Return the key of the coded cells in a session, which both ends know."""
    assert liar.replica is not None, "it is awake"
    session = liar.replica._sessions.get(listener.id)
    return bytes(32) if session is None else b"".join(session._comparing.proving._nonces).ljust(32, b"\0")


ACTIONS: Final = (lie("differ", differ),)

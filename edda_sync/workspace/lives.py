"""
Lives of devices' stores, as the log shows them: how many there are, which of them still write, and which are closed.

The lives of one key form a tree, since each names the life that it continues. A device with a single store has one leaf
that writes. A second leaf that writes belongs to another copy of the same store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from edda_sync.changes import change as changes
from edda_sync.changes.chains import Chains, forked_keys
from edda_sync.crdt.records import device_id
from edda_sync.store.seams import Head, StoreReader, StoreWriter
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.workspace import closing as closings
from edda_sync.workspace.closing import Closing
from edda_sync.workspace.keys import ACTOR_KEY


class Life(NamedTuple):
    """
    One life.

    Attributes:
        device: The device whose store it is.
        name: The actor, or the branch of an actor whose chain forks.
        seq: The number of its changes, with those before the branch.
        began_ms, wrote_ms: Wall times of its first and last change; 0 if the log lacks these, or they cannot be read.
        is_leaf: Whether no other life of its device continues its last change.
        is_closed: Whether its device said that it has ended.
        why: Why it began, for a person; empty for a device's first life.
    """

    device: str
    name: bytes
    seq: int
    began_ms: int
    wrote_ms: int
    is_leaf: bool
    is_closed: bool
    why: str


def lives(reader: StoreReader) -> list[Life]:
    """Return all lives that have changes in the log, ordered by device and name."""
    chains, heads = Chains(reader), reader.log.heads()
    births = list(map(_birth, heads.values()))  # a first life names a change of another device
    continued = {(birth.public_key, birth.parent_hash) for birth in births}
    ended = {each.actor for each in closings.held(reader)}
    found = []
    for name, head in heads.items():
        actor, first = chains.actor(name), chains.names.first(name)
        key = _birth(head).public_key
        is_leaf = (key, head.hash) not in continued and not chains.names.after(name)
        began, wrote = _wall_ms(reader, name, first), _wall_ms(reader, name, head.seq)
        device = device_id(key)
        found.append(Life(device, name, head.seq, began, wrote, is_leaf, actor in ended, _birth(head).why))
    return sorted(found, key=lambda life: (life.device, life.name))


def is_closed(reader: StoreReader, actor: bytes) -> bool:
    """Tell whether a life was closed by its device."""
    return closings.of(reader, actor) is not None


def forked(reader: StoreReader) -> list[str]:
    """Return the devices with a chain that is proved to fork: two stores wrote in one life, or the device lies."""
    return sorted(map(device_id, forked_keys(reader)))


def copies(reader: StoreReader, now_ms: int) -> list[Life]:
    """
    Return the lives of other copies of this device's store, the latest to write first.

    A life counts if it has written since the present life began, and has not been quiet for ``LIFE_QUIET_S``. (Such a
    quiet life is closed when the store begins its next life.)

    Args:
        reader: The store.
        now_ms: Wall time in milliseconds since 1970.
    """
    own, listed = reader.meta.get(ACTOR_KEY), lives(reader)
    present = next((life for life in listed if life.name == own), None)
    if present is None:
        return []
    since = max(present.began_ms, now_ms - limits.LIFE_QUIET_S * 1000)
    others = [life for life in listed if life.device == present.device and life is not present]
    writing = [life for life in others if life.is_leaf and not life.is_closed and life.wrote_ms > since]
    return sorted(writing, key=lambda life: -life.wrote_ms)


def close_quiet(
    tx: StoreWriter, workspace: bytes, public_key: bytes, sign: Callable[[bytes], bytes], now_ms: int
) -> int:
    """
    Close the lives of this device's store that nothing continues and that have long been quiet; return how many.

    Args:
        tx: A transaction of the store.
        workspace: The workspace's id.
        public_key, sign: This device's key, and the function that signs with it.
        now_ms: Wall time in milliseconds since 1970.
    """
    own, heads = tx.meta.get(ACTOR_KEY), tx.log.heads()
    closed = 0
    for life in lives(tx):
        head = heads[life.name]
        quiet = life.wrote_ms < now_ms - limits.LIFE_QUIET_S * 1000
        if _birth(head).public_key != public_key or life.name == own or not life.is_leaf:
            continue
        is_damaged = not life.wrote_ms and tx.log.position_of(life.name, life.seq) is not None
        if quiet and not life.is_closed and not is_damaged:
            message = closings.signed_message(workspace, changes.actor_of(head.birth), head.seq, head.hash)
            closing = Closing(head.birth, head.seq, head.hash, sign(message))
            closed += closings.keep(tx, closing)
    return closed


def _birth(head: Head) -> changes.Birth:
    return changes.decode_birth(head.birth)


def _wall_ms(reader: StoreReader, name: bytes, seq: int) -> int:
    raws = reader.log.headers(name, seq, seq)
    try:
        return changes.decode_header(raws[0]).wall_ms if raws else 0
    except RemoteProtocolError:  # it rotted: the doctor names it, and a peer brings it back
        return 0

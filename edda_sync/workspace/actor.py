"""The actor: the life under which a store writes, and how the next one begins."""

from __future__ import annotations

from edda_sync.changes import change as changes
from edda_sync.changes.chains import names_of
from edda_sync.crdt import ext as exts
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.words.errors import UsageError
from edda_sync.workspace.keys import ACTOR_KEY, BIRTH_KEY


def meta_of(reader: StoreReader, key: str) -> bytes:
    """
    Return a value that a device's store keeps about itself.

    Raises:
        UsageError: The store has no device yet.
    """
    value = reader.meta.get(key)
    if value is None:
        raise UsageError("This store has no device yet; run `edda init`.")
    return value


def actor_of(reader: StoreReader) -> bytes:
    """Return the actor under which this store writes."""
    return meta_of(reader, ACTOR_KEY)


def begin_life(tx: StoreWriter, birth: changes.Birth) -> bytes:
    """Begin a new life of this device's store with the next change; return its actor."""
    raw = changes.encode_birth(birth)
    actor = changes.actor_of(raw)
    tx.meta.set(BIRTH_KEY, raw)
    tx.meta.set(ACTOR_KEY, actor)
    return actor


def new_life(tx: StoreWriter, nonce: bytes, why: str = "") -> bytes:
    """
    Begin a new life of the same device. It continues the present life, or, if that never wrote, what the present life
    continues.

    Args:
        tx: A transaction of the store.
        nonce: 16 random bytes.
        why: The reason, for a person.
    """
    ext = exts.of({changes.WHY: why.encode() or None})
    birth = changes.decode_birth(meta_of(tx, BIRTH_KEY))
    head = tx.log.heads().get(actor_of(tx))
    if head is None:
        continued = (birth.parent, birth.parent_seq, birth.parent_hash)
        return begin_life(tx, changes.Birth(birth.public_key, nonce, *continued, birth.ext or ext))
    parent = names_of(tx).actor(head.actor)  # the actor of the chain; the hash tells which branch
    return begin_life(tx, changes.Birth(birth.public_key, nonce, parent, head.seq, head.hash, ext))

"""
Deltas: what a fold made of some changes, as one frozen value. :func:`apply` writes it into a transaction of a store.

Caches, dry runs and whoever watches a store can read the same value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edda_sync.store.seams import Patch, Pointed, Record, Shown, StoreWriter, Unapplied


class TextSaved(NamedTuple):
    """A text's state up to the update of a serial number."""

    entity: bytes
    field: str
    genesis: bytes
    state: bytes
    serial: int


class TextAppended(NamedTuple):
    """An edit of a text, with the serial number that it will have, and the change that brought it."""

    entity: bytes
    field: str
    genesis: bytes
    serial: int
    actor: bytes
    seq: int
    edit: bytes


TextWrite = TextSaved | TextAppended


class Delta(NamedTuple):
    """
    What became of entities, by key where one is given as bytes.

    Attributes:
        mentions: Which entities changes are about: entity, and the change's position in the log.
        unapplied: Operations that are not folded.
        texts: What was done to texts, in order.
        overfull: Entities that have become overfull: nothing else of them is kept.
        records: States, new or changed.
        conflicted: Of each of these, whether a cell has several values.
        digest: What the digest's sum grows by, modulo 2**128.
        hidden: Entities that are not shown any more, by kind.
        shown: What the tables show of entities, whole; ``new`` are those that no table has a row of.
        patches: What changed in rows that are shown already.
        pointed: Where tags and links of entities point that are shown already.
        stale: Entities whose row and hash wait for their text, or no longer do.
    """

    mentions: Sequence[tuple[bytes, int]]
    unapplied: Sequence[Unapplied]
    texts: Sequence[TextWrite]
    overfull: Sequence[bytes]
    records: Sequence[Record]
    conflicted: Mapping[bytes, bool]
    digest: int
    hidden: Mapping[str, Sequence[bytes]]
    shown: Sequence[Shown]
    new: frozenset[bytes]
    patches: Sequence[Patch]
    pointed: Sequence[Pointed]
    stale: Mapping[bytes, bool]


def apply(tx: StoreWriter, delta: Delta) -> None:
    """Write a delta that a fold over this very transaction made."""
    if delta.mentions:
        tx.mentions.add(delta.mentions)
    if delta.unapplied:
        tx.unapplied.add(delta.unapplied)
    for write in delta.texts:
        if isinstance(write, TextSaved):
            tx.states.put_text(*write)
        else:
            serial = tx.states.append_text(write.entity, write.field, write.genesis, write.actor, write.seq, write.edit)
            assert serial == write.serial, "nobody else writes in this transaction"
    if delta.overfull:
        tx.forget(delta.overfull)  # its texts, and what was refused of it and waits: out of the digest it is then, too
    if delta.records:
        tx.states.put(delta.records, delta.conflicted)
    if delta.digest:
        tx.index.add_to_digest(delta.digest)
    for kind, keys in delta.hidden.items():
        tx.tables.hide(kind, keys)
    if delta.shown:
        tx.tables.show(delta.shown, delta.new)
    if delta.patches:
        tx.tables.patch(delta.patches)
    if delta.pointed:
        tx.tables.point(delta.pointed)
    if delta.stale:
        tx.index.set_stale(delta.stale)

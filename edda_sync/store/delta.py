"""
Deltas: what a fold of some changes made, as one frozen value. :func:`apply` writes it into a transaction of a store.

Caches, dry runs and watchers of a store can read the same value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edda_sync.store.seams import Attached, Claim, Deleted, Patch, Pointed, Record, Shown, StoreWriter, Unapplied


class TextSaved(NamedTuple):
    """The state of a text, up to and including the edit with this serial number."""

    entity: bytes
    field: str
    genesis: bytes
    state: bytes
    serial: int


class TextAppended(NamedTuple):
    """An edit of a text: the serial number that it will have, and the change that brought it."""

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
    What a fold changed. Where an entity is given as bytes, that is its key.

    Attributes:
        mentions: Which entities the changes are about: pairs of an entity and the position of the change in the log.
        unapplied: Operations that are not folded.
        texts: What was done to texts, in order.
        overfull: Entities that have become overfull. Nothing else about them is kept.
        records: States that are new or changed.
        conflicted: For each of these records, whether a cell has several values, or changes of a text may overlap.
        digest: What to add to the digest's sum, modulo 2**128.
        hidden: Entities that are no longer shown, by kind.
        shown: Everything that the tables show of some entities.
        new: The keys of those in ``shown`` that have no row in any table yet.
        patches: What changed in rows that are already shown.
        pointed: New targets of tags and links of entities that are already shown.
        attached: All attachments of some documents.
        unclaimed: Unique indexes and entities of claims that end.
        claimed: Claims that are new or changed.
        uniques: Records of unique indexes that begin or change, by name; None for one that ends.
        stale: For each of these entities, whether its row and hash wait for its text.
        deletions: The open deletions of these entities; None where there are none any more.
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
    attached: Mapping[bytes, Sequence[Attached]]
    unclaimed: Sequence[tuple[str, bytes]]
    claimed: Sequence[Claim]
    uniques: Mapping[str, bytes | None]
    stale: Mapping[bytes, bool]
    deletions: Mapping[bytes, Deleted | None]


def apply(tx: StoreWriter, delta: Delta) -> None:
    """Write a delta that a fold made over this very transaction."""
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
        tx.forget(delta.overfull)  # also drops its texts and unapplied operations, and takes it out of the digest
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
    if delta.attached:
        from edda_sync.store.held import note_needed

        tx.attachments.put(delta.attached)
        note_needed(tx, (each.root for rows in delta.attached.values() for each in rows))
    if delta.unclaimed or delta.claimed:
        tx.uniques.put(delta.unclaimed, delta.claimed)
    for name, record in delta.uniques.items():
        tx.uniques.define(name, record)
    if delta.stale:
        tx.index.set_stale(delta.stale)
    if delta.deletions:
        tx.index.set_deletions(delta.deletions)

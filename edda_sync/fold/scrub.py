"""
The scrub: whether stored entities, their hashes and their rows still are what the fold made of them.

A digest that is kept up to date by each commit does not notice a bit that flips in a row afterwards. The scrub computes
each entity's hash and row anew from its stored state, a slice at a time, and the digest's sum from the stored hashes.
"""

from __future__ import annotations

from typing import NamedTuple

from edda_sync.crdt import digests
from edda_sync.crdt.entity import kind_and_id
from edda_sync.crdt.rows import COLUMNS
from edda_sync.fold.fold import Fold
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, RefusedTextError


class Damage(NamedTuple):
    """Something that is not what was written: an entity, by its key, or else the digest; the log can make it anew."""

    what: str
    key: bytes | None


def scrub_entities(tx: StoreWriter, fold: Fold, after: bytes, limit: int) -> tuple[list[Damage], bytes | None]:
    """
    Look at the next entities.

    Args:
        tx: A transaction of the store, in which every text is up to date.
        fold: A fold over it.
        after: Key of the last entity that was looked at; empty at the start.
        limit: How many to look at.

    Returns:
        What is damaged, and where to go on; None at the end.
    """
    found = []
    for looked, record in enumerate(tx.all_records(after=after), start=1):
        try:
            sound = fold.is_sound(record)
        except (CorruptError, RefusedTextError):  # what cannot be read, or names a text that is not there
            sound = False
        if not sound:
            kind, entity_id = kind_and_id(record.key)
            found.append(Damage(f"{kind} {values.id_text(entity_id)}", record.key))
        if looked == limit:
            return found, record.key
    return found, None


def scrub_digest(reader: StoreReader) -> list[Damage]:
    """Compute the digest's sum anew from the stored hashes, and look for rows that belong to no entity."""
    total = 0
    visible = dict.fromkeys(COLUMNS, 0)
    for record in reader.all_records():
        kind, _ = kind_and_id(record.key)
        total = digests.add(total, record.hash)
        if not record.hidden and kind in visible:
            visible[kind] += 1
    found = [Damage("the digest", None)] if total != reader.digest() else []
    counts = reader.counts()
    rows = {"task": counts["tasks"], "document": counts["documents"], "tag": counts["tags"]}
    found += [Damage(f"the number of {kind}s", None) for kind, count in visible.items() if rows[kind] != count]
    return found

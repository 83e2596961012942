"""
The scrub: whether stored entities, their hashes and their rows still are what the fold made of them.

A digest that is kept up to date by each commit does not notice a bit that flips in a row afterwards. The scrub computes
each entity's hash and row anew from its stored state, a slice at a time, and the buckets' sums from the stored hashes.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from edda_sync import values
from edda_sync.crdt.entity import bucket_of, kind_and_id
from edda_sync.crdt.fold import Fold
from edda_sync.crdt.rows import COLUMNS
from edda_sync.errors import CorruptError, RefusedTextError
from edda_sync.protocols import StoreReader, StoreWriter


class Damage(NamedTuple):
    """Something that is not what was written: an entity, or a bucket of the digest; the log can make it anew."""

    what: str
    bucket: int


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
            found.append(Damage(f"{kind} {values.id_text(entity_id)}", bucket_of(entity_id)))
        if looked == limit:
            return found, record.key
    return found, None


def scrub_buckets(reader: StoreReader) -> list[Damage]:
    """Compute the digest's sums anew from the stored hashes, and look for rows that belong to no entity."""
    sums: defaultdict[int, int] = defaultdict(int)
    visible = dict.fromkeys(COLUMNS, 0)
    for record in reader.all_records():
        kind, entity_id = kind_and_id(record.key)
        sums[bucket_of(entity_id)] += int.from_bytes(record.hash, "big")
        if not record.hidden and kind in visible:
            visible[kind] += 1
    stored = reader.buckets()
    found = [
        Damage(f"bucket {bucket} of the digest", bucket)
        for bucket in sorted({*sums, *stored})
        if sums[bucket] % (1 << 128) != stored.get(bucket, 0)
    ]
    counts = reader.counts()
    rows = {"task": counts["tasks"], "document": counts["documents"], "tag": counts["tags"]}
    found += [Damage(f"the number of {kind}s", 0) for kind, count in visible.items() if rows[kind] != count]
    return found

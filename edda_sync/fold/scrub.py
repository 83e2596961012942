"""
The scrub: checks whether stored entities, their hashes and their rows are still what the fold made of them.

Each commit updates the digest by a difference, so the digest does not notice a bit that flips in a row later. The scrub
computes each entity's hash and row again from its stored state, some entities at a time, and the digest from the stored
hashes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from edda_sync.crdt import digests
from edda_sync.crdt.keys import kind_and_id
from edda_sync.fold.fold import Fold
from edda_sync.fold.texts import Texts
from edda_sync.store.seams import Record, StoreReader
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, LostStatesError, RefusedTextError
from edda_sync.words.model import COLUMNS

PAGE: Final = 1_000  # how many entities are checked together


class Damage(NamedTuple):
    """Something that is damaged: an entity, by its key, or else the digest. It can be folded again from the log."""

    what: str
    key: bytes | None


def scrub_entities(reader: StoreReader, after: bytes, limit: int) -> tuple[list[Damage], bytes | None]:
    """
    Check the next entities. If an entity's text was edited and its row is not written yet, check only that it can be read.

    Args:
        reader: A reader of the store.
        after: The key of the last entity that was checked; empty at the start.
        limit: How many to check.

    Returns:
        What is damaged, and the key to continue after; None at the end.
    """
    records = list(itertools.islice(reader.states.scan(after=after), limit))
    return _damaged(reader, records), records[-1].key if len(records) == limit else None


def scrub_texts(reader: StoreReader) -> Iterator[list[Damage]]:
    """Check the entities with stored texts, a page at a time; yield what is damaged on each page."""
    keys = iter(dict.fromkeys(entity for entity, _, _ in reader.states.texts()))
    while page := list(itertools.islice(keys, PAGE)):
        yield _damaged(reader, reader.states.get(page).values())


def _damaged(reader: StoreReader, records: Iterable[Record]) -> list[Damage]:
    found, stale = [], frozenset(reader.index.stale())
    fold = Fold(reader, Texts())
    for record in records:
        try:
            sound = fold.is_readable(record.key) if record.key in stale else fold.is_sound(record)
        except LostStatesError:  # that is not about this entity
            raise
        except (CorruptError, RefusedTextError):  # it cannot be read, or names a missing text
            sound = False
        if not sound:
            kind, entity_id = kind_and_id(record.key)
            found.append(Damage(f"{kind} {values.id_text(entity_id)}", record.key))
    return found


def scrub_digest(reader: StoreReader) -> list[Damage]:
    """Compute the digest again from the stored hashes, and look for rows that belong to no entity."""
    total = 0
    visible = dict.fromkeys(COLUMNS, 0)
    for record in reader.states.scan():
        kind, _ = kind_and_id(record.key)
        total = digests.add(total, record.hash)
        if not record.hidden and kind in visible:
            visible[kind] += 1
    found = [Damage("the digest", None)] if total != reader.index.digest() else []
    counts = reader.tables.counts()
    rows = {"task": counts["tasks"], "document": counts["documents"], "tag": counts["tags"]}
    found += [Damage(f"the number of {kind}s", None) for kind, count in visible.items() if rows[kind] != count]
    return found

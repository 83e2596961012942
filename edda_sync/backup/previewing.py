"""
Previewing: what bringing back from a backup would change, before anything is changed.

Usually the store holds every change of its backup, and then only what lies in the trash comes back. But a store may lack
changes: it lost some, or the backup is of another device. These come back as they are, since a log takes no change without
its past, and merge with what is here. So the backup is restored into a store of its own, which takes all changes of this
store too. What that shows differently is what will be different.
"""

from __future__ import annotations

from dataclasses import replace

from edda_sync.backup.comparing import Difference, How, differences
from edda_sync.backup.source import Source
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import run as runs
from edda_sync.sync.packing import heads_of


def lacks(source: Source, restored: StorageEngine) -> bool:
    """Tell whether a restored backup holds changes that a store does not."""
    ours = source.exchange.frontier()
    return any(ours.get(name, 0) < seq for name, seq, _ in heads_of(Source(restored).exchange))


def preview(source: Source, restored: StorageEngine) -> list[Difference]:
    """
    Return what would be different if everything were brought back that a backup shows and a store does not.

    Afterwards the restored store holds what both hold, and can be compared no more.

    Args:
        source: The store.
        restored: The backup, as a store of its own.

    Raises:
        UsageError: The log behind the segment with which this store began is not here yet, and the backup has other changes.
    """
    store = source.engine
    missing = [each for each in differences(restored, store) if each.is_missing]
    if not lacks(source, restored):
        return missing
    _merge(source, restored)
    named = {each.id for each in missing}
    return [*missing, *(_merged(each) for each in differences(restored, store) if each.id not in named)]


def _merge(source: Source, restored: StorageEngine) -> None:
    other = Source(restored)
    for packed in source.packing.pack(heads_of(other.exchange)):
        other.unpacking.take(runs.read([packed.data]))


def _merged(each: Difference) -> Difference:
    if each.then is None:
        return replace(each, how=How.DELETED_THEN)
    return each if each.now is None else replace(each, how=How.MERGED)

"""Which devices are in a backup: how much of each one's work it holds, and whether that device confirmed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from edda_sync.backup.manifest import Included
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments.run import Heads
from edda_sync.sync.exchange import Exchange


def included(
    engine: StorageEngine,
    exchange: Exchange,
    heads: Heads,
    remembered: Mapping[str, standing.Remembered] | None = None,
) -> list[Included]:
    """
    Return what a backup says about the other devices of the workspace, ordered by name.

    Args:
        engine: The store that is backed up.
        exchange: The same store, as sessions see it.
        heads: What the backup holds.
        remembered: When each peer was last proved equal, by device id; by default what the store has saved.
    """
    known = standing.load(engine) if remembered is None else remembered
    total = sum(seq for _, seq, _ in heads)
    changes = Counter[str]()
    for name, seq, _ in heads:
        author = exchange.author(name)
        if author is not None:
            changes[author] += seq
    own = engine.identity.device
    return [
        _included(member.device, member.name, changes[member.device], known.get(member.device), total)
        for member in engine.members()
        if member.device != own
    ]


def _included(device: str, name: str, changes: int, remembered: standing.Remembered | None, total: int) -> Included:
    # Frontiers only grow: a device that was proved equal at as many changes was equal at these changes.
    proved_s = 0.0 if remembered is None else remembered.proved_s
    is_equal = remembered is not None and proved_s > 0 and remembered.changes == total
    return Included(device, name, changes, int(proved_s * 1_000), is_equal)

"""Pruning: which backups of a device at a target are let go, by the policy, and because nobody can read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from edda_sync.backup import retention
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.repository import Found
from edda_sync.words.config import RetentionPolicy
from edda_sync.words.errors import DamagedBackupError


class Pruned(NamedTuple):
    """
    What is to be let go.

    Attributes:
        gone: The keys of the manifests that go.
        own: The manifests of this device, the oldest first, also those that go.
        kept: How many of them stay.
    """

    gone: Sequence[str]
    own: Sequence[Manifest]
    kept: int


def judged(
    there: Sequence[Found], policy: RetentionPolicy, spared: Manifest | None = None, made: Manifest | None = None
) -> Pruned:
    """
    Return which backups of this device are let go. The newest one stays.

    Args:
        there: The manifests of this device, the oldest first.
        policy: Which are kept.
        spared: One that is kept all the same.
        made: The newest one, which a target that lists late may not list yet.
    """
    own = {each.key: each.manifest for each in there if each.manifest is not None}
    if made is not None and made not in own.values():
        own[""] = made
    taken = [
        retention.Taken(key, datetime.fromtimestamp(each.made_ms / 1_000, UTC), each.total_bytes, not each.outstanding)
        for key, each in own.items()
    ]
    verdicts = retention.judge(taken, policy, None, lambda kept: _size([own[each.name].sizes for each in kept]))
    gone = [each.backup.name for each in verdicts if not each.keeps and own[each.backup.name] != spared]
    kept, newest = len(own) - len(gone), max((each.number for each in own.values()), default=0)
    gone += [  # nobody can read them, and as long as they are there, nothing of what lies there may be deleted
        each.key for each in there if isinstance(each.error, DamagedBackupError) and each.number < newest
    ]
    return Pruned(gone, tuple(own.values()), kept)


def _size(backups: Sequence[Mapping[bytes, int]]) -> int:
    """Return how many bytes some backups take together, given how many each of their objects takes."""
    sizes: dict[bytes, int] = {}
    for name, size in (found for each in backups for found in each.items()):
        sizes[name] = max(size, sizes.get(name, 0))  # one that an older version made leaves packs out
    return sum(sizes.values())

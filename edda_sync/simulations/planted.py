"""All planted bugs, from :mod:`~edda_sync.simulations.bugs`; ``hunt`` measures how soon each is noticed."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs import (
    backup,
    crdt,
    files,
    forks,
    ledger,
    live,
    rocks,
    store,
    sync,
    texts,
    trust,
    undoing,
    uniques,
)
from edda_sync.simulations.bugs.planting import Bug

BUGS: Final[tuple[Bug, ...]] = (
    *crdt.BUGS, *texts.BUGS, *ledger.BUGS, *forks.BUGS, *sync.BUGS, *store.BUGS, *live.BUGS, *files.BUGS, *rocks.BUGS,
    *trust.BUGS, *backup.BUGS, *uniques.BUGS,
    *undoing.BUGS,
)  # fmt: skip


def bug_named(name: str) -> Bug:
    """
    Return a planted bug.

    Raises:
        KeyError: No bug has this name.
    """
    return {bug.name: bug for bug in BUGS}[name]

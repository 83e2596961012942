"""
Reviving: a new store for a device whose store is lost, from a backup. The device keeps its identity, or has a new one that
is a member by now.

The new store goes on in a new life of the device. It continues the last change of the device that is in the backup, so what
the device wrote after the backup is not lost: whoever has it returns it, and the two lives merge like those of two devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edda_sync.backup.keys import sound
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.repository import Repository
from edda_sync.backup.sealed import Kind
from edda_sync.backup.source import Source
from edda_sync.changes import change as changes
from edda_sync.changes.chains import names_of
from edda_sync.crdt import ext as exts
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import run as runs
from edda_sync.store.seams import Head, StoreReader, StoreWriter
from edda_sync.words.errors import BackupError
from edda_sync.workspace import actor as actors
from edda_sync.workspace import authority, members
from edda_sync.workspace.keys import WORKSPACE_KEY
from edda_sync.workspace.members import Ring

WHY: Final = "restored from a backup"


def revive(
    engine: StorageEngine,
    repository: Repository,
    backup: Manifest,
    ring: Ring,
    tell: Callable[[str], object] = lambda _doing: None,
    held: int = 0,
) -> None:
    """
    Fill a new store from a backup, and begin a new life of its device.

    Args:
        engine: The store: open, with the identity of a member, and empty, or made of the first runs of the backup.
        repository: Where the backup lies.
        backup: The backup.
        ring: The keys of the workspace.
        tell: Is told in a few words what is being done.
        held: How many runs of the backup are in the store (``imaging.taken``).

    Raises:
        BackupError: The backup cannot be read, or the device is no member in it. The store can be thrown away.
    """
    engine.store.transact(lambda tx: _found(tx, backup.workspace, ring))
    unpacking = Source(engine).unpacking
    for number, ref in enumerate(backup.runs[held:], held + 1):
        tell(f"restoring part {number} of {len(backup.runs)}")
        unpacking.take(runs.read([repository.get(Kind.RUN, ref)]))
    if backup.content and engine.digest() != backup.content.hex():
        raise BackupError(f"Backup {backup.number} does not give the content that it says: choose another one.")
    key = engine.identity.public_key

    def begin(tx: StoreWriter) -> None:
        members.keep_ring(tx, sound(tx, backup.workspace, ring))
        begin_again(tx, key, engine.writing.random(16))

    engine.store.transact(begin)


def _found(tx: StoreWriter, workspace: bytes, ring: Ring) -> None:
    tx.meta.set(WORKSPACE_KEY, workspace)
    members.keep_ring(tx, ring)


def begin_again(tx: StoreWriter, key: bytes, nonce: bytes) -> None:
    """Begin a life that continues the last one of this device, or, if it has never written, the change that added it."""
    ext = exts.NONE  # a first life needs no reason
    last = _last_head(tx, key)
    if last is not None:
        ext = exts.of({changes.WHY: WHY.encode()})
        parent = names_of(tx).actor(last.actor)  # the actor of the chain; the hash tells which branch
        continued = parent, last.seq, last.hash
    else:
        added = authority.added_by(tx, key)
        if added is None:
            raise BackupError(
                "What opened this backup is no member of the workspace in it: choose a later one, or join the workspace."
            )
        continued = added
    actors.begin_life(tx, changes.Birth(key, nonce, *continued, ext))


def _last_head(reader: StoreReader, key: bytes) -> Head | None:
    """Return the last change of a device, in the order of the log; None if it has never written."""
    own = [head for head in reader.log.heads().values() if changes.decode_birth(head.birth).public_key == key]
    return max(own, key=lambda head: reader.log.position_of(head.actor, head.seq) or 0, default=None)

"""
Lives: is this store what it was, or a copy, a restored backup, a rolled-back machine?

A store writes under an *actor*. Should two copies of a store write under one actor, each branch becomes a life of its own
once that is proved; it is better that nobody has to. So a small file *outside* the store's folder, the sidecar, remembers
for each file of a store, by its inode, the head of the store's own chain. Before a write the store begins a new life when

* it has not written in its present one: a copy of it has not either, and both would write that life's first change, or
* there is no sidecar of its file although the store has written before, and that is not because no sidecar of this store
  is there at all while its file is the one that it was: a container whose state folder is always new is no copy, or
* the sidecar's head is another life's, or not in the store's chain (an old copy was put back), or
* it was written before the machine started last, and the store was not closed since: its last writes may be lost, and
  what lags behind cannot tell a store from an old copy that was put in its place, or
* its chain is proved to fork, or another copy of it said that its life has ended.

Starting a process begins no life, nor does a host's name that changes, or a machine's id that is missing. Each birth says
why it was. A needless new life costs an entry of the frontier. The sidecar is written after the commit and not synced
then: within one start of a machine it lags by no more than what is being written, and a chain that extends a lagging head
is still itself. It is synced when a store is closed, which it notes, and once more before the next write, which it notes
as well.

Source: the same hazard in other systems: Riak's per-key actor epochs; Syncthing's index ids.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from edda_sync.words.files import disk_error, make_folders, open_file
from edda_sync.words.process import Owner

if TYPE_CHECKING:
    from edda_sync.crdt.frontier import Dot
    from edda_sync.store.seams import Head, StoreReader, StoreWriter

_RECORD: Final = struct.Struct(">4s16sQ32s16sQ16s16s")  # magic, actor, seq, hash, machine, inode, boot, checksum
_MAGIC: Final = b"EDL3"
INODE_KEY: Final = "inode"
COPIED: Final = "a copy, or a store whose state was lost"
PUT_BACK: Final = "an older state was put back"
POWER: Final = "the machine stopped while it was open"
FORKED: Final = "another copy wrote in the same life"
CLOSED: Final = "the life was closed"
_CLOSED: Final = bytes(16)  # in the place of the boot: the store was closed after this, and this is on disk


class _Remembered(NamedTuple):
    actor: bytes
    seq: int
    hash: bytes
    machine: bytes
    inode: int
    boot: bytes


class Slot(Protocol):
    """A few bytes outside of the store's folder. They may lag, and be lost, but never run ahead of the store."""

    def read(self) -> bytes:
        """Return what was written last; nothing when nothing was."""
        ...

    def write(self, record: bytes) -> None:
        """Write, without waiting for the disk."""
        ...

    def sync(self) -> None:
        """Wait until what was written is on disk."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Sidecar:
    """
    What is remembered of a store outside of it. Ask :meth:`doubt` inside a write, :meth:`remember` after it.

    :func:`open_sidecar` makes one that is a file.

    Args:
        slot: Where it is kept.
        machine: What tells this machine from others, 16 bytes.
        inode: What tells the store's file from its copies on this machine.
        boot: What tells this start of the machine from others, 16 bytes.
        alone: Whether there was no sidecar of this store at all, of no file of it.
    """

    def __init__(self, slot: Slot, machine: bytes, inode: int, boot: bytes, *, alone: bool = False) -> None:
        self._slot, self._machine, self._inode, self._boot = slot, machine, inode, boot
        self._alone = alone
        self._written: Head | None = None
        self._last: tuple[bytes, _Remembered | None] = (b"", None)  # what was read last, as bytes and as it means
        self._owner = Owner("The store of this sidecar")

    def doubt(self, reader: StoreReader, head: Head) -> str:
        """
        Return why the store may not go on in its life; empty when it may.

        Args:
            reader: The store, inside the transaction that is about to write.
            head: Its own actor's head.

        Raises:
            UsageError: This process was forked since.
        """
        from edda_sync.changes.early import is_reissued

        self._owner.check()
        known = self._read()
        if known is None or known.inode != self._inode:
            kept = reader.meta.get(INODE_KEY)
            is_itself = self._alone and kept is not None and int.from_bytes(kept, "big") == self._inode
            return "" if is_itself else COPIED
        reissued = is_reissued(reader, known.actor, head.actor)
        if known.actor != head.actor and not reissued:
            return (
                PUT_BACK  # a later life wrote here; that peers brought its changes back makes this store no later one
            )
        if known.boot not in (self._boot, _CLOSED):
            return POWER
        same = (known.seq == head.seq and known.hash == head.hash) or reader.log.hash_at(
            known.actor, known.seq
        ) == known.hash
        if not same and not reissued:
            return PUT_BACK
        if known.boot == _CLOSED:  # or a failing power would leave that the store is closed
            try:
                self._write(head, self._boot, sync=True)
            except OSError:
                return POWER
        return ""

    def remembered(self) -> Dot | None:
        """Return the last change that is remembered of this file; None for none."""
        known = self._read()
        return None if known is None or known.inode != self._inode else (known.actor, known.seq)

    def note_file(self, tx: StoreWriter) -> None:
        """Note in the store which file it is, should the sidecar be lost; inside a transaction that writes."""
        encoded = self._inode.to_bytes(8, "big")
        if tx.meta.get(INODE_KEY) != encoded:
            tx.meta.set(INODE_KEY, encoded)

    def remember(self, head: Head) -> None:
        """Note the head of the store's own chain."""
        self._owner.check()
        known = self._read()
        self._write(head, self._boot, sync=known is not None and known.boot == _CLOSED)  # another process closed it
        self._written = head

    def close(self) -> None:
        """Note that the store is closed, if this was the last to write, and let go of the slot."""
        self._owner.check()  # what a forked child notes would say that the parent has closed its store
        head, self._written = self._written, None
        if head is not None:
            known = self._read()
            if known is not None and (known.actor, known.seq, known.boot) == (head.actor, head.seq, self._boot):
                with suppress(OSError):  # then it takes a new actor some time
                    self._write(head, _CLOSED, sync=True)
        self._slot.close()

    def _write(self, head: Head, boot: bytes, *, sync: bool) -> None:
        record = _RECORD.pack(_MAGIC, head.actor, head.seq, head.hash, self._machine, self._inode, boot, b"")[:-16]
        raw = record + _checksum(record)
        self._slot.write(raw)
        self._last = raw, _Remembered(head.actor, head.seq, head.hash, self._machine, self._inode, boot)
        if sync:
            self._slot.sync()

    def _read(self) -> _Remembered | None:
        raw = self._slot.read()
        if raw != self._last[0]:
            self._last = raw, _remembered(raw)
        return self._last[1]


class _FileSlot:
    def __init__(self, path: Path) -> None:
        self._fd = open_file(path)

    def read(self) -> bytes:
        return os.pread(self._fd, _RECORD.size, 0)

    def write(self, record: bytes) -> None:
        os.pwrite(self._fd, record, 0)

    def sync(self) -> None:
        os.fsync(self._fd)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._fd)


def open_sidecar(folder: Path, store_id: bytes, database: Path, *, boot: bytes | None = None) -> Sidecar:
    """
    Open a store's sidecar, and make it if there is none.

    Args:
        folder: Where sidecars are kept.
        store_id: 16 random bytes that the store was made with; copies share them.
        database: The store's file.
        boot: What tells this start of the machine from others, 16 bytes; found out by default.

    Raises:
        StorageError: It cannot be opened, or others can read it and that cannot be changed.
    """
    inode = os.stat(database).st_ino
    path = folder / f"{store_id.hex()}-{inode:x}"  # copies share the first half: with one file they would take turns
    alone = False
    if not os.access(path, os.F_OK):
        try:
            make_folders(folder)
            alone = not any(each.startswith(f"{store_id.hex()}-") for each in os.listdir(folder))
        except OSError as error:
            raise disk_error(folder, error) from None
    return Sidecar(_FileSlot(path), machine_id(), inode, boot or boot_id(), alone=alone)


def is_remembered(folder: Path, database: Path) -> bool:
    """Tell whether a store is remembered whose file this was on this machine, whatever is in the file by now."""
    with suppress(OSError):
        inode = database.stat().st_ino
        known = [_remembered(path.read_bytes()) for path in folder.glob(f"*-{inode:x}")]
        return any(each is not None and (each.machine, each.inode) == (machine_id(), inode) for each in known)
    return False


def _remembered(raw: bytes) -> _Remembered | None:
    if len(raw) != _RECORD.size or _checksum(raw[:-16]) != raw[-16:] or not raw.startswith(_MAGIC):
        return None
    return _Remembered(*_RECORD.unpack(raw)[1:7])


def _checksum(record: bytes) -> bytes:
    return blake2b(record, digest_size=16, person=b"edda-sidecar").digest()


@cache
def machine_id() -> bytes:
    """Return a hash of what tells this machine from others; looked up once, since a process stays where it is."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with suppress(OSError):
            return blake2b(Path(path).read_bytes().strip(), digest_size=16, person=b"edda-machine").digest()
    name = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return blake2b(name.encode(), digest_size=16, person=b"edda-machine").digest()


@cache
def boot_id() -> bytes:
    """Return a hash of what tells this start of this machine from others; the same for all where nothing does."""
    with suppress(OSError):
        name = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
        return blake2b(name, digest_size=16, person=b"edda-boot").digest()
    return blake2b(b"", digest_size=16, person=b"edda-boot").digest()

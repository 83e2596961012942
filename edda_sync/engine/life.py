"""
Lives: whether a store is the same as before, or a copy, a restored backup, or the store of a machine that was rolled back.

A store writes under an *actor*, its life. If two copies of a store write under the same actor, their changes fork. Each
branch becomes a life of its own once that is proved, but it is better to avoid this. So a small file *outside* the store's
folder, the sidecar, remembers the head of the store's own chain. There is one sidecar for each file of a store, by inode.
Before a write, the store begins a new life if one of these is true:

* It has not written in its present life. A copy of it has not either, and both would write the first change of that life.
* There is no sidecar for its file, although the store has written before. One case is excepted: there is no sidecar of this
  store at all, and its file is still the one that it was. This happens in a container whose state folder is always new.
* The sidecar's head belongs to another life, or is not in the store's chain: an old copy was put back.
* It last wrote before the machine was started, and was not closed since. Its last writes may be lost, so the sidecar cannot
  tell the store from an old copy that was put in its place.
* Its chain is proved to fork, or another copy of it has said that this life is over.

A new process does not begin a life, nor does a changed host name or a missing machine id. Each birth says why it happened.
An unneeded new life costs an entry in the frontier.

The sidecar is written after each commit, without a sync. Within one start of a machine it lags by at most the write in
progress; a store whose chain extends a lagging head is still the same store. The sidecar is synced when the store is closed,
and notes that it is closed. It is synced again before the next write, and notes that the store is in use.

Beside this record stands another one: how many changes the log held after the last commit, whoever wrote them. A store that
holds fewer has lost some (see ``missing``). It is a record of its own, because another process may write the first one.

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

from edda_sync.words.files import disk_error, open_file, replace_file
from edda_sync.words.folders import make_state_folder
from edda_sync.words.process import Owner

if TYPE_CHECKING:
    from edda_sync.crdt.frontier import Dot
    from edda_sync.store.seams import Head, StoreReader, StoreWriter

_RECORD: Final = struct.Struct(">4s16sQ32s16sQ16s16s")  # magic, actor, seq, hash, machine, inode, boot, checksum
_MAGIC: Final = b"EDL3"
_EXTENT: Final = struct.Struct(">Q16s")  # the log's last position, checksum
INODE_KEY: Final = "inode"
COPIED: Final = "a copy, or a store whose state was lost"
PUT_BACK: Final = "an older state was put back"
POWER: Final = "the machine stopped while it was open"
FORKED: Final = "another copy wrote in the same life"
CLOSED: Final = "the life was closed"
_CLOSED: Final = bytes(16)  # in place of the boot id: the store was closed after this write, and the sidecar is on disk


class _Remembered(NamedTuple):
    actor: bytes
    seq: int
    hash: bytes
    machine: bytes
    inode: int
    boot: bytes


class Slot(Protocol):
    """A few bytes outside the store's folder. They may lag behind the store or be lost, but are never ahead of it."""

    def read(self) -> bytes:
        """Return what was written last; nothing if nothing was written."""
        ...

    def write(self, record: bytes, at: int = 0) -> None:
        """Write a record, so many bytes behind the beginning, without waiting for the disk."""
        ...

    def sync(self) -> None:
        """Wait until the last record is on disk."""
        ...

    def close(self) -> None:
        """Release the slot."""
        ...


class Sidecar:
    """
    What is remembered about a store outside of it. Call :meth:`doubt` inside a write, and :meth:`remember` after it.

    :func:`open_sidecar` returns one that is kept in a file.

    Args:
        slot: Where the record is kept.
        machine: An id of this machine, 16 bytes.
        inode: The inode of the store's file, which differs from those of its copies on this machine.
        boot: An id of this start of the machine, 16 bytes.
        alone: Whether there was no sidecar of this store for any file.
    """

    def __init__(self, slot: Slot, machine: bytes, inode: int, boot: bytes, *, alone: bool = False) -> None:
        self._slot, self._machine, self._inode, self._boot = slot, machine, inode, boot
        self._alone = alone
        self._written: Head | None = None
        self._last: tuple[bytes, _Remembered | None] = (b"", None)  # what was read last: its bytes and its meaning
        self._owner = Owner("The store of this sidecar")

    def doubt(self, reader: StoreReader, head: Head) -> str:
        """
        Return why the store must not go on in its life; empty if it may.

        Args:
            reader: The store, inside the transaction that is about to write.
            head: The head of its own actor.

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
            return PUT_BACK  # a later life wrote here: this is an older store, even if peers brought changes back
        if known.boot not in (self._boot, _CLOSED):
            return POWER
        same = (known.seq == head.seq and known.hash == head.hash) or reader.log.hash_at(
            known.actor, known.seq
        ) == known.hash
        if not same and not reissued:
            return PUT_BACK
        if known.boot == _CLOSED:  # otherwise a power failure could leave the note that it is closed
            try:
                self._write(head, self._boot, sync=True)
            except OSError:
                return POWER
        return ""

    def remembered(self) -> Dot | None:
        """Return the last change that is remembered for this file; None if there is none."""
        known = self._read()
        return None if known is None or known.inode != self._inode else (known.actor, known.seq)

    def note_file(self, tx: StoreWriter) -> None:
        """Note in the store which file it is, in case the sidecar is lost. Call this inside a transaction that writes."""
        encoded = self._inode.to_bytes(8, "big")
        if tx.meta.get(INODE_KEY) != encoded:
            tx.meta.set(INODE_KEY, encoded)

    def remember(self, head: Head) -> None:
        """Remember the head of the store's own chain."""
        self._owner.check()
        known = self._read()
        self._write(head, self._boot, sync=known is not None and known.boot == _CLOSED)  # another process has closed it
        self._written = head

    def extent(self) -> int:
        """Return the position that the log had reached after the last commit that is remembered for this file."""
        raw = self._slot.read()[_RECORD.size :]
        if len(raw) != _EXTENT.size or self.remembered() is None:
            return 0
        position: int = _EXTENT.unpack(raw)[0]
        return position if raw == _extent(position, self._inode) else 0

    def note_extent(self, position: int) -> None:
        """Remember the position that the log has reached."""
        self._owner.check()
        self._slot.write(_extent(position, self._inode), _RECORD.size)

    def close(self) -> None:
        """Note that the store is closed, if it was the last to write, and release the slot."""
        self._owner.check()  # otherwise a forked child would note that its parent has closed the store
        head, self._written = self._written, None
        if head is not None:
            known = self._read()
            if known is not None and (known.actor, known.seq, known.boot) == (head.actor, head.seq, self._boot):
                with suppress(OSError):  # without the note, the store may begin a new life later
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
        raw = self._slot.read()[: _RECORD.size]
        if raw != self._last[0]:
            self._last = raw, _remembered(raw)
        return self._last[1]


class _FileSlot:
    def __init__(self, path: str) -> None:
        self._fd = open_file(path)

    def read(self) -> bytes:
        return os.pread(self._fd, _RECORD.size + _EXTENT.size, 0)

    def write(self, record: bytes, at: int = 0) -> None:
        os.pwrite(self._fd, record, at)

    def sync(self) -> None:
        os.fsync(self._fd)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._fd)


def open_sidecar(folder: Path, store_id: bytes, database: Path, *, boot: bytes | None = None) -> Sidecar:
    """
    Open the sidecar of a store, and create it if there is none.

    Args:
        folder: The folder of sidecars.
        store_id: 16 random bytes that the store got when it was created; its copies have the same.
        database: The store's file.
        boot: An id of this start of the machine, 16 bytes; by default it is looked up.

    Raises:
        StorageError: It cannot be opened, or others can read it and that cannot be changed.
    """
    inode = os.stat(database).st_ino
    path = f"{folder}/{store_id.hex()}-{inode:x}"  # copies have the same store id, and must not share a sidecar
    alone = False
    if not os.access(path, os.F_OK):
        make_state_folder(folder)
        try:
            alone = not any(each.startswith(f"{store_id.hex()}-") for each in os.listdir(folder))
        except OSError as error:
            raise disk_error(folder, error) from None
    return Sidecar(_FileSlot(path), machine_id(), inode, boot or boot_id(), alone=alone)


def carry(folder: Path, store_id: bytes, before: int, database: Path) -> None:
    """
    Let the sidecar of a file go on for the file that took its place with the same content, so that no new life begins.

    Args:
        folder: The folder of sidecars.
        store_id: The id of the store, 16 bytes.
        before: The inode of the former file. Nobody uses its sidecar.
        database: The new file.

    Raises:
        StorageError: The new sidecar cannot be written. The store will begin a new life, which does no harm.
    """
    inode = os.stat(database).st_ino
    path = folder / f"{store_id.hex()}-{before:x}"
    raw = path.read_bytes() if path.exists() else b""
    known, extent = _remembered(raw[: _RECORD.size]), raw[_RECORD.size :]
    if known is None or known.inode != before:
        return
    record = _RECORD.pack(_MAGIC, known.actor, known.seq, known.hash, known.machine, inode, known.boot, b"")[:-16]
    whole = record + _checksum(record)
    if len(extent) == _EXTENT.size:
        position: int = _EXTENT.unpack(extent)[0]
        whole += _extent(position, inode) if extent == _extent(position, before) else b""
    try:
        replace_file(folder / f"{store_id.hex()}-{inode:x}", lambda file: file.write(whole))
        path.unlink()
    except OSError as error:
        raise disk_error(folder, error) from None


def is_remembered(folder: Path, database: Path) -> bool:
    """Tell whether this file was remembered as a store's on this machine, whatever it contains now."""
    with suppress(OSError):
        inode = database.stat().st_ino
        known = [_remembered(path.read_bytes()[: _RECORD.size]) for path in folder.glob(f"*-{inode:x}")]
        return any(each is not None and (each.machine, each.inode) == (machine_id(), inode) for each in known)
    return False


def _remembered(raw: bytes) -> _Remembered | None:
    if len(raw) != _RECORD.size or _checksum(raw[:-16]) != raw[-16:] or not raw.startswith(_MAGIC):
        return None
    return _Remembered(*_RECORD.unpack(raw)[1:7])


def _extent(position: int, inode: int) -> bytes:
    """Return the record of how far the log reached. It holds for one file only."""
    return _EXTENT.pack(position, _checksum(position.to_bytes(8, "big") + inode.to_bytes(8, "big")))


def _checksum(record: bytes) -> bytes:
    return blake2b(record, digest_size=16, person=b"edda-sidecar").digest()


@cache
def machine_id() -> bytes:
    """Return a hash that names this machine. It is looked up once, since a process does not move to another."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with suppress(OSError):
            return blake2b(Path(path).read_bytes().strip(), digest_size=16, person=b"edda-machine").digest()
    name = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return blake2b(os.fsencode(name), digest_size=16, person=b"edda-machine").digest()


@cache
def boot_id() -> bytes:
    """Return a hash that names this start of the machine. It is always the same on a system without boot ids."""
    with suppress(OSError):
        name = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
        return blake2b(name, digest_size=16, person=b"edda-boot").digest()
    return blake2b(b"", digest_size=16, person=b"edda-boot").digest()

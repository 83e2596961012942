"""
Bundles: a file that carries changes from one device to another, on a stick or by any other way.

    bundle := "EDDABNDL" 01 (length(u32) object)* 0(u32) hash
    object := a sealed run of changes (``sealed``)
    hash   := BLAKE2b-256 of everything before it

Only members of the workspace can open it. A bundle may be taken twice, and after or before others: what is here is passed
over, and what continues something that is not here is refused, and can be taken later. It is read from end to end before
anything of it is taken, so that a damaged one brings nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import IO, Final

from edda_sync.backup.sealed import OBJECT_BYTES_MAX, Kind, Objects, name_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import run as runs
from edda_sync.segments.run import Heads, RunHeader
from edda_sync.store.seams import StoreReader
from edda_sync.sync.exchange import SUMMARY_HASH_BYTES
from edda_sync.sync.packing import Packing
from edda_sync.sync.unpacking import Unpacked, Unpacking
from edda_sync.words.callbacks import Callback
from edda_sync.words.errors import BackupError, BackupKeyError, DamagedBackupError, NewerBackupError, RemoteError

MAGIC: Final = b"EDDABNDL\x01"
_LENGTH: Final = Struct(">I")


@dataclass(frozen=True, slots=True)
class Contents:
    """
    What a bundle holds.

    Attributes:
        maker: The signing key of the device that made it.
        made_ms: When, in milliseconds since 1970.
        since: What whoever takes it must hold already.
        heads: What whoever takes it holds then, and what its maker held.
        changes: How many changes there are.
    """

    maker: bytes
    made_ms: int
    since: Heads
    heads: Heads
    changes: int


def write(
    file: IO[bytes],
    packing: Packing,
    objects: Objects,
    since: Heads,
    tell: Callable[[int], object] = lambda _changes: None,
) -> Contents:
    """
    Write a bundle.

    Args:
        file: Where to.
        packing: Packs what the store holds.
        objects: Seals it.
        since: What whoever takes it holds already.
        tell: Is told how many changes were written so far.
    """
    tell = Callback(tell, "The progress of a bundle")
    digest = blake2b(digest_size=32)

    def put(data: bytes) -> None:
        digest.update(data)
        file.write(data)

    put(MAGIC)
    headers: list[RunHeader] = []
    for packed in packing.pack(since):
        sealed = objects.seal(Kind.RUN, packed.data)
        put(_LENGTH.pack(len(sealed.data)) + sealed.data)
        headers.append(packed.header)
        tell(sum(each.changes for each in headers))
    put(_LENGTH.pack(0))
    file.write(digest.digest())
    return _contents(headers)


def contents(file: IO[bytes], objects: Objects, unpacking: Unpacking, name: str) -> Contents:
    """
    Return what a bundle holds, once all of it was read and checked.

    Its checksum is compared first: a copy that went wrong may otherwise look like a bundle of somebody else.

    Args:
        file: The bundle, from its beginning; it can be read twice.
        objects: Opens it.
        unpacking: Checks whose runs they are.
        name: What to call it in errors.

    Raises:
        DamagedBackupError: It is no bundle, or damaged.
        BackupKeyError: It cannot be opened with the keys that are here.
        RemoteMismatchError: It belongs to another workspace.
    """
    start, headers = file.tell(), list[RunHeader]()
    for _data in _objects(file, name):
        pass
    file.seek(start)
    for data in _objects(file, name):
        try:
            opened = runs.read([objects.open(name_of(data), data, Kind.RUN)])
        except BackupKeyError:
            raise BackupKeyError(
                name,
                "it is of another workspace, or was made with a key that this device has not heard of yet: sync once with "
                "the device that made it",
            ) from None
        unpacking.check(opened.header)
        try:
            for _frame in opened.frames:
                pass
        except RemoteError as error:
            raise DamagedBackupError(name, str(error)) from None
        headers.append(opened.header)
    if not headers:
        raise DamagedBackupError(name, "it holds nothing")
    return _contents(headers)


def take(
    file: IO[bytes],
    objects: Objects,
    unpacking: Unpacking,
    name: str,
    tell: Callable[[Unpacked], object] = lambda _came: None,
) -> Unpacked:
    """
    Take a bundle whose :func:`contents` were checked; return what came of all its runs.

    Args:
        file: The bundle, from its beginning.
        objects, unpacking, name: As for :func:`contents`.
        tell: Is told after each run.

    Raises:
        BackupError: It continues what is not here: take an earlier bundle first.
    """
    tell = Callback(tell, "The progress of a bundle")
    total = Unpacked()
    for data in _objects(file, name):
        came = unpacking.take(runs.read([objects.open(name_of(data), data, Kind.RUN)]))
        total.applied += came.applied
        total.apart |= came.apart
        total.members = total.members or came.members
        tell(total)
        if came.is_early:
            raise BackupError(
                f"{name} continues changes that are not here yet: import an earlier bundle first, or ask for one without "
                "`--since`."
            )
    return total


def heads_when_equal(engine: StorageEngine, changes: int) -> Heads:
    """
    Return how far each chain was when this store held so many changes, as when a device was proved equal to it.

    Args:
        engine: The store.
        changes: How many.
    """
    with engine.store.read() as reader:
        positions = reader.log.positions_after({})
        heads = {name: head.seq for name, head in reader.log.heads().items()}
        for position in reversed(positions[changes:]):
            logged = reader.log.read(position)
            heads[logged.actor] = min(heads[logged.actor], logged.seq - 1)
        return tuple(_hashed(reader, heads))


def _hashed(reader: StoreReader, heads: dict[bytes, int]) -> Iterator[tuple[bytes, int, bytes]]:
    for name, seq in sorted(heads.items()):
        digest = reader.log.hash_at(name, seq)
        if digest is not None:
            yield name, seq, digest[:SUMMARY_HASH_BYTES]


def _contents(headers: list[RunHeader]) -> Contents:
    first, last = headers[0], headers[-1]
    changes = sum(each.changes for each in headers)
    return Contents(first.maker, first.made_ms, first.since, last.heads, changes)


def _objects(file: IO[bytes], name: str) -> Iterable[bytes]:
    """Yield the objects of a bundle, and check its hash at the end."""
    digest = blake2b(digest_size=32)

    def read(size: int) -> bytes:
        data = file.read(size)
        if len(data) != size:
            raise DamagedBackupError(name, "it ends too early", "copy it again")
        digest.update(data)
        return data

    start = file.read(len(MAGIC))
    digest.update(start)
    if start != MAGIC:
        newer = start[:-1] == MAGIC[:-1]
        if newer:
            raise NewerBackupError(name, "it is a bundle of another format")
        raise BackupError(f"{name} is no bundle: `edda bundle export FILE` makes one.")
    while (length := _LENGTH.unpack(read(_LENGTH.size))[0]) != 0:
        if length > OBJECT_BYTES_MAX:
            raise DamagedBackupError(name, f"it has a part of {length:,} bytes", "copy it again")
        yield read(length)
    expected = digest.digest()
    if file.read(len(expected) + 1) != expected:
        raise DamagedBackupError(name, "its checksum differs", "copy it again")

"""
Packs: the chunks of attached files in a backup. Each chunk is written once, whatever number of files and backups need it.

    pack  := msgpack [[name(32), chunk]...]          about ``PACK_BYTES`` together
    index := msgpack [[pack, [name...]]...]          which chunks lie in which packs; a pack as [object, size]

Both are sealed objects. A manifest names indexes, and an index names packs. Whoever reads a chunk compares it with its name.

A new backup leaves out each pack from which no attached file needs a chunk. So what was detached lies there
as long as a backup from before is kept, and is then deleted, as everything that no manifest names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Final, NamedTuple

import msgspec

from edda_sync.backup.manifest import Ref
from edda_sync.backup.repository import Repository
from edda_sync.backup.sealed import Kind
from edda_sync.crdt.attachments import AttachmentRecord, File, decode
from edda_sync.engine.engine import StorageEngine
from edda_sync.files.chunks import Chunks, name_of
from edda_sync.files.collecting import tree_of
from edda_sync.segments.run import Hash32
from edda_sync.store.held import hold
from edda_sync.words.errors import BackupError, DamagedBackupError, DamagedFileError, InvalidValueError

PACK_BYTES: Final = 4 * 1024 * 1024
PACKS_MAX: Final = 64  # of one index: about 256 MiB

Entry = tuple[Ref, tuple[Hash32, ...]]
"""A pack, and the names of the chunks in it."""


class Indexed(NamedTuple):
    """An index, and what it says."""

    ref: Ref
    entries: tuple[Entry, ...]

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The objects: the index itself, and its packs."""
        return (self.ref, *(pack for pack, _ in self.entries))

    @property
    def packs_bytes(self) -> int:
        """How many bytes its packs take."""
        return sum(pack.size for pack, _ in self.entries)


_encode = msgspec.msgpack.Encoder().encode
_decode_pack = msgspec.msgpack.Decoder(tuple[tuple[Hash32, bytes], ...]).decode
_decode_index = msgspec.msgpack.Decoder(Annotated[tuple[Entry, ...], msgspec.Meta(max_length=PACKS_MAX)]).decode


def read_index(repository: Repository, ref: Ref) -> Indexed:
    """
    Return an index that lies at a target.

    Raises:
        BackupError: It is missing or damaged.
    """
    try:
        return Indexed(ref, _decode_index(repository.get(Kind.INDEX, ref)))
    except ValueError as error:
        raise DamagedBackupError("A list of attached files", f"it is malformed: {error}") from None


class PackedChunks:
    """
    The chunks in some indexes, to be read.

    Args:
        repository: Where they lie.
        indexes: The indexes.
    """

    def __init__(self, repository: Repository, indexes: Iterable[Indexed]) -> None:
        self._repository = repository
        self._packs = {name: ref for index in indexes for ref, names in index.entries for name in names}
        self._held: tuple[Ref | None, Mapping[bytes, bytes]] = None, {}  # the pack that was read last

    def has(self, name: bytes) -> bool:
        """Tell whether a chunk is in one of them."""
        return name in self._packs

    def get(self, name: bytes) -> bytes | None:
        """
        Return a chunk, compared with its name; None if it is in none of them.

        Raises:
            BackupError: Its pack is missing or damaged.
        """
        ref = self._packs.get(name)
        if ref is None:
            return None
        if self._held[0] != ref:
            self._held = ref, read_pack(self._repository, ref)
        chunk = self._held[1].get(name)
        if chunk is None:
            raise DamagedBackupError("A pack of attached files", "it lacks what its index says")
        return chunk

    def check(self) -> None:
        """
        Read every pack once.

        Raises:
            BackupError: One is missing or damaged.
        """
        for ref in dict.fromkeys(self._packs.values()):
            held = read_pack(self._repository, ref)
            if any(name not in held for name, at in self._packs.items() if at == ref):
                raise DamagedBackupError("A pack of attached files", "it lacks what its index says")

    def tree(self, file: File) -> list[bytes] | None:
        """Return the names of all chunks of a file; None if not all of them are in a backup."""
        names = list(tree_of(self, file))  # type: ignore[arg-type]  # it only gets chunks
        return names if all(map(self.has, names)) else None


def read_pack(repository: Repository, ref: Ref) -> Mapping[bytes, bytes]:
    """
    Return the chunks of a pack, by their names, which were compared with them.

    Raises:
        BackupError: It is missing or damaged.
    """
    try:
        held = dict(_decode_pack(repository.get(Kind.PACK, ref)))
    except ValueError as error:
        raise DamagedBackupError("A pack of attached files", f"it is malformed: {error}") from None
    if any(name_of(chunk) != name for name, chunk in held.items()):
        raise DamagedBackupError("A pack of attached files", "a part in it has another content than its name says")
    return held


class _Either:
    """Chunks that are here, and otherwise those in a backup: the list of a file's parts may have rotted here."""

    def __init__(self, here: Chunks, packed: PackedChunks) -> None:
        self._here, self._packed = here, packed

    def get(self, name: bytes) -> bytes | None:
        with suppress(DamagedFileError):
            if (found := self._here.get(name)) is not None:
                return found
        return self._packed.get(name)


class Packs:
    """
    Writes packs, and reads each back. Call :meth:`leave_out`, and then :meth:`bring`.

    Args:
        repository: Where they go.
        chunks: Where the chunks are here.
        indexes: What lies there already.

    Attributes:
        indexes: What the next manifest names.
        added_bytes: How much was written.
        damaged: How many files could not be read here.
    """

    def __init__(self, repository: Repository, chunks: Chunks, indexes: Sequence[Indexed]) -> None:
        self._repository, self._chunks, self.indexes = repository, chunks, list(indexes)
        self._either = _Either(chunks, PackedChunks(repository, indexes))
        self.added_bytes = self.damaged = 0

    def leave_out(self, attached: Iterable[File]) -> None:
        """Leave out the packs from which no attached file needs a chunk. They stay for the backups that name them."""
        try:
            needed = {name for file in attached for name in self._tree(file)} if self.indexes else set()
        except BackupError:  # a list of parts that is not here cannot be read there: any pack may be needed
            return
        left = []
        for index in self.indexes:
            entries = [each for each in index.entries if not needed.isdisjoint(each[1])]
            if len(entries) == len(index.entries):
                left.append(index)
            elif entries:
                left.append(self._index(entries))
        self.indexes = left

    def bring(self, files: Iterable[File]) -> Iterator[Indexed]:
        """
        Write the chunks of some files that do not lie there yet; yield each index once it and its packs were read back.

        Args:
            files: Files that are complete here.
        """
        entries: list[Entry] = []
        most = 1  # at first, so that a backup over a link that breaks again and again gets on each time
        for pack in self._gathered(files):
            ref = self._put(Kind.PACK, _encode(pack))
            if read_pack(self._repository, ref) != dict(pack):
                raise DamagedBackupError("A pack of attached files", "something else was read back than was written")
            entries.append((ref, tuple(name for name, _ in pack)))
            if len(entries) == most:  # as far as this, a backup that is cut off goes on
                yield self._added(entries)
                entries, most = [], min(2 * most, PACKS_MAX)
        if entries:
            yield self._added(entries)

    def _gathered(self, files: Iterable[File]) -> Iterator[list[tuple[bytes, bytes]]]:
        known = {name for index in self.indexes for _, names in index.entries for name in names}
        pack, size = list[tuple[bytes, bytes]](), 0
        for file in files:
            try:
                for name in self._tree(file):
                    if name in known:
                        continue
                    chunk = self._chunks.get(name)
                    if chunk is None:  # it was detached and collected just now
                        raise DamagedFileError(name.hex())
                    known.add(name)
                    pack.append((name, chunk))
                    size += len(chunk)
                    if size >= PACK_BYTES:
                        yield pack
                        pack, size = [], 0
            except DamagedFileError:  # one file that rotted here keeps nothing else from being backed up
                self.damaged += 1
        if pack:
            yield pack

    def _tree(self, file: File) -> Iterator[bytes]:
        return tree_of(self._either, file)  # type: ignore[arg-type]  # it only gets chunks

    def _added(self, entries: list[Entry]) -> Indexed:
        self.indexes.append(index := self._index(entries))
        return index

    def _index(self, entries: list[Entry]) -> Indexed:
        ref = self._put(Kind.INDEX, _encode(entries))
        found = read_index(self._repository, ref)
        if found.entries != tuple(entries):
            raise DamagedBackupError("A list of attached files", "something else was read back than was written")
        return found

    def _put(self, kind: Kind, data: bytes) -> Ref:
        ref = self._repository.put(kind, data)
        self.added_bytes += ref.size
        return ref


class Files(NamedTuple):
    """
    The attached files that a backup is about, each once.

    Attributes:
        here: Those that are complete on this device.
        elsewhere: The others.
        unknown: How many are attached in a way that only a newer version understands.
    """

    here: list[File]
    elsewhere: list[File]
    unknown: int

    @property
    def lacking(self) -> int:
        """How many cannot be in the backup."""
        return len(self.elsewhere) + self.unknown


def files_of(backed_up: StorageEngine, engine: StorageEngine) -> Files:
    """
    Return the files that are attached in what a backup holds.

    Args:
        backed_up: What the backup holds, and nothing that was written since.
        engine: The store that is backed up, which knows of its files whether they are complete.
    """
    with backed_up.store.read() as reader:
        found = {each.root: each.record for _, each in reader.attachments.scan()}
    with engine.store.read() as reader:
        here = {root for root in found if reader.attachments.holds(root)}
    files = Files([], [], 0)
    for root, record in sorted(found.items()):
        try:
            (files.here if root in here else files.elsewhere).append(decode(record).file)
        except InvalidValueError:
            files = files._replace(unknown=files.unknown + 1)
    return files


def lacking_here(
    engine: StorageEngine, packed: PackedChunks, documents: frozenset[bytes] | None = None
) -> dict[bytes, tuple[AttachmentRecord, list[bytes]]]:
    """
    Return the attached files that are not complete in a store and that a backup has: their chunks, by their roots.

    Args:
        engine: The store.
        packed: The chunks in the backup.
        documents: The keys of the documents whose files are meant; None for all.
    """
    with engine.store.read() as reader:
        wanted = {
            each.root: each.record
            for key, each in reader.attachments.scan()
            if (documents is None or key in documents) and not reader.attachments.holds(each.root)
        }
    found = {}
    for root, encoded in sorted(wanted.items()):
        record = decode(encoded)
        names = packed.tree(record.file)
        if names is not None:
            found[root] = record, names
    return found


def bring_here(
    engine: StorageEngine,
    packed: PackedChunks,
    documents: frozenset[bytes] | None = None,
    tell: Callable[[str], object] = lambda _doing: None,
) -> int:
    """
    Bring attached files back that are not complete in a store and that a backup has; return how many.

    Args:
        engine, packed, documents: As for :func:`lacking_here`.
        tell: Is told in a few words what is being done.

    Raises:
        BackupError: What the backup has of one cannot be read. Those before are here.
    """
    chunks, found = engine.reading.files.chunks, lacking_here(engine, packed, documents)
    for number, (root, (record, names)) in enumerate(found.items(), 1):
        tell(f"bringing attached file {number:,} of {len(found):,}")
        with chunks.adding() as adding:
            for name in names:
                if not adding.keep(name):
                    adding.add(packed.get(name) or b"")
            adding.settle()
            size = record.size
            engine.store.transact(lambda tx, root=root, size=size: hold(tx, [(root, size)]))  # type: ignore[misc]
    return len(found)

"""
Packs: the chunks of attached files in a backup. Each chunk is written once, whatever number of files and backups need it.

    pack  := msgpack [[name(32), chunk]...]          about ``PACK_BYTES`` together
    index := msgpack [[pack, [name...]]...]          which chunks lie in which packs; a pack as [object, size]

Both are sealed objects. A manifest names indexes, and an index names packs. Whoever reads a chunk compares it with its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
from edda_sync.words.errors import DamagedBackupError, DamagedFileError, InvalidValueError

PACK_BYTES: Final = 4 * 1024 * 1024
PACKS_MAX: Final = 64  # of one index: about 256 MiB, after which a backup that is cut off goes on

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


class Packs:
    """
    Writes packs, and reads each back.

    Args:
        repository: Where they go.
        known: The names of chunks that lie there already.

    Attributes:
        added_bytes: How much was written.
        damaged: How many files could not be read here.
    """

    def __init__(self, repository: Repository, known: Iterable[bytes]) -> None:
        self._repository, self._known = repository, set(known)
        self.added_bytes = self.damaged = 0

    def bring(self, chunks: Chunks, files: Iterable[File]) -> Iterator[Indexed]:
        """
        Write the chunks of some files that do not lie there yet; yield each index once it and its packs were read back.

        Args:
            chunks: Where they are here.
            files: Files that are complete here.
        """
        entries: list[Entry] = []
        for pack in self._gathered(chunks, files):
            ref = self._put(Kind.PACK, _encode(pack))
            if read_pack(self._repository, ref) != dict(pack):
                raise DamagedBackupError("A pack of attached files", "something else was read back than was written")
            entries.append((ref, tuple(name for name, _ in pack)))
            if len(entries) == PACKS_MAX:
                yield self._index(entries)
                entries = []
        if entries:
            yield self._index(entries)

    def _gathered(self, chunks: Chunks, files: Iterable[File]) -> Iterator[list[tuple[bytes, bytes]]]:
        pack, size = list[tuple[bytes, bytes]](), 0
        for file in files:
            try:
                for name in tree_of(chunks, file):
                    if name in self._known:
                        continue
                    chunk = chunks.get(name)
                    if chunk is None:  # it was detached and collected just now
                        continue
                    self._known.add(name)
                    pack.append((name, chunk))
                    size += len(chunk)
                    if size >= PACK_BYTES:
                        yield pack
                        pack, size = [], 0
            except DamagedFileError:  # one file that rotted here keeps nothing else from being backed up
                self.damaged += 1
        if pack:
            yield pack

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


def files_here(engine: StorageEngine) -> tuple[list[File], int]:
    """Return the attached files that are complete in a store, each once, and how many others there are."""
    with engine.store.read() as reader:
        found = {each.root: each for _, each in reader.attachments.scan()}
        here = {root for root in found if reader.attachments.holds(root)}
    files = []
    for root in sorted(here):
        try:
            files.append(decode(found[root].record).file)
        except InvalidValueError:  # a newer version wrote it
            continue
    return files, len(found) - len(files)


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

"""
Proof stores: a store of its own for each target, made of nothing but what lies there.

A run counts only once it was written, read back, opened and taken into the proof store, as if another device had received
it. If the proof store then has the same content as the store, so has the backup. Since it is kept, proving a backup of 100
changes takes no longer than receiving these changes. Losing it is no loss: it is made anew from the target.

A proof store has no device, and writes nothing of its own. It remembers which objects its runs came from.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import msgspec

from edda_sync.backup.image import Image
from edda_sync.backup.imaging import IMAGE_KEY, LACKING, PACKS_KEY, RUNS_KEY, own, write
from edda_sync.backup.manifest import Imaged, Manifest, Ref
from edda_sync.backup.packs import Entry, Indexed
from edda_sync.backup.repository import Repository
from edda_sync.backup.until import Until
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import run as runs
from edda_sync.segments.run import Heads
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.sync.exchange import Exchange, Proof
from edda_sync.sync.packing import heads_of
from edda_sync.sync.unpacking import Unpacking
from edda_sync.transport.identity import Identity, verify
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import BackupError, StorageError
from edda_sync.words.folders import make_folder
from edda_sync.workspace.keys import WORKSPACE_KEY


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """The image that was last made of a proof store: its object, what it says, and the objects of the runs in it."""

    ref: Ref
    image: Image
    runs: tuple[Ref, ...]

    @property
    def refs(self) -> tuple[Ref, ...]:
        """All objects that it lies in."""
        return (self.ref, *self.image.pages)


class Taken(NamedTuple):
    """A run that a proof store has taken: its object, and how far the chains were after it."""

    ref: Ref
    heads: Heads


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[Ref, Heads]]).decode
_decode_kept = msgspec.msgpack.Decoder(Kept).decode
_decode_packed = msgspec.msgpack.Decoder(list[tuple[Ref, tuple[Entry, ...]]]).decode


class Ground(Protocol):
    """Where a proof store lies."""

    def open(self) -> StorageEngine:
        """Open the store that lies there, or make an empty one; its device has an identity that nobody knows."""
        ...

    def clear(self) -> None:
        """Remove what lies there. It is not open."""
        ...

    @property
    def file(self) -> Path | None:
        """The store's file, of which an image can be made, or which one can become; None if there is no such file."""
        ...


class Folder:
    """
    A folder for a proof store; it keeps :class:`Ground`.

    Args:
        path: The folder. Nothing else may be there.
        keys: The key file of the store that is backed up, if that is encrypted: this store is, too, with the same keys.
    """

    def __init__(self, path: Path, keys: Path | None = None) -> None:
        self._path, self._keys = path, keys

    def open(self) -> StorageEngine:
        """Open the store in the folder, or make one."""
        make_folder(self._path)
        if self._keys is not None:
            self._bring_keys(self._keys)
        engine = StorageEngine(self._path)
        try:
            engine.open_store(StorageConfig(state_path=self._path / "state", backend="sqlite"))
            if isinstance(engine.store, SqliteStore):
                engine.store.on_idle = None  # nobody searches here for words, so none are written
            if not self._is_encrypted_as_wanted(engine):  # the store was encrypted, or its key replaced, meanwhile
                raise StorageError("The proof store of these backups is not encrypted as the store is.")
            engine.own.use(Identity.create())  # nobody ever sees it: this store signs nothing
        except BaseException:
            engine.close()
            raise
        return engine

    def _is_encrypted_as_wanted(self, engine: StorageEngine) -> bool:
        if self._keys is None or not isinstance(engine.store, SqliteStore) or engine.store.keys is None:
            return engine.reading.is_encrypted() == (self._keys is not None)
        from edda_sync.store.sqlite.rekeying import key_in_use  # only for encrypted stores

        return key_in_use(engine.store) == engine.store.keys.data.current

    def clear(self) -> None:
        """Remove the folder; if it is plain, and the store is encrypted, what is in it is overwritten."""
        if self._keys is not None:
            from edda_sync.engine import plain_copies  # only for encrypted stores

            plain_copies.remove_within(self._path)
        shutil.rmtree(self._path, ignore_errors=True)

    @property
    def file(self) -> Path | None:
        """The store's file; None if it is encrypted, since who gets its image would need the keys of this disk."""
        return None if self._keys is not None else self._database

    @property
    def _database(self) -> Path:
        return StorageConfig().database(self._path)

    def _bring_keys(self, keys: Path) -> None:
        """Put the store's key file beside this store. Its keys may have been replaced meanwhile."""
        from edda_sync.sealing import keyfile  # only for encrypted stores

        shutil.copyfile(keys, keyfile.path_of(self._database))


class ProofStore:
    """
    The store that the backups at one target make. Use it in a ``with`` block.

    Args:
        ground: Where it lies: a folder, in which nothing else may be, or another place.
        workspace: The workspace's id.
        keys: For a folder, the key file of the store that is backed up, if that is encrypted.
    """

    def __init__(self, ground: Ground | Path, workspace: bytes, keys: Path | None = None) -> None:
        self._ground = Folder(ground, keys) if isinstance(ground, Path) else ground
        self._workspace = workspace
        self._engine: StorageEngine | None = None

    def __enter__(self) -> Self:
        """Open it; if it is damaged, or of another workspace, begin anew."""
        try:
            self._open()
        except StorageError:
            self.begin_anew()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release its files."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def remove(self) -> None:
        """Release its files, and remove them."""
        self.close()
        self._ground.clear()

    def begin_anew(self) -> None:
        """Throw everything away, and begin with an empty store."""
        self.remove()
        self._open()

    def _open(self) -> None:
        engine = self._ground.open()
        try:
            with engine.store.read() as reader:
                held = reader.meta.get(WORKSPACE_KEY)
            if held is None:
                engine.store.transact(lambda tx: tx.meta.set(WORKSPACE_KEY, self._workspace))
            elif held != self._workspace:
                raise StorageError("The proof store of these backups holds another workspace.")
            writing = engine.writing
            self._exchange = Exchange(engine.store, engine.ledger, engine.identity, verify, writing.now, writing.random)
        except BaseException:
            engine.close()
            raise
        self._engine = engine
        self._unpacking = Unpacking(self._exchange, self._workspace, verify)

    @property
    def engine(self) -> StorageEngine:
        """The store itself, to be read."""
        assert self._engine is not None, "it is used inside its with block"
        return self._engine

    # --- what it holds ------------------------------------------------------------------------------------------------

    def taken(self) -> list[Taken]:
        """Return the runs that it was made of, in order."""
        with self.engine.store.read() as reader:
            stored = reader.meta.get(RUNS_KEY)
        return [] if stored is None else [Taken(ref, heads) for ref, heads in _decode(stored)]

    def replace_taken(self, taken: list[Taken]) -> None:
        """Note that the same content now lies in other objects."""
        self.engine.store.transact(lambda tx: tx.meta.set(RUNS_KEY, _encode(taken)))

    def packed(self) -> list[Indexed]:
        """Return the indexes of attached files that lie at the target."""
        with self.engine.store.read() as reader:
            stored = reader.meta.get(PACKS_KEY)
        return [] if stored is None else [Indexed(ref, entries) for ref, entries in _decode_packed(stored)]

    def replace_packed(self, packed: list[Indexed]) -> None:
        """Note which indexes of attached files lie at the target."""
        self.engine.store.transact(lambda tx: tx.meta.set(PACKS_KEY, _encode(packed)))

    def kept_image(self) -> Kept | None:
        """Return the image that was last made of this store and lies at the target; None if there is none."""
        with self.engine.store.read() as reader:
            stored = reader.meta.get(IMAGE_KEY)
        return None if stored is None else _decode_kept(stored)

    def keep_image(self, kept: Kept | None) -> None:
        """Note which image lies at the target."""
        self.engine.store.transact(
            lambda tx: tx.meta.drop(IMAGE_KEY) if kept is None else tx.meta.set(IMAGE_KEY, _encode(kept))
        )

    def imaged(self) -> Imaged | None:
        """Return what a manifest says of the image; None if there is none."""
        kept = self.kept_image()
        if kept is None:
            return None
        pairs = zip(kept.runs, self.taken(), strict=False)
        runs = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1].ref, pairs))
        return Imaged(kept.ref, runs, kept.image.pages_bytes)

    def beyond(self, image: Kept | None) -> int:
        """Return how many bytes those runs take at the target that are not in an image; None stands for no image."""
        held = frozenset() if image is None else frozenset(image.runs)
        return sum(each.ref.size for each in self.taken() if each.ref not in held)

    def work(self) -> tuple[int, int]:
        """Return how many changes it was made of, and how many entities they are about, counted once for each change."""
        with self.engine.store.read() as reader:
            return reader.tables.counts()["changes"], reader.mentions.count()

    def heads(self) -> Heads:
        """Return how far each chain is here."""
        return heads_of(self._exchange)

    def content(self) -> bytes:
        """Return the digest of the content, 16 bytes."""
        return self.proof().content

    def proof(self) -> Proof:
        """Return what a store with the same content would also have."""
        return self._exchange.proof()

    # --- its file -----------------------------------------------------------------------------------------------------

    @property
    def can_be_imaged(self) -> bool:
        """Whether an image can be made of it, and it of an image."""
        return self._ground.file is not None

    @contextmanager
    def at_rest(self) -> Iterator[Path | None]:
        """Yield its file, closed until the block ends; None if not all of it is in the file."""
        file = self._file
        self.close()
        try:
            journal = Path(f"{file}-wal")
            yield None if journal.exists() and journal.stat().st_size else file
        finally:
            self._open()

    def begin_with_own(self, repository: Repository, backup: Manifest, key: bytes) -> None:
        """Begin with the image of a backup, if there is a whole one that this device made, by its public key."""
        with suppress(*LACKING):
            image = own(repository, backup, key) if self.can_be_imaged else None
            if image is not None:
                self.begin_with(repository, backup, image)

    def begin_with(self, repository: Repository, backup: Manifest, image: Image) -> None:
        """
        Throw everything away, and begin with the image of a backup.

        Args:
            repository: Where the backup lies.
            backup: The backup.
            image: Its image, from ``imaging.own``.

        Raises:
            BackupError: The image cannot be read; this store is empty then.
        """
        assert backup.image is not None, "the image is the backup's"
        self.remove()
        make_folder(self._file.parent)
        try:
            write(repository, image, self._file)
        except BackupError:
            self.begin_anew()
            raise
        self._open()
        self.replace_taken([Taken(ref, image.heads) for ref in backup.runs[: backup.image.runs]])

    def within(self, name: str) -> ProofStore:
        """Return another one of the same workspace, in a folder inside this one's. This one can be imaged."""
        return ProofStore(self._file.parent / name, self._workspace)

    @property
    def _file(self) -> Path:
        file = self._ground.file
        assert file is not None, "it can be imaged"
        return file

    # --- what it is made of -------------------------------------------------------------------------------------------

    def take(self, ref: Ref, run: bytes, until: Until | None = None) -> None:
        """
        Take a run, and note its object.

        Args:
            ref: The object.
            run: What it holds, as it was read back.
            until: Leaves out what was made later than a moment; one for all runs.

        Raises:
            BackupError: The run does not bring what it says that it brings.
            RemoteError: It is malformed, or its maker did not sign it.
        """
        opened = runs.read([run])
        if until is not None:
            opened = replace(opened, frames=until.frames(opened.frames))
        came = self._unpacking.take(opened)
        if came.is_early:
            raise BackupError("A run of this backup continues what is not in it: take the backup again.")
        self.replace_taken([*self.taken(), Taken(ref, opened.header.heads)])

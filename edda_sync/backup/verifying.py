"""
Verifying backups: each is restored into a new, empty store, and what comes out is compared with what its manifest says.

Backups share most of their objects. Those whose runs continue the runs of the one before are verified in one pass. Then the
image of the last one is restored as well, and must give the same in every state and row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from typing import Final, NamedTuple

from edda_sync.backup import image as images
from edda_sync.backup.imaging import own, pages_of
from edda_sync.backup.manifest import Manifest, Ref
from edda_sync.backup.packs import PackedChunks, read_index
from edda_sync.backup.proof import ProofStore
from edda_sync.backup.repository import Repository
from edda_sync.backup.sealed import Kind
from edda_sync.backup.until import Until
from edda_sync.crdt.attachments import decode
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.errors import BackupError, DamagedBackupError, RemoteError, TargetError

_TABLES: Final = ("tasks", "documents", "tags", "entity_tags", "task_documents")


class Verified(NamedTuple):
    """
    What came of verifying a backup.

    Attributes:
        manifest: The backup.
        error: Why it does not hold; None if it does.
    """

    manifest: Manifest
    error: BackupError | None


class Verifying:
    """
    Verifies backups at one target.

    Args:
        repository: The target, for this workspace.
        proof: Makes an empty proof store, open.
        tell: Is told in a few words what is being done.
        key: The public key of this device, of which images are restored, too.
    """

    def __init__(
        self,
        repository: Repository,
        proof: ProofStore,
        tell: Callable[[str], object] = lambda _doing: None,
        key: bytes = b"",
    ) -> None:
        self._repository, self._proof, self._tell, self._key = repository, proof, tell, key
        self._image: Ref | None = None  # the one that was verified last

    def verify(self, backups: Iterable[Manifest]) -> Iterator[Verified]:
        """
        Verify backups, one after another, and yield what came of each.

        Args:
            backups: The oldest first. It takes as long as restoring the last one, as long as they share their objects.

        Raises:
            TargetError: The target cannot be used.
        """
        for manifest in backups:
            try:
                self.restore(manifest)
                self._check_image(manifest)
                self._check_files(manifest)
            except TargetError:  # which says nothing about the backup
                raise
            except BackupError as error:
                self._proof.begin_anew()
                yield Verified(manifest, error)
            else:
                yield Verified(manifest, None)

    def _check_image(self, manifest: Manifest) -> None:
        """Restore a backup by its image, and compare all of it with what the runs gave."""
        if manifest.image is None or manifest.image.ref == self._image:
            return
        self._tell("reading the image")
        image = own(self._repository, manifest, self._key)
        if image is None or not self._proof.can_be_imaged:  # nobody here takes it, so it is enough that it is whole
            for _ in pages_of(self._repository, images.read(self._repository, manifest.image.ref)):
                pass
        else:
            with self._proof.within("image") as other:
                try:
                    other.begin_with(self._repository, manifest, image)
                    Verifying(self._repository, other).restore(manifest)
                    same = _are_same(self._proof.engine, other.engine)
                finally:
                    other.remove()
            if not same:
                raise DamagedBackupError(f"Backup {manifest.number}", "its image does not give what its changes give")
        self._image = manifest.image.ref

    def _check_files(self, manifest: Manifest) -> None:
        """Read every pack of attached files that a backup names, and count the files that are whole."""
        packed = PackedChunks(self._repository, [read_index(self._repository, ref) for ref in manifest.packs])
        self._tell("reading attached files")
        packed.check()
        with self._proof.engine.store.read() as reader:
            files = {decode(each.record).file for _, each in reader.attachments.scan()}
        whole = sum(packed.tree(file) is not None for file in files)
        if whole < manifest.files:
            raise DamagedBackupError(
                f"Backup {manifest.number}",
                f"it gives {whole:,} attached files, and not the {manifest.files:,} that it names",
            )

    def restore(self, manifest: Manifest, until_ms: int | None = None) -> None:
        """
        Make the proof store hold just what a backup holds.

        Args:
            manifest: The backup.
            until_ms: Only what was made by this moment, in milliseconds since 1970; then the proof store must be empty.

        Raises:
            BackupError: The backup cannot be read, or does not hold what it says.
        """
        refs = [each.ref for each in self._proof.taken()]
        if refs != list(manifest.runs[: len(refs)]):
            self._proof.begin_anew()
            refs = []
        what, until = f"Backup {manifest.number}", None if until_ms is None else Until(until_ms)
        for number, ref in enumerate(manifest.runs[len(refs) :], len(refs) + 1):
            self._tell(f"reading part {number} of {len(manifest.runs)}")
            data = self._repository.get(Kind.RUN, ref)
            try:
                self._proof.take(ref, data, until)
            except RemoteError as error:
                raise DamagedBackupError(what, str(error)) from None
        if until is not None:
            return
        if self._proof.heads() != manifest.heads:
            raise DamagedBackupError(what, "it does not give the changes that its manifest says")
        if manifest.content and self._proof.content() != manifest.content:
            raise DamagedBackupError(what, "its changes do not give the content that its manifest says")


def _are_same(one: StorageEngine, other: StorageEngine) -> bool:
    """Tell whether two stores hold the same changes, and show the same in every state and row."""
    with one.snapshot() as left, other.snapshot() as right:
        if left.log.heads() != right.log.heads():
            return False
        scans: list[tuple[Iterator[object], Iterator[object]]] = [(left.states.scan(), right.states.scan())]
        scans += [(left.tables.scan(name), right.tables.scan(name)) for name in _TABLES]
        return all(a == b for scan in scans for a, b in zip_longest(*scan))

"""
The backups of one store at one target: the specification's ``BackupManager``.

It puts the parts together: what lies at the target (``repository``), the proof store, making, verifying, restoring, and what
is kept. Each of its methods may take long, and may be run on a thread of its own while the store is used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import NamedTuple

from edda_sync.backup.comparing import Difference, differences, tags_lacking
from edda_sync.backup.devices import included
from edda_sync.backup.inner import Inner
from edda_sync.backup.making import Made, Making, Progress
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.naming import named, naming
from edda_sync.backup.noting import Noting
from edda_sync.backup.occupying import FOR_A_TIME, occupied
from edda_sync.backup.packs import PackedChunks, bring_here, lacking_here, read_index
from edda_sync.backup.previewing import preview
from edda_sync.backup.proof import Folder, Ground, ProofStore
from edda_sync.backup.pruning import judged
from edda_sync.backup.repository import Found, Repository
from edda_sync.backup.restoring import bring_back, bring_tags, make_true
from edda_sync.backup.sealed import Kind
from edda_sync.backup.source import Source
from edda_sync.backup.target import Target
from edda_sync.backup.troubles import named_by, troubles
from edda_sync.backup.until import Until
from edda_sync.backup.verifying import Verified, Verifying
from edda_sync.crdt.keys import key_of
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.opened import STORE_ID
from edda_sync.engine.standing import Remembered
from edda_sync.segments import run as runs
from edda_sync.words import values
from edda_sync.words.callbacks import Callback
from edda_sync.words.config import BackupConfig
from edda_sync.words.errors import BackupError, NotFoundError, TargetError, shown
from edda_sync.words.folders import proofs_folder
from edda_sync.words.listed import Tag


class Brought(NamedTuple):
    """What a restore did: how many tasks and documents it changed, and of how many attached files it brought the content."""

    items: int
    files: int


Quiet: Progress = lambda _doing: None  # noqa: E731 - one value of the type


class BackupManager:
    """
    Makes, lists, verifies and restores the backups of one store at one target.

    Args:
        storage: The store, open.
        target: Where the backups lie.
        remembered: When each peer was last proved equal, by device id; by default what the store has saved.
        grounds: Returns where the proof store of a name lies; by default in a folder of that name below ``backup_path``.

    Attributes:
        config: The settings of backups.
        storage: As given.
        backup_path: The folder on this machine with what proves the backups. It can be lost.
        repository: What lies at the target.
    """

    def __init__(
        self,
        storage: StorageEngine,
        target: Target,
        remembered: Callable[[], Mapping[str, Remembered] | None] = lambda: None,
        grounds: Callable[[str], Ground] | None = None,
    ) -> None:
        self.storage, self._remembered = storage, remembered
        self.config: BackupConfig = storage.config.backup_config
        self._source = source = Source(storage)
        with storage.store.read() as reader:
            store_id = reader.meta.get(STORE_ID) or b""
        self.backup_path = proofs_folder(storage.config) / f"{store_id.hex()}-{target.name}"
        self._grounds = grounds
        device = storage.identity.device
        self._noted = Noting(storage, target.name)
        self.repository = Repository(target, source.objects, source.ring, storage.workspace, device)

    # --- making and listing -------------------------------------------------------------------------------------------

    def back_up(self, tell: Progress = Quiet, spared: Manifest | None = None) -> Made:
        """
        Make a backup of what the store holds now, prove it, and let those go that need not be kept.

        Args:
            tell: Is told what is being done, until it raises something, which the log says. So in the other methods.
            spared: A backup that is kept all the same, because it is being restored.

        Raises:
            BackupError: It could not be made. The store and the backups before are as they were.
            UsageError: The log behind the segment with which this store began is not here yet.
        """
        storage, source, tell = self.storage, self._source, _once_broken_quiet(tell)
        with self._noted.made(), self.repository.remembering(), self._proof("kept") as proof:
            if self._noted.now().is_distrusted:
                proof.begin_anew()
            making = Making(storage, self.repository, proof, source.packing, tell)
            devices = lambda heads: included(storage, source.exchange, heads, self._remembered())  # noqa: E731
            try:
                made = making.make(devices)
            except TargetError:  # if the place is full, what need not be kept may make room
                if not self._makes_room(spared):
                    raise
                made = making.make(devices)
            self.repository.keep_keys(storage, made.manifest)
            self.prune(spared, made.manifest)
        return made

    def _makes_room(self, spared: Manifest | None) -> bool:
        try:
            return self.prune(spared) > 0
        except BackupError:
            return False

    def prune(self, spared: Manifest | None = None, made: Manifest | None = None) -> int:
        """
        Let backups of this device go that need not be kept; return how many bytes that freed by now.

        Args:
            spared: One that is kept all the same.
            made: The newest one, which a target that lists late may not list yet.
        """
        pruned = judged(self.repository.own(), self.config.retention, spared, made)
        facts: dict[str, object] = {"kept": pruned.kept}
        if made is not None:
            newest = pruned.own[-1]
            facts |= {
                "number": newest.number,
                "made_ms": newest.made_ms,
                "changes": sum(seq for _, seq, _ in newest.heads),
                "checked_ms": int(self.storage.writing.now() * 1_000),
                "outstanding": tuple(each.name for each in newest.outstanding),
                "converged_ms": max((each.made_ms for each in pruned.own if not each.outstanding), default=0),
            }
        self._noted.note(**facts)  # first: otherwise, if this ends now, backups seem to be missing
        known = () if made is None else (made,)
        return self.repository.drop(pruned.gone, self.storage.writing.now(), Inner(self.repository).of, known)

    def backups(self) -> list[Found]:
        """Return the backups of all devices of the workspace at this target, the oldest first."""
        names = self._names()
        return [named_by(self.repository, each, names) for each in self.repository.all()]

    def troubles(self, backups: Sequence[Found]) -> list[BackupError]:
        """Return what is wrong at the target beside what :meth:`verify` finds, given what :meth:`backups` returned."""
        return troubles(self.storage, self.repository, self._noted.now(), backups)

    def _names(self) -> Mapping[str, str]:
        return standing.names(self.storage)

    def of(self, device: str | None = None) -> list[Manifest]:
        """Return the backups that a device made, by its id, the oldest first; those of this device by default."""
        if device in (None, self.storage.identity.device):
            return [each.manifest for each in self.repository.own() if each.manifest is not None]
        found = (each.manifest for each in self.repository.all())
        return sorted(
            (each for each in found if each is not None and each.device == device), key=lambda each: each.number
        )

    def find(self, number: int | None = None, device: str | None = None) -> Manifest:
        """
        Return a backup: by its number, or the newest one.

        Args:
            number: Its number.
            device: The id of the device that made it; this device by default.

        Raises:
            NotFoundError: There is none.
        """
        found = [each for each in self.of(device) if number in (None, each.number)]
        if not found:
            raise self._no_backup(number, device)
        return found[-1]

    def _no_backup(self, number: int | None, device: str | None) -> NotFoundError:
        is_own, place = device in (None, self.storage.identity.device), shown(self.repository.target.name)
        if number is not None:
            whose = "of this device" if is_own else "of that device"
            text = f"There is no backup {number} {whose} at {place}; `edda backup list` shows what there is."
        elif is_own:
            text = (
                f"There is no backup of this device at {place}: `edda backup now` makes one. `edda backup list` shows those "
                "of other devices, which --device takes."
            )
        else:
            text = f"There is no backup of that device at {place}; `edda backup list` shows what there is."
        error = NotFoundError("backup", "" if number is None else str(number))
        error.args = (text,)
        return error

    # --- verifying and restoring --------------------------------------------------------------------------------------

    def verify(self, backups: Sequence[Manifest], tell: Progress = Quiet) -> Iterator[Verified]:
        """
        Restore backups into an empty store each, and compare; yield what came of each.

        Args:
            backups: The oldest first.
            tell: Is told what is being done.
        """
        tell = _once_broken_quiet(tell)
        with self._noted.if_it_ends(TargetError), self._fresh() as proof:
            key = self.storage.identity.public_key
            for each in Verifying(self.repository, proof, tell, key).verify(backups):
                error = None if each.error is None else named(each.error, each.manifest, self._names())
                try:
                    yield Verified(each.manifest, error)
                finally:  # first the verdict: another process may write, or the store's disk take nothing any more
                    self._noted.verdict(error)

    @contextmanager
    def restored(
        self, backup: Manifest, tell: Progress = Quiet, until_ms: int | None = None
    ) -> Iterator[StorageEngine]:
        """
        Restore a backup into a store of its own, which can be read until the block ends.

        Args:
            backup: The backup.
            tell: Is told what is being done.
            until_ms: Only what was made by this moment, in milliseconds since 1970.

        Raises:
            BackupError: It cannot be read, or does not hold what it says.
        """
        with self._fresh() as proof:
            if until_ms is None:
                proof.begin_with_own(self.repository, backup, self.storage.identity.public_key)
            with self._naming(backup):
                Verifying(self.repository, proof, _once_broken_quiet(tell)).restore(backup, until_ms)
            yield proof.engine

    def _naming(self, backup: Manifest) -> AbstractContextManager[None]:
        return naming(backup, self._names())

    def compare(self, restored: StorageEngine, only: Iterable[str] = ()) -> list[Difference]:
        """
        Return what is different here from a restored backup.

        Args:
            restored: The backup, from :meth:`restored`.
            only: Ids of tasks and documents, if others do not matter.
        """
        wanted = frozenset(only)
        return [each for each in differences(restored, self.storage) if not wanted or each.id in wanted]

    def tags_lacking(self, restored: StorageEngine) -> list[Tag]:
        """Return the tags of a restored backup that are not here, or have another name, colour or description."""
        return tags_lacking(restored, self.storage)

    def preview(self, restored: StorageEngine) -> list[Difference]:
        """
        Return what :meth:`bring_back` would change without ``only``. Afterwards the backup can be compared no more.

        Raises:
            UsageError: The log behind the segment with which this store began is not here yet, and is needed.
        """
        return preview(self._source, restored)

    def bring_back(
        self,
        backup: Manifest,
        restored: StorageEngine,
        found: Sequence[Difference],
        only: Collection[str] = (),
        until_ms: int | None = None,
        tell: Progress = Quiet,
        *,
        files: bool = False,
    ) -> Brought:
        """
        Bring back what is missing here: changes that this store lacks, what lies in the trash, and attached files.

        Args:
            backup: The backup.
            restored: The backup, from :meth:`restored`.
            found: The differences, from :meth:`compare` or :meth:`preview`.
            only: Ids of tasks and documents, if others are to stay as they are. Then no change of the backup is taken, since
                none can be taken without its past: what these tasks and documents were is written anew.
            until_ms, tell: As for :meth:`restored`.
            files: Whether only attached files are to come back; then no change is taken either.
        """
        tell = _once_broken_quiet(tell)
        if not (only or files):
            self._take(backup, until_ms, tell)
        tell("bringing back what is missing")
        count = bring_back(restored, self.storage, found, _reason(backup))
        return Brought(count, self._bring_files(backup, only, tell))

    def make_true(
        self,
        backup: Manifest,
        restored: StorageEngine,
        only: Collection[str] = (),
        until_ms: int | None = None,
        tell: Progress = Quiet,
    ) -> Brought:
        """
        Give everything the values of a backup, by new changes.

        Args:
            backup, restored, only, until_ms, tell: As for :meth:`bring_back`.
        """
        tell = _once_broken_quiet(tell)
        if not only:
            self._take(backup, until_ms, tell)
        tell("changing everything back")
        tags = [] if only else self.tags_lacking(restored)
        bring_tags(self.storage, tags, _reason(backup))
        count = len(tags) + make_true(restored, self.storage, lambda: self.compare(restored, only), _reason(backup))
        return Brought(count, self._bring_files(backup, only, tell))

    def lost_files(self, backup: Manifest, only: Collection[str] = ()) -> list[str]:
        """Return the names of attached files whose content is not here and that a backup has; ``only`` as above."""
        if not backup.packs:
            return []
        found = lacking_here(self.storage, self._packed(backup), _documents(only))
        return sorted(record.name for record, _ in found.values())

    def _bring_files(self, backup: Manifest, only: Collection[str], tell: Progress) -> int:
        if not backup.packs:
            return 0
        with self._naming(backup):
            return bring_here(self.storage, self._packed(backup), _documents(only), tell)

    def _packed(self, backup: Manifest) -> PackedChunks:
        with self._naming(backup):
            return PackedChunks(self.repository, [read_index(self.repository, ref) for ref in backup.packs])

    def _take(self, backup: Manifest, until_ms: int | None, tell: Progress) -> None:
        """Take the changes of a backup that are missing here, as after the loss of a disk."""
        ours = self._source.exchange.frontier()
        if all(ours.get(name, 0) >= seq for name, seq, _ in backup.heads):
            return
        until = None if until_ms is None else Until(until_ms)
        for number, ref in enumerate(backup.runs, 1):
            tell(f"taking part {number} of {len(backup.runs)}")
            with self._naming(backup):
                opened = runs.read([self.repository.get(Kind.RUN, ref)])
            if until is not None:
                opened = replace(opened, frames=until.frames(opened.frames))
            self._source.unpacking.take(opened)

    # --- proof stores -------------------------------------------------------------------------------------------------

    @contextmanager
    def _proof(self, name: str) -> Iterator[ProofStore]:
        """Yield a proof store that no other process uses meanwhile."""
        own = nullcontext() if self._grounds is not None else occupied(self.backup_path / name)
        ground = (
            Folder(self.backup_path / name, self._source.key_file) if self._grounds is None else self._grounds(name)
        )
        with own, ProofStore(ground, self.storage.workspace) as proof:
            yield proof

    @contextmanager
    def _fresh(self) -> Iterator[ProofStore]:
        """Yield an empty proof store, which is removed at the end."""
        with self._proof(f"{FOR_A_TIME}{self.storage.writing.random(4).hex()}") as proof:
            try:
                yield proof
            finally:
                proof.remove()


def _once_broken_quiet(tell: Progress) -> Progress:
    """Return what tells the program what is being done, until the program's function raises an exception."""
    return Callback(tell, "The progress of a backup")


def _documents(only: Collection[str]) -> frozenset[bytes] | None:
    """Return the keys of the documents with some ids; None for all documents."""
    return frozenset(key_of("document", values.id_bytes("id", each)) for each in only) if only else None


def _reason(backup: Manifest) -> str:
    return f"restored from backup {backup.number}"

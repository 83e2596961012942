"""
Making a backup: what is new since the last one goes to the target, is read back, and is taken into the proof store.

1. What the target should hold already is compared with its list. If something is missing there, everything is written again.
2. The changes since then are packed as runs. Each is written, read back, opened and taken, before the next one is packed. So
   a backup that was cut off goes on where it stopped.
3. The proof store must now have the same content as this store had when packing began; then a manifest is written and read
   back. Before that there is no backup. If it has another one, everything is written again once: an older copy of this store
   may have been put back, and then the last backup holds more than the store does.
4. Attached files that are here follow, in packs.
5. Now and then an image of the proof store is written, from which this device restores quickly (``image``).
6. Small runs are written again as one, now and then, so that the number of objects stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from edda_sync.backup import image as images
from edda_sync.backup.imaging import bring, pages_of
from edda_sync.backup.inner import Inner
from edda_sync.backup.manifest import Included, Manifest, Ref, ext_of
from edda_sync.backup.packs import Packs, files_of, read_index, read_pack
from edda_sync.backup.proof import Kept, ProofStore, Taken
from edda_sync.backup.repository import Found, Repository
from edda_sync.backup.sealed import Kind
from edda_sync.engine import backed_up
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import run as runs
from edda_sync.segments.run import Heads
from edda_sync.sync.packing import Packed, Packing
from edda_sync.words import limits
from edda_sync.words.errors import BackupError, DamagedBackupError, NewerBackupError, NoObjectError, TargetError

SMALL_BYTES: Final = 512 * 1024  # a run whose object is smaller may be written again with others
SMALL_RUNS_MAX: Final = 32  # how many small runs may stand at the end before they become one

Progress = Callable[[str], object]
"""Is told in a few words what is being done."""


@dataclass(frozen=True, slots=True)
class Made:
    """
    What came of making a backup.

    Attributes:
        manifest: The newest backup.
        is_new: Whether it was made now; otherwise nothing had changed since.
    """

    manifest: Manifest
    is_new: bool


class Making:
    """
    Makes the backups of one store at one target.

    Args:
        engine: The store.
        repository: The target, for this workspace.
        proof: Its proof store, open.
        packing: Packs what the store holds.
        tell: See :data:`Progress`.
    """

    def __init__(
        self,
        engine: StorageEngine,
        repository: Repository,
        proof: ProofStore,
        packing: Packing,
        tell: Progress = lambda _doing: None,
    ) -> None:
        self._engine, self._repository, self._proof, self._packing = engine, repository, proof, packing
        self._tell = tell
        self._added = 0

    def make(self, devices: Callable[[Heads], Sequence[Included]]) -> Made:
        """
        Make a backup of what the store holds now, unless the last one holds just that and says the same about the devices.

        Args:
            devices: Returns what to say about the other devices, for what is backed up.

        Raises:
            BackupError: It could not be made. The store and the backups before are as they were.
            UsageError: The log behind the segment with which this store began is not here yet.
        """
        self._added = 0
        own = self._repository.own()
        self._continue(own)
        last = self._bring(self._taken_heads())
        if not self._is_proved(last):
            self._tell("what lies at the target is not what is here: its changes are written again")
            self._begin_anew()
            last = self._bring(())
            self._prove(last)
        self._merge_small()
        self._bring_image()
        files = self._bring_files(own)
        manifest = self._manifest(own, last, files, devices)
        before = next((each.manifest for each in reversed(own) if each.manifest is not None), None)
        if before is not None and _says_the_same(before, manifest):
            return Made(before, is_new=False)
        self._repository.add(manifest)
        return Made(manifest, is_new=True)

    def _taken_heads(self) -> Heads:
        taken = self._proof.taken()
        return taken[-1].heads if taken else ()

    def _continue(self, own: Sequence[Found]) -> None:
        """Begin anew, if the target lacks something that the proof store was made of."""
        taken = self._proof.taken()
        image = self._proof.kept_image()
        objects: dict[Ref, Sequence[Ref]] = {each.ref: [each.ref] for each in taken}
        gone = self._gone(own, objects if image is None else {**objects, image.ref: image.refs})
        if not {each.ref for each in taken}.isdisjoint(gone):
            self._tell("something is missing at the target: its changes are written again")
            self._begin_anew()
            taken = []
        elif gone:
            self._proof.keep_image(None)
        if not taken:
            self._fetch(own)

    def _gone(self, own: Sequence[Found], objects: Mapping[Ref, Sequence[Ref]]) -> frozenset[Ref]:
        """
        Return which objects the target lacks, or may lack before a manifest names them.

        Args:
            own: The manifests of this device.
            objects: The objects that a manifest is to name, each with those that it names in turn, and with itself.
        """
        manifests = [each.manifest for each in own if each.manifest is not None]
        outer = {ref for each in manifests for ref in each.objects}
        wanted = [ref for each in objects.values() for ref in each]
        named = {ref.object for each, refs in objects.items() if each in outer for ref in refs}
        gone = self._repository.missing(wanted, named)
        inner = Inner(self._repository)
        for each in manifests if gone else ():  # packs may also be named by an index that is not the one of `objects`
            try:
                named |= {ref.object for ref in inner.of(each)}
            except TargetError:
                raise
            except BackupError:  # what it names is looked for all the same
                continue
        return frozenset(self._repository.missing(wanted, named) if gone else ())

    def _begin_anew(self) -> None:
        """Begin with an empty proof store. The attached files at the target have nothing to do with it."""
        packed = self._proof.packed()
        self._proof.begin_anew()
        self._proof.replace_packed(packed)

    def _fetch(self, own: Sequence[Found]) -> None:
        """Make a new proof store of what the newest backup at the target holds, so that this is not written again."""
        newest = next((each.manifest for each in reversed(own) if each.manifest is not None), None)
        if newest is None:
            return
        if not self._proof.packed():
            self._fetch_packed(newest)
        if self._repository.missing(newest.runs):
            return
        for number, ref in enumerate(newest.runs, 1):
            self._tell(f"reading back {number} of {len(newest.runs)}")
            try:
                self._proof.take(ref, self._repository.get(Kind.RUN, ref))
            except TargetError:  # it is not damaged: all of it would be written again in vain
                raise
            except BackupError:  # it is damaged there: what it held is written again
                break
        self._fetch_image(newest)

    def _fetch_image(self, newest: Manifest) -> None:
        """Note the image of the newest backup at the target, if it is whole there."""
        if newest.image is None:
            return
        with suppress(NoObjectError, DamagedBackupError, NewerBackupError):  # another one is made then
            image = images.read(self._repository, newest.image.ref)
            for number, _ in enumerate(pages_of(self._repository, image), 1):
                self._tell(f"reading back the image: {number} of {len(image.pages)}")
            self._proof.keep_image(Kept(newest.image.ref, image, newest.runs[: newest.image.runs]))

    def _fetch_packed(self, newest: Manifest) -> None:
        """Note which attached files of the newest backup at the target are whole there."""
        whole = []
        for ref in newest.packs:
            try:
                index = read_index(self._repository, ref)
                for number, (pack, _) in enumerate(index.entries, 1):
                    self._tell(f"reading back attached files: {number} of {len(index.entries)}")
                    read_pack(self._repository, pack)
            except TargetError:
                raise
            except BackupError:  # they are written again
                continue
            whole.append(index)
        self._proof.replace_packed(whole)

    def _bring(self, since: Heads) -> Packed:
        """Bring everything beyond some heads to the target and into the proof store; return the last run."""
        last: Packed | None = None
        for packed in self._packing.pack(since):
            last = packed
            if packed.header.changes or packed.header.heads != since:
                self._tell(f"writing {packed.header.changes:,} changes")
                ref = self._put(packed)
                self._proof.take(ref, self._repository.get(Kind.RUN, ref))
        assert last is not None, "packing yields at least one run"
        return last

    def _put(self, packed: Packed) -> Ref:
        ref = self._repository.put(Kind.RUN, packed.data)
        self._added += ref.size
        return ref

    def _is_proved(self, last: Packed) -> bool:
        """Tell whether the backup gives just what the store held."""
        heads = self._proof.heads()
        same = {name: (seq, digest) for name, seq, digest in heads} == {
            name: (seq, digest) for name, seq, digest in last.header.heads
        }
        proof = self._proof.proof()
        same = same and proof.evidence == last.header.evidence
        return same and (not last.header.content or proof.content == last.header.content)

    def _prove(self, last: Packed) -> None:
        if not self._is_proved(last):
            self._proof.begin_anew()
            raise BackupError(
                "What was read back from the backup does not give the same content as this store, so it does not count; "
                "the next backup writes everything again. `edda doctor` shows whether the store itself is sound."
            )

    def _merge_small(self) -> None:
        """Write the small runs at the end again, as few, once there are many. What they bring is proved already."""
        taken = self._proof.taken()
        kept = len(taken)
        while kept and taken[kept - 1].ref.size < SMALL_BYTES:
            kept -= 1
        if len(taken) - kept <= SMALL_RUNS_MAX:
            return
        self._tell("writing small parts again as one")
        merged = taken[:kept]
        for packed in self._packing.pack(merged[-1].heads if merged else (), upto=taken[-1].heads):
            ref = self._put(packed)
            if runs.hash_frames(runs.read([self._repository.get(Kind.RUN, ref)]).frames) != packed.header.hash:
                raise BackupError("What was read back from the target is not what was written there: take it again.")
            merged.append(Taken(ref, packed.header.heads))
        if merged[-1].heads == taken[-1].heads:  # otherwise a fork was proved meanwhile, and chains have other names
            self._proof.replace_taken(merged)

    def _bring_image(self) -> None:
        """Bring an image of the proof store to the target, if restoring would take long without a new one."""
        proof, kept = self._proof, self._proof.kept_image()
        if (
            not (proof.can_be_imaged and self._repository.compresses)
            or proof.beyond(kept) < limits.IMAGE_RUNS_BYTES_MIN
        ):
            return
        work, held_us = proof.work(), 0 if kept is None else kept.image.work_us
        if not images.is_due(images.work_us(*work), held_us):
            return
        self._tell("writing an image, to restore quickly")
        signer, runs, heads = self._engine.identity, tuple(each.ref for each in proof.taken()), proof.heads()
        with proof.at_rest() as file:
            if file is None:
                return
            try:
                ref, image = bring(self._repository, file, signer, self._engine.workspace, heads, work)
            except TargetError as error:  # such as of a full place: a backup without an image is better than none
                self._tell(f"there is no room for an image, or it failed: {error}")
                return
        proof.keep_image(Kept(ref, image, runs))
        self._added += ref.size + image.pages_bytes

    def _bring_files(self, own: Sequence[Found]) -> tuple[int, int]:
        """Bring the attached files that are here to the target; return how many there are, and how many are not here."""
        files, packed = files_of(self._proof.engine, self._engine), self._proof.packed()
        if not (files.here or packed):
            return 0, files.lacking
        gone = self._gone(own, {each.ref: each.refs for each in packed})
        whole = [each for each in packed if gone.isdisjoint(each.refs)]
        packs = Packs(self._repository, self._engine.reading.files.chunks, whole)
        if not files.unknown:  # which may need any of them
            packs.leave_out([*files.here, *files.elsewhere])
        for _ in packs.bring(files.here):
            self._proof.replace_packed(packs.indexes)
            self._tell(f"writing attached files: {packs.added_bytes / 1e6:,.0f} MB so far")
        if packs.indexes != packed:
            self._proof.replace_packed(packs.indexes)
        self._added += packs.added_bytes
        return len(files.here) - packs.damaged, files.lacking + packs.damaged

    def _manifest(
        self,
        own: Sequence[Found],
        last: Packed,
        files: tuple[int, int],
        devices: Callable[[Heads], Sequence[Included]],
    ) -> Manifest:
        counts = self._proof.engine.counts()
        with self._engine.store.read() as reader:  # no number is used twice, whatever was put back or removed there
            numbers = [backed_up.of(reader, self._repository.target.name).number, *(each.number for each in own)]
        return Manifest(
            self._engine.workspace,
            self._engine.identity.device,
            max(numbers) + 1,
            int(self._engine.writing.now() * 1_000),
            last.header.heads,
            last.header.content,
            counts["tasks"],
            counts["documents"],
            counts["changes"],
            tuple(each.ref for each in self._proof.taken()),
            tuple(each.ref for each in self._proof.packed()),
            *files,
            self._added,
            tuple(devices(last.header.heads)),
            ext_of(
                self._proof.imaged(),
                encrypted=self._engine.reading.is_encrypted(),
                packed=[each.packs_bytes for each in self._proof.packed()],
            ),
        )


def _says_the_same(before: Manifest, now: Manifest) -> bool:
    """Tell whether a backup holds all that another one would, and says the same about which devices are in it."""
    held = [(each.heads, each.runs, each.packs, each.files, each.image) for each in (before, now)]
    same = held[0] == held[1]
    return same and {(each.device, each.is_equal) for each in before.devices} == {
        (each.device, each.is_equal) for each in now.devices
    }

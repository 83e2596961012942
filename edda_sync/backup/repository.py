"""
A repository: what lies at a target for one workspace. This module knows the keys of its objects, and nothing of their use.

    edda/WORKSPACE/objects/NAME                         sealed runs and lists of parts, by the hash of their bytes
    edda/WORKSPACE/devices/DEVICE/manifests/NUMBER-NAME sealed manifests of one device
    edda/WORKSPACE/devices/DEVICE/keys, recovery/       the keys of the workspace: see ``lockbox``

WORKSPACE and DEVICE are keyed hashes, so the place learns no ids. Nothing is ever overwritten, and a device deletes only
what no manifest names any more; so two devices may write to one place at once, and no target needs conditional writes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Final, NamedTuple

from edda_sync.backup import manifest as manifests
from edda_sync.backup.lockbox import Lockbox
from edda_sync.backup.manifest import NUMBER_DIGITS, Manifest, Ref
from edda_sync.backup.sealed import Kind, Objects, called
from edda_sync.backup.target import Listed, Target
from edda_sync.engine.engine import StorageEngine
from edda_sync.sealing.kdf import purpose_key
from edda_sync.words.errors import BackupError, DamagedBackupError, NoObjectError, TargetError
from edda_sync.workspace.members import Ring

NAME_CHARACTERS: Final = 64  # of the name of an object, in hex
_NAME: Final = re.compile(f"[0-9a-f]{{{NAME_CHARACTERS}}}")
_GRACE_S: Final = 24 * 3600.0  # objects that no manifest names yet may belong to a backup that is being made


class Found(NamedTuple):
    """
    A manifest at a target.

    Attributes:
        key: Its key there.
        manifest: What it says; None if it cannot be read.
        error: Why not.
        number: The number of the backup, as the key says it.
    """

    key: str
    manifest: Manifest | None
    error: BackupError | None = None
    number: int = 0


class Repository:
    """
    What lies at a target for one workspace.

    Args:
        target: The target.
        objects: Seals and opens objects.
        ring: The keys of the workspace; the names follow from the first one, which never changes.
        workspace: The workspace's id.
        device: The id of this device.
    """

    def __init__(self, target: Target, objects: Objects, ring: Ring, workspace: bytes, device: str) -> None:
        self.target, self._objects, self._device = target, objects, device
        self._key = purpose_key(ring[0][1], "backup names")
        self._remembered: dict[str, Manifest] | None = None  # see ``remembering``
        self._root = f"edda/{self._tag(workspace)}/"
        self._own = f"{self._root}devices/{self._tag(device.encode())}/"

    def _tag(self, name: bytes) -> str:
        hashed = blake2b(name, digest_size=15, key=self._key).digest()
        return base64.b32encode(hashed).decode().lower()

    def keep_keys(self, store: StorageEngine, backup: Manifest) -> None:
        """Keep the keys of the workspace beside a backup, for this device and for recovery codes, if they are not there."""
        held = {name: seq for name, seq, _ in backup.heads}
        Lockbox(self.target, self._root).fill(store, self._own, held)

    def lacking_keys(self, store: StorageEngine, backup: Manifest) -> list[BackupError]:
        """Return what is wrong with the keys that :meth:`keep_keys` kept beside a backup; nothing if all are whole."""
        held = {name: seq for name, seq, _ in backup.heads}
        return Lockbox(self.target, self._root).lacking(store, self._own, held)

    def maker_of(self, key: str, devices: Iterable[str]) -> str | None:
        """Return which of some devices made the manifest of a key; None if none of them did."""
        return next((each for each in devices if key.startswith(self._of_device(each))), None)

    @property
    def compresses(self) -> bool:
        """Whether what is written is compressed before it is sealed."""
        return self._objects.compresses

    # --- objects ------------------------------------------------------------------------------------------------------

    def put(self, kind: Kind, plain: bytes) -> Ref:
        """Seal and write an object, durably; return its name and size."""
        sealed = self._objects.seal(kind, plain)
        self.target.put(f"{self._root}objects/{sealed.name}", sealed.data)
        return Ref(bytes.fromhex(sealed.name), len(sealed.data))

    def get(self, kind: Kind, ref: Ref) -> bytes:
        """
        Return what an object holds, once its name, seal and kind were checked.

        Raises:
            NoObjectError: It is missing.
            DamagedBackupError, BackupKeyError: It cannot be opened.
            TargetError: The target cannot be used.
        """
        name = ref.object.hex()
        return self._objects.open(name, self._get(f"{self._root}objects/{name}", kind), kind)

    def _get(self, key: str, kind: Kind) -> bytes:
        try:
            return self.target.get(key)
        except NoObjectError as error:
            raise NoObjectError(error.target, key, called(kind, key[-NAME_CHARACTERS:])) from None

    def take_back(self, refs: Iterable[Ref]) -> None:
        """Delete objects that this device has just written, and that no manifest names."""
        for ref in refs:
            self.target.delete(f"{self._root}objects/{ref.object.hex()}")

    def missing(self, refs: Iterable[Ref], named: Container[bytes] | None = None) -> list[Ref]:
        """
        Return which objects are not there, or have another size, according to the target's list.

        Args:
            refs: The objects.
            named: The names of those that a manifest names. Of others, those count as missing, too, which another device may
                delete before a backup that is made now names them: see :meth:`drop`.
        """
        there = {each.key.rpartition("/")[2]: each for each in self.target.list(f"{self._root}objects/")}
        old_s = max((each.modified_s for each in there.values()), default=0.0) - _GRACE_S / 2

        def is_missing(ref: Ref) -> bool:
            found = there.get(ref.object.hex())
            if found is None or found.size != ref.size:
                return True
            return named is not None and ref.object not in named and found.modified_s < old_s

        return [ref for ref in refs if is_missing(ref)]

    # --- manifests ----------------------------------------------------------------------------------------------------

    def add(self, manifest: Manifest) -> str:
        """Write a manifest, read it back and compare it; return its key. The backup exists from then on."""
        sealed = self._objects.seal(Kind.MANIFEST, manifests.encode(manifest))
        key = self._key_of(manifest, sealed.name)
        self.target.put(key, sealed.data)
        if self._read(key) != manifest:
            raise DamagedBackupError(f"The manifest of backup {manifest.number}", "another one was read back")
        return key

    def _of_device(self, device: str) -> str:
        return f"{self._root}devices/{self._tag(device.encode())}/manifests/"

    def own(self) -> list[Found]:
        """Return the manifests of this device, the oldest first."""
        return list(self._found(self._of_device(self._device)))

    def all(self) -> list[Found]:
        """Return the manifests of all devices of the workspace, the oldest first; those that cannot be read come last."""
        found = list(self._found(f"{self._root}devices/"))
        return sorted(
            found, key=lambda each: (each.manifest is None, 0 if each.manifest is None else each.manifest.made_ms)
        )

    def _found(self, prefix: str) -> Iterator[Found]:
        for key in self._listed(prefix):
            number = number_in(key)
            try:
                yield Found(key, self._recalled(key), None, number)
            except NoObjectError:  # another device has just deleted it
                continue
            except TargetError:  # not this manifest cannot be read, but nothing
                raise
            except BackupError as error:
                yield Found(key, None, error, number)

    def _listed(self, prefix: str) -> Iterator[str]:
        return (each.key for each in self.target.list(prefix) if "/manifests/" in each.key)

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Read each manifest once in the block, however often it lists them: its key contains the hash of what it holds."""
        self._remembered = {}
        try:
            yield
        finally:
            self._remembered = None

    def _recalled(self, key: str) -> Manifest:
        if self._remembered is None:
            return self._read(key)
        if key not in self._remembered:
            self._remembered[key] = self._read(key)
        return self._remembered[key]

    def _read(self, key: str) -> Manifest:
        name = key.rpartition("-")[2]
        what = called(Kind.MANIFEST, name)
        found = manifests.decode(self._objects.open(name, self._get(key, Kind.MANIFEST), Kind.MANIFEST), what)
        if key != self._key_of(found, name):  # whoever can write there could make an old backup look like the newest
            raise DamagedBackupError(what, f"backup {found.number} lies where another one should")
        return found

    def _key_of(self, manifest: Manifest, name: str) -> str:
        return f"{self._of_device(manifest.device)}{manifest.number:0{NUMBER_DIGITS}d}-{name}"

    # --- what goes ----------------------------------------------------------------------------------------------------

    def drop(
        self,
        keys: Iterable[str],
        now_s: float,
        inner: Callable[[Manifest], Iterable[Ref]] = lambda _manifest: (),
        kept: Iterable[Manifest] = (),
    ) -> int:
        """
        Delete manifests, and then the objects that no manifest names any more; return how many bytes that freed.

        Objects that are younger than a day stay, because another device may be writing the manifest that names them. How
        old they are is told by the target's clock, which is at least at the time of the newest object: the clock of this
        device may be wrong. If a manifest or index cannot be read, no object is deleted: it may name any of them. Nor is one
        if manifests came or went while they were read: what one that went named, one that came and was not seen may name.

        Args:
            keys: The keys of the manifests.
            now_s: Wall clock in seconds since 1970.
            inner: Returns the objects that what a manifest names names in turn. It is only asked if something
                may have to be deleted.
            kept: Manifests that are known to be there, although a target that lists late may not list them yet.
        """
        for key in keys:
            self.target.delete(key)
        found = self.all()
        left = [*kept, *(each.manifest for each in found if each.manifest is not None)]
        is_read = all(each.manifest is not None for each in found)
        if not is_read or {each.key for each in found} != set(self._listed(f"{self._root}devices/")):
            return 0
        named: set[bytes | None] = {ref.object for each in left for ref in each.objects} | {None}
        there = list(self.target.list(f"{self._root}objects/"))
        young_s = min(now_s, max((each.modified_s for each in there), default=0.0)) - _GRACE_S
        old = [each for each in there if _object_of(each) not in named and each.modified_s < young_s]
        if not old:
            return 0
        try:
            named |= {ref.object for each in left for ref in inner(each)}
        except TargetError:
            raise
        except BackupError:  # it may name any of them, too
            return 0
        gone = [each for each in old if _object_of(each) not in named]
        for each in gone:
            self.target.delete(each.key)
        return sum(each.size for each in gone)


def _object_of(listed: Listed) -> bytes | None:
    """Return the name of a listed object; None if it is none of ours, such as what a system puts into each folder."""
    name = listed.key.rpartition("/")[2]
    return bytes.fromhex(name) if _NAME.fullmatch(name) else None


def number_in(key: str) -> int:
    """Return the number of a backup in the key of its manifest; 0 if there is none."""
    number = key.rpartition("/")[2].partition("-")[0]
    return int(number) if number.isdecimal() and len(number) <= NUMBER_DIGITS else 0

"""
Manifests: what one backup holds. A manifest names the objects of all its runs, so it needs no other manifest.

It also says which devices are in the backup: how much of each one's work it holds, and whether that device was proved equal
to what was backed up, or when it last was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec

from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.segments.run import Hash16, Hash32, Heads
from edda_sync.words.errors import DamagedBackupError

Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]

ENCRYPTED: Final = 2
"""In the ext of a manifest: the store that was backed up is encrypted on its own disk. It has no value."""

IMAGE: Final = 4
"""In the ext of a manifest: msgpack of an :class:`Imaged`."""

PACKED: Final = 6
"""In the ext of a manifest: msgpack of a list, how many bytes the packs of each index take. Without packs it is left out."""

NUMBER_DIGITS: Final = 12
"""How many digits a manifest's number has in its key, so that keys are in order."""


class Ref(msgspec.Struct, frozen=True, array_like=True):
    """An object that is part of a backup: its name (BLAKE2b-256 of its bytes), and its size in bytes."""

    object: Hash32
    size: Count


class Imaged(msgspec.Struct, frozen=True, array_like=True):
    """
    The image of a backup (``image``). The runs hold all of it, so a version that does not know images needs none.

    Attributes:
        ref: Its object.
        runs: How many of the backup's runs it holds, the first ones.
        size: How many bytes the objects take that it names.
    """

    ref: Ref
    runs: Count
    size: Count


class Included(msgspec.Struct, frozen=True, array_like=True):
    """
    A device of the workspace, as a backup sees it.

    Attributes:
        device, name: Its id, and what people call it.
        changes: How many changes of its lives are in the backup.
        proved_ms: When it was last proved equal to the device that made the backup, in milliseconds since 1970; 0 for never.
        is_equal: Whether that was at what the backup holds: then nothing of this device is missing up to that time.
    """

    device: str
    name: str
    changes: Count
    proved_ms: Count
    is_equal: bool


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """
    What one backup holds.

    Attributes:
        workspace: The id of the workspace.
        device: The id of the device that made it.
        number: Counts the backups of that device, from 1.
        made_ms: When it was made, in milliseconds since 1970.
        heads: How far each chain is in it.
        content: The digest of its content, 16 bytes; empty if some of it only a newer version can read.
        tasks, documents, changes: How many there are in it.
        runs: The objects of its runs of changes, in the order in which they are taken.
        packs: The indexes of the packs with the chunks of attached files.
        files, files_lacking: How many attached files are in it, and how many were not on the device.
        added_bytes: How many bytes this backup added to the place where it lies.
        devices: The devices of the workspace, without the one that made it.
        ext: Room to grow.
    """

    workspace: Hash16
    device: str
    number: Annotated[int, msgspec.Meta(gt=0, lt=10**NUMBER_DIGITS)]
    made_ms: Count
    heads: Heads
    content: Annotated[bytes, msgspec.Meta(max_length=16)]
    tasks: Count
    documents: Count
    changes: Count
    runs: tuple[Ref, ...]
    packs: tuple[Ref, ...]
    files: Count
    files_lacking: Count
    added_bytes: Count
    devices: tuple[Included, ...]
    ext: Ext = exts.NONE

    @property
    def was_encrypted(self) -> bool:
        """Whether the store that was backed up was encrypted on its own disk."""
        return exts.get(self.ext, ENCRYPTED) is not None

    @property
    def image(self) -> Imaged | None:
        """Its image; None if it has none."""
        held = exts.get(self.ext, IMAGE)
        return None if held is None else _decode_imaged(held)

    @property
    def packed(self) -> tuple[int, ...]:
        """How many bytes the packs of each index take; empty if a version made it that did not say so."""
        held = exts.get(self.ext, PACKED)
        return () if held is None else _decode_packed(held)

    @property
    def outstanding(self) -> tuple[Included, ...]:
        """The devices that were not proved equal to what this backup holds; none if it is *converged*."""
        return tuple(each for each in self.devices if not each.is_equal)

    @property
    def objects(self) -> tuple[Ref, ...]:
        """All objects that it names."""
        return self.runs + self.packs + (() if self.image is None else (self.image.ref,))

    @property
    def sizes(self) -> Mapping[bytes, int]:
        """How many bytes each object takes that it names: an image with its pages, and an index with its packs."""
        sizes = {each.object: each.size for each in self.objects}
        for index, size in zip(self.packs, self.packed, strict=False):
            sizes[index.object] += size
        if self.image is not None:
            sizes[self.image.ref.object] += self.image.size
        return sizes

    @property
    def total_bytes(self) -> int:
        """The size of all objects that it names, in bytes; most are shared with other backups."""
        return sum(self.sizes.values())


_encoder = msgspec.msgpack.Encoder()
_decode = msgspec.msgpack.Decoder(Manifest).decode
_decode_packed = msgspec.msgpack.Decoder(tuple[Count, ...]).decode
_decode_imaged = msgspec.msgpack.Decoder(Imaged).decode


def ext_of(image: Imaged | None, *, encrypted: bool, packed: Sequence[int] = ()) -> Ext:
    """
    Return what a manifest says beyond its fields.

    Args:
        image: Its image; None if it has none.
        encrypted: Whether the store was encrypted on its own disk.
        packed: How many bytes the packs of each index take.
    """
    imaged = None if image is None else _encoder.encode(image)
    sizes = _encoder.encode(tuple(packed)) if packed else None
    return exts.of({ENCRYPTED: b"" if encrypted else None, IMAGE: imaged, PACKED: sizes})


def encode(manifest: Manifest) -> bytes:
    """Return the bytes of a manifest. :func:`decode` reads them."""
    return _encoder.encode(manifest)


def decode(encoded: bytes, what: str) -> Manifest:
    """
    Return a manifest.

    Args:
        encoded: Its bytes.
        what: What to call it in errors.

    Raises:
        DamagedBackupError: It is malformed, or only a newer version understands it.
    """
    try:
        manifest = _decode(encoded)
    except ValueError as error:
        raise DamagedBackupError(what, f"it is malformed: {error}") from None
    if not exts.is_canonical(manifest.ext) or not exts.is_understood(manifest.ext, ()):
        raise DamagedBackupError(what, "it holds what only a newer version understands", "update edda-sync")
    try:
        _ = manifest.image, manifest.packed
    except ValueError as error:
        raise DamagedBackupError(what, f"what it says of its image or attached files is malformed: {error}") from None
    return manifest

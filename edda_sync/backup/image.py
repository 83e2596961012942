"""
Images: the file of a store that is made of nothing but a backup's runs, cut into pieces, so that it need not be made again.

The runs are the evidence, and an image is a convenience. Whoever folds the changes of 100,000 tasks, to get their rows and
indexes, works for seconds; to write the file that held them takes a fraction of that. So an image is made now and then, when
to fold what it does not hold would take long; the runs after it are folded upon it.

What an image says of the log behind it could only be told by folding that log. So a device takes only images that it made
and signed itself, as it trusts its own disk. All others, and all versions that cannot read an image, take the runs.

    image := msgpack [workspace, maker, schema, size, changes, mentions, heads, [ref of pages...], signature, ext]
    pages := zstd of the next ``PAGES_BYTES`` of the file, or of what is left
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Final

import msgspec

from edda_sync.backup.manifest import Count, Ref
from edda_sync.backup.repository import Repository
from edda_sync.backup.sealed import Kind
from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.segments.run import Hash16, Hash32, Heads
from edda_sync.store.sqlite import schema
from edda_sync.sync.keys import Verify
from edda_sync.words import limits
from edda_sync.words.errors import DamagedBackupError

PAGES_BYTES: Final = 4 * 1024 * 1024
SHARE: Final = (
    4  # an image is made anew when a quarter of all work is not in it: so a restore stays quick, and few are made
)


class Image(msgspec.Struct, frozen=True, array_like=True):
    """
    The file of a store that was made of a backup's runs.

    Attributes:
        workspace: The id of the workspace.
        maker: The signing key of the device that made it.
        schema: The number of migrations that the file has.
        size: The size of the file in bytes.
        changes, mentions: How many changes it holds, and how many entities they are about, counted once for each change.
        heads: How far each chain is in it.
        pages: The objects with the file, in order.
        signature: The maker's signature over :func:`signed`; empty while it is being signed.
        ext: Room to grow.
    """

    workspace: Hash16
    maker: Hash32
    schema: Annotated[int, msgspec.Meta(gt=0)]
    size: Annotated[int, msgspec.Meta(gt=0, lt=1 << 53)]
    changes: Count
    mentions: Count
    heads: Heads
    pages: tuple[Ref, ...]
    signature: bytes = b""
    ext: Ext = exts.NONE

    @property
    def pages_bytes(self) -> int:
        """How many bytes its pages take at the target."""
        return sum(each.size for each in self.pages)

    @property
    def work_us(self) -> int:
        """What it saves: how long folding its changes takes, in microseconds."""
        return work_us(self.changes, self.mentions)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Image).decode


def encode(image: Image) -> bytes:
    """Return the bytes of an image. :func:`read` reads them."""
    return _encode(image)


def signed(image: Image) -> bytes:
    """Return the message that an image's maker signs."""
    unsigned = msgspec.structs.replace(image, signature=b"")
    return b"edda image 1" + blake2b(_encode(unsigned), digest_size=32).digest()


def read(repository: Repository, ref: Ref) -> Image:
    """
    Return an image that lies at a target. Its pages were not read.

    Raises:
        BackupError: It is missing or damaged.
    """
    try:
        image = _decode(repository.get(Kind.IMAGE, ref))
    except ValueError as error:
        raise DamagedBackupError("An image of a backup", f"it is malformed: {error}") from None
    if len(image.pages) != -(-image.size // PAGES_BYTES):
        raise DamagedBackupError("An image of a backup", "its sizes do not fit")
    return image


def is_own(image: Image, workspace: bytes, key: bytes, verify: Verify) -> bool:
    """Tell whether a device made an image itself, and this version can read the file in it."""
    if (image.workspace, image.maker) != (workspace, key) or not exts.is_understood(image.ext, ()):
        return False
    return image.schema <= schema.VERSION and verify(key, image.signature, signed(image))


def work_us(changes: int, mentions: int) -> int:
    """
    Return how long folding some changes takes, in microseconds.

    Args:
        changes: How many there are.
        mentions: How many entities they are about, counted once for each change.
    """
    return limits.LOG_CHANGE_US * changes + limits.LOG_MENTION_US * mentions


def is_due(all_us: int, held_us: int) -> bool:
    """
    Tell whether a new image is to be made.

    Args:
        all_us: How long folding everything takes, in microseconds.
        held_us: How much of that the last image saves; 0 if there is none.
    """
    return all_us - held_us >= max(limits.IMAGE_SAVES_US_MIN, all_us // SHARE)

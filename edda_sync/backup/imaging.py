"""
Imaging: an image of a proof store goes to the target (``image``), and comes back as a file.

None is made of an encrypted store, since its pages are sealed with a key of its disk, and nothing plain of it may be written
there; and none where backups are not compressed, since pages are mostly indexes of what the runs hold already.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import zstandard

from edda_sync.backup import image as images
from edda_sync.backup.image import PAGES_BYTES, Image
from edda_sync.backup.manifest import Manifest, Ref
from edda_sync.backup.repository import Repository
from edda_sync.backup.sealed import Kind
from edda_sync.engine.opened import STORE_ID
from edda_sync.segments.run import Heads
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite import schema
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.sync.keys import Signer
from edda_sync.transport.identity import verify
from edda_sync.words.errors import BackupError, DamagedBackupError, NewerBackupError, NoObjectError, TargetError
from edda_sync.words.files import disk_error, open_file, sync_folder

RUNS_KEY: Final = "backup.runs"
PACKS_KEY: Final = "backup.packs"
IMAGE_KEY: Final = "backup.image"
_OF_THE_PROOF: Final = (STORE_ID, RUNS_KEY, PACKS_KEY, IMAGE_KEY)
LACKING: Final = (DamagedBackupError, NoObjectError, NewerBackupError)
"""Errors after which there are still the runs."""

AHEAD: Final = 2
"""How many pieces of an image are read while one is written; each takes some 12 MiB of memory meanwhile."""

_LEVEL: Final = 3
_DAMAGED: Final = "An image of a backup"

Tell = Callable[[str], object]


def bring(
    repository: Repository, file: Path, signer: Signer, workspace: bytes, heads: Heads, counted: tuple[int, int]
) -> tuple[Ref, Image]:
    """
    Write an image of a store's file to a target, and read it back; return it with its object.

    Args:
        repository: The target.
        file: The file, complete and closed.
        signer: This device's key.
        workspace: The workspace's id.
        heads: How far the chains in the file are.
        counted: How many changes it holds, and how many mentions.

    Raises:
        BackupError: It could not be written, or something else was read back. Nothing of it is left, if that can be.
    """
    pages, size = list[Ref](), 0
    try:
        for piece in _pieces(file):
            pages.append(_put(repository, Kind.PAGES, zstandard.ZstdCompressor(level=_LEVEL).compress(piece)))
            size += len(piece)
        image = Image(workspace, signer.public_key, schema.VERSION, size, *counted, heads, tuple(pages))
        image = msgspec.structs.replace(image, signature=signer.sign(images.signed(image)))
        return _put(repository, Kind.IMAGE, images.encode(image)), image
    except BackupError:
        with suppress(TargetError):  # then the next backups remove what is left, once it is a day old
            repository.take_back(pages)
        raise


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(PAGES_BYTES):
            yield piece


def _put(repository: Repository, kind: Kind, data: bytes) -> Ref:
    ref = repository.put(kind, data)
    if repository.get(kind, ref) != data:
        raise DamagedBackupError(_DAMAGED, "something else was read back than was written")
    return ref


def own(repository: Repository, backup: Manifest, key: bytes) -> Image | None:
    """
    Return the image of a backup, if this device made it and this version can read it; None otherwise, or if there is none.

    Args:
        repository: Where the backup lies.
        backup: The backup.
        key: The device's public key.

    Raises:
        BackupError: It is missing or damaged.
    """
    if backup.image is None:
        return None
    image = images.read(repository, backup.image.ref)
    return image if images.is_own(image, backup.workspace, key, verify) else None


def taken(repository: Repository, backup: Manifest, key: bytes, file: Path, tell: Tell = lambda _doing: None) -> int:
    """
    Write the file of a backup's image, if there is one for this device; return how many of the backup's runs are in it.

    If there is none, or it is damaged, there is no file, and 0 is returned: the runs hold everything.

    Args:
        repository, backup, key: As for :func:`own`.
        file: Where the file goes. Nothing may be there.
        tell: Is told in a few words what is being done.

    Raises:
        TargetError: The target cannot be used.
        StorageError: The file cannot be written.
    """
    try:
        image = own(repository, backup, key)
        if image is None or backup.image is None:
            return 0
        write(repository, image, file, tell)
    except LACKING:
        file.unlink(missing_ok=True)
        tell("the image is damaged: restoring without it")
        return 0
    return backup.image.runs


def write(repository: Repository, image: Image, file: Path, tell: Tell = lambda _doing: None) -> None:
    """
    Write the file of an image, durably, without what belonged to the proof store that it was.

    Args:
        repository: Where its pages lie.
        image: The image.
        file: Where the file goes. Nothing may be there.
        tell: Is told in a few words what is being done.

    Raises:
        BackupError: It cannot be read.
        StorageError: The file cannot be written.
    """
    descriptor = open_file(file)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            for number, piece in enumerate(pages_of(repository, image), 1):
                tell(f"restoring part {number} of {len(image.pages)}")
                opened.write(piece)
            opened.flush()
            os.fsync(opened.fileno())
        sync_folder(file.parent)
    except OSError as error:
        raise disk_error(file, error) from error
    store = SqliteStore(file)
    try:
        store.transact(_forget_the_proof)
    finally:
        store.close()


def _forget_the_proof(tx: StoreWriter) -> None:
    for key in _OF_THE_PROOF:
        tx.meta.drop(key)


def pages_of(repository: Repository, image: Image) -> Iterator[bytes]:
    """
    Yield the pieces of an image's file, in order. While one is used, the next ones are being read.

    Raises:
        BackupError: One is missing or damaged.
    """
    from concurrent.futures import ThreadPoolExecutor  # few backups read an image

    left, following = image.size, iter(image.pages)
    with ThreadPoolExecutor(AHEAD) as readers:
        reading = deque(readers.submit(_piece, repository, ref) for ref in islice(following, AHEAD))
        while reading:
            piece = reading.popleft().result()
            reading.extend(readers.submit(_piece, repository, ref) for ref in islice(following, 1))
            if len(piece) != min(left, PAGES_BYTES):
                raise DamagedBackupError(_DAMAGED, "its sizes do not fit")
            left -= len(piece)
            yield piece


def _piece(repository: Repository, ref: Ref) -> bytes:
    held = repository.get(Kind.PAGES, ref)
    try:
        if zstandard.frame_content_size(held) > PAGES_BYTES:  # before any memory is set aside for it
            raise DamagedBackupError(_DAMAGED, "its sizes do not fit")
        return zstandard.ZstdDecompressor().decompress(held, max_output_size=PAGES_BYTES, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamagedBackupError(_DAMAGED, str(error)) from None

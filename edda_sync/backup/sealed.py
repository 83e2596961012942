"""
Sealed objects: all that a backup or a bundle keeps at a place that need not be trusted.

    object := head salt commitment ciphertext
    head   := "EDDAOBJ" version(u8) suite(u8) epoch(32 bytes) size(u16) ext
    sealed := kind(u8) codec(u8) size(u32) held(u32) hash(32 bytes) bytes padding

An object is named by the BLAKE2b-256 of all its bytes. Outside, nothing tells what is in it: the head names the cipher and
the key of the workspace's ring, and the length is rounded up by Padmé, so that it tells O(log log n) bits, for at most 12 %
(Nikitin, Barman, Lueks, Underwood, Hubaux, Ford: "Reducing Metadata Leakage from Encrypted Files and Communication with
PURBs", PETS 2019). PROTOCOL.md has it byte by byte.

Each object has a key of its own, which follows from the epoch's key, 32 random bytes and the head, by HKDF. So no number of
objects, devices or copied stores wears out the nonces of a key, whatever the cipher. The same derivation gives a commitment,
which stands in the object and is compared before anything is opened: an object that opens under two keys would be a
collision of SHA-256. AES-GCM and both ChaCha ciphers do not exclude that by themselves (Albertini, Duong, Gueron, Kölbl,
Luykx, Schmieg: "How to Abuse and Fix Authenticated Encryption Without Key Commitment", USENIX Security 2022).

What is compressed before it is sealed tells by its length how well it compresses. Whoever can have text of their choice
written beside a secret, and sees many lengths, may guess at that secret as far as Padmé's steps let them; without
compression there is nothing to see.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from enum import IntEnum
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from typing import Final, NamedTuple

import msgspec
import zstandard
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.sealing.kdf import purpose_key
from edda_sync.sealing.seal import BY_NUMBER, KEY_BYTES, SUITES, TAG_BYTES, cipher
from edda_sync.words import limits
from edda_sync.words.config import EncryptionAlgorithm
from edda_sync.words.errors import BackupKeyError, DamagedBackupError, LimitError, NewerBackupError
from edda_sync.workspace.members import Ring

VERSION: Final = 1
MAGIC: Final = b"EDDAOBJ"
SALT_BYTES: Final = 32
COMMITMENT_BYTES: Final = 32
PURPOSE: Final = "backup objects"

_HEAD: Final = Struct(">7sBB32sH")
_INNER: Final = Struct(">BBII32s")
_PLAIN, _ZSTD = 0, 1  # how the bytes inside are held
_LEVEL: Final = 3  # of zstd: more takes longer than a disk to write what it saves

_encode_ext = msgspec.msgpack.Encoder().encode
_decode_ext = msgspec.msgpack.Decoder(Ext).decode


class Kind(IntEnum):
    """What an object holds. It stands inside, so that no object can be put in another's place."""

    RUN = 1
    PACK = 2
    INDEX = 3
    MANIFEST = 4
    IMAGE = 5
    PAGES = 6


CALLED: Final = {
    Kind.RUN: "a part with changes",
    Kind.PACK: "a part with attached files",
    Kind.INDEX: "a list of attached files",
    Kind.MANIFEST: "a manifest",
    Kind.IMAGE: "an image",
    Kind.PAGES: "a part of an image",
}
"""What people call what an object holds."""

NAME_SHOWN: Final = 12
"""How many characters of an object's name errors show."""


class Sealed(NamedTuple):
    """An object: its name, in hex, and its bytes."""

    name: str
    data: bytes


class _Outside(NamedTuple):
    """What an object tells whoever has no key."""

    algorithm: EncryptionAlgorithm
    epoch: bytes
    ext: Ext
    head: bytes


def name_of(data: bytes) -> str:
    """Return the name of an object's bytes, in hex; ``b2sum -l 256`` prints the same."""
    return blake2b(data, digest_size=32).hexdigest()


def called(kind: Kind, name: str) -> str:
    """Return what to call an object in errors, at the beginning of a sentence."""
    return f"{CALLED[kind].capitalize()}, {name[:NAME_SHOWN]},"


def padded(size: int) -> int:
    """
    Return a size, rounded up so that it tells little: the fewer leading bits, the larger it is.

    Args:
        size: In bytes, 1 or more.

    Returns:
        At most 12 % more.

    Source: Padmé, algorithm 1 of the paper that the module names.
    """
    exponent = size.bit_length() - 1
    step = 1 << max(0, exponent - exponent.bit_length())
    return -(-size // step) * step


OBJECT_BYTES_MAX: Final = (
    _HEAD.size + limits.BACKUP_ROOM_BYTES_MAX + SALT_BYTES + COMMITMENT_BYTES
    + padded(_INNER.size + limits.BACKUP_OBJECT_BYTES_MAX) + TAG_BYTES
)  # fmt: skip
"""The size of the largest object. Whoever fetches one need not fetch more."""


class Objects:
    """
    Seals objects under the newest key of a workspace's ring, and opens those of all its keys.

    Args:
        ring: The keys of the workspace, oldest first (``workspace.members.ring``).
        algorithm: The cipher for what is sealed from now on. Objects of the others open as well.
        compresses: Whether what is sealed is compressed.
        random: Source of random bytes, for salts.
    """

    def __init__(
        self,
        ring: Ring,
        algorithm: EncryptionAlgorithm = EncryptionAlgorithm.AES_256_GCM,
        *,
        compresses: bool = True,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keys: Mapping[bytes, bytes] = {name: purpose_key(key, PURPOSE) for name, key in ring}
        self._epoch, self._algorithm = ring[-1][0], algorithm
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL) if compresses else None
        self._random = random

    @property
    def compresses(self) -> bool:
        """Whether what is sealed is compressed."""
        return self._compressor is not None

    def seal(self, kind: Kind, plain: bytes) -> Sealed:
        """
        Return an object. It is written under its name; :meth:`open` opens it.

        Sealing the same bytes twice gives two objects, of which nobody else can tell that they are the same.

        Raises:
            LimitError: There are more than ``BACKUP_OBJECT_BYTES_MAX`` bytes.
        """
        if len(plain) > limits.BACKUP_OBJECT_BYTES_MAX:
            raise LimitError("what one object of a backup holds", len(plain), limits.BACKUP_OBJECT_BYTES_MAX)
        codec, held = _PLAIN, plain
        if self._compressor is not None:
            compressed = self._compressor.compress(plain)
            if len(compressed) < len(plain):
                codec, held = _ZSTD, compressed
        inner = _INNER.pack(kind, codec, len(plain), len(held), _hash_of(kind, plain)) + held
        inner += bytes(padded(len(inner)) - len(inner))
        suite = SUITES[self._algorithm]
        head = _HEAD.pack(MAGIC, VERSION, suite.number, self._epoch, 0)
        salt = self._random(SALT_BYTES)
        key, commitment, nonce = _derived(self._keys[self._epoch], salt, head, suite.nonce_bytes)
        before = head + salt + commitment
        data = before + cipher(self._algorithm, key).encrypt(nonce, inner, before)
        return Sealed(name_of(data), data)

    def open(self, name: str, data: bytes, kind: Kind) -> bytes:
        """
        Return what an object holds.

        Args:
            name: The name under which it was found or is listed.
            data: Its bytes. They are not trusted.
            kind: What it must hold.

        Raises:
            DamagedBackupError: They are not that object's bytes, or it holds something else.
            BackupKeyError: The ring lacks its key.
            NewerBackupError: A newer version wrote it.
        """
        what = called(kind, name)
        if len(data) > OBJECT_BYTES_MAX:
            raise DamagedBackupError(what, f"it has {len(data):,} bytes, more than any object")
        if name_of(data) != name:
            raise DamagedBackupError(what, "its bytes are not those that its name says")
        outside = _read_head(data, what)
        key = self._keys.get(outside.epoch)
        if key is None:
            raise BackupKeyError(
                what,
                f"it is under the workspace key {outside.epoch.hex()[:12]}, which this device does not know: sync with a "
                "device that has it, or open the backup with a recovery code that was made later",
            )
        if not exts.is_canonical(outside.ext) or not exts.is_understood(outside.ext, ()):
            raise NewerBackupError(what, "its header says more than this version knows")
        return _inside(_opened(data, outside, key, what), kind, what)


def _read_head(data: bytes, what: str) -> _Outside:
    if data[: len(MAGIC)] != MAGIC or len(data) < _HEAD.size:
        raise DamagedBackupError(what, "it is no object of a backup")
    _, version, number, epoch, size = _HEAD.unpack_from(data)
    if version != VERSION:
        raise NewerBackupError(what, f"format {version}")
    algorithm = BY_NUMBER.get(number)
    if algorithm is None:
        raise NewerBackupError(what, f"cipher {number}")
    at = _HEAD.size + size
    if size > limits.BACKUP_ROOM_BYTES_MAX or len(data) < at + SALT_BYTES + COMMITMENT_BYTES + TAG_BYTES + _INNER.size:
        raise DamagedBackupError(what, "it is cut short")
    try:
        ext = _decode_ext(data[_HEAD.size : at]) if size else exts.NONE
    except ValueError:
        raise DamagedBackupError(what, "its header cannot be read") from None
    return _Outside(algorithm, epoch, ext, data[:at])


def _opened(data: bytes, outside: _Outside, key: bytes, what: str) -> bytes:
    """Return the bytes that an object's cipher protects."""
    at = len(outside.head) + SALT_BYTES
    begin = at + COMMITMENT_BYTES
    salt, committed = data[len(outside.head) : at], data[at:begin]
    derived = _derived(key, salt, outside.head, SUITES[outside.algorithm].nonce_bytes)
    if not compare_digest(derived.commitment, committed):
        raise DamagedBackupError(what, "it was not sealed under the key that it names")
    inner = cipher(outside.algorithm, derived.key).decrypt(derived.nonce, data[begin:], data[:begin])
    if inner is None:
        raise DamagedBackupError(what, "its seal is broken")
    return inner


def _inside(inner: bytes, kind: Kind, what: str) -> bytes:
    """Return what an object holds, once every field is checked. Only who has the ring can have written something wrong."""
    number, codec, size, held, expected = _INNER.unpack_from(inner)
    end = _INNER.size + held
    if number != kind:
        raise DamagedBackupError(what, f"it holds something else (kind {number}) than a {kind.name.lower()}")
    if codec not in (_PLAIN, _ZSTD):
        raise NewerBackupError(what, f"compression {codec}")
    sound = size <= limits.BACKUP_OBJECT_BYTES_MAX and (held < size if codec == _ZSTD else held == size)
    if not sound or len(inner) != padded(end) or inner.count(0, end) != len(inner) - end:
        raise DamagedBackupError(what, "its sizes do not fit")
    plain = inner[_INNER.size : end]
    if codec == _ZSTD:
        plain = _decompressed(plain, size, what)
    if len(plain) != size or not compare_digest(_hash_of(kind, plain), expected):
        raise DamagedBackupError(what, "it does not hold what it commits to")
    return plain


def _decompressed(held: bytes, size: int, what: str) -> bytes:
    try:
        if zstandard.frame_content_size(held) != size:  # before any memory is set aside for it
            raise DamagedBackupError(what, "its sizes do not fit")
        return zstandard.ZstdDecompressor().decompress(held, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamagedBackupError(what, str(error)) from None


class _Derived(NamedTuple):
    """What an object's own key and salt give."""

    key: bytes
    commitment: bytes
    nonce: bytes


def _derived(key: bytes, salt: bytes, head: bytes, nonce_bytes: int) -> _Derived:
    """Source: HKDF with SHA-256 (RFC 5869); the commitment as Albertini et al. (2022), section 5."""
    length = KEY_BYTES + COMMITMENT_BYTES + nonce_bytes
    found = HKDF(SHA256(), length, salt=salt, info=b"edda backup object 1" + head).derive(key)
    end = KEY_BYTES + COMMITMENT_BYTES
    return _Derived(found[:KEY_BYTES], found[KEY_BYTES:end], found[end:])


def _hash_of(kind: int, plain: bytes) -> bytes:
    """Return the commitment to what an object holds."""
    digest = blake2b(bytes((kind,)), digest_size=32, person=b"edda-object")
    digest.update(plain)
    return digest.digest()

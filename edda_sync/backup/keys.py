"""
The keys of a workspace, sealed for one receiver: so a backup can be opened by who has lost everything else.

    keys    := "EDDAKEY" version(u8) suite(u16) receiver(16 bytes) HPKE(...)
    sealed  := length(u32) msgpack [said, signature] padding        said: msgpack of :class:`Keys`

There are two kinds of receivers, and both are an :class:`~edda_sync.transport.identity.Identity` with its sealing key: this
device itself, whose database may be lost while its identity is kept, and a recovery code. So whoever takes a backup needs no
secret but its own: a device that never saw the words of a code seals for it all the same.

Sealing for a public key does not say who did it. So the maker signs what is inside, together with the receiver's key: a
device takes only what it sealed for itself, and a ciphertext that opens for two receivers would be signed for one of them
only. What was sealed for a code is compared with the log that it opens (:func:`sound`).
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import Annotated, Final

import msgspec

from edda_sync.backup.sealed import padded
from edda_sync.changes.change import Hash
from edda_sync.crdt import ext as exts
from edda_sync.crdt import records
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import Actor, Seq
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.records import X25519_HKDF_SHA256
from edda_sync.crdt.state import entity_of
from edda_sync.sealing import hpke
from edda_sync.store.seams import StoreReader
from edda_sync.transport.identity import Identity, verify
from edda_sync.words import limits
from edda_sync.words.errors import BackupKeyError, DamagedBackupError, LimitError, NewerBackupError
from edda_sync.workspace.members import Ring

VERSION: Final = 1
MAGIC: Final = b"EDDAKEY"
RECEIVER_BYTES: Final = 16

_HEAD: Final = Struct(">7sBH16s")
_LENGTH_BYTES: Final = 4


class Keys(msgspec.Struct, frozen=True, array_like=True):
    """
    What a receiver needs to open the backups of a workspace, and to write in it again.

    Attributes:
        workspace: The workspace's id, 16 bytes.
        ring: Its keys, oldest first: name of the epoch and key, 32 bytes each.
        added: The change that made the receiver a member: actor, seq and hash.
        maker: The signing key of the device that sealed this.
        made_ms: When it did so, in milliseconds since 1970.
        ext: Room to grow.
    """

    workspace: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    ring: Annotated[tuple[tuple[Hash, Hash], ...], msgspec.Meta(min_length=1)]
    added: tuple[Actor, Seq, Hash]
    maker: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    made_ms: Annotated[int, msgspec.Meta(ge=0, le=limits.WALL_MS_MAX)]
    ext: Ext = exts.NONE


_encode = msgspec.msgpack.Encoder(order="sorted").encode
_decode = msgspec.msgpack.Decoder(Keys).decode
_decode_signed = msgspec.msgpack.Decoder(tuple[bytes, bytes]).decode


def receiver_of(sealing_key: bytes) -> bytes:
    """Return the name of a receiver, 16 bytes, by which it finds what is sealed for it. It does not tell the key."""
    return blake2b(sealing_key, digest_size=RECEIVER_BYTES, person=b"edda-receiver").digest()


def seal(keys: Keys, sealing_key: bytes, maker: Identity) -> bytes:
    """
    Return keys, sealed for a receiver. :func:`open_with` opens them.

    Args:
        keys: The keys; their maker is ``maker``.
        sealing_key: The receiver's X25519 key (``Identity.sealing_keys``, or its record in the log).
        maker: This device.

    Raises:
        InvalidValueError: That is no key for which anything can be sealed.
        LimitError: There are too many.
    """
    assert keys.maker == maker.public_key, "it signs for itself"
    said = _encode(keys)
    inner = _encode((said, maker.sign(_signed(sealing_key, said))))
    inner = len(inner).to_bytes(_LENGTH_BYTES, "big") + inner
    if len(inner) > limits.BACKUP_KEYS_BYTES_MAX:
        raise LimitError("the keys of a workspace", len(inner), limits.BACKUP_KEYS_BYTES_MAX)
    inner += bytes(padded(len(inner)) - len(inner))
    head = _HEAD.pack(MAGIC, VERSION, X25519_HKDF_SHA256, receiver_of(sealing_key))
    return head + hpke.seal_for(sealing_key, inner, _about(head))


def open_with(identity: Identity, data: bytes, what: str) -> Keys:
    """
    Return keys that were sealed for an identity.

    Compare them with the log that they open, by :func:`sound`, before anything is written under them.

    Args:
        identity: The receiver: this device, or a recovery code.
        data: The sealed keys. They are not trusted.
        what: What to call them in errors.

    Raises:
        BackupKeyError: They were sealed for somebody else.
        DamagedBackupError: They are damaged.
        NewerBackupError: A newer version sealed them.
    """
    receiver = _read_head(data, what)
    (_, sealing_key), *_ = identity.sealing_keys
    if receiver != receiver_of(sealing_key):
        raise BackupKeyError(what, "they are sealed for another device, or another recovery code: use that one")
    inner = identity.unseal(data[_HEAD.size :], _about(data[: _HEAD.size]))
    if inner is None:
        raise DamagedBackupError(what, "the seal is broken")
    try:
        length = int.from_bytes(inner[:_LENGTH_BYTES], "big")
        said, signature = _decode_signed(inner[_LENGTH_BYTES : _LENGTH_BYTES + length])
        keys = _decode(said)
    except ValueError:
        raise DamagedBackupError(what, "what is inside cannot be read") from None
    if not verify(keys.maker, signature, _signed(sealing_key, said)):
        raise DamagedBackupError(what, "its maker did not sign it")
    if not exts.is_canonical(keys.ext) or not exts.is_understood(keys.ext, ()):
        raise NewerBackupError(what, "it says more than this version knows")
    return keys


def sound(reader: StoreReader, workspace: bytes, ring: Ring) -> Ring:
    """
    Return a ring that came from a backup, without the keys that the log which it opened does not know.

    The members who wrote the log committed to each key. Anybody who knew for which key to seal could have added others.
    (Those of later epochs come with the changes that made them.)

    Args:
        reader: The restored store.
        workspace: The workspace's id.
        ring: The keys, oldest first.

    Raises:
        DamagedBackupError: None of them is one of this workspace.
    """
    state = reader.states.get([key := key_of("workspace", workspace)]).get(key)
    epochs = {} if state is None else _epochs(entity_of(key, state.state))
    known = tuple(each for each in ring if epochs.get(each[0]) == records.commitment_of(each[1]))
    if not known:
        raise DamagedBackupError("What is sealed at the target", "it holds no key of the workspace in the backup")
    return known


def _epochs(workspace: Entity) -> dict[bytes, bytes]:
    """Return the commitment to the key of each epoch, by its name."""
    cells = {name: writes for name, writes in workspace.cells.items() if name.startswith("epoch.")}
    return {
        bytes.fromhex(name.removeprefix("epoch.")): records.decode_epoch(write[3]).commitment
        for name, writes in cells.items()
        for write in writes
    }


def _read_head(data: bytes, what: str) -> bytes:
    if data[: len(MAGIC)] != MAGIC or len(data) < _HEAD.size:
        raise DamagedBackupError(what, "these are no sealed keys")
    if len(data) > _HEAD.size + hpke.OVERHEAD_BYTES + padded(limits.BACKUP_KEYS_BYTES_MAX):
        raise DamagedBackupError(what, f"{len(data):,} bytes are more than any keys have")
    _, version, suite, receiver = _HEAD.unpack_from(data)
    if version != VERSION:
        raise NewerBackupError(what, f"format {version}")
    if suite != X25519_HKDF_SHA256:
        raise NewerBackupError(what, f"suite {suite}")
    found: bytes = receiver
    return found


def _about(head: bytes) -> bytes:
    return b"edda backup keys 1" + head


def _signed(sealing_key: bytes, said: bytes) -> bytes:
    return b"edda backup keys 1" + sealing_key + blake2b(said, digest_size=32).digest()

"""
Member and epoch records: what a workspace says about its devices and keys. They are signed, since they are cells of
changes.

A device's record is written once, by the member that adds the device, and never overwritten, so that the meaning of a
trusted key does not change. It is bound to the device: the entity's id is a hash of the signing key, and the
certificate contains that key.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b, sha256
from typing import Annotated, Any, Final, Literal

import msgspec

from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError

X25519_HKDF_SHA256: Final = 0x0020
"""A kind of key with which secrets can be sealed to a device. Source: RFC 9180 section 7.1."""
ML_KEM_768_X25519: Final = 0x647A
"""The post-quantum hybrid for the same use (X-Wing). Source: draft-connolly-cfrg-xwing-kem, its HPKE KEM id."""

_ED25519_KEY: Final = bytes.fromhex("302a300506032b6570032100")  # what precedes such a key in a certificate
_COMMON_NAME: Final = bytes.fromhex("0603550403")  # 2.5.4.3

RECOVERY: Final = 2
"""In the ext of a device's record: it stands for a recovery code, see ``workspace.codes``. The value names, by the ids of
their entities, the codes that it replaces."""

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


Suite = Annotated[int, msgspec.Meta(gt=0, lt=1 << 16)]
PublicKey = Annotated[bytes, msgspec.Meta(min_length=32, max_length=limits.SEALING_KEY_BYTES_MAX)]
SEALING_KEYS_MAX: Final = 8  # of one device (wire)


class SealingKey(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A public key with which secrets can be sealed to a device: its suite (HPKE's KEM id), and the key."""

    suite: Suite
    key: PublicKey


class DeviceRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    The record that makes a device a member.

    Attributes:
        signing_key: Its Ed25519 key.
        certificate: The certificate (DER) that it shows on its links, of the same key.
        sealing_keys: Keys with which secrets can be sealed to it, in order of preference.
        role: What it may do: ``member``.
        added_by: The signing key of the member that adds it; its own key at the founding.
        ext: Room to grow.
    """

    signing_key: Key
    certificate: Annotated[bytes, msgspec.Meta(min_length=1, max_length=limits.CERTIFICATE_BYTES_MAX)]
    sealing_keys: Annotated[tuple[SealingKey, ...], msgspec.Meta(max_length=SEALING_KEYS_MAX)]
    role: Literal["member"]
    added_by: Key
    ext: Ext = exts.NONE


class EpochRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    A key of the workspace, named by the hash of this record. New data is written under the one with the greatest
    (depth, name).

    Attributes:
        depth: One more than the depth of the epoch that it follows; 0 at the founding.
        follows: Name of that epoch; None at the founding.
        commitment: BLAKE2b-256("edda-epoch-key", key), with which a device that is given the key can check it.
        sealed: For each device: the id of its entity, the suite, and the key sealed to it; empty at the founding.
        ext: Room to grow.
    """

    depth: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    follows: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)] | None
    commitment: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    sealed: tuple[tuple[Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)], int, bytes], ...] = ()
    ext: Ext = exts.NONE


_encoder = msgspec.msgpack.Encoder(order="sorted")
_decode_device = msgspec.msgpack.Decoder(DeviceRecord).decode
_decode_epoch = msgspec.msgpack.Decoder(EpochRecord).decode


def encode(record: DeviceRecord | EpochRecord) -> bytes:
    """Return the bytes of a record."""
    return _encoder.encode(record)


def device_entity(signing_key: bytes) -> bytes:
    """Return the id of the entity of a device."""
    return blake2b(signing_key, digest_size=16, person=b"edda-device").digest()


def decode_device(encoded: Any) -> DeviceRecord:
    """
    Decode a device's record.

    Raises:
        InvalidValueError: It is malformed, or its certificate is for another key.
    """
    if not isinstance(encoded, bytes):
        raise InvalidValueError("record", "is not a device's record", None)
    try:
        record = _decode_device(encoded)
    except ValueError as error:
        raise InvalidValueError("record", f"is not a device's record ({error})", None) from None
    if not exts.is_canonical(record.ext) or certificate_key(record.certificate) != record.signing_key:
        raise InvalidValueError("record", "has a certificate of another key", None)
    return record


def check_device(entity_id: bytes, encoded: Any) -> DeviceRecord:
    """
    Decode a record, and check that it belongs to the device of an entity.

    Raises:
        InvalidValueError: It is malformed, or belongs to another device.
    """
    record = decode_device(encoded)
    if device_entity(record.signing_key) != entity_id:
        raise InvalidValueError("record", "is another device's", None)
    return record


def decode_epoch(encoded: Any) -> EpochRecord:
    """
    Decode an epoch's record.

    Raises:
        InvalidValueError: It is malformed.
    """
    if not isinstance(encoded, bytes) or len(encoded) > limits.EPOCH_BYTES_MAX:
        raise InvalidValueError("epoch", "is not an epoch's record", None)
    try:
        record = _decode_epoch(encoded)
    except ValueError as error:
        raise InvalidValueError("epoch", f"is not an epoch's record ({error})", None) from None
    if not exts.is_canonical(record.ext) or (record.follows is None) != (record.depth == 0):
        raise InvalidValueError("epoch", "follows nothing, or an epoch at depth 0", None)
    return record


def epoch_name(encoded: bytes) -> bytes:
    """Return the name of an epoch: the hash of its record."""
    return blake2b(encoded, digest_size=32, person=b"edda-epoch").digest()


def commitment_of(key: bytes) -> bytes:
    """Return the commitment to an epoch's key, which is part of the epoch's record."""
    return blake2b(key, digest_size=32, person=b"edda-epoch-key").digest()


def check_epoch(name: str, encoded: Any) -> EpochRecord:
    """
    Decode a record, and check that a cell's name, in hex, is its hash.

    Raises:
        InvalidValueError: It is malformed, or belongs to another epoch.
    """
    record = decode_epoch(encoded)
    if epoch_name(encoded).hex() != name:
        raise InvalidValueError("epoch", "is not the record that its name says", name)
    return record


# --- certificates -----------------------------------------------------------------------------------------------------


def device_id(signing_key: bytes) -> str:
    """Return the id of a device: the SHA-256 of its signing key in base32, in lower case and without padding."""
    return base64.b32encode(sha256(signing_key).digest()).decode("ascii").rstrip("=").lower()


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Return devices' names by id. The start of the id is added to names that several devices have."""
    several = {name for name, number in Counter(names.values()).items() if number > 1}
    return {
        device: f"{name} ({device[: limits.SHORT_DEVICE_CHARACTERS]})" if name in several else name
        for device, name in names.items()
    }


def certificate_key(certificate: bytes) -> bytes:
    """
    Return the Ed25519 key of a certificate.

    The rest of the certificate is not checked: a link trusts a certificate byte for byte, and finds it by its name.

    Source: RFC 5280 section 4.1; RFC 8410 section 4; X.690 sections 8.1 and 10.1 (DER).

    Raises:
        InvalidValueError: It is not a certificate, its key is of another type, or it is not named after the device of its
            key. (With another device's name it would lock that device out.)
    """
    fields = []
    try:
        at, _ = _inside(certificate, 0)  # Certificate
        at, end = _inside(certificate, at)  # TBSCertificate
        if certificate[at] == 0xA0:  # the version, which is missing only in version 1
            _, at = _inside(certificate, at)
        for _ in range(6):  # serial number, signature algorithm, issuer, validity, subject, public key
            _, after = _inside(certificate, at)
            fields.append(certificate[at:after])
            at = after
    except IndexError:
        raise InvalidValueError("certificate", "is not an X.509 certificate", None) from None
    _, _, issuer, _, subject, info = fields
    key = info.removeprefix(_ED25519_KEY)
    if at > end or len(key) != 32 or len(info) != len(key) + len(_ED25519_KEY):
        raise InvalidValueError("certificate", "does not hold an Ed25519 key", None)
    if not issuer == subject == _name(key):
        raise InvalidValueError("certificate", "is not named after its own key", None)
    return key


def _name(signing_key: bytes) -> bytes:
    """Return a device's id as the name in a certificate: one common name, in UTF-8."""
    device = device_id(signing_key).encode()
    name = _COMMON_NAME + bytes((0x0C, len(device))) + device
    for tag in (0x30, 0x31, 0x30):  # a sequence of one set of one sequence of type and value
        name = bytes((tag, len(name))) + name
    return name


def _inside(data: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at an offset begins and ends."""
    length = data[at + 1]
    at += 2
    if length & 0x80:
        size = length & 0x7F
        if not 0 < size <= 4:
            raise IndexError
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > len(data):
        raise IndexError
    return at, at + length

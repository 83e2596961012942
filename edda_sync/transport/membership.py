"""
Membership: what a device tells a workspace when it joins, and what it is told.

Members are entities of kind ``device`` in the log, so that adding one is a signed, replicated change like any other.
The formats here travel inside the pairing's encrypted channel, see ``pairing``.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b, sha256

import msgspec

from edda_sync import limits
from edda_sync.errors import RemoteProtocolError


class DeviceRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A device that wants to join: its certificate (DER) and what people call it."""

    certificate: bytes
    name: str


class Welcome(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    What a new member is told.

    Attributes:
        workspace: Its id; 16 bytes.
        workspace_key: The key that only members know; 32 bytes.
        members: Records of its members by device id.
        port: Where the inviter listens for members; 0 when it does not.
    """

    workspace: bytes
    workspace_key: bytes
    members: dict[str, DeviceRecord]
    port: int


_encoder = msgspec.msgpack.Encoder(order="sorted")
_decode_record = msgspec.msgpack.Decoder(DeviceRecord).decode
_decode_welcome = msgspec.msgpack.Decoder(Welcome).decode


def encode(value: DeviceRecord | Welcome) -> bytes:
    """Return the bytes of a record or welcome."""
    return _encoder.encode(value)


def decode_record(encoded: bytes) -> DeviceRecord:
    """
    Read a device's record.

    Raises:
        RemoteProtocolError: It is malformed.
    """
    try:
        record = _decode_record(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"a malformed device record ({error})") from None
    if not 0 < len(record.name) <= limits.NAME_CODE_POINTS_MAX or not 0 < len(record.certificate) <= 4096:
        raise RemoteProtocolError("a device record out of bounds")
    return record


def decode_welcome(encoded: bytes) -> Welcome:
    """
    Read a welcome.

    Raises:
        RemoteProtocolError: It is malformed.
    """
    try:
        welcome = _decode_welcome(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"a malformed welcome ({error})") from None
    if len(welcome.workspace) != 16 or len(welcome.workspace_key) != 32 or len(welcome.members) > limits.MEMBERS_MAX:
        raise RemoteProtocolError("a welcome out of bounds")
    return welcome


def discovery_key(workspace_key: bytes) -> bytes:
    """Return the key of the tags by which members recognise each other on the LAN."""
    return hmac.digest(workspace_key, b"edda discovery 1", sha256)


def workspace_tag(workspace: bytes, device: str) -> bytes:
    """Return what a hello says of its workspace: it differs from device to device."""
    return blake2b(workspace + device.encode(), digest_size=16, person=b"edda-hello").digest()

"""
Membership: what a device tells a workspace when it joins, and what it is told.

Members are entities of kind ``device`` in the log, so adding one is a signed and replicated change like any other. The
formats in this module are sent inside the encrypted channel of the pairing, see ``transport.pairing``.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import blake2b, sha256
from typing import Annotated, Final

import msgspec

from edda_sync.changes.change import Hash
from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import Actor, Seq
from edda_sync.crdt.records import SEALING_KEYS_MAX, PublicKey, Suite
from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError, RemoteProtocolError

INVITER: Final = 2  # in an offer's ext: the id of the device that sends it


class DeviceCard(msgspec.Struct, frozen=True, array_like=True):
    """
    What a device shows about itself when it wants to join.

    Attributes:
        certificate: Its certificate (DER).
        name: Its name for people.
        sealing_keys: Suite and public key of each key with which secrets can be sealed to it (``crdt.records``).
        ext: Room to grow.
    """

    certificate: bytes
    name: str
    sealing_keys: Annotated[tuple[tuple[Suite, PublicKey], ...], msgspec.Meta(max_length=SEALING_KEYS_MAX)] = ()
    ext: Ext = exts.NONE


class Offer(msgspec.Struct, frozen=True, array_like=True):
    """
    What a device is told before it is a member: nothing of it is a secret.

    Attributes:
        workspace: The workspace's id, 16 bytes.
        members: Cards of the members by device id, as many as fit, with that of the new one. The others are in the log.
        port: The port on which the inviter listens for members; 0 if it does not listen.
        ext: Room to grow: the sender.
    """

    workspace: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    members: dict[str, DeviceCard]
    port: int
    ext: Ext = exts.NONE


class Admission(msgspec.Struct, frozen=True, array_like=True):
    """
    What a device is told once it is a member.

    Attributes:
        ring: The keys that only members know, oldest first: name of the epoch and key, 32 bytes each.
        added: The change that made the device a member: actor, seq and hash. The device's first life continues it.
        ext: Room to grow.
    """

    ring: Annotated[tuple[tuple[Hash, Hash], ...], msgspec.Meta(min_length=1)]
    added: tuple[Actor, Seq, Hash]
    ext: Ext = exts.NONE


class Welcome(msgspec.Struct, frozen=True, array_like=True):
    """
    All that a new member was told, as it keeps it.

    Attributes:
        workspace: The workspace's id, 16 bytes.
        ring: The keys that only members know, oldest first: name of the epoch and key, 32 bytes each.
        members: Cards of the members by device id, as many as fit. The others are in the log.
        port: The port on which the inviter listens for members; 0 if it does not listen.
        added: The change that made the device a member: actor, seq and hash. The device's first life continues it.
        ext: Room to grow: the sender.
    """

    workspace: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    ring: Annotated[tuple[tuple[Hash, Hash], ...], msgspec.Meta(min_length=1)]
    members: dict[str, DeviceCard]
    port: int
    added: tuple[Actor, Seq, Hash]
    ext: Ext = exts.NONE

    @classmethod
    def of(cls, offer: Offer, admission: Admission) -> Welcome:
        """Return both parts as one."""
        return cls(offer.workspace, admission.ring, offer.members, offer.port, admission.added, offer.ext)

    @property
    def key(self) -> bytes:
        """The key under which new data is written."""
        return self.ring[-1][1]

    @property
    def inviter(self) -> str | None:
        """The id of the device that sends this, if it is named."""
        said = exts.get(self.ext, INVITER)
        return None if said is None else said.decode(errors="replace")


_encoder = msgspec.msgpack.Encoder(order="sorted")
_decode_card = msgspec.msgpack.Decoder(DeviceCard).decode
_decode_welcome = msgspec.msgpack.Decoder(Welcome).decode
_decode_offer = msgspec.msgpack.Decoder(Offer).decode
_decode_admission = msgspec.msgpack.Decoder(Admission).decode


def encode(value: DeviceCard | Offer | Admission | Welcome) -> bytes:
    """Return the bytes of one of these."""
    return _encoder.encode(value)


def decode_card(encoded: bytes) -> DeviceCard:
    """
    Decode a device's card.

    Raises:
        RemoteProtocolError: It is malformed.
    """
    try:
        card = _decode_card(encoded)
    except ValueError as error:
        raise RemoteProtocolError(f"a malformed device card ({error})") from None
    if not 0 < len(card.certificate) <= limits.CERTIFICATE_BYTES_MAX:
        raise RemoteProtocolError("a device card out of bounds")
    try:
        values.line("name", card.name)
    except InvalidValueError as error:
        raise RemoteProtocolError(f"a malformed device card ({error})") from None
    return card


def decode_told(offer: bytes, admission: bytes) -> Welcome:
    """
    Decode what an inviter said; return it in one.

    Raises:
        RemoteProtocolError: It is malformed.
    """
    try:
        decoded = _decode_offer(offer), _decode_admission(admission)
    except ValueError as error:
        raise RemoteProtocolError(f"a malformed welcome ({error})") from None
    for each in decoded:
        exts.check(each.ext)
    return Welcome.of(*decoded)


def decode_welcome(encoded: bytes) -> Welcome:
    """
    Decode a welcome as it was kept.

    Raises:
        RemoteProtocolError: It is malformed.
    """
    try:
        welcome = _decode_welcome(encoded)
    except ValueError as error:
        raise RemoteProtocolError(f"a malformed welcome ({error})") from None
    exts.check(welcome.ext)
    return welcome


def fitting(cards: Iterable[tuple[str, DeviceCard]]) -> dict[str, DeviceCard]:
    """Return the first cards, with their device ids, as many as a welcome has room for."""
    told: dict[str, DeviceCard] = {}
    room = limits.PAIRING_FRAME_BYTES_MAX - limits.WELCOME_REST_BYTES
    for device, card in cards:
        room -= len(device) + len(encode(card)) + 4  # overhead of msgpack
        if room < 0:
            break
        told[device] = card
    return told


def discovery_key(workspace_key: bytes) -> bytes:
    """Return the key for the tags by which members recognise each other on the LAN."""
    return hmac.digest(workspace_key, b"edda discovery 1", sha256)


def workspace_tag(workspace: bytes, device: str) -> bytes:
    """Return the value by which a hello names its workspace. It differs from device to device."""
    return blake2b(workspace + device.encode(), digest_size=16, person=b"edda-hello").digest()

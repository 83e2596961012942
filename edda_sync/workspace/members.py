"""Workspaces: how one is founded and joined, and who its members are. Members are entities in the log like any other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth
from edda_sync.changes.drafts import Put
from edda_sync.crdt import cells, records
from edda_sync.crdt import ext as exts
from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.records import DeviceRecord, EpochRecord, SealingKey
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError, InvalidValueError, LimitError, RemoteProtocolError, UsageError
from edda_sync.words.listed import Member
from edda_sync.workspace import actor as actors
from edda_sync.workspace import authority
from edda_sync.workspace.keys import WORKSPACE_KEY
from edda_sync.workspace.welcome import DeviceCard, Welcome, decode_welcome, encode

RING_KEY: Final = "ring"
WELCOME_KEY: Final = "welcome"

Ring = tuple[tuple[bytes, bytes], ...]
"""Keys of the workspace: name of the epoch and key, 32 bytes each. New data is written under the last one."""

_encode_ring = msgspec.msgpack.Encoder().encode
_decode_ring = msgspec.msgpack.Decoder(Ring).decode


def found(tx: StoreWriter, birth: Birth, secret: bytes) -> Put | None:
    """
    Found a workspace in a store that belongs to none.

    Args:
        tx: A transaction of the store.
        birth: How the founder's first life begins. The workspace's id follows from it.
        secret: 32 random bytes that only members will know: the key of the first epoch.

    Returns:
        What the founding change must say about that epoch; None if the store already belongs to a workspace.
    """
    if tx.meta.get(WORKSPACE_KEY) is not None:
        return None
    workspace = changes.workspace_of(changes.encode_birth(birth))
    epoch = records.encode(EpochRecord(0, None, records.commitment_of(secret)))
    name = records.epoch_name(epoch)
    tx.meta.set(WORKSPACE_KEY, workspace)
    tx.meta.set(RING_KEY, _encode_ring(((name, secret),)))
    actors.begin_life(tx, birth)
    return Put.of("workspace", workspace, {f"epoch.{name.hex()}": epoch})


def check_proved(reader: StoreReader) -> None:
    """
    Check that this store knows the log behind what it holds. The change that lets a device in depends on all of that.

    Raises:
        UsageError: The store holds a segment, and the log behind that is not here yet.
    """
    if reader.segments.merged():
        raise UsageError(
            "This device is still fetching the history of what it began with (`edda status` tells how far it is), so it can"
            " let nobody in yet. Try again in a moment, or invite from another device."
        )


def adopt(tx: StoreWriter, welcome: Welcome, public_key: bytes, nonce: bytes) -> None:
    """
    Make a store belong to the workspace that a welcome describes. If it belongs to that workspace already, it only
    learns who the members are.

    Args:
        tx: A transaction of the store.
        welcome: From the member that let this device in.
        public_key, nonce: Those of the device's first life, which continues the change that made it a member.

    Raises:
        UsageError: The store belongs to another workspace.
        InvalidValueError: A member's certificate is not valid.
    """
    held = tx.meta.get(WORKSPACE_KEY)
    if held not in (None, welcome.workspace):
        raise UsageError("This store belongs to a workspace already.")
    for card in welcome.members.values():
        records.certificate_key(card.certificate)
    if held is not None:  # it is let in again, and its life continues: see ``sync.readmission``
        known = dict(ring(tx))
        tx.meta.set(RING_KEY, _encode_ring((*known.items(), *(each for each in welcome.ring if each[0] not in known))))
        told = msgspec.structs.replace(welcome, members=cards_told(tx) | welcome.members)
        tx.meta.set(WELCOME_KEY, encode(told))
        return
    tx.meta.set(WORKSPACE_KEY, welcome.workspace)
    tx.meta.set(RING_KEY, _encode_ring(welcome.ring))
    tx.meta.set(WELCOME_KEY, encode(welcome))
    actors.begin_life(tx, Birth(public_key, nonce, *welcome.added))


def ring(reader: StoreReader) -> Ring:
    """Return the keys of the workspace that this device knows, oldest first; none if it belongs to no workspace yet."""
    stored = reader.meta.get(RING_KEY)
    return () if stored is None else _decode_ring(stored)


def keep_ring(tx: StoreWriter, keys: Ring) -> None:
    """Keep these keys of the workspace, oldest first, in place of those that are here."""
    tx.meta.set(RING_KEY, _encode_ring(keys))


def member_draft(card: DeviceCard, added_by: bytes, ext: Ext = exts.NONE) -> Put:
    """
    Return the draft that makes a device a member.

    Args:
        card: The card that the device sent.
        added_by: The signing key of this device, which adds it.
        ext: What its record says beyond that.
    """
    signing_key = records.certificate_key(card.certificate)
    sealing_keys = tuple(SealingKey(suite, key) for suite, key in card.sealing_keys)
    record = DeviceRecord(signing_key, card.certificate, sealing_keys, "member", added_by, ext)
    cells = {"record": records.encode(record), "name": values.line("name", card.name), "created_at": OWN_TIME}
    return Put.of("device", records.device_entity(signing_key), cells)


def is_member(reader: StoreReader, certificate: bytes) -> bool:
    """Tell whether the device of a certificate is a member according to the log."""
    device = authority.device_of(reader, records.certificate_key(certificate))
    return device is not None and "record" in device.cells


def check_room(reader: StoreReader) -> None:
    """
    Check that one more device may be added.

    Raises:
        LimitError: The workspace has as many devices as it may have.
    """
    count = sum(1 for _ in authority.members(reader))
    if count >= limits.MEMBERS_MAX:
        raise LimitError("the number of devices of the workspace", count + 1, limits.MEMBERS_MAX)


def is_code(device: Entity) -> bool:
    """
    Tell whether a member is a recovery code (:mod:`.codes`), which no link trusts.

    It is one if all its records say so. Otherwise a member could write a second record beside that of another device, as if
    it had not seen the first, and shut the device out.
    """
    found = [records.decode_device(write[3]) for write in device.cells["record"]]
    return all(exts.get(record.ext, records.RECOVERY) is not None for record in found)


def members(reader: StoreReader) -> list[Member]:
    """Return the devices of the workspace, ordered by name. Recovery codes are none."""
    found = (_member_of(record.key, record.state) for record in reader.states.scan("device"))
    listed = [member for member in found if member is not None]
    return sorted(listed, key=lambda member: (member.name, member.device))


@lru_cache(maxsize=4 * limits.MEMBERS_MAX)  # asked after each batch, and nearly always unchanged
def _member_of(key: bytes, state: bytes) -> Member | None:
    """Return the member that a device's stored state describes; None if it cannot be read, or is a recovery code."""
    found = authority.member_of(key, state)
    if found is None or is_code(found[0]):
        return None
    entity, record = found
    added_at = values.time_of(min(write[2] for write in entity.cells["record"]))
    name, device = entity.value("name") or "?", records.device_id(record.signing_key)
    return Member(device=device, name=name, certificate=_certificate_of(entity), added_at=added_at)


def _certificate_of(entity: Entity) -> bytes:
    """Return the certificate of a device. If several records were written concurrently, return one that it made itself."""
    writes = sorted(entity.cells["record"], key=cells.rank, reverse=True)
    found = [records.decode_device(write[3]).certificate for write in writes]
    return found[0] if len(found) == 1 else next(filter(_is_its_own, found), found[0])


@lru_cache(maxsize=4 * limits.MEMBERS_MAX)
def _is_its_own(certificate: bytes) -> bool:
    """Tell whether a certificate was made by the device that it names. The log does not check that."""
    from edda_sync.transport.identity import public_key_of

    try:
        public_key_of(certificate)
    except InvalidValueError:
        return False
    return True


def cards(reader: StoreReader) -> dict[str, DeviceCard]:
    """
    Return the cards of the members by device id: those in the log, and those in the welcome until they are in the log.

    A device that has just joined and has not synced yet may let another device in. It must pass on the members that it
    knows.
    """
    return cards_told(reader) | {
        member.device: DeviceCard(member.certificate, member.name) for member in members(reader)
    }


def cards_told(reader: StoreReader) -> dict[str, DeviceCard]:
    """Return the cards of the members that the welcome named, by device id."""
    welcome = _welcome(reader)
    return {} if welcome is None else welcome.members


def inviter(reader: StoreReader) -> str | None:
    """Return the id of the device that last let this one in, if the welcome tells it; None at the founder."""
    welcome = _welcome(reader)
    return None if welcome is None else welcome.inviter


def _welcome(reader: StoreReader) -> Welcome | None:
    """
    Return the welcome that let this device in; None at the founder.

    Raises:
        CorruptError: It is not what was written.
    """
    encoded = reader.meta.get(WELCOME_KEY)
    try:
        return None if encoded is None else decode_welcome(encoded)
    except RemoteProtocolError:  # it was decoded when it came, so this disk has changed it
        raise CorruptError("What let this device into its workspace") from None


def certificates(reader: StoreReader) -> dict[str, bytes]:
    """
    Return the certificates that links trust: those of :func:`cards`, by device id.

    A certificate that its device did not make is left out. Nobody could connect with it, and TLS would refuse to read
    the others beside it.
    """
    return trusted(cards(reader))


def trusted(listed: Mapping[str, DeviceCard]) -> dict[str, bytes]:
    """Return the certificates of some cards by device id, without those that their devices did not make."""
    return {device: card.certificate for device, card in listed.items() if _is_its_own(card.certificate)}

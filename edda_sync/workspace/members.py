"""Workspaces: how one is founded and joined, and who its members are. Members are entities of the log like any other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth
from edda_sync.changes.drafts import Put
from edda_sync.crdt import cells, records
from edda_sync.crdt.entity import OWN_TIME, Entity
from edda_sync.crdt.records import DeviceRecord, EpochRecord, SealingKey
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError, LimitError, UsageError
from edda_sync.words.listed import Member
from edda_sync.workspace import actor as actors
from edda_sync.workspace import authority
from edda_sync.workspace.keys import WORKSPACE_KEY
from edda_sync.workspace.welcome import DeviceCard, Welcome, decode_welcome, encode

RING_KEY: Final = "ring"
WELCOME_KEY: Final = "welcome"

Ring = tuple[tuple[bytes, bytes], ...]
"""Keys of the workspace: name of the epoch and key, 32 bytes each; one writes under the last one."""

_encode_ring = msgspec.msgpack.Encoder().encode
_decode_ring = msgspec.msgpack.Decoder(Ring).decode


def found(tx: StoreWriter, birth: Birth, secret: bytes) -> Put | None:
    """
    Found a workspace in a store that belongs to none; None when it does by now.

    Args:
        tx: A transaction of the store.
        birth: How the founder's first life begins; the workspace's id follows from it.
        secret: 32 random bytes that only members will know: the key of the first epoch.

    Returns:
        What the founding change must say of that epoch.
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
    Look whether this store knows what it holds: a device that is let in rests on the change that does so.

    Raises:
        UsageError: It believes a segment of which the log is not here yet.
    """
    if reader.segments.merged():
        raise UsageError(
            "This device is still fetching the history of what it began with (`edda status` tells how far it is), so it can"
            " let nobody in yet. Try again in a moment, or invite from another device."
        )


def adopt(tx: StoreWriter, welcome: Welcome, public_key: bytes, nonce: bytes) -> None:
    """
    Make a store belong to the workspace that a welcome describes; one that does so already learns who its members are.

    Args:
        tx: A transaction of the store.
        welcome: From the member who let this device in.
        public_key, nonce: Of the device's first life, which continues the change that made it a member.

    Raises:
        UsageError: It belongs to another one.
        InvalidValueError: A member's certificate is none.
    """
    held = tx.meta.get(WORKSPACE_KEY)
    if held not in (None, welcome.workspace):
        raise UsageError("This store belongs to a workspace already.")
    for card in welcome.members.values():
        records.certificate_key(card.certificate)
    if held is not None:  # it is let in again, and its life goes on: see ``sync.readmission``
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
    """Return the keys of the workspace that this device knows, oldest first; none before it belongs to one."""
    stored = reader.meta.get(RING_KEY)
    return () if stored is None else _decode_ring(stored)


def member_draft(card: DeviceCard, added_by: bytes) -> Put:
    """
    Return what makes a device a member.

    Args:
        card: What the device shows of itself.
        added_by: The signing key of this device, which adds it.
    """
    signing_key = records.certificate_key(card.certificate)
    sealing_keys = tuple(SealingKey(suite, key) for suite, key in card.sealing_keys)
    record = DeviceRecord(signing_key, card.certificate, sealing_keys, "member", added_by)
    cells = {"record": records.encode(record), "name": values.line("name", card.name), "created_at": OWN_TIME}
    return Put.of("device", records.device_entity(signing_key), cells)


def is_member(reader: StoreReader, certificate: bytes) -> bool:
    """Tell whether a certificate's device is a member by the log."""
    device = authority.device_of(reader, records.certificate_key(certificate))
    return device is not None and "record" in device.cells


def check_room(reader: StoreReader) -> None:
    """
    Check that one more device may be added.

    Raises:
        LimitError: There are as many as a workspace may have.
    """
    count = sum(1 for _ in authority.members(reader))
    if count >= limits.MEMBERS_MAX:
        raise LimitError("the number of devices of the workspace", count + 1, limits.MEMBERS_MAX)


def members(reader: StoreReader) -> list[Member]:
    """Return the devices of the workspace, by name."""
    found = (_member_of(record.key, record.state) for record in reader.states.scan("device"))
    listed = [member for member in found if member is not None]
    return sorted(listed, key=lambda member: (member.name, member.device))


@lru_cache(
    maxsize=4 * limits.MEMBERS_MAX
)  # who is a member is asked after each batch, and nearly always they are the same
def _member_of(key: bytes, state: bytes) -> Member | None:
    """Return the member that a device's stored state tells of; None where it cannot be read."""
    found = authority.member_of(key, state)
    if found is None:
        return None
    entity, record = found
    added_at = values.time_of(min(write[2] for write in entity.cells["record"]))
    name, device = entity.value("name") or "?", records.device_id(record.signing_key)
    return Member(device=device, name=name, certificate=_certificate_of(entity), added_at=added_at)


def _certificate_of(entity: Entity) -> bytes:
    """Return the certificate of a device: of several records that were written at once, the one that it made itself."""
    writes = sorted(entity.cells["record"], key=cells.rank, reverse=True)
    found = [records.decode_device(write[3]).certificate for write in writes]
    return next(filter(_is_its_own, found), found[0])


@lru_cache(maxsize=4 * limits.MEMBERS_MAX)
def _is_its_own(certificate: bytes) -> bool:
    """Tell whether the device that a certificate names made it; the log takes what any member says of another one."""
    from edda_sync.transport.identity import public_key_of

    try:
        public_key_of(certificate)
    except InvalidValueError:
        return False
    return True


def cards(reader: StoreReader) -> dict[str, DeviceCard]:
    """
    Return who the members are by device id: those of the log, and those of the welcome until the log says it.

    A device that has just joined, and has not synced yet, may let the next one in: it must pass on whom it was told of.
    """
    return cards_told(reader) | {
        member.device: DeviceCard(member.certificate, member.name) for member in members(reader)
    }


def cards_told(reader: StoreReader) -> dict[str, DeviceCard]:
    """Return whom the welcome told this device of, by device id."""
    encoded = reader.meta.get(WELCOME_KEY)
    return {} if encoded is None else decode_welcome(encoded).members


def inviter(reader: StoreReader) -> str | None:
    """Return the id of the device that let this one in last, where its welcome says so; None at the founder."""
    encoded = reader.meta.get(WELCOME_KEY)
    return None if encoded is None else decode_welcome(encoded).inviter


def certificates(reader: StoreReader) -> dict[str, bytes]:
    """
    Return the certificates of :func:`cards` by device id: whom links trust.

    One that its device did not make is left out: it lets nobody in, and TLS would refuse to read the others beside it.
    """
    return trusted(cards(reader))


def trusted(listed: Mapping[str, DeviceCard]) -> dict[str, bytes]:
    """Return the certificates of some cards by device id, without those that their devices did not make."""
    return {device: card.certificate for device, card in listed.items() if _is_its_own(card.certificate)}

"""
The authority: who is a member, and in which role. Admission, listings and links all use this answer.

A device is a member once its record is in the log (:mod:`~edda_sync.crdt.records`). Whether a change may enter the log
depends on its past alone: the key of its life was made a member there, or founded the workspace. It never depends on
what else is here, so no device admits what another one refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edda_sync.changes import change as changes
from edda_sync.changes.chains import names_of
from edda_sync.changes.change import Birth
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.records import DeviceRecord, decode_device, device_entity
from edda_sync.crdt.state import entity_of
from edda_sync.store.seams import StoreReader
from edda_sync.words.errors import CorruptError, InvalidValueError


def is_founder(birth: Birth, raw: bytes, deps: Mapping[bytes, int], workspace: bytes) -> bool:
    """Tell whether a birth is the one that founded a workspace: nothing came before it."""
    return birth.parent is None and not deps and changes.workspace_of(raw) == workspace


def is_member_in(device: Entity | None, past: Mapping[bytes, int]) -> bool:
    """
    Tell whether a device was a member in a past.

    Args:
        device: The device's entity, as far as it is here. Records are written once, so all of them are there.
        past: The causal past of what the device does.
    """
    records = () if device is None else device.cells.get("record", ())
    return any(seq <= past.get(actor, 0) for actor, seq, _, _ in records)


def device_of(reader: StoreReader, signing_key: bytes) -> Entity | None:
    """
    Return the entity of a device; None if there is none.

    Raises:
        CorruptError: The stored bytes are not what was written.
    """
    key = key_of("device", device_entity(signing_key))
    record = reader.states.get([key]).get(key)
    return None if record is None else entity_of(key, record.state)


def added_by(reader: StoreReader, signing_key: bytes) -> tuple[bytes, int, bytes] | None:
    """
    Return the change that made a device a member: actor, seq and hash. If there are several, return the first one by dot.

    It is None if there is no such change, or if only a segment stands for it.
    """
    device = device_of(reader, signing_key)
    if device is None or "record" not in device.cells:
        return None
    name, seq = min(write[:2] for write in device.cells["record"])
    digest = reader.log.hash_at(name, seq)
    return None if digest is None else (names_of(reader).actor(name), seq, digest)


def members(reader: StoreReader) -> Iterator[tuple[Entity, DeviceRecord]]:
    """Yield the devices of the workspace and their records, without devices whose entity cannot be read."""
    for record in reader.states.scan("device"):
        found = member_of(record.key, record.state)
        if found is not None:
            yield found


def member_of(key: bytes, state: bytes) -> tuple[Entity, DeviceRecord] | None:
    """Return a device and its record, given the key and stored state of its entity; None if it cannot be read."""
    try:
        entity = entity_of(key, state)
        encoded = entity.value("record")
        return None if encoded is None else (entity, decode_device(encoded))
    except (CorruptError, InvalidValueError):
        return None

"""Workspaces: how one is founded and joined, and who its members are. Members are entities of the log like any other."""

from __future__ import annotations

from typing import Final

from edda_sync import values
from edda_sync.crdt import ledger as ledgers
from edda_sync.crdt.change import Birth
from edda_sync.crdt.entity import OWN_TIME, entity_of
from edda_sync.crdt.ledger import Put
from edda_sync.errors import InvalidValueError, UsageError
from edda_sync.model import Member
from edda_sync.protocols import StoreReader, StoreWriter
from edda_sync.transport.membership import DeviceRecord, Welcome, decode_welcome, encode

SECRET_KEY: Final = "workspace_key"  # noqa: S105 - the name under which it is kept
WELCOME_KEY: Final = "welcome"


def found(tx: StoreWriter, birth: Birth, secret: bytes) -> bool:
    """
    Found a workspace in a store that belongs to none; False when it does by now.

    Args:
        tx: A transaction of the store.
        birth: How the founder's first actor begins; the workspace's id follows from it.
        secret: 32 random bytes that only members will know.
    """
    if tx.meta(ledgers.WORKSPACE_KEY) is not None:
        return False
    tx.set_meta(ledgers.WORKSPACE_KEY, ledgers.workspace_of(birth))
    tx.set_meta(SECRET_KEY, secret)
    ledgers.new_life(tx, birth.public_key, birth.nonce)
    return True


def adopt(tx: StoreWriter, welcome: Welcome, birth: Birth) -> None:
    """
    Make a store belong to the workspace that a welcome describes.

    Raises:
        UsageError: It belongs to one already.
        InvalidValueError: A member's certificate is none.
    """
    from edda_sync.transport.identity import public_key_of

    if tx.meta(ledgers.WORKSPACE_KEY) is not None:
        raise UsageError("This store belongs to a workspace already.")
    tx.set_meta(ledgers.WORKSPACE_KEY, welcome.workspace)
    tx.set_meta(SECRET_KEY, welcome.workspace_key)
    tx.set_meta(WELCOME_KEY, encode(welcome))  # whom to trust until the log says it
    tx.set_meta(ledgers.TOLD_KEY, b"".join(public_key_of(each.certificate) for each in welcome.members.values()))
    ledgers.new_life(tx, birth.public_key, birth.nonce)


def member_draft(public_key: bytes, certificate: bytes, name: str) -> Put:
    """Return what makes a device a member."""
    cells = {"certificate": certificate, "name": values.line("name", name), "created_at": OWN_TIME}
    return Put.of("device", ledgers.device_entity(public_key), cells)


def members(reader: StoreReader) -> list[Member]:
    """Return the devices of the workspace, by name."""
    from edda_sync.transport.identity import device_of, public_key_of

    listed = []
    for record in reader.all_records("device"):
        entity = entity_of(record.key, record.state)
        certificate = entity.value("certificate")
        if record.hidden or certificate is None:
            continue
        try:
            device = device_of(public_key_of(certificate))
        except InvalidValueError:
            continue  # a member wrote nonsense: there is no such device to trust
        added_at = values.time_of(entity.cells["certificate"][0][2])
        name = entity.value("name") or "?"
        listed.append(Member(device=device, name=name, certificate=certificate, added_at=added_at))
    return sorted(listed, key=lambda member: (member.name, member.device))


def records(reader: StoreReader) -> dict[str, DeviceRecord]:
    """
    Return who the members are by device id: those of the log, and those of the welcome until the log says it.

    A device that has just joined, and has not synced yet, may let the next one in: it must pass on whom it was told of.
    """
    encoded = reader.meta(WELCOME_KEY)
    told = {} if encoded is None else decode_welcome(encoded).members
    return told | {member.device: DeviceRecord(member.certificate, member.name) for member in members(reader)}


def certificates(reader: StoreReader) -> dict[str, bytes]:
    """Return the certificates of :func:`records` by device id."""
    return {device: record.certificate for device, record in records(reader).items()}

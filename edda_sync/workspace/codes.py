"""
Recovery codes: members that are no devices.

A recovery code stands for an Ed25519 key that nobody keeps: it follows from the words on a sheet of paper. Making a code
adds its key to the workspace as a member, by a record like that of any device. So two things need no further rule. Every
device can seal the keys of the workspace for the code, by the public key in its record: later keys, too, and at any target.
And when every device is gone, a change that is signed with the code's key lets a new device in, and any other device takes
that change as it takes those of members.

A code never links: its certificate is trusted by nobody (``members.certificates``). A new code names the codes that it
replaces. A replaced code stays a member, as nothing takes a member out yet; nothing more is sealed for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from edda_sync.changes.drafts import Put
from edda_sync.crdt import ext as exts
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.keys import kind_and_id
from edda_sync.crdt.records import RECOVERY, DeviceRecord, device_id
from edda_sync.store.seams import StoreReader
from edda_sync.words import limits, values
from edda_sync.workspace import authority
from edda_sync.workspace.members import is_code, member_draft
from edda_sync.workspace.welcome import DeviceCard

NAME: Final = "recovery code"
REPLACED_MAX: Final = 64
"""How many codes one names at most. There is one current code, or one for each device that made one while apart."""

_ID_BYTES: Final = 16


class Code(NamedTuple):
    """
    A recovery code, as the log shows it.

    Attributes:
        device: The id of its key, as that of a device.
        entity: The id of its entity.
        record: Its record.
        dot: The change that made it.
        made_at: When it was made, as RFC 3339.
        is_replaced: Whether another one replaced it.
    """

    device: str
    entity: bytes
    record: DeviceRecord
    dot: Dot
    made_at: str
    is_replaced: bool


def listed(reader: StoreReader) -> list[Code]:
    """Return the recovery codes of the workspace, the oldest first."""
    seen = (_seen(record.key, record.state) for record in reader.states.scan("device"))
    found = [code for code in seen if code is not None]
    replaced = {each for code in found for each in _replaced_by(code.record)}
    codes = [code._replace(is_replaced=code.entity in replaced) for code in found]
    return sorted(codes, key=lambda code: (code.made_at, code.device))


@lru_cache(maxsize=limits.MEMBERS_MAX)  # most devices are no codes, and their states do not change
def _seen(key: bytes, state: bytes) -> Code | None:
    """Return the code that a device's stored state describes; None if it is none."""
    found = authority.member_of(key, state)
    if found is None or not is_code(found[0]):
        return None
    entity, record = found
    name, seq, wall_ms, _ = min(entity.cells["record"])
    made_at = values.time_of(wall_ms)
    return Code(device_id(record.signing_key), kind_and_id(key)[1], record, (name, seq), made_at, is_replaced=False)


def current(reader: StoreReader) -> list[Code]:
    """Return the codes that nobody replaced: none, one, or several if they were made on devices that were apart."""
    return [code for code in listed(reader) if not code.is_replaced]


def draft(reader: StoreReader, card: DeviceCard, added_by: bytes) -> Put:
    """
    Return the draft that makes a code, in place of the present ones.

    Args:
        reader: The store.
        card: The certificate and sealing keys of the code's key.
        added_by: The signing key of this device.
    """
    replaces = b"".join(code.entity for code in current(reader)[:REPLACED_MAX])
    return member_draft(card, added_by, exts.of({RECOVERY: replaces}))


def _replaced_by(record: DeviceRecord) -> list[bytes]:
    named = (exts.get(record.ext, RECOVERY) or b"")[: REPLACED_MAX * _ID_BYTES]
    return [named[at : at + _ID_BYTES] for at in range(0, len(named), _ID_BYTES)]

"""Large changes, which travel in parts: which of them are half received, and how many of these are kept."""

from __future__ import annotations

from edda_sync.changes import change as changes
from edda_sync.changes.chains import Chains
from edda_sync.changes.change import Change, Header
from edda_sync.store.seams import Incoming, StoreReader, StoreWriter
from edda_sync.sync.messages import Part
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


def incoming_of(reader: StoreReader, part: Part) -> Incoming | None:
    """
    Return the half received change to which a part belongs; None when no change is expected under its dot.

    Raises:
        RemoteProtocolError: Changes are expected under its dot, and it belongs to none of them.
    """
    expected = False
    for each in reader.incoming.all(part.seq):
        header = changes.decode_header(each.raw)
        expected = expected or header.actor == part.actor
        fits = header.actor == part.actor and part.number < len(header.parts)
        if fits and changes.hash_part(part.data) == header.parts[part.number]:
            return each
    if expected:
        raise RemoteProtocolError("a part that does not belong to the change that it names")
    return None


def is_last(reader: StoreReader, part: Part) -> bool:
    """Tell whether a part is the last missing part of a large change."""
    try:
        incoming = incoming_of(reader, part)
    except RemoteProtocolError:
        return False  # it will be refused
    if incoming is None:
        return False
    return len(incoming.parts | {part.number}) == len(changes.decode_header(incoming.raw).parts)


def expect(tx: StoreWriter, change: Change) -> None:
    """
    Expect the parts of a large change. There may be two under one dot, so parts are matched by their hashes.

    Each device has its own room, so that none can push out what another one wrote.
    """
    device = _device_of(tx, change.header)
    halves = {(each.actor, each.seq): (changes.decode_header(each.raw), len(each.parts)) for each in tx.incoming.all()}
    halves.pop(change.half, None)
    halves = {half: each for half, each in halves.items() if _device_of(tx, each[0]) == device}
    sizes = {half: len(header.parts) * limits.PART_BYTES_MAX for half, (header, _) in halves.items()}
    room = limits.INCOMING_BYTES_MAX - len(change.header.parts) * limits.PART_BYTES_MAX
    for half in sorted(halves, key=lambda half: halves[half][1]):
        if len(sizes) < limits.INCOMING_MAX and sum(sizes.values()) <= room:
            break
        tx.incoming.forget(*half)
        del sizes[half]
    tx.incoming.expect(*change.half, change.raw)


def _device_of(reader: StoreReader, header: Header) -> bytes:
    """Return the key of the device that wrote a change, or its actor if nothing of that is here."""
    birth = header.birth
    if birth is None:
        heads = reader.log.heads()
        held = [heads[name] for name in Chains(reader).names.holding(header.actor, header.seq) if name in heads]
        birth = changes.decode_birth(held[0].birth) if held else None
    return header.actor if birth is None else birth.public_key

"""How a device stands: facts about its store, and what it remembers about its peers, whether or not it is running."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from edda_sync.changes import early
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.keys import kind_and_id
from edda_sync.crdt.records import device_id, told_apart
from edda_sync.engine import backed_up, backend
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.measured import sizes
from edda_sync.store.seams import StoreWriter
from edda_sync.sync import provisional, shut_out
from edda_sync.sync.kept import kept_in
from edda_sync.words import limits, values
from edda_sync.words.metrics import as_json
from edda_sync.workspace import codes
from edda_sync.workspace.keys import ACTOR_KEY
from edda_sync.workspace.members import cards, cards_told, inviter, trusted

if TYPE_CHECKING:
    from edda_sync.sync.orders import Written
    from edda_sync.sync.proving import Difference

Facts = dict[str, Any]

_PORT_KEY: Final = "port"


class Remembered(msgspec.Struct, array_like=True):
    """
    When a peer was last proved equal (in wall seconds), the number of changes then, the address where it answered, and by
    how many seconds its clock was ahead of this one's.
    """

    proved_s: float = 0.0
    changes: int = 0
    endpoint: tuple[str, int] | None = None
    clock_s: float | None = None


def load(engine: StorageEngine) -> dict[str, Remembered]:
    """Return what is remembered about each member, by device id."""
    found = {}
    with engine.store.read() as reader:
        for device in cards(reader):
            encoded = reader.meta.get(f"peer.{device}")
            if encoded is not None:
                found[device] = msgspec.msgpack.decode(encoded, type=Remembered)
    return found


def save(engine: StorageEngine, remembered: Mapping[str, Remembered]) -> None:
    """Remember facts about peers, given by device id."""

    def work(tx: StoreWriter) -> None:
        for device, each in remembered.items():
            tx.meta.set(f"peer.{device}", msgspec.msgpack.encode(each))

    engine.store.transact(work)


def port(engine: StorageEngine) -> int:
    """Return the port on which this device last listened; 0 if it never did."""
    with engine.store.read() as reader:
        return int(reader.meta.get(_PORT_KEY) or b"0")


def save_port(engine: StorageEngine, number: int) -> None:
    """Remember the port, so that peers find this device at the same address again."""
    if port(engine) != number:
        engine.store.transact(lambda tx: tx.meta.set(_PORT_KEY, b"%d" % number))


def written(engine: StorageEngine) -> Written:
    """Return the end of the log, and the last change in it that this device wrote."""
    from edda_sync.sync.orders import Written

    with engine.store.read() as reader:
        actor = reader.meta.get(ACTOR_KEY) or b""
        head = reader.log.heads().get(actor)
        return Written(reader.log.position(), (actor, 0 if head is None else head.seq))


def count(frontier: Frontier) -> int:
    """Return how many changes a frontier covers."""
    return sum(frontier.values())


def outstanding(engine: StorageEngine, remembered: Mapping[str, Remembered] | None = None) -> list[str]:
    """
    Return the names of the other members that were not proved equal to what a store holds now.

    Args:
        engine: The store.
        remembered: What a running device knows by now; by default what the store has saved.
    """
    known = load(engine) if remembered is None else remembered
    changes, own = count(engine.frontier()), engine.identity.device
    equal = {device for device, each in known.items() if each.proved_s and each.changes == changes}
    called = told_apart({each.device: each.name for each in engine.members()})
    return [name for device, name in called.items() if device not in equal | {own}]


def facts(engine: StorageEngine) -> Facts:
    """Return facts about a store, whether or not its device is running."""
    return {
        "device": engine.identity.device,
        "name": own_name(engine),
        "workspace": engine.workspace.hex(),
        "home": str(engine.home),
        "database": None if engine.database is None else str(engine.database),
        "digest": engine.digest(),
        "frontier": {actor.hex(): seq for actor, seq in sorted(engine.frontier().items())},
        "waiting": engine.waiting(),
        "refused": engine.refused(),
        **_copies(engine),
        "forked": engine.reading.forked(),
        "missing": engine.reading.missing(),
        "journals_aside": engine.reading.journals_aside(),
        "lives": _lives(engine),
        "encryption": engine.reading.encryption(),
        "backend": backend.name(engine.store),
        "files": files(engine),
        "backups": _backups(engine),
        "recovery_code": _has_code(engine),
        **_segment(engine),
        **_admission(engine),
        "conflicts": len(engine.conflicts()),
        "clashes": _clashes(engine),
        **engine.counts(),
        **sizes(engine.config, engine.home),
    }


def _has_code(engine: StorageEngine) -> bool:
    """Tell whether a recovery code opens the backups of this workspace."""
    with engine.store.read() as reader:
        return bool(codes.current(reader))


def _backups(engine: StorageEngine) -> list[Facts]:
    """Return what is remembered of the backups at each target, and how many changes are not in the last one."""
    changes = count(engine.frontier())
    with engine.store.read() as reader:
        return [{**each.plain(), "behind": max(0, changes - each.changes)} for each in backed_up.load(reader)]


def _clashes(engine: StorageEngine) -> int:
    """Return how many items have a value withheld under a unique index; ``IndexManager.clashes`` lists them."""
    with engine.store.read() as reader:
        return reader.uniques.clashes()


def _copies(engine: StorageEngine) -> Facts:
    """Return how many other copies of this store write, when one of them last wrote, and until when that is shown."""
    found = engine.reading.copies()
    wrote_ms = found[0].wrote_ms if found else None
    return {
        "copies": len(found),
        "copy_wrote_at": None if wrote_ms is None else values.time_of(wrote_ms),
        "copy_quiet_at": None if wrote_ms is None else values.time_of(wrote_ms + limits.LIFE_QUIET_S * 1000),
    }


def files(engine: StorageEngine) -> Facts:
    """Return how many attached files are not here, and their size."""
    with engine.store.read() as reader:
        missing, size = reader.attachments.lacking()
    return {"missing": missing, "missing_bytes": size, "fetching": 0}


def _segment(engine: StorageEngine) -> Facts:
    """
    Return facts about the log behind a segment: how much of it is here, which device forged the segment or could not prove
    it, and in which documents we kept what was written on a forged segment and did not fit.
    """
    with engine.store.read() as reader:
        reached, kept = provisional.progress(reader), kept_in(reader)
        forger, unproved = provisional.forged_by(reader), provisional.unproved_by(reader)
    return {
        "provisional": None if reached is None else {"here": reached[0], "of": reached[1]},
        "forged_by": None if forger is None else device_id(forger),
        "unproved_by": None if unproved is None else device_id(unproved),
        "kept_in": kept,
    }


def _admission(engine: StorageEngine) -> Facts:
    """Return which device no longer knows this one, and how many changes wait here until this device is let in again."""
    with engine.store.read() as reader:
        lives = early.lives(reader)
        waiting = sum(head.seq for name, head in reader.log.heads().items() if name in lives)
    return {"shut_out_by": shut_out_by(engine), "unshared": waiting}


def given(engine: StorageEngine) -> Frontier:
    """Return the frontier of the changes that are given to others. If more is here, this device is equal to no other."""
    with engine.store.read() as reader:
        kept = early.held_back(reader)
        return {name: head.seq for name, head in reader.log.heads().items() if name not in kept}


def shut_out_by(engine: StorageEngine) -> str | None:
    """Return the id of the device that knew this one but no longer does, as far as is known here; or None."""
    with engine.store.read() as reader:
        return shut_out.by(reader)


def note_refusal(engine: StorageEngine, device: str, known: Remembered) -> bool:
    """
    Note that a device refused this one as a stranger, if it knew this one before; tell whether it did.

    A device knew this one if it let this one in, or was proved equal. Other devices may just not have heard of this one yet.

    Args:
        engine: The engine of the store.
        device: The id of the other device.
        known: What is remembered about that device.
    """
    with engine.store.read() as reader:
        if device != inviter(reader) and not known.proved_s:
            return False
        noted = shut_out.by(reader)
    if noted != device:
        engine.store.transact(lambda tx: shut_out.note(tx, device))
    return True


def note_known(engine: StorageEngine, device: str) -> None:
    """Note that a device knows this one."""
    if shut_out_by(engine) == device:
        engine.store.transact(lambda tx: shut_out.note_known(tx, device))


def no_address_sentence(name: str) -> str:
    """Return what to tell a person of a member that was not found, that has not called, and whose address nobody named."""
    return (
        f"No address of {name} is known here: it was not found on this network. If it is elsewhere, it can call this device,"
        " or this one it: start either `edda up` with the other one's address, --at ADDRESS:PORT."
    )


def shut_out_sentence(name: str, unshared: int = 0) -> str:
    """Return what to tell a person whose device is no longer known where it was let in, and what to do."""
    waiting = f"; {unshared:,} changes that were written here wait for that" if unshared > 1 else ""
    return (
        f"{name} does not know this device any more: it seems that an older state of its disk was put back. All that is"
        f" here is safe here{waiting}. Let this device in again: type `edda invite` on {name} or another member, and"
        " `edda join CODE` here; this store stays."
    )


def _lives(engine: StorageEngine) -> Facts:
    """Return for each device how many lives its stores had, how many of these still write, and why they began."""
    found: Facts = {}
    for life in engine.reading.lives():
        counted = found.setdefault(life.device, {"all": 0, "writing": 0, "why": {}})
        counted["all"] += 1
        counted["writing"] += life.is_leaf and not life.is_closed
        if life.why:
            counted["why"][life.why] = counted["why"].get(life.why, 0) + 1
    return found


def own_name(engine: StorageEngine) -> str:
    """Return the name of this device in the workspace."""
    return names(engine).get(engine.identity.device, engine.name)


def status(engine: StorageEngine) -> Facts:
    """Return the status of a device that is not running. Its keys are those of ``Device.status``."""
    held = engine.frontier()
    remembered = load(engine)
    peers = []
    for each in devices(engine):
        if not each["this"]:
            known = remembered.get(each["device"], Remembered())
            peers.append(peer(each["device"], each["name"], known, ahead=ahead_of(known, held)))
    return {
        **facts(engine),
        "running": False,
        "fault": "",
        "copy_at": None,
        "port": None,
        "addresses": [],
        "discovery": {"available": False, "reason": "this device is not running"},
        "metrics": as_json(engine.metrics()),
        "peers": peers,
    }


def peer(device: str, name: str, known: Remembered, **now: Any) -> Facts:
    """Return facts about a peer: what is remembered, and what its link says now, if there is one."""
    return {
        "device": device,
        "name": name,
        "connected": False,
        "address": None,
        "called_in": False,  # whether the peer made the link, so that others reach this device
        "equal": False,
        "exchanging": False,  # something large, which cannot be cut
        "behind": None,
        "ahead": None,
        "waiting": None,
        "differs": [],
        "sent_bytes": 0,
        "rcvd_bytes": 0,
        "proved_at": proved_at(known),
        "proved_changes": known.changes,
        "clock_s": known.clock_s,
        "error": "",
        "note": "",  # what a person may want to know of the link, although it works
        **now,
    }


def difference(each: Difference) -> Facts:
    """Return facts about an entity that differs at a peer, with both hashes, which help to find the fault."""
    kind, entity_id = kind_and_id(each.key)
    ours, theirs = each.ours.hex() or None, each.theirs.hex() or None
    return {"kind": kind, "id": values.id_text(entity_id), "ours": ours, "theirs": theirs}


def ahead_of(known: Remembered, held: Frontier) -> int:
    """Return how many changes are here that were not when a peer without a link was last proved equal."""
    return max(0, count(held) - known.changes)


def proved_at(known: Remembered) -> str | None:
    """Return when a peer was last proved equal, as RFC 3339; None if it never was."""
    return values.time_of(int(known.proved_s * 1000)) if known.proved_s else None


def devices(engine: StorageEngine) -> list[Facts]:
    """Return the devices of the workspace, with this one, ordered by name."""
    remembered = load(engine)
    own = engine.identity.device
    listed = [
        {
            "device": device,
            "name": name,
            "this": device == own,
            "added_at": added_at,
            "proved_at": proved_at(remembered.get(device, Remembered())),
            "clock_s": remembered.get(device, Remembered()).clock_s,
            "recovery": None,
        }
        for device, (name, added_at) in _members(engine).items()
    ]
    return sorted(listed, key=lambda each: (each["name"], each["device"]))


def recovery_codes(engine: StorageEngine) -> list[Facts]:
    """Return the recovery codes of the workspace, the oldest first, with the keys of :func:`devices`."""
    with engine.store.read() as reader:
        return [
            {
                "device": code.device,
                "name": codes.NAME,
                "this": False,
                "added_at": code.made_at,
                "proved_at": None,
                "clock_s": None,
                "recovery": "replaced" if code.is_replaced else "current",
            }
            for code in codes.listed(reader)
        ]


def names(engine: StorageEngine) -> dict[str, str]:
    """Return the names of the members, by device id."""
    return {device: name for device, (name, _) in _members(engine).items()}


def met(engine: StorageEngine) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the certificates that links trust, and the :func:`names` of the members, both from one reader."""
    with engine.store.read() as reader:
        listed = cards(reader)
    return trusted(listed), {device: card.name for device, card in listed.items()}


def _members(engine: StorageEngine) -> dict[str, tuple[str, str | None]]:
    """Return the name and admission time of each member: from the log, and from the welcome until the log is here."""
    with engine.store.read() as reader:
        told = cards_told(reader)
    found: dict[str, tuple[str, str | None]] = {device: (record.name, None) for device, record in told.items()}
    return found | {member.device: (member.name, member.added_at) for member in engine.members()}

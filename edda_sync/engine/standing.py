"""How a device stands: what is to be said of its store, and what it remembers of its peers, whether or not it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from edda_sync.changes import early
from edda_sync.crdt.entity import kind_and_id
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.crdt.records import device_id
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.sync import behind, readmission
from edda_sync.sync.kept import kept_in
from edda_sync.sync.proving import Difference
from edda_sync.words import limits, values
from edda_sync.workspace.actor import ACTOR_KEY
from edda_sync.workspace.members import cards, cards_told, inviter, trusted

Facts = dict[str, Any]

_PORT_KEY: Final = "port"


class Remembered(msgspec.Struct, array_like=True):
    """When a peer was last proved equal (wall seconds), with how many changes, and the address where it answered."""

    proved_s: float = 0.0
    changes: int = 0
    endpoint: tuple[str, int] | None = None


class Written(NamedTuple):
    """
    What a log ends with.

    Attributes:
        position: Of its newest entry, whoever made that.
        own: The last change that this device itself made, in whichever process.
    """

    position: int
    own: Dot


def load(store: StorageEngine) -> dict[str, Remembered]:
    """Return what is remembered of each member, by device id."""
    found = {}
    members = store.certificates()
    with store.store.read() as reader:
        for device in members:
            encoded = reader.meta(f"peer.{device}")
            if encoded is not None:
                found[device] = msgspec.msgpack.decode(encoded, type=Remembered)
    return found


def save(store: StorageEngine, remembered: Mapping[str, Remembered]) -> None:
    """Remember something of peers, by device id."""

    def work(tx: StoreWriter) -> None:
        for device, each in remembered.items():
            tx.set_meta(f"peer.{device}", msgspec.msgpack.encode(each))

    store.store.transact(work)


def port(store: StorageEngine) -> int:
    """Return the port that this device listened on last; 0 when it never did."""
    with store.store.read() as reader:
        return int(reader.meta(_PORT_KEY) or b"0")


def save_port(store: StorageEngine, number: int) -> None:
    """Remember the port, so that peers find this device where it was."""
    if port(store) != number:
        store.store.transact(lambda tx: tx.set_meta(_PORT_KEY, b"%d" % number))


def written(store: StorageEngine) -> Written:
    """Return how far the log goes, and what of that this device itself wrote last."""
    with store.store.read() as reader:
        actor = reader.meta(ACTOR_KEY) or b""
        head = reader.heads().get(actor)
        return Written(reader.log_position(), (actor, 0 if head is None else head.seq))


def count(frontier: Frontier) -> int:
    """Return how many changes a frontier covers."""
    return sum(frontier.values())


def facts(store: StorageEngine) -> Facts:
    """Return what is to be said of a store, whether or not its device is running."""
    return {
        "device": store.identity.device,
        "name": own_name(store),
        "workspace": store.workspace.hex(),
        "home": str(store.home),
        "digest": store.digest(),
        "frontier": {actor.hex(): seq for actor, seq in sorted(store.frontier().items())},
        "waiting": store.waiting(),
        "refused": store.refused(),
        **_copies(store),
        "forked": store.forked(),
        "lives": _lives(store),
        **_segment(store),
        **_admission(store),
        "conflicts": len(store.conflicts()),
        **store.counts(),
        **_sizes(store.database),
    }


def _copies(store: StorageEngine) -> Facts:
    """Return how many other copies of this store write, when one did so last, and when that will not be said any more."""
    found = store.copies()
    wrote_ms = found[0].wrote_ms if found else None
    return {
        "copies": len(found),
        "copy_wrote_at": None if wrote_ms is None else values.time_of(wrote_ms),
        "copy_quiet_at": None if wrote_ms is None else values.time_of(wrote_ms + limits.LIFE_QUIET_S * 1000),
    }


def _segment(store: StorageEngine) -> Facts:
    """
    Return how much of the log behind a segment is here, whose segment was a lie, or could not be proved, and in which
    documents is kept what was written on it and did not fit.
    """
    with store.store.read() as reader:
        reached, forger, unproved = behind.progress(reader), behind.forged_by(reader), behind.unproved_by(reader)
        kept = kept_in(reader)
    return {
        "provisional": None if reached is None else {"here": reached[0], "of": reached[1]},
        "forged_by": None if forger is None else device_id(forger),
        "unproved_by": None if unproved is None else device_id(unproved),
        "kept_in": kept,
    }


def _admission(store: StorageEngine) -> Facts:
    """Return who knew this device and does not any more, and how many changes wait here for what let it in."""
    with store.store.read() as reader:
        lives = early.lives(reader)
        waiting = sum(head.seq for name, head in reader.heads().items() if name in lives)
    return {"shut_out_by": shut_out_by(store), "unshared": waiting}


def given(store: StorageEngine) -> Frontier:
    """Return which changes are here that others are given; while there are more, nobody is equal."""
    with store.store.read() as reader:
        kept = early.held_back(reader)
        return {name: head.seq for name, head in reader.heads().items() if name not in kept}


def shut_out_by(store: StorageEngine) -> str | None:
    """Return the id of the device that knew this one and does not know it any more, as far as this one has heard."""
    with store.store.read() as reader:
        return readmission.shut_out_by(reader)


def note_refusal(store: StorageEngine, device: str, known: Remembered) -> bool:
    """
    Note that a device refused this one as a stranger, if it knew it before; tell whether it did.

    It did if it let this one in, or was proved equal. Others may not have heard of this device yet.

    Args:
        store: The store.
        device: The other device's id.
        known: What is remembered of it.
    """
    with store.store.read() as reader:
        if device != inviter(reader) and not known.proved_s:
            return False
        noted = readmission.shut_out_by(reader)
    if noted != device:
        store.store.transact(lambda tx: readmission.note_shut_out(tx, device))
    return True


def note_known(store: StorageEngine, device: str) -> None:
    """Note that a device knows this one."""
    if shut_out_by(store) == device:
        store.store.transact(lambda tx: readmission.note_known(tx, device))


def shut_out_sentence(name: str, unshared: int = 0) -> str:
    """Return what a person must know, and do, whose device is not known any more where it was let in."""
    waiting = f"; {unshared:,} changes that were written here wait for that" if unshared > 1 else ""
    return (
        f"{name} does not know this device any more: it seems that an older state of its disk was put back. All that is"
        f" here is safe here{waiting}. Let this device in again: type `edda invite` on {name} or another member, and"
        " `edda join CODE` here; this store stays."
    )


def _lives(store: StorageEngine) -> Facts:
    """Return for each device how many lives its stores had, how many of them still write, and why they began."""
    found: Facts = {}
    for life in store.lives():
        counted = found.setdefault(life.device, {"all": 0, "writing": 0, "why": {}})
        counted["all"] += 1
        counted["writing"] += life.is_leaf and not life.is_closed
        if life.why:
            counted["why"][life.why] = counted["why"].get(life.why, 0) + 1
    return found


def own_name(store: StorageEngine) -> str:
    """Return what the workspace calls this device."""
    return names(store).get(store.identity.device, store.name)


def _sizes(database: Path | None) -> dict[str, int]:
    """Return how many bytes the store takes on disk: the database, and what is written and not yet merged into it."""
    sizes = {}
    for key, suffix in (("database_bytes", ""), ("wal_bytes", "-wal")):
        try:
            sizes[key] = Path(f"{database}{suffix}").stat().st_size if database is not None else 0
        except FileNotFoundError:  # there is no -wal when nothing is open
            sizes[key] = 0
    return sizes


def status(store: StorageEngine) -> Facts:
    """Return the status of a device that is not running; its keys are those of ``Device.status``."""
    held = store.frontier()
    remembered = load(store)
    peers = []
    for each in devices(store):
        if not each["this"]:
            known = remembered.get(each["device"], Remembered())
            peers.append(peer(each["device"], each["name"], known, ahead=ahead_of(known, held)))
    return {
        **facts(store),
        "running": False,
        "fault": "",
        "port": None,
        "discovery": {"available": False, "reason": "this device is not running"},
        "peers": peers,
    }


def peer(device: str, name: str, known: Remembered, **now: Any) -> Facts:
    """Return what is to be said of a peer: what is remembered, and what its link says now, if there is one."""
    return {
        "device": device,
        "name": name,
        "connected": False,
        "address": None,
        "equal": False,
        "behind": None,
        "ahead": None,
        "waiting": None,
        "differs": [],
        "sent_bytes": 0,
        "rcvd_bytes": 0,
        "proved_at": proved_at(known),
        "error": "",
        **now,
    }


def difference(each: Difference) -> Facts:
    """Return what is to be said of an entity that a peer has otherwise: whoever looks for the fault compares both hashes."""
    kind, entity_id = kind_and_id(each.key)
    ours, theirs = each.ours.hex() or None, each.theirs.hex() or None
    return {"kind": kind, "id": values.id_text(entity_id), "ours": ours, "theirs": theirs}


def ahead_of(known: Remembered, held: Frontier) -> int:
    """Return how many changes are here since a peer without a link was proved equal."""
    return max(0, count(held) - known.changes)


def proved_at(known: Remembered) -> str | None:
    """Return when a peer was last proved equal, as RFC 3339."""
    return values.time_of(int(known.proved_s * 1000)) if known.proved_s else None


def devices(store: StorageEngine) -> list[Facts]:
    """Return the devices of the workspace, by name; this one among them."""
    remembered = load(store)
    own = store.identity.device
    listed = [
        {
            "device": device,
            "name": name,
            "this": device == own,
            "added_at": added_at,
            "proved_at": proved_at(remembered.get(device, Remembered())),
        }
        for device, (name, added_at) in _members(store).items()
    ]
    return sorted(listed, key=lambda each: (each["name"], each["device"]))


def names(store: StorageEngine) -> dict[str, str]:
    """Return what people call the members, by device id."""
    return {device: name for device, (name, _) in _members(store).items()}


def met(store: StorageEngine) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return whom links trust, as :func:`~edda_sync.workspace.members.certificates`, and :func:`names`, in one look."""
    with store.store.read() as reader:
        listed = cards(reader)
    return trusted(listed), {device: card.name for device, card in listed.items()}


def _members(store: StorageEngine) -> dict[str, tuple[str, str | None]]:
    """Return name and time of each member: those in the log, and until that is here those of the welcome."""
    with store.store.read() as reader:
        told = cards_told(reader)
    found: dict[str, tuple[str, str | None]] = {device: (record.name, None) for device, record in told.items()}
    return found | {member.device: (member.name, member.added_at) for member in store.members()}

"""
Strange changes, and strange disks: what no device of this version makes, and what happens to one without its knowing.

1. A *nonsense* is a change that a liar really made and signed: everybody has to keep it and pass it on.
2. A device of a *newer version* writes what this one does not know beside what it does.
3. A bit *rots* on a disk: from then on until the view is folded anew, what that device shows may be anything.
4. A *whole machine is put back*, sidecar and all: it goes on under names that its peers know already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from edda_sync import limits, values
from edda_sync.crdt import change as changes
from edda_sync.crdt.change import DELETE, EDIT, PUT, TOUCH, Birth, Change, Dot, Operation
from edda_sync.crdt.ledger import NONCE_KEY, Admitted, actor_of
from edda_sync.engine import StorageEngine
from edda_sync.model import Task
from edda_sync.protocols import StoreWriter
from edda_sync.query import TaskQuery
from simulations.book import Fate
from simulations.faults import Mishap
from simulations.liars import FAR, body_of, header_of, liar_of
from simulations.simulator import Simulation
from simulations.tape import Draws
from simulations.workload import write

# --- what a liar really makes -----------------------------------------------------------------------------------------


def append(engine: StorageEngine, body: bytes, *, operations: int = 1, wall_ms: int | None = None) -> Dot:
    """Write a change of a body that no transaction of this version makes, as the device's own next one; return its dot."""

    def write(tx: StoreWriter) -> Dot:
        engine._live(tx)
        heads, actor = tx.heads(), actor_of(tx)
        head = heads.get(actor)
        held = {other.actor: other.seq for other in heads.values() if other.actor != actor}
        at = int(engine.wall_s() * 1000) if wall_ms is None else wall_ms
        birth = None
        if head is None:
            birth = Birth(engine.identity.public_key, tx.meta(NONCE_KEY) or b"")
        seq = 1 if head is None else head.seq + 1
        header = header_of(actor, seq, body, deps=held, operations=operations, wall_ms=at, birth=birth)
        fold = engine.ledger.fold(tx)
        outcome = engine.ledger.admit(tx, fold, Change(header, changes.encode_header(header), body))
        assert outcome is Admitted.APPLIED, "it is the next one, and depends on what is here"
        fold.flush()
        engine._written = tx.heads()[actor]
        return header.dot

    dot = engine.store.transact(write)
    engine._announce()
    return dot


def nonsense(sim: Simulation, draws: Draws) -> None:
    """A liar makes a change that no honest device makes, and signs it: everyone must keep it, and none may stumble."""
    liar = liar_of(sim, draws)
    if liar is None:
        return
    how = draws.pick("nonsense", tuple(NONSENSE))
    wall_ms = draws.pick("wall", (None, None, 0, limits.WALL_MS_MAX))
    count = draws.pick("operations", (1, 1, limits.CHANGE_OPERATIONS_MAX))
    sim.note("nonsense", liar, which=how)
    told = liar.act(lambda engine: append(engine, NONSENSE[how](sim, draws, engine), operations=count, wall_ms=wall_ms))
    liar.told[how] += told is not None


def _task(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    """Return a task that somebody works on, of those that are never written together; else a new one."""
    alone = [task for task in sim.book.tasks if not any(task in each for each in sim.book.sets)]
    return values.id_bytes("id", draws.pick("task", alone) if alone else engine.new_id())


def _bodies(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    broken = (b"\xff\xff\xff\xff", b"\0\0\0\1", b"\0\0\0\0", b"\0\0\0\3\x91\xc1\0", b"\0\0\0\1\xc1" * 9)
    known = body_of([[PUT, "task", _task(sim, draws, engine), {"title": sim.book.word()}]])
    return known + draws.pick("broken", broken)


def _cells(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    false: tuple[dict[str, Any], ...] = (
        {"title": 7}, {"title": ""}, {"title": "\0"}, {"status": "lost"}, {"status": ["done", "now"]}, {"priority": 1e9},
        {"parent_id": "me"}, {"metadata.x": b"\xff"}, {"tag.x": True}, {"link." + "0" * 36: "of"}, {"due_date": -1},
        {"priority": 99}, {"created_at": "2027"}, {"description": 5}, {"description": 1 << 52}, {"": None}, {"status": []},
        {"parent_id": bytes(15)}, {"metadata.": "1"}, {"tag." + "f" * 36: True}, {"title": "x" * 501},
    )  # fmt: skip
    put = [PUT, "task", _task(sim, draws, engine), dict(draws.pick("cells", false))]
    named = [PUT, "tag", bytes(16), {"name": "not its name"}]
    device = [PUT, "device", bytes(16), {"certificate": b"no certificate", "name": "nobody"}]
    return body_of([put, draws.pick("beside", (named, device, [TOUCH, "tag", bytes(16)]))])


def _texts(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    """Edits of a text that are refused wherever they arrive: another's clock, a gap, what does not exist, no update."""
    entity = _task(sim, draws, engine)
    start = sim.book.word()
    genesis = engine.ledger.texts.genesis(entity, "description", start)
    with engine.store.read() as reader:
        me, others = actor_of(reader), sorted(reader.heads())
    victim = draws.pick("victim", others)

    def number(value: int) -> bytes:
        encoded = bytearray()
        while value > 0x7F:
            encoded.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes((*encoded, value))

    block = b"\4\1\1t" + number(3) + b"lie"
    update = draws.pick(
        "update",
        (
            number(1) + number(1) + number(victim if victim != me else 5) + number(0) + block + b"\0",
            number(1) + number(1) + number(me) + number(FAR) + block + b"\0",
            b"\0" + number(1) + number(victim) + number(1) + number(1 << 40) + number(1),
            number(1) + number(1) + number(me) + number(0) + b"\x84" + number(victim) + number(1 << 40) + b"\3lie\0",
            number(1) + number(1) + number(me) + number(0) + b"\0" + number(5) + b"\0",
            bytes(draws.draw("byte", 256) for _ in range(9)) + b"\xff",
            b"",
        ),
    )
    put = [PUT, "task", entity, {"description": start}]
    return body_of([put, [EDIT, "task", entity, "description", genesis, update]])


def _kinds(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    """One id as several kinds: each is an entity of its own, in whatever order these arrive."""
    held = {task.id for task in engine.query_tasks(TaskQuery())}
    known = [task for task in sim.book.tasks if task in held]
    entity = values.id_bytes("id", draws.pick("task", known) if known else engine.new_id())
    kinds = draws.some("kinds", ("document", "tag", "device", "task"))
    return body_of([[PUT, kind, entity, {"name" if kind in ("tag", "device") else "title": "both"}] for kind in kinds])


def _cycles(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    one, other = _task(sim, draws, engine), _task(sim, draws, engine)
    links = {f"link.{values.id_text(one)}": "itself"}
    return body_of([[PUT, "task", one, {"parent_id": other}], [PUT, "task", other, {"parent_id": one, **links}]])


def _deletions(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    """What nobody has seen yet is deleted, or nothing at all."""
    far = [[actor, seq + FAR] for actor, seq in sorted(engine.frontier().items())]
    pairs = draws.pick("deletes", (far, [], [[1, 2, 3]], [["a", 1]], [[5, -5]], far[::-1] + far))
    return body_of([[DELETE, "task", _task(sim, draws, engine), pairs]])


NONSENSE: Final[dict[str, Callable[[Simulation, Draws, StorageEngine], bytes]]] = {
    "broken body": _bodies,
    "false cells": _cells,
    "false text": _texts,
    "two kinds": _kinds,
    "ring": _cycles,
    "false deletion": _deletions,
}


# --- a newer version, a disk that rots, a machine that is put back ----------------------------------------------------


def write_newer(sim: Simulation, draws: Draws) -> None:
    """A device of a newer version writes what this one does not know beside what it does."""
    device = draws.pick("device", sim.honest())
    word = sim.book.word()
    unknown: tuple[Operation, ...] = (
        [99, "task", bytes(16), {"any": "thing"}],
        [PUT, "project", bytes(16), {"name": "Apollo"}],
        [TOUCH, "task", bytes(16), "how"],
        [PUT],
    )
    what = draws.pick("newer", unknown)

    def write(engine: StorageEngine) -> bytes:
        task = values.id_bytes("id", engine.new_id())
        cells = {"title": word, "created_at": 0, "estimate": draws.draw("estimate", 9)}
        append(engine, body_of([what, [PUT, "task", task, cells]]), operations=2)
        sim.book.words[word] = Fate.ACKNOWLEDGED
        return task

    made = device.act(write)
    if made is not None:
        sim.book.tasks.append(values.id_text(made))


def rot(sim: Simulation, draws: Draws) -> None:
    """A bit of what a device shows flips on its disk."""
    device = draws.pick("device", sim.honest())
    if device.is_up and device.disk.rot(draws):
        sim.note("rot", device)


def put_machine_back(sim: Simulation, draws: Draws) -> None:
    """A whole machine is put back to a snapshot, its sidecar included: it cannot know, and its peers can."""
    device = draws.pick("device", sim.honest())
    if not device.is_up:
        return
    image, at_once = device.disk.image(), draws.chance("at once", 50)
    with device.running.store.read() as reader:
        head = reader.heads().get(actor_of(reader))

    def restore() -> None:
        if sim.is_healing:
            return
        device.crash(power=False)
        device.disk.put_back(image, sidecar=True, copied=False)
        if head is not None:
            sim.book.forked.add((head.actor, head.seq + 1))
        sim.put_back(device)
        sim.boot(device)
        if at_once:  # somebody goes on working before any peer is met
            write(sim, device, lambda engine, word: engine.create_task(Task(title=word)))

    sim.later(draws.seconds("later", 1, 120), restore)


ACTIONS: Final = (
    Mishap("nonsense", "liars", 4, nonsense),
    Mishap("newer version", "newer version", 3, write_newer),
    Mishap("rot", "rot", 2, rot),
    Mishap("put machine back", "whole machine put back", 1, put_machine_back),
)

"""
Strange changes and strange disks: what no device of this version makes, and what happens to a device without its knowledge.

1. A *nonsense* change is really made and signed by a liar: every device has to keep it and pass it on.
2. A device of a *newer version* writes things that this version does not know, besides things that it does.
3. A bit *rots* on a disk. Until the view is folded again, what that device shows may be anything.
4. A *whole machine is put back*, with its sidecar: it continues under names that its peers already know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes import early
from edda_sync.changes.change import Birth, Change, Dep
from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text.document import genesis_id
from edda_sync.engine.engine import StorageEngine
from edda_sync.ledger.admission import Admitted
from edda_sync.ledger.ledger import header_deps
from edda_sync.simulations.book import Fate
from edda_sync.simulations.faults import Mishap
from edda_sync.simulations.liars import DELETE, EDIT, FAR, PUT, TOUCH, body_of, header_of, liar_of, parts_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.simulations.workload import write
from edda_sync.store.seams import StoreWriter
from edda_sync.words import limits, values
from edda_sync.words.model import Task
from edda_sync.words.query import TaskQuery
from edda_sync.workspace.actor import actor_of
from edda_sync.workspace.keys import BIRTH_KEY

# --- what a liar really makes -----------------------------------------------------------------------------------------


def append(
    engine: StorageEngine, body: bytes, *, operations: int = 1, wall_ms: int | None = None, **said: Any
) -> Dot | None:
    """
    Write a change that no transaction of this version makes, as the device's own next one; return its dot.

    Return None if the device has just joined, and the change that made it a member is not here yet.

    Args:
        engine: The device's engine.
        body, operations, wall_ms: The content; the present time by default.
        said: Further fields of its header: ``level``, and ``more`` entries of its ext.
    """

    def write(tx: StoreWriter) -> Dot | None:
        engine.writing.live(tx)
        actor = actor_of(tx)
        head = tx.log.heads().get(actor)
        at = int(engine.writing.now() * 1000) if wall_ms is None else wall_ms
        birth = changes.decode_birth(tx.meta.get(BIRTH_KEY) or b"") if head is None else None
        if tx.segments.merged() or (birth is not None and early.is_pending(tx)):
            return None  # the change that it depends on is not here
        seq, previous = (1, changes.NO_HASH) if head is None else (head.seq + 1, head.hash)
        deps = _deps(engine, tx, birth)
        header = header_of(actor, seq, body, deps=deps, operations=operations, wall_ms=at, birth=birth, **said)
        header = msgspec.structs.replace(header, previous=previous)
        fold, parts = engine.ledger.fold(tx), parts_of(body)
        change = Change(header, changes.encode_header(header), b"" if parts else body)
        tx.incoming.expect(*change.half, change.raw)
        for number, part in enumerate(parts):
            tx.incoming.keep_part(*change.half, number, part)
        outcome = engine.ledger.admit(tx, fold, change)
        tx.incoming.forget(*change.half)
        if outcome is Admitted.EARLY and birth is not None:
            return None
        assert outcome is Admitted.APPLIED, "it is the next one, and depends on what is here"
        fold.flush()
        engine.writing.note_written(tx.log.heads()[actor])
        return header.dot

    dot = engine.store.transact(write)
    if dot is not None:
        engine.writing.announce()
    return dot


def _deps(engine: StorageEngine, tx: StoreWriter, birth: Birth | None) -> tuple[Dep, ...]:
    """Return the dependencies that the next change has to name: all of a log, except what its chain implies."""
    if early.is_pending(tx):
        return ()
    heads, actor, pasts = tx.log.heads(), actor_of(tx), engine.ledger.pasts
    before = pasts.of(tx, heads[actor]) if birth is None else pasts.before(tx, birth)
    others = {head.actor: head.seq for head in heads.values() if head.actor != actor}
    return header_deps(tx, frontier.join(before, others), before)


def nonsense(sim: Simulation, draws: Draws) -> None:
    """A liar makes and signs a change that no honest device makes: every device must keep it, and none may fail on it."""
    liar = liar_of(sim, draws)
    if liar is None:
        return
    how = draws.pick("nonsense", tuple(NONSENSE))
    wall_ms = draws.pick("wall", (None, None, 0, limits.WALL_MS_MAX))
    count = draws.pick("operations", (1, 1, limits.CHANGE_OPERATIONS_MAX))
    sim.note("nonsense", liar, which=how)
    told = liar.act(lambda engine: append(engine, NONSENSE[how](sim, draws, engine), operations=count, wall_ms=wall_ms))
    liar.told[how] += told is not None


def a_task(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    """Return a task that people work on, and that belongs to no set; if there is none, a new one."""
    alone = [task for task in sim.book.tasks if not any(task in each for each in sim.book.sets)]
    return values.id_bytes("id", draws.pick("task", alone) if alone else engine.writing.new_id())


def _bodies(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    broken = (b"\xff\xff\xff\xff", b"\0\0\0\1", b"\0\0\0\0", b"\0\0\0\3\x91\xc1\0", b"\0\0\0\1\xc1" * 9)
    known = body_of([[PUT, "task", a_task(sim, draws, engine), {"title": sim.book.word()}]])
    return known + draws.pick("broken", broken)


def _cells(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    false: tuple[dict[str, Any], ...] = (
        {"title": 7}, {"title": ""}, {"title": "\0"}, {"status": "lost"}, {"status": ["done", "now"]}, {"priority": 1e9},
        {"parent_id": "me"}, {"metadata.x": b"\xff"}, {"tag.x": True}, {"link." + "0" * 36: "of"}, {"due_date": -1},
        {"priority": 99}, {"created_at": "2027"}, {"description": 5}, {"description": 1 << 52}, {"": None}, {"status": []},
        {"parent_id": bytes(15)}, {"metadata.": "1"}, {"tag." + "f" * 36: True}, {"title": "x" * 501},
    )  # fmt: skip
    put = [PUT, "task", a_task(sim, draws, engine), dict(draws.pick("cells", false))]
    named = [PUT, "tag", bytes(16), {"name": "not its name"}]
    device = [PUT, "device", bytes(16), {"record": b"no record", "name": "nobody"}]
    return body_of([put, draws.pick("beside", (named, device, [TOUCH, "tag", bytes(16)]))])


def _texts(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    """Edits of a text that are refused wherever they arrive: with a wrong clock, a gap, a missing neighbour, or no edit."""
    entity = a_task(sim, draws, engine)
    start = sim.book.word()
    genesis = genesis_id(entity, "description", start)
    with engine.store.read() as reader:
        others = sorted(reader.log.heads())
    victim = draws.pick("victim", others)
    edit = draws.pick(
        "edit",
        (
            edit_of([], FAR, [[None, None, "lie"]], []),
            edit_of([victim], 0, [[[2, 1 << 30], None, "lie"]], []),
            edit_of([victim], None, [], [[2, 1 << 30, 1]]),
            edit_of([], 0, [[[1, 1], [1, 0], "lie"]], []),
            edit_of([], 0, [[None, None, ""]], []),
            edit_of([], 0.0, [[None, [1, 0], "lie"]], []),
            bytes(draws.draw("byte", 256) for _ in range(9)) + b"\xff",
            b"",
        ),
    )
    if draws.chance("subtle", 30):
        start, edit = _subtle(draws, start)
        genesis = genesis_id(entity, "description", start)
    put = [PUT, "task", entity, {"description": start}]
    return body_of([put, [EDIT, "task", entity, "description", genesis, edit]])


def _subtle(draws: Draws, word: str) -> tuple[str, bytes]:
    """Return a start, and an edit of it that names only what its author had seen, and is refused all the same."""
    start, half = f"{word}\N{GRINNING FACE}", len(word)
    edits = (
        edit_of([], 0, [[None, [1, 1], "lie"]], []),  # its neighbours are not adjacent
        edit_of([], 7, [[None, [1, 0], "lie"]], []),  # its author has not written so much
        edit_of([], 0, [[[1, half], [1, half + 1], "lie"]], []),  # inside a character
        edit_of([], None, [], [[1, half, 1]]),  # it deletes half a character
    )
    return start, draws.pick("subtle edit", edits)


def edit_of(names: list[bytes], clock: Any, blocks: list[Any], deletions: list[Any]) -> bytes:
    """Return the bytes of an edit of a text, with any content; see ``crdt.text.edits``."""
    return msgspec.msgpack.encode([names, clock, blocks, deletions])


def _kinds(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    """One id used for several kinds: each is an entity of its own, in whatever order they arrive."""
    held = {task.id for task in engine.query_tasks(TaskQuery())}
    known = [task for task in sim.book.tasks if task in held]
    entity = values.id_bytes("id", draws.pick("task", known) if known else engine.writing.new_id())
    kinds = draws.some("kinds", ("document", "tag", "device", "task"))
    return body_of([[PUT, kind, entity, {"name" if kind in ("tag", "device") else "title": "both"}] for kind in kinds])


def _cycles(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    one, other = a_task(sim, draws, engine), a_task(sim, draws, engine)
    links = {f"link.{values.id_text(one)}": "itself"}
    return body_of([[PUT, "task", one, {"parent_id": other}], [PUT, "task", other, {"parent_id": one, **links}]])


def _deletions(sim: Simulation, draws: Draws, engine: StorageEngine) -> bytes:
    """Deletions of what nobody has seen yet, of nothing, or of what may not be deleted."""
    held = sorted(engine.frontier().items())
    far, seen = [[actor, seq + FAR] for actor, seq in held], [list(dot) for dot in held]
    actor = held[0][0]
    pairs = draws.pick(
        "deletes", (far, [], [[actor, 2, 3]], [["a", 1]], [[actor, -5]], [[actor, 0]], seen[::-1] + seen, seen[:1])
    )
    kind, name = draws.pick("of", (("task", a_task(sim, draws, engine)), ("workspace", engine.workspace)))
    return body_of([[DELETE, kind, name, pairs]])


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
    """A device of a newer version writes things that this version does not know, besides things that it does."""
    device = draws.pick("device", sim.honest())
    word = sim.book.word()
    unknown: tuple[list[Any], ...] = (
        [99, "task", bytes(16), {"any": "thing"}],
        [PUT, "project", bytes(16), {"name": "Apollo"}],
        [PUT, "task", bytes(16), {"mood": 3}],
        [5, "workspace", bytes(16)],
    )
    what = draws.pick("newer", unknown)

    def write(engine: StorageEngine) -> bytes | None:
        task = values.id_bytes("id", engine.writing.new_id())
        cells = {"title": word, "created_at": 0, "estimate": draws.draw("estimate", 9)}
        if append(engine, body_of([what, [PUT, "task", task, cells]]), operations=2) is None:
            return None
        sim.book.words[word] = Fate.ACKNOWLEDGED
        return task

    made = device.act(write)
    if made is not None:
        sim.book.tasks.append(values.id_text(made))


def rot(sim: Simulation, draws: Draws) -> None:
    """One bit of what a device shows flips on its disk, or in RocksDB's folder, which may also be lost or an older one."""
    device = draws.pick("device", sim.honest())
    if device.is_up and device.disk.rot(draws):
        sim.note("rot", device)


def put_machine_back(sim: Simulation, draws: Draws) -> None:
    """A whole machine is put back to a snapshot, with its sidecar: it cannot know this, but its peers can."""
    device = draws.pick("device", sim.honest())
    if not device.is_up:
        return
    image, at_once = device.disk.image(), draws.chance("at once", 50)
    with device.running.store.read() as reader:
        head = reader.log.heads().get(actor_of(reader))

    def restore() -> None:
        if sim.is_healing:
            return
        device.crash(power=False)
        device.disk.put_back(image, sidecar=True, copied=False)
        if head is not None:
            sim.book.forked.add((head.actor, head.seq + 1))
        sim.put_back(device)
        sim.boot(device)
        if at_once:  # somebody writes before it meets any peer
            write(sim, device, lambda engine, word: engine.create_task(Task(title=word)))

    sim.later(draws.seconds("later", 1, 120), restore)


ACTIONS: Final = (
    Mishap("nonsense", "liars", 4, nonsense),
    Mishap("newer version", "newer version", 3, write_newer),
    Mishap("rot", "rot", 2, rot),
    Mishap("put machine back", "whole machine put back", 1, put_machine_back),
)

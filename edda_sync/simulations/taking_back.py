"""
What people take back in a simulation: changes, their own and others', all that an agent did, and conflicts that they settle.

Each is compared at once with what was there before it: what others wrote stays, what is taken back is gone or named as left,
what would be done is what is done, and whoever thinks better of it gets back what there was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final

from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.crdt.operation import Delete, Put
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold.inverse import RESTORED, TRASHED
from edda_sync.simulations.checkers.reach import PLAIN, Change, Reachable, Seen, changes_of, foreign, writers
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.disk import Interrupted
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import UNDOING, Draws
from edda_sync.simulations.violation import Violation
from edda_sync.simulations.workload import Work, choose, write
from edda_sync.words import values
from edda_sync.words.errors import ClashError, ConflictError, InvalidValueError, NotFoundError, UsageError
from edda_sync.words.listed import Conflict, Undone
from edda_sync.words.model import TEXT_FIELDS

AGENT: Final = "planner"
AGAIN_PERCENT: Final = 40  # how often somebody thinks better of an undo at once
TOGETHER_MAX: Final = 3

Asked = Callable[[bool], Undone]
"""Takes something back; or only says what would be done."""


def undo(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody takes back the last change of the device, or some changes of a task or document, whoever made them."""
    items = [*sim.book.tasks, *sim.book.documents]
    chosen = choose(draws, "item", items) if items and draws.chance("of an item", 70) else None

    def work(engine: StorageEngine) -> None:
        names: Sequence[str] = ()
        if chosen is not None:
            listed = [each.dot for each in engine.history(chosen).changes]
            if not listed:  # a segment stands for them
                return
            names = [draws.pick("change", listed) for _ in range(1 + draws.draw("several", TOGETHER_MAX))]
        taking = Taking(sim, device, engine)
        done = taking.back(lambda dry: engine.undo(*names, dry_run=dry), named=names)
        if done.dot is not None and draws.chance("again", AGAIN_PERCENT):
            taking.better(done)

    attempt(device, work)


def undo_twice(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody takes back the last change of the device, and then the one before it."""
    del draws

    def work(engine: StorageEngine) -> None:
        first = Taking(sim, device, engine).back(lambda dry: engine.undo(dry_run=dry))
        second = Taking(sim, device, engine).back(lambda dry: engine.undo(dry_run=dry))
        if first.dot is not None and first.of == second.of:
            raise Violation(Reachable.number, device.name, f"took {first.of} back twice")

    attempt(device, work)


def revert(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody takes back all that an agent did since a time."""

    def work(engine: StorageEngine) -> None:
        moments = sorted({each.wall_ms for each in changes_of(device).values() if each.agent == AGENT})
        if moments:
            since_ms = draws.pick("since", moments)
            moment, taking = values.time_of(since_ms), Taking(sim, device, engine)
            done = taking.back(lambda dry: engine.revert(AGENT, moment, dry_run=dry), since_ms=since_ms)
            if done.dot is not None and draws.chance("again", AGAIN_PERCENT):
                taking.better(done)

    attempt(device, work)


def settle(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody settles a conflict, which restores another value or dismisses it; people argue before, if need be."""
    if not device.act(lambda engine: bool(_open(sim, engine))):
        _argue(sim, draws)
    sim.later(draws.seconds("thinks", 0, 30), lambda: None if sim.is_healing else _settle(sim, draws, device))


def _argue(sim: Simulation, draws: Draws) -> None:
    """Several people write a task's title at once, and its description, if it has none."""
    if not sim.book.tasks:
        return
    task = choose(draws, "task", sim.book.tasks)

    def update(engine: StorageEngine, word: str) -> None:
        read = engine.get_task(task)
        if read is None:
            raise NotFoundError("task", task)
        read.title = word
        if read.description is None:
            read.description = f"{word} "
        engine.update_task(read)

    for device in sim.honest():
        write(sim, device, update)


def _open(sim: Simulation, engine: StorageEngine) -> list[Conflict]:
    """Return the conflicts that a person may settle. What is always written together is settled by nobody one by one."""
    together = {task for tasks in sim.book.sets for task in tasks}
    listed = [each for each in engine.conflicts() if each.kind in TEXT_FIELDS and each.id not in together]
    return [each for each in listed if each.position is None]  # a part of a word, in a place, would be nobody's word


def _settle(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    def work(engine: StorageEngine) -> None:
        listed = _open(sim, engine)
        if not listed:
            return
        conflict = draws.pick("conflict", listed)
        take = None if draws.chance("dismissed", 40) else draws.draw("value", len(conflict.kept))
        engine.settle(conflict, take)
        _check_settled(device, engine, conflict, take)

    attempt(device, work)


def of_agent(changes: Mapping[str, Change], since_ms: int) -> set[str]:
    """Return the names of the changes that the agent made since a time."""
    return {name for name, each in changes.items() if each.agent == AGENT and each.wall_ms >= since_ms}


def attempt(device: SimulatedDevice, work: Callable[[StorageEngine], None]) -> None:
    """Let somebody try something that may be refused: what it is about is gone, not whole yet, or would break a rule."""

    def refused(engine: StorageEngine) -> None:
        with suppress(NotFoundError, ConflictError, ClashError, InvalidValueError, UsageError, Interrupted):
            work(engine)

    device.act(refused)


def _check_settled(device: SimulatedDevice, engine: StorageEngine, conflict: Conflict, take: int | None) -> None:
    if device.disk.rotten:
        return
    listed = [(each.id, each.field) for each in engine.conflicts() if each.position is None]
    if (conflict.id, conflict.field) in listed:
        raise Violation(
            Reachable.number, device.name, f"{conflict.field} of {conflict.id} is in conflict after it was settled"
        )
    item = (engine.get_task if conflict.kind == "task" else engine.get_document)(conflict.id)
    wanted = (conflict.shown if take is None else conflict.kept[take]).value
    if item is None or conflict.field not in (*PLAIN, TEXT_FIELDS[conflict.kind]):
        return
    shown = getattr(item, conflict.field)
    if shown != wanted and conflict.field != "parent_id":  # a ring, or a parent in the trash, may withhold that
        raise Violation(Reachable.number, device.name, f"{conflict.field} shows {shown!r}, and {wanted!r} was chosen")


class Taking:
    """
    Takes changes back at a device, and compares with what was there before.

    Args:
        sim: The simulation.
        device, engine: Who does it.
    """

    def __init__(self, sim: Simulation, device: SimulatedDevice, engine: StorageEngine) -> None:
        self._sim, self._device, self._engine = sim, device, engine
        self._before = self._look()

    def back(self, asked: Asked, *, named: Sequence[str] = (), since_ms: int | None = None) -> Undone:
        """
        Take something back.

        Args:
            asked: Does it.
            named: The changes that were named, if they were.
            since_ms: Since when an agent's changes are taken back, if they are.
        """
        planned = asked(True)
        self._sim.book.taken_back.update(planned.of)  # whether or not its acknowledgement arrives
        done = asked(False)
        if (planned.of, planned.items) != (done.of, done.items):
            self._fail(f"took back {done}, and would have taken back {planned}")
        if self._device.disk.rotten or self._sim.book.forked:
            return done
        changes = changes_of(self._device)
        if named and set(done.of) != set(named):
            self._fail(f"took back {done.of} where {named} were named")
        if since_ms is not None and set(done.of) != of_agent(changes, since_ms):
            self._fail(f"took back {done.of} of an agent that made {sorted(of_agent(changes, since_ms))}")
        self._compare(done, changes)
        return done

    def better(self, done: Undone) -> None:
        """Think better of an undo that was just done: all is as it was before, unless something could not be taken back."""
        assert done.dot is not None, "it was done"
        self._sim.book.taken_back.add(done.dot)
        again = self._engine.undo(done.dot)
        if self._device.disk.rotten or self._sim.book.forked or any(item.left for item in (*done.items, *again.items)):
            return
        before, after = self._before.rows, self._look().rows
        if before != after:
            lost = [row for one, other in zip(before, after, strict=True) for row in one if row not in other]
            self._fail(f"undid its undo, and does not show again {lost}")

    def _compare(self, done: Undone, changes: Mapping[str, Change]) -> None:
        """Compare what is shown with what was shown before."""
        after = self._look()
        stays = foreign(changes, self._sim.book.taken_back)
        for (key, cell), (name, value) in self._before.shown.items():
            shown = after.shown.get((key, cell))
            if name in stays and key not in after.hidden and (shown is None or shown[1] != value):
                self._fail(f"took back {done.of}, and with it {cell} {value!r}, which is of {name}")
        wrote = writers(changes)
        for key, words in self._before.words.items():
            for word in set(words) - set(after.words.get(key, ())):
                if wrote.get(word) and wrote[word] <= stays and key not in after.hidden:
                    self._fail(f"took back {done.of}, and with it {word!r}, which is of {sorted(wrote[word])}")
        gone = {
            (key_of(item.kind, values.id_bytes("id", item.id)), field) for item in done.items for field, _ in item.left
        }
        for key, words in after.words.items():
            still = {word for word in words if wrote.get(word, {""}) <= set(done.of)}
            if still and not {(key, "trash"), (key, TEXT_FIELDS[kind_and_id(key)[0]])} & gone:
                self._fail(f"took back {done.of}, and still shows {sorted(still)} of it, without a word")
        self._compare_trash(done, changes, after, stays)

    def _compare_trash(self, done: Undone, changes: Mapping[str, Change], after: Seen, stays: Collection[str]) -> None:
        went, came = set[bytes](), set[bytes]()
        for item in done.items:
            key = key_of(item.kind, values.id_bytes("id", item.id))
            fields, left = dict.fromkeys(item.fields), dict(item.left)
            if item.kind in TEXT_FIELDS:
                went |= {key} if TRASHED in fields else set()
                came |= {key} if RESTORED in fields else set()
            shown = after.shown.get((key, "title"))
            named = shown is not None and shown[0] in done.of and _titled(changes, key, shown[1]) <= set(done.of)
            if shown is not None and named and "title" not in left and "trash" not in left:
                self._fail(f"took back {done.of}, and still shows {shown[1]!r} of it, without a word")
        went, came = went - came, came - went
        trash, was = (_items(each.hidden) for each in (after, self._before))
        if went != trash - was or came != was - trash:
            self._fail(f"took back {done.of}; in the trash are now {len(trash - was)} more and {len(was - trash)} less")
        last = max((changes[name].position for name in done.of), default=0)
        worked = [one for name in stays if changes[name].position > last for one in changes[name].operations]
        deleted = {
            key_of(one.kind, one.id) for each in stays for one in changes[each].operations if isinstance(one, Delete)
        }
        for key in went - deleted:
            if any(key_of(one.kind, one.id) == key for one in worked):
                self._fail(
                    f"took back {done.of}, and put {key.hex()} into the trash, on which others have worked since"
                )

    def _look(self) -> Seen:
        return Seen(self._engine)

    def _fail(self, text: str) -> None:
        raise Violation(Reachable.number, self._device.name, text)


def _titled(changes: Mapping[str, Change], key: bytes, title: str) -> set[str]:
    """Return the names of the changes that gave an item a title."""
    return {
        name for name, change in changes.items() for one in change.operations
        if isinstance(one, Put) and key_of(one.kind, one.id) == key and one.cells.get("title") == title
    }  # fmt: skip


def _items(keys: Collection[bytes]) -> set[bytes]:
    return {key for key in keys if kind_and_id(key)[0] in TEXT_FIELDS}


ACTIONS: Final = (
    Work("undo", UNDOING, 10, undo),
    Work("undo twice", UNDOING, 2, undo_twice),
    Work("revert", UNDOING, 2, revert),
    Work("settle", UNDOING, 12, settle),
)

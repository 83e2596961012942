"""
What people and their agents do: tasks, documents, tags, moves, typing, imports, and sets of values written together.

Each function is one action of the tape. It asks one device for one thing. A device that is down or asleep does nothing. If
something does not exist there, it is not found, which is a normal answer. If there is nothing at all to work on, it is
created.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.transaction import Transaction
from edda_sync.simulations.book import HOT, TAGS, Fate
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.disk import Interrupted
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.words import values
from edda_sync.words.errors import ClashError, ConflictError, InvalidValueError, NotFoundError
from edda_sync.words.model import Document, Task

T = TypeVar("T")

STATUSES: Final = ("open", "in_progress", "blocked", "done", "cancelled")
SET_SIZES: Final = (2, 3, 5)
IMPORTED: Final = (3, 10, 40)
DESCRIBED: Final = 3  # how many tasks of a file have texts: imported twice, such a text has two beginnings
HOT_PERCENT: Final = 60


@dataclass(frozen=True, slots=True)
class Work:
    """An action that asks a device for something. See :class:`edda_sync.simulations.protocols.Action` for its fields."""

    name: str
    group: str
    weight: int
    do: Callable[[Simulation, Draws, SimulatedDevice], None]

    def __call__(self, sim: Simulation, draws: Draws) -> None:
        """Let somebody at a device do it."""
        awake = [device for device in sim.honest() if device.is_awake]
        if awake:
            device = draws.pick("device", awake)
            sim.note("does", device, action=self.name)
            self.do(sim, draws, device)


def write(
    sim: Simulation, device: SimulatedDevice, work: Callable[[StorageEngine, str], T], *, meant: Sequence[str] = ()
) -> T | None:
    """
    Let somebody write one word, and note what became of it.

    Args:
        sim: The simulation.
        device: The device.
        work: Writes the word that it is given.
        meant: The only cells that it means to write, if known.

    Returns:
        The result of ``work``; None when it was refused, or power failed.
    """
    word = sim.book.word()
    accepted: list[T] = []

    def attempt(engine: StorageEngine) -> None:
        try:
            accepted.append(work(engine, word))
            sim.book.words[word] = Fate.ACKNOWLEDGED
        except (NotFoundError, ConflictError, ClashError, InvalidValueError, Interrupted):
            sim.book.words[word] = Fate.REFUSED

    sim.book.meant = frozenset(meant)
    device.act(attempt)
    sim.book.meant = frozenset()
    return accepted[0] if accepted else None


def choose(draws: Draws, what: str, among: Sequence[str]) -> str:
    """Choose a task or document: more often than not, one of the few that all devices work on."""
    return draws.pick(what, among[:HOT] if draws.chance("hot", HOT_PERCENT) else among)


def add_task(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody adds a task, perhaps under another one, perhaps with a tag."""
    tags = {draws.pick("tag", TAGS)} if draws.chance("tagged", 30) else set()
    parent = choose(draws, "parent", sim.book.tasks) if sim.book.tasks and draws.chance("subtask", 25) else None
    made = write(sim, device, lambda e, word: e.create_task(Task(title=word, tags=tags, parent_id=parent)))
    if made is not None:
        sim.book.tasks.append(made)


def edit_task(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody changes some fields of a task."""
    if not sim.book.tasks:
        add_task(sim, draws, device)
        return
    task = Task(id=choose(draws, "task", sim.book.tasks))
    what = draws.draw("field", 4)
    if what == 1:
        task.status = draws.pick("status", STATUSES)
    elif what == 2:
        task.priority = draws.draw("priority", 5)
    elif what == 3:
        task.metadata = {draws.pick("key", ("size", "who")): draws.draw("value", 9)}

    def update(engine: StorageEngine, word: str) -> None:
        task.title = word
        engine.update_task(task)

    write(sim, device, update)


def read_then_write(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody opens a task, and saves it some seconds later: sync may bring other fields meanwhile."""
    if not sim.book.tasks:
        add_task(sim, draws, device)
        return
    task_id = choose(draws, "task", sim.book.tasks)
    read = device.act(lambda engine: engine.get_task(task_id))
    if read is None:
        return
    status = draws.pick("status", STATUSES)

    def save() -> None:
        def update(engine: StorageEngine, word: str) -> None:
            read.title, read.status = word, status
            engine.update_task(read)

        if device.is_awake and not sim.is_healing:
            write(sim, device, update, meant=("title", "status"))

    sim.later(draws.seconds("thinks", 0, 30), save)


def move_task(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody moves a task under another one; two concurrent moves may make a ring."""
    if len(sim.book.tasks) < 2:
        return
    task, parent = choose(draws, "task", sim.book.tasks), choose(draws, "parent", sim.book.tasks)
    write(sim, device, lambda engine, _: engine.update_task(Task(id=task, parent_id=parent)))


def tag_task(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody tags a task, or takes a tag off it, perhaps while somebody else does the opposite."""
    if not sim.book.tasks:
        add_task(sim, draws, device)
        return
    task, tag, off = choose(draws, "task", sim.book.tasks), draws.pick("tag", TAGS), draws.chance("off", 35)

    def change(tx: Transaction, *, off: bool) -> None:
        (tx.remove_tag if off else tx.add_tag)(task, tag)

    write(sim, device, lambda engine, _: engine.transact(partial(change, off=off)))
    if draws.chance("argued", 30):
        other = draws.pick("other", sim.honest())
        write(sim, other, lambda engine, _: engine.transact(partial(change, off=not off)))


def remove_task(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody deletes a task, or brings it back."""
    if not sim.book.tasks:
        add_task(sim, draws, device)
        return
    back = draws.chance("back", 40)
    among = sim.book.removed if back and sim.book.removed else sim.book.tasks
    task = choose(draws, "task", among)
    if not back:
        sim.book.removed.append(task)
    write(sim, device, lambda engine, _: (engine.restore_task if back else engine.delete_task)(task))


def add_document(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody adds a document, perhaps linked to a task."""
    task = choose(draws, "task", sim.book.tasks) if sim.book.tasks and draws.chance("linked", 40) else None

    def create(engine: StorageEngine, word: str) -> str:
        def make(tx: Transaction) -> str:
            document = tx.create_document(Document(title=word, content=f"{word} "))
            if task is not None:
                tx.link(task, document, "reference")
            return document

        return engine.transact(make)

    made = write(sim, device, create)
    if made is not None:
        sim.book.documents.append(made)


def remove_document(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody deletes a document, or brings it back."""
    if not sim.book.documents:
        add_document(sim, draws, device)
        return
    document, back = choose(draws, "document", sim.book.documents), draws.chance("back", 50)
    write(sim, device, lambda engine, _: (engine.restore_document if back else engine.delete_document)(document))


def type_words(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody types a word into a document, and perhaps takes one out."""
    if not sim.book.documents:
        add_document(sim, draws, device)
        return
    document = choose(draws, "document", sim.book.documents)
    for _ in range(1 + draws.draw("words", 4)):

        def edit(engine: StorageEngine, word: str) -> None:
            read = engine.get_document(document)
            if read is None or not isinstance(read.content, str):
                raise NotFoundError("document", document)
            starts = [0, *(at + 1 for at, letter in enumerate(read.content) if letter == " ")]
            which = draws.draw("where", len(starts))
            takes = which + 1 < len(starts) and draws.chance("takes", 20)
            deleted = starts[which + 1] - starts[which] if takes else 0
            engine.edit_text(document, "content", [(starts[which], deleted, f"{word} ")])

        write(sim, device, edit)


def revise(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody opens a document in an editor, writes, and saves all of it some seconds later: it merges by word."""
    if not sim.book.documents:
        add_document(sim, draws, device)
        return
    document_id = choose(draws, "document", sim.book.documents)
    read = device.act(lambda engine: engine.get_document(document_id))
    if read is None:
        return
    content = read.content or ""

    def save() -> None:
        def update(engine: StorageEngine, word: str) -> None:
            read.content = f"{content}{word} "
            engine.update_document(read)

        if device.is_awake and not sim.is_healing:
            write(sim, device, update)

    sim.later(draws.seconds("writes", 0, 30), save)


def describe_task(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody writes a task's description again: it merges by word with what others write."""
    if not sim.book.tasks:
        add_task(sim, draws, device)
        return
    task = choose(draws, "task", sim.book.tasks)

    def describe(engine: StorageEngine, word: str) -> None:
        read = engine.get_task(task)
        if read is None:
            raise NotFoundError("task", task)
        before = read.description if isinstance(read.description, str) else ""
        read.description = f"{before}{word} "
        engine.update_task(read)

    write(sim, device, describe)


def write_set(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """An agent writes one word into several tasks at once: no reader may ever see two words."""
    if sim.book.sets and draws.chance("again", 75):
        chosen = draws.pick("set", sim.book.sets)

        def rewrite(engine: StorageEngine, word: str) -> None:
            def work(tx: Transaction) -> None:
                for task in chosen:
                    tx.update_task(Task(id=task, title=word))

            engine.transact(work, agent="planner", reason="one word for all")

        write(sim, device, rewrite)
        return
    size = draws.pick("size", SET_SIZES)

    def make(engine: StorageEngine, word: str) -> list[str]:
        return engine.transact(
            lambda tx: [tx.create_task(Task(title=word)) for _ in range(size)], agent="planner", reason="a new set"
        )

    made = write(sim, device, make)
    if made is not None:
        sim.book.sets.append(made)


def import_tasks(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody imports a file of tasks, and others may import the same file: each task exists once."""
    count = draws.pick("count", IMPORTED)
    which = draws.draw("file", 3)
    ids = [values.uuid8(f"file {which}", str(number)) for number in range(count)]

    def bring(engine: StorageEngine, word: str) -> None:
        def work(tx: Transaction) -> None:
            for number, task_id in enumerate(ids):
                if tx.get_task(task_id) is None:
                    text = f"{word} " if number < DESCRIBED else None
                    tx.create_task(Task(id=task_id, title=f"{word} {number}", description=text))

        engine.transact(work, reason="import")

    write(sim, device, bring)
    sim.book.tasks += [task_id for task_id in ids if task_id not in sim.book.tasks]


def join(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """A new device becomes a member."""
    del draws, device
    if len(sim.devices) < 6:
        sim.add_device()


ACTIONS: Final = (
    Work("add task", "", 8, add_task),
    Work("edit task", "", 12, edit_task),
    Work("read, then write", "", 4, read_then_write),
    Work("move task", "moves", 8, move_task),
    Work("tag task", "tags", 6, tag_task),
    Work("remove task", "removals", 8, remove_task),
    Work("add document", "", 2, add_document),
    Work("remove document", "removals", 2, remove_document),
    Work("type", "typing", 14, type_words),
    Work("revise", "typing", 4, revise),
    Work("describe task", "typing", 8, describe_task),
    Work("write set", "sets", 10, write_set),
    Work("import", "imports", 2, import_tasks),
    Work("join", "joins", 1, join),
)

"""The verbs of stories: who does what, when, and what goes wrong meanwhile. ``scenarios`` uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations import faults
from edda_sync.simulations.book import Fate
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.simulator import Simulation
from edda_sync.words import values
from edda_sync.words.errors import ConflictError, InvalidValueError, NotFoundError
from edda_sync.words.model import Document, Task

Work = Callable[[StorageEngine], object]


def does(sim: Simulation, at_s: float, device: SimulatedDevice, what: str, work: Work, *, words: str = "") -> None:
    """
    Let somebody do something.

    Args:
        sim: The simulation.
        at_s: When.
        device: On which device.
        what: What is done, in the words of the picture.
        work: Does it.
        words: The words that it writes, because the book must know the origin of every word.
    """

    def act() -> None:
        sim.note("does", device, action=what)
        for word in words.split():
            sim.book.words.setdefault(word, Fate.DOUBTFUL)

        def attempt(engine: StorageEngine) -> None:
            try:
                work(engine)
            except (NotFoundError, ConflictError, InvalidValueError) as error:
                sim.note("cannot", device, why=type(error).__name__)
            else:
                sim.book.words.update((word, Fate.ACKNOWLEDGED) for word in words.split())

        device.act(attempt)

    sim.at(at_s, act)


def known(name: str) -> str:
    """Return the id of a task or document by its name in the story."""
    return values.uuid8("scenario", name)


def adds(sim: Simulation, at_s: float, device: SimulatedDevice, name: str, **fields: Any) -> None:
    """Let somebody add a task; its name in the story is its title."""
    task = Task(id=known(name), title=name, **fields)
    does(sim, at_s, device, f"adds “{name}”", lambda engine: engine.create_task(task), words=name)


def renames(sim: Simulation, at_s: float, device: SimulatedDevice, name: str, title: str) -> None:
    """Let somebody rename a task."""
    task = Task(id=known(name), title=title)
    does(sim, at_s, device, f"renames it “{title}”", lambda engine: engine.update_task(task), words=title)


def changes(sim: Simulation, at_s: float, device: SimulatedDevice, what: str, name: str, **fields: Any) -> None:
    """Let somebody write some fields of a task."""
    task = Task(id=known(name), **fields)
    does(sim, at_s, device, what, lambda engine: engine.update_task(task))


def notes(sim: Simulation, at_s: float, device: SimulatedDevice, name: str, content: str) -> None:
    """Let somebody start a document."""
    document = Document(id=known(name), title=name, content=content)
    what = f"starts the note “{name}”"
    does(sim, at_s, device, what, lambda engine: engine.create_document(document), words=f"{name} {content}")


def types(sim: Simulation, at_s: float, device: SimulatedDevice, name: str, text: str, *, first: bool = False) -> None:
    """Let somebody type at the end of a document, or at its beginning."""
    document = known(name)

    def edit(engine: StorageEngine) -> None:
        read = engine.get_document(document)
        if read is None:
            raise NotFoundError("document", document)
        at = 0 if first else len(read.content or "")
        engine.edit_text(document, "content", [(at, 0, text)])

    does(sim, at_s, device, f"types “{text.strip()}”", edit, words=text)


def tags(sim: Simulation, at_s: float, device: SimulatedDevice, name: str, tag: str, *, off: bool = False) -> None:
    """Let somebody tag a task, or take the tag off."""

    def change(engine: StorageEngine) -> None:
        engine.transact(lambda tx: (tx.remove_tag if off else tx.add_tag)(known(name), tag))

    does(sim, at_s, device, f"takes off #{tag}" if off else f"tags #{tag}", change, words=tag)


def parts(sim: Simulation, at_s: float, sides: Iterable[Iterable[SimulatedDevice]], for_s: float) -> None:
    """Split the devices into groups that do not reach each other, for some time."""
    groups = [list(side) for side in sides]
    paths = [(a, b) for one in groups for other in groups if one is not other for a in one for b in other]
    what = "isolated" if min(len(group) for group in groups) == 1 else "partition"
    sim.at(at_s, lambda: faults.cut(sim, paths, for_s, what))

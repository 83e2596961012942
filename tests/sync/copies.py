"""Copies of one store that write as one actor, like a machine that was put back: forks, made by real stores."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import edda_sync as edda
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.memory.store import MemoryStore
from edda_sync.testing import Talk, sync
from edda_sync.workspace import closing
from edda_sync.workspace.actor import actor_of
from tests.sync.network import name_of

TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")


class Copier:
    """
    Makes copies that do not notice that they are copies; closes them at the end.

    Args:
        folder: Where the files of copies go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._count = itertools.count(1)

    def __call__(self, engine: StorageEngine) -> StorageEngine:
        """Return a copy of a device: its store, identity and name, and another source of random bytes."""
        number = next(self._count)
        engine._opened.sidecar = None  # the file that would reveal a copy was put back with it
        if isinstance(engine.store, MemoryStore):
            twin = StorageEngine(engine.home, now=engine.writing.now, random=random.Random(1_000 + number).randbytes)
            image = engine.store.image()
            twin.attach(lambda ended: MemoryStore(ended, image=image), engine.config, engine.identity)
        else:
            home, config = self._folder / f"copy{number}", engine.config
            engine.close()
            shutil.copytree(engine.home, home)
            twin = StorageEngine(home)
            for each in (engine, twin):
                each.open_store(config)
                each._opened.sidecar = None
        self._stack.callback(twin.close)
        return twin

    def close(self) -> None:
        """Close all copies."""
        self._stack.close()


@contextmanager
def copier(folder: Path) -> Iterator[Copier]:
    """Yield a copier."""
    made = Copier(folder)
    try:
        yield made
    finally:
        made.close()


def can_talk(first: StorageEngine, second: StorageEngine) -> bool:
    """Tell whether two stores belong to two devices: copies of one cannot have a link to each other."""
    return name_of(first) != name_of(second)


def talk(first: StorageEngine, second: StorageEngine) -> Talk:
    """Let two devices exchange messages until nothing is left to say."""
    made = Talk(first, second)
    made.run()
    return made


def meet_all(engines: Sequence[StorageEngine], rounds: int = 2) -> None:
    """Let all pairs that can have a session do so until they are proved equal, twice, so that all hear of everything."""
    for _ in range(rounds):
        for first, second in itertools.combinations(engines, 2):
            if can_talk(first, second):
                sync(first, second)


def shown(engine: StorageEngine) -> dict[str, object]:
    """Everything that is folded, as far as a person can see it."""
    with engine.snapshot() as reader:
        records = list(reader.states.scan())
        unapplied = sorted((each.entity, each.refused) for each in reader.unapplied.operations())
    view: dict[str, object] = {name: engine.table(name) for name in TABLES}
    return view | {
        "records": records, "unapplied": unapplied, "conflicts": engine.conflicts(), "digest": engine.digest(),
        "frontier": engine.frontier(),
    }  # fmt: skip


def assert_equal(engines: Sequence[StorageEngine]) -> None:
    """Check that all hold and show the same, as folding their logs again does, and that doctor finds nothing wrong."""
    expected = shown(engines[0])
    for engine in engines:
        assert shown(engine) == expected
        assert [finding for finding in doctor.check(engine) if not finding.sound] == []
        engine.rebuild()
        assert shown(engine) == expected


def own_actor(engine: StorageEngine) -> bytes:
    """The actor under which a store writes."""
    with engine.store.read() as reader:
        return actor_of(reader)


def add(title: str) -> Callable[[StorageEngine], str]:
    """Return the function that creates a task."""
    return lambda engine: engine.create_task(edda.Task(title=title))


def titles(engine: StorageEngine) -> list[str]:
    """All titles of tasks, in order."""
    return [task.title for task in engine.query_tasks(edda.TaskQuery(order="title"))]


def end_life(engine: StorageEngine) -> None:
    """Close the present life of a store, as a later one does once it is quiet."""
    with engine.store.read() as reader:
        head = reader.log.heads()[actor_of(reader)]
    message = closing.signed_message(engine.workspace, head.actor, head.seq, head.hash)
    ended = closing.Closing(head.birth, head.seq, head.hash, engine.identity.sign(message))
    assert engine.store.transact(lambda tx: closing.keep(tx, ended))

"""The cost of looking as a store grows, counted and never timed. An index keeps it the same; the rest grows linearly."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

import edda_sync as edda
from edda_sync.engine import doctor, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreReader
from edda_sync.store.sqlite import connections
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.reader import SqliteReader
from edda_sync.words.errors import NotFoundError
from edda_sync.words.query import Query

SMALL: Final = 3_000
TINY: Final = 600  # for what looks at everything
TOGETHER: Final = 100  # items of one transaction: these have one time
LINEAR: Final = 2.5  # at most this many times the work for twice the size
LIMIT: Final = 20
SLACK: Final = 500  # steps: a page may have some more tags than another; a scan takes ten thousand more
ACTIVE: Final = ("open", "in_progress")


class Counted(Connection):
    """A connection whose steps are counted: each is one instruction of SQLite's machine."""

    steps = 0
    statements = 0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.set_progress_handler(self._step, 1)

    def _step(self) -> int:
        Counted.steps += 1
        return 0

    def execute(self, *args: Any) -> Any:
        Counted.statements += 1
        return super().execute(*args)


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(connections, "Connection", Counted)
        yield


def fill(home: Path, count: int) -> None:
    """A store of tasks and documents: a tenth carry a tag, a third are done, and few have a due date."""
    with edda.open(home) as store:
        parent = store.create_task(edda.Task(title="The first one"))
        for first in range(0, count, TOGETHER):
            with store.begin_transaction() as tx:
                for number in range(first, first + TOGETHER):
                    make(tx, number, parent)
        store.reading.index_texts()


def make(tx: edda.Transaction, number: int, parent: str) -> None:
    tags = {name for name, every in (("tenth", 10), ("half", 2), ("hundredth", 100)) if not number % every}
    tx.create_task(
        edda.Task(
            title=f"Task {number * 7_919 % 100_003:06}", tags=tags, status="done" if number % 3 == 0 else "open",
            priority=number % 5, due_date=f"2026-03-{number % 28 + 1:02}" if number % 7 == 0 else None,
            description="some words", parent_id=parent if number < 30 else None,
        )
    )  # fmt: skip
    if number % 3 == 0:
        tx.create_document(edda.Document(title=f"Document {number}", content="words", tags=tags))


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return filled(tmp_path_factory.mktemp("costs"), SMALL)


@pytest.fixture(scope="module")
def tiny_homes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return filled(tmp_path_factory.mktemp("tiny"), TINY)


def filled(folder: Path, small: int) -> list[Path]:
    """A store of a size, and one of twice the size."""
    found = [folder / f"{count}" for count in (small, 2 * small)]
    for home, count in zip(found, (small, 2 * small), strict=True):
        fill(home, count)
    return found


Look = Callable[[StorageEngine], Any]


def steps(homes: list[Path], look: Look, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count SQLite's steps of a look, in a store and in one of twice the size."""
    found = []
    for home in homes:
        with counting(monkeypatch), edda.open(home) as store:
            look(store)  # statements are prepared, and what is remembered is so
            before = Counted.steps
            look(store)
            found.append(Counted.steps - before)
    return found


def ask(query: Query) -> Look:
    def look(store: StorageEngine) -> list[Any]:
        found: list[Any] = (
            store.query_tasks(query) if isinstance(query, edda.TaskQuery) else store.query_documents(query)
        )
        assert len(found) == LIMIT
        return found

    return look


def one_of(store: StorageEngine) -> str:
    return store.query_tasks(edda.TaskQuery(order="created_at", limit=7))[-1].id


def nobody(store: StorageEngine, kind: str) -> None:
    with pytest.raises(NotFoundError):
        store.resolve(kind, "Nobody's")


INDEXED: Final[dict[str, Look]] = {
    "what is most urgent": ask(edda.TaskQuery(status=ACTIVE, limit=LIMIT)),
    "all, the most urgent first": ask(edda.TaskQuery(limit=LIMIT)),
    "the latest changed": ask(edda.TaskQuery(order="updated_at", descending=True, limit=LIMIT)),
    "the first made": ask(edda.TaskQuery(order="created_at", limit=LIMIT)),
    "the next due": ask(edda.TaskQuery(order="due_date", limit=LIMIT)),
    "those due from a day on": ask(edda.TaskQuery(due_from="2026-03-14", order="due_date", limit=LIMIT)),
    "those of a parent": ask(edda.TaskQuery(parent="PARENT", limit=LIMIT)),
    "a tag that many carry": ask(edda.TaskQuery(tags=["half"], limit=LIMIT)),
    "a tag and a status": ask(edda.TaskQuery(tags=["tenth"], status=ACTIVE, limit=LIMIT)),
    "the latest changed of a status": ask(
        edda.TaskQuery(status="done", order="updated_at", descending=True, limit=LIMIT)
    ),
    "the latest documents": ask(edda.DocumentQuery(limit=LIMIT)),
    "the first documents": ask(edda.DocumentQuery(order="created_at", limit=LIMIT)),
    "the latest documents of a tag": ask(edda.DocumentQuery(tags=["half"], limit=LIMIT)),
    "one task": lambda store: store.get_task(one_of(store)),
    "a short id": lambda store: store.resolve("task", one_of(store)[-8:]),
    "a title that one task has": lambda store: store.resolve("task", "The first one"),
    "a title that one document has": lambda store: store.resolve("document", "Document 0"),
    "a title that no task has": lambda store: nobody(store, "task"),
    "a title that no document has": lambda store: nobody(store, "document"),
    "what is in the trash": lambda store: store.reading.in_trash("task", [one_of(store)]),
    "conflicts": lambda store: store.conflicts(),
    "trash": lambda store: store.trash("task"),
    "digest": lambda store: store.digest(),
    "tags": lambda store: store.tags(),
    "links of a task": lambda store: store.links(task_id=one_of(store)),
    "members": lambda store: store.members(),
    "status": standing.status,
}

BY_ROW: Final = 200
"""Steps for a row that is found in a list of ids, looked up, and sorted."""

IN_LINE: Final[dict[str, Look]] = {
    "by title": ask(edda.TaskQuery(order="title", limit=LIMIT)),
    "a word that all have": ask(edda.TaskQuery(text="words", limit=LIMIT)),
    "all of them": lambda store: store.query_tasks(edda.TaskQuery()),
    "all of a tag": lambda store: store.query_tasks(edda.TaskQuery(tags=["tenth"])),
    "counts": lambda store: store.counts(),
    "scrub": lambda store: store.reading.scrub(limit=100_000),
    "overfull": lambda store: store.reading.overfull(),
}


@pytest.mark.parametrize("what", INDEXED)
def test_a_look_that_an_index_serves_costs_the_same_in_a_larger_store(
    homes: list[Path], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = steps(homes, with_parent(INDEXED[what]), monkeypatch)
    assert many <= 1.2 * few + SLACK, f"{few:,} steps, and {many:,} for twice as much"


def test_a_tag_that_few_carry_is_not_looked_for_among_what_comes_first(
    homes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    carriers: list[int] = []

    def look(store: StorageEngine) -> None:
        carriers.append(len(store.query_tasks(edda.TaskQuery(tags=["hundredth"], limit=150))))

    few, many = steps(homes, look, monkeypatch)
    assert 10 < carriers[0] < carriers[-1] < 150
    assert few < BY_ROW * carriers[0]
    assert many < BY_ROW * carriers[-1]


def with_parent(look: Look) -> Look:
    if look is not INDEXED["those of a parent"]:
        return look

    def ask_for_children(store: StorageEngine) -> list[edda.Task]:
        (parent,) = store.query_tasks(edda.TaskQuery(order="created_at", limit=1))
        found = store.query_tasks(edda.TaskQuery(parent=parent.id, limit=LIMIT))
        assert len(found) == LIMIT
        return found

    return ask_for_children


@pytest.mark.parametrize("what", IN_LINE)
def test_a_look_at_everything_grows_no_faster_than_the_store(
    tiny_homes: list[Path], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = steps(tiny_homes, IN_LINE[what], monkeypatch)
    assert many < LINEAR * few, f"{few:,} steps, and {many:,} for twice as much"


def test_a_page_is_read_with_a_fixed_number_of_statements(homes: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with counting(monkeypatch), edda.open(homes[0]) as store:
        counted = []
        for limit in (10, 100):
            before = Counted.statements
            assert len(store.query_tasks(edda.TaskQuery(status=ACTIVE, limit=limit))) == limit
            counted.append(Counted.statements - before)
    assert counted[0] == counted[1] <= 8


def test_a_store_in_order_is_opened_with_one_look(homes: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with counting(monkeypatch):
        before = Counted.statements
        edda.open(homes[0]).close()
    assert Counted.statements - before <= 9, (
        "two for the connection, two for the store, three around the look, two in it"
    )


def test_an_object_that_is_read_is_not_checked_until_somebody_updates_it(
    homes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object's version at reading is computed when an update asks for it, and not for each row of a list."""
    from edda_sync.engine import items

    made = 0
    original = items._item

    def count(kind: str, row: Any, tags: tuple[str, ...]) -> Any:
        nonlocal made
        made += 1
        return original(kind, row, tags)

    monkeypatch.setattr(items, "_item", count)
    with edda.open(homes[0]) as store:
        tasks = store.query_tasks(edda.TaskQuery(status=ACTIVE, limit=50))
        assert made == 50
        tasks[0].title += "!"
        store.update_task(tasks[0])
        assert made == 52, "the version that was read, and what is there at the commit"


def test_the_doctor_needs_no_more_memory_for_a_larger_store(homes: list[Path]) -> None:
    peaks = []
    for home in homes:
        with edda.open(home) as store:
            tracemalloc.start()
            assert all(each.sound for each in doctor.check(store))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0], f"{peaks[0]:,} bytes, and {peaks[1]:,} for twice as much"


def test_the_doctor_reads_each_entity_a_fixed_number_of_times(
    tiny_homes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = steps(tiny_homes, doctor.check, monkeypatch)
    assert many < LINEAR * few


def test_a_table_is_read_row_by_row(homes: list[Path]) -> None:
    def first(reader: StoreReader) -> Any:
        assert isinstance(reader, SqliteReader)
        return next(iter(reader.tables.scan("tasks")))

    with edda.open(homes[1]) as store, store.store.read() as reader:
        tracemalloc.start()
        assert first(reader)[0]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 100_000

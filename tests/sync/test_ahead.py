"""Ahead: a large change is folded before its transaction, so that a write that comes meanwhile does not wait for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import Store, StoreReader
from edda_sync.store.sqlite.writer import SqliteWriter
from edda_sync.sync.messages import Changes
from edda_sync.sync.taking import Taken, Taking
from edda_sync.testing import devices, sync
from edda_sync.transport.identity import verify
from edda_sync.words import limits
from tests.costs import never_idle
from tests.sync.batches import batches, dots, exchange_of

Pair = tuple[StorageEngine, StorageEngine]
Write = Callable[[], object]

PURE: Final = tuple(str(Path(edda.__file__).parent / name) for name in ("fold", "crdt"))


@pytest.fixture(params=["memory", "sqlite"])
def two(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setattr(limits, "SLICE_US_MAX", 5 * (limits.TAKE_CHANGE_US + limits.TAKE_OPERATION_US))
    with devices(2, backend=request.param) as (laptop, phone):
        yield laptop, phone


class Between:
    """A store in which others write before each reader is closed."""

    def __init__(self, store: Store, write: Write) -> None:
        self._store, self._write = store, write
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def read(self) -> Iterator[StoreReader]:
        """Open a reader; before it is closed, somebody else writes and commits."""
        with self._store.read() as reader:
            yield reader
            self.reads += 1
            self._write()


def taking_between(engine: StorageEngine, write: Write) -> Taking:
    """What takes changes in a store in which others write at each read."""
    store: Any = Between(engine.store, write)
    return Taking(store, engine.ledger, verify, engine.workspace, engine.writing.random)


def rows(engine: StorageEngine) -> list[list[Any]]:
    """What the tables of a device show."""
    with engine.store.read() as reader:
        return [reader.tables.all(name) for name in ("tasks", "tags", "entity_tags")]


def large(engine: StorageEngine, other: StorageEngine, count: int = 20, text: str = "words") -> Changes:
    """Write one change of so many tasks, and return it as it is sent."""
    known = other.frontier()
    with engine.begin_transaction() as tx:
        for number in range(count):
            task = tx.create_task(edda.Task(title=f"task {number}", description=text))
            tx.add_tag(task, "large")
    (message,) = batches(exchange_of(engine), known)
    return message


def take_parts(giver: StorageEngine, taking: Taking) -> Taken:
    """Take all parts of the giver's last change; return what the last one did."""
    with giver.store.read() as reader:
        logged = reader.log.read(reader.log.position())
    number, taken, giving = 0, Taken(0), exchange_of(giver).giving
    while (part := giving.part(logged, number)) is not None:
        taken = taking.take_part(part, ahead=taking.completes(part))
        number += 1
    return taken


def test_a_large_change_is_folded_before_its_transaction(two: Pair) -> None:
    laptop, phone = two
    taking, message = exchange_of(phone).taking, large(laptop, phone)
    assert taking.takes_long(message)
    taken = taking.take(message, ahead=True)
    assert (taken.applied, taken.ahead) == (1, True)
    assert phone.digest() == laptop.digest()
    assert rows(phone) == rows(laptop)
    again = taking.take(message, ahead=True)
    assert (again.applied, again.ahead) == (0, False)


def test_a_change_in_parts_is_folded_before_the_transaction_of_its_last_part(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    laptop, phone = two
    taking = exchange_of(phone).taking
    taking.take(large(laptop, phone))
    taken = take_parts(laptop, taking)
    assert (taken.applied, taken.ahead) == (1, True)
    assert phone.digest() == laptop.digest()
    sync(laptop, phone)


def test_a_small_change_is_folded_in_its_transaction_which_costs_less(two: Pair) -> None:
    laptop, phone = two
    taking, message = exchange_of(phone).taking, large(laptop, phone, 1)
    assert not taking.takes_long(message)
    assert not taking.take(message, ahead=taking.takes_long(message)).ahead


def test_a_local_write_that_begins_while_a_large_change_is_prepared_is_committed_before_it(two: Pair) -> None:
    laptop, phone = two
    message = large(laptop, phone)
    written: list[str] = []
    taking = taking_between(phone, lambda: written.append(phone.create_task(edda.Task(title="meanwhile"))))
    taken = taking.take(message, ahead=True)
    assert (taken.applied, taken.ahead) == (1, True), "it is about something else"
    assert written
    with phone.store.read() as reader:
        last = reader.log.read(reader.log.position())
    assert (last.actor, last.seq) == dots(message)[-1], "what was written meanwhile is before it"
    assert phone.counts()["tasks"] == 20 + len(written)
    sync(laptop, phone)
    assert rows(phone) == rows(laptop)


def test_a_local_write_about_the_same_is_seen_by_the_large_change(two: Pair) -> None:
    laptop, phone = two
    task = laptop.create_task(edda.Task(title="T"))
    sync(laptop, phone)
    known = phone.frontier()
    with laptop.begin_transaction() as tx:
        for number in range(20):
            tx.create_task(edda.Task(title=f"task {number}"))
        tx.update_task(edda.Task(id=task, title="of the laptop"))
    (message,) = batches(exchange_of(laptop), known)
    titles = iter(range(100))
    taking = taking_between(phone, lambda: phone.update_task(edda.Task(id=task, title=f"phone {next(titles)}")))
    taken = taking.take(message, ahead=True)
    assert (taken.applied, taken.ahead) == (1, False)
    sync(laptop, phone)
    assert phone.get_task(task) == laptop.get_task(task)
    assert [each.id for each in phone.conflicts()] == [task]


def test_what_nothing_vouches_for_is_not_folded_before_it_is_refused(two: Pair) -> None:
    laptop, phone = two
    message = large(laptop, phone)
    calls = called(lambda: refused(phone, message))
    assert calls < 200, "of twenty tasks"


def refused(phone: StorageEngine, message: Changes) -> None:
    """Let a device refuse a batch without a signature."""
    with pytest.raises(edda.EddaError):
        exchange_of(phone).taking.take(Changes(message.changes, ()), ahead=True)


def called(work: Callable[[], object], *, within: bool = False) -> int:
    """Do some work, and return how many functions of the fold were called, or only those within a transaction."""
    count, inside = 0, not within

    def on_call(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count, inside
        code = frame.f_code
        if within and code is SqliteWriter.begin.__code__ and event == "return":
            inside = True
        elif within and code is SqliteWriter.commit.__code__ and event == "call":
            inside = False
        elif inside and event == "call" and code.co_filename.startswith(PURE):
            count += 1

    sys.setprofile(on_call)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_within_its_transaction_no_work_of_the_fold_grows_with_a_large_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SLICE_US_MAX", 5 * (limits.TAKE_CHANGE_US + limits.TAKE_OPERATION_US))
    counts = []
    for size in (20, 200):
        with never_idle(), devices(2) as (laptop, phone):
            message, taking = large(laptop, phone, size), exchange_of(phone).taking
            counts.append(called(lambda: taking.take(message, ahead=True), within=True))  # noqa: B023
            assert phone.digest() == laptop.digest()
    assert 0 < counts[0] == counts[1] < 100, counts

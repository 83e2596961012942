"""The committer: batches of transactions in one commit, over a connection that is made anew after a fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite.committing import Committer
from edda_sync.store.sqlite.keeping import InSql
from edda_sync.store.sqlite.outcome import Outcome
from edda_sync.store.sqlite.place import Place
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.store.sqlite.writer import SqliteWriter
from edda_sync.words import errors
from edda_sync.words.process import Owner


class Bench:
    """A committer, what it said, and the store whose file it writes."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.ended, self.grew = store, list[bool](), list[int]()
        self.connections = 0
        place = Place(store.path)
        place.made()
        self.committer = Committer(
            store.path, self.connect, place, Owner("This store"), self.ended.append, self.grew.append,
            lambda each: SqliteWriter(each, InSql()),
        )  # fmt: skip

    def connect(self) -> sqlite.Connection:
        self.connections += 1
        return self.store.connect()

    def commit(self, *works: object, waits: bool = True) -> list[Outcome]:
        outcomes = [Outcome() for _ in works]
        self.ran = self.committer.commit(list(zip(works, outcomes, strict=True)), waits=waits)  # type: ignore[arg-type]
        return outcomes

    def digest(self) -> int:
        with self.store.read() as reader:
            return reader.index.digest()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(SqliteStore(tmp_path / "edda.db")) as store:
        made = Bench(store)
        yield made
        made.committer.let_go()


def add(number: int) -> object:
    def work(tx: SqliteWriter) -> int:
        tx.index.add_to_digest(number)
        return number

    return work


def fail(tx: SqliteWriter) -> None:
    tx.index.add_to_digest(1_000)
    raise ValueError("no")


def test_a_batch_is_one_commit_and_its_failed_transactions_leave_no_trace(bench: Bench) -> None:
    one, failed, other = bench.commit(add(1), fail, add(20))
    assert (one.result(), other.result()) == (1, 20)
    assert isinstance(failed.exception(), ValueError)
    assert bench.digest() == 21
    assert bench.ended == [False, True], "the failed one, then the commit"
    assert len(bench.grew) == 1, "the length of the journal is reported"


def test_the_connection_stays_from_one_batch_to_the_next(bench: Bench) -> None:
    for number in range(3):
        bench.commit(add(number))
    assert bench.connections == 1
    assert not bench.committer.has_long_journal()


def test_after_a_fault_the_whole_batch_has_failed_and_the_next_one_has_a_new_connection(bench: Bench) -> None:
    def break_off(tx: SqliteWriter) -> None:
        raise errors.DiskFullError(str(bench.store.path)) from sqlite.OperationalError("full")

    bench.commit(add(1))
    outcomes = bench.commit(add(2), break_off)
    for outcome in outcomes:
        with pytest.raises(errors.DiskFullError):
            outcome.result()
    assert bench.digest() == 1
    (again,) = bench.commit(add(4))
    assert again.result() == 4
    assert (bench.digest(), bench.connections) == (5, 2)


def test_work_that_must_not_wait_does_not_run_while_another_process_writes(bench: Bench) -> None:
    with closing(sqlite.connect(bench.store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (outcome,) = bench.commit(add(1), waits=False)
        assert (bench.ran, outcome.done()) == (False, False)
        other.execute("ROLLBACK")
    (outcome,) = bench.commit(add(1), waits=False)
    assert (bench.ran, outcome.result(), bench.digest()) == (True, 1, 1)


def test_derived_data_is_committed_too(bench: Bench) -> None:
    for number in (1, 20):  # without a connection first, and with one then
        outcome = Outcome()
        bench.committer.commit_unsynced((add(number), outcome))  # type: ignore[arg-type]
        assert outcome.result() == number
    assert bench.digest() == 21


def test_a_file_that_is_gone_is_not_written(bench: Bench) -> None:
    bench.commit(add(1))
    aside = bench.store.path.rename(bench.store.path.with_name("aside.db"))
    (outcome,) = bench.commit(add(2))
    assert isinstance(outcome.exception(), errors.LostStoreError)
    aside.rename(bench.store.path)
    assert bench.digest() == 1

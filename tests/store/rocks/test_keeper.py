"""Readers and transactions of several processes, each of which has a keeper of its own, each see one commit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edda_sync.store.rocks.keeper import RocksKeeping
from edda_sync.store.rocks.pending import FOUNDING
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words import limits
from edda_sync.words.config import DATABASE_FILE, ROCKSDB_FOLDER
from edda_sync.words.errors import EddaError, LockedStatesError, LostStatesError, MovedStatesError
from tests.forked import in_child
from tests.store.rocks.model import KEYS, Model, Step, all_names, steps
from tests.store.samples import entity, record, show, shown_task, task_row, text_id

SINCES = (-1, 0, 3, 50)


class Told(RocksKeeping):
    """It settles when it is told to, and never by itself."""

    def is_due(self, *, quiet: bool) -> bool:
        return False


def opened(folder: Path, kind: type[RocksKeeping] = Told) -> SqliteStore:
    """Open a store as another process does."""
    keeping = kind(folder / ROCKSDB_FOLDER)
    return SqliteStore(folder / DATABASE_FILE, keep=lambda _name, _keys: keeping, founding=FOUNDING)


def settle(store: SqliteStore) -> None:
    store.keeping.settle(store._transact_here)
    assert isinstance(store.keeping, RocksKeeping)
    if store.keeping.fault is not None:
        raise store.keeping.fault


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = opened(tmp_path)
    yield store
    store.close()


@pytest.fixture
def other(tmp_path: Path, store: SqliteStore) -> Iterator[SqliteStore]:
    other = opened(tmp_path)
    yield other
    other.close()


def write(*numbers: int, state: bytes = b"state") -> Callable[[StoreWriter], None]:
    records = [record(number, state=state) for number in numbers]
    return lambda tx: tx.states.put(records, dict.fromkeys((each.key for each in records), False))


def anew(number: int) -> Callable[[StoreWriter], None]:
    """Return work that forgets everything, and then writes one state."""

    def work(tx: StoreWriter) -> None:
        tx.clear_view()
        write(number)(tx)

    return work


def do(tx: StoreWriter, step: Step) -> int | None:
    """Do a step in a transaction; return the serial number that an edit got."""
    what, *of = step
    if what == "put":
        tx.states.put([of[0]], {of[0].key: of[1]})
    elif what == "append":
        entity_key, field, genesis = of[0]
        return tx.states.append_text(entity_key, field, genesis, of[1].actor, of[1].seq, of[1].edit)
    elif what == "text":
        entity_key, field, genesis = of[0]
        tx.states.put_text(entity_key, field, genesis, of[2], of[1])
    elif what == "drop":
        tx.states.drop([of[0]])  # type: ignore[attr-defined]
    else:
        tx.clear_view()
    return None


def undo(tx: StoreWriter, drawn: list[Step]) -> None:
    """Do some steps, and undo them."""
    with suppress(ValueError), tx.undoing():
        for step in drawn:
            do(tx, step)
        raise ValueError("undo")


def said(reader: StoreReader, sinces: Sequence[int] = SINCES) -> dict[str, Any]:
    ending = reader.index.ids_ending("task", entity(2)[-3:].hex())
    return {
        "get": reader.states.get(KEYS),
        "scan": list(reader.states.scan()),
        "texts": list(reader.states.texts()),
        "text": {(name, n): reader.states.text(*name, n) for name in all_names() for n in sinces},
        "hidden": reader.index.hidden("task"),
        "hidden_count": reader.tables.counts()["hidden"],
        "conflicted": reader.index.conflicted(),
        "ending": [KEYS[2] for each in ending if each == text_id(2)],
    }


@pytest.mark.parametrize("seed", range(12))
def test_readers_of_two_processes_see_their_commit_whatever_is_written_and_settled_meanwhile(
    store: SqliteStore, other: SqliteStore, seed: int
) -> None:
    random, model = Random(seed), Model()
    with ExitStack() as stack:
        open_readers: list[tuple[StoreReader, dict[str, Any]]] = []
        for _ in range(20):
            here = random.choice((store, other))
            match random.choice(("write", "write", "undo", "settle", "read", "check")):
                case "write" | "undo" as act:
                    drawn = steps(random, random.randrange(1, 6), iter(range(10_000)))
                    after = model.copy()

                    def work(tx: StoreWriter, after: Model = after, drawn: list[Step] = drawn, act: str = act) -> None:
                        for step in drawn:
                            known = {"text": tx.states.last_serial()}.get(step[0])
                            taken = step if known is None else (*step[:2], min(step[2], known), step[3])
                            serial = do(tx, taken)
                            after.do(taken if serial is None else ("append", step[1], step[2]._replace(serial=serial)))
                        if act == "undo":
                            undo(tx, steps(random, 4, iter(range(10_000))))
                        assert said(tx, (-1,)) == after.said((-1,))

                    here.transact(work)
                    model = after
                case "settle":
                    settle(here)
                case "read":
                    reader = stack.enter_context(here.read())
                    open_readers.append((reader, model.said()))
                case _:
                    assert all(said(each) == then for each, then in open_readers)
        assert all(said(each) == then for each, then in open_readers)
    settle(store)
    for each in (store, other):
        with each.read() as reader:
            assert said(reader) == model.said()
            assert said(reader) == model.said()


def test_a_transaction_that_was_undone_settles_nothing(store: SqliteStore, other: SqliteStore) -> None:
    def work(tx: StoreWriter) -> None:
        write(1)(tx)
        raise ValueError("undo")

    with pytest.raises(ValueError, match="undo"):
        store.transact(work)
    settle(store)
    store.transact(write(2))
    for each in (store, other):
        with each.read() as reader:
            assert [held.key for held in reader.states.scan()] == [entity(2)]


def test_jobs_that_share_a_transaction_are_undone_one_by_one(store: SqliteStore) -> None:
    def fail(tx: StoreWriter) -> None:
        write(2)(tx)
        raise ValueError("undo")

    with store._writing:  # so that all of them wait for the same transaction
        waiting = [store.submit(work) for work in (write(1), fail, write(3))]
    for each, ends in zip(waiting, (None, ValueError, None), strict=True):
        error = each.exception(timeout=30)
        assert error is None if ends is None else isinstance(error, ends)
    with store.read() as reader:
        assert [held.key for held in reader.states.scan()] == [entity(1), entity(3)]


def test_a_forked_child_reads_and_writes_and_leaves_to_others_what_rocksdb_would_wait_for_without_end(
    store: SqliteStore, tmp_path: Path
) -> None:
    store.transact(write(1))
    settle(store)

    def work() -> str:
        child = opened(tmp_path)
        child.transact(write(2))
        with child.read() as reader:
            found = [held.key for held in reader.states.scan()]
        child.settle()
        child.close()
        return f"{len(found)} {type(child.keeping.fault).__name__}: {child.keeping.fault}"

    assert in_child(work).startswith("2 ForkedStatesError: ")
    settle(store)
    with store.read() as reader:
        assert [held.key for held in reader.states.scan()] == [entity(1), entity(2)]


# --- folders that do not fit ------------------------------------------------------------------------------------------


def fill(store: SqliteStore) -> Path:
    """Fill a store and settle it; return RocksDB's folder."""
    store.transact(write(1, 2, 3))
    store.transact(lambda tx: show(tx, shown_task(1)))
    settle(store)
    keeping = store.keeping
    assert isinstance(keeping, RocksKeeping)
    (folder,) = keeping.folder.iterdir()
    return folder


def test_a_missing_folder_is_said_where_it_is_needed_and_all_else_goes_on(store: SqliteStore, tmp_path: Path) -> None:
    folder = fill(store)
    store.close()
    shutil.rmtree(folder)
    again = opened(tmp_path)
    again.transact(write(4))
    with again.read() as reader:
        assert reader.tables.row("task", text_id(1)) == task_row(1)
        assert list(reader.states.get([entity(4)])) == [entity(4)]
        with pytest.raises(LostStatesError, match=r"it is missing.*nothing is lost: `edda doctor --rebuild`"):
            reader.states.get([entity(1)])
    with pytest.raises(LostStatesError, match="missing"):
        again.transact(lambda tx: list(tx.states.scan()))
    with pytest.raises(LostStatesError, match="missing"):
        settle(again)
    again.transact(anew(5))
    with again.read() as reader:
        assert [held.key for held in reader.states.scan()] == [entity(5)]
    settle(again)
    with again.read() as reader:
        assert [held.key for held in reader.states.scan()] == [entity(5)]
    again.close()


@pytest.mark.parametrize("what", ["older", "newer", "another's"])
def test_a_folder_of_another_state_is_refused(store: SqliteStore, tmp_path: Path, what: str) -> None:
    folder = fill(store)
    before = tmp_path / "before"
    store.close()
    shutil.copytree(tmp_path / ROCKSDB_FOLDER, before / ROCKSDB_FOLDER)
    shutil.copy(tmp_path / DATABASE_FILE, before / DATABASE_FILE)
    later = opened(tmp_path)
    later.transact(write(2, state=b"later"))
    settle(later)
    later.close()
    if what == "older":
        shutil.rmtree(folder)
        shutil.copytree(before / ROCKSDB_FOLDER / folder.name, folder)
    else:
        if what == "another's":  # it goes on from the same state, and writes something else
            aside = opened(before)
            aside.transact(write(2, state=b"otherwise"))
            settle(aside)
            aside.close()
            shutil.rmtree(before / ROCKSDB_FOLDER)
            shutil.copytree(tmp_path / ROCKSDB_FOLDER, before / ROCKSDB_FOLDER)
        else:
            shutil.rmtree(before / ROCKSDB_FOLDER)
            shutil.copytree(tmp_path / ROCKSDB_FOLDER, before / ROCKSDB_FOLDER)
    wrong = opened(tmp_path if what == "older" else before)
    with wrong.read() as reader, pytest.raises(LostStatesError, match="another state of the store wrote it"):
        reader.states.get([entity(2)])
    wrong.close()


def test_a_damaged_row_that_is_pending_is_noticed(store: SqliteStore, other: SqliteStore) -> None:
    store.transact(write(1))
    connection = store.connect()
    connection.execute("UPDATE _pending SET writes = CAST(replace(writes, 'state', 'stale') AS BLOB)")
    connection.close()
    with other.read() as reader, pytest.raises(EddaError, match="damaged"):
        reader.states.get([entity(1)])
    other.transact(anew(2))
    with other.read() as reader:
        assert [held.key for held in reader.states.scan()] == [entity(2)]


def test_a_store_without_its_tables_of_what_is_pending_can_be_filled_anew(store: SqliteStore, tmp_path: Path) -> None:
    fill(store)
    connection = store.connect()
    connection.execute("DROP TABLE _settled")
    connection.close()
    with store.read() as reader, pytest.raises(LostStatesError, match="the table is missing"):
        reader.states.get([entity(1)])
    store.transact(anew(2))
    settle(store)
    with store.read() as reader:
        assert [held.key for held in reader.states.scan()] == [entity(2)]


# --- what is due ------------------------------------------------------------------------------------------------------


def test_it_is_due_when_enough_is_pending_and_earlier_when_it_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SETTLED_QUIET_BYTES", 1_000)
    monkeypatch.setattr(limits, "SETTLED_BYTES", 3_000)
    store = opened(tmp_path, RocksKeeping)
    keeping = store.keeping
    assert isinstance(keeping, RocksKeeping)
    store.transact(write(1, state=bytes(900)))
    assert (keeping.is_due(quiet=True), keeping.is_due(quiet=False)) == (False, False)
    store.transact(write(2, state=bytes(900)))
    assert (keeping.is_due(quiet=True), keeping.is_due(quiet=False)) == (True, False)
    assert not keeping.folder.exists()
    store.transact(write(3, state=bytes(1_900)))  # enough: settled before the call returns
    assert keeping.waiting_bytes == 0
    assert len(list(keeping.folder.iterdir())) == 1
    store.transact(write(4, state=bytes(1_100)))
    store.close()  # it is quiet now
    again = opened(tmp_path)
    with again.read() as reader:
        assert len(list(reader.states.scan())) == 4
        assert again.connect().execute("SELECT count(*) FROM _pending").fetchone() == (0,)
    again.close()


def test_what_cannot_be_settled_waits_and_only_too_much_of_it_refuses_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SETTLED_BYTES", 3_000)
    monkeypatch.setattr(limits, "PENDING_BYTES_MAX", 10_000)
    store = opened(tmp_path, RocksKeeping)
    store.transact(write(1, state=bytes(1_000)))
    keeping = store.keeping
    assert isinstance(keeping, RocksKeeping)
    tries = 0

    def locked(*_of: object) -> bool:
        nonlocal tries
        tries += 1
        raise LockedStatesError("folder")

    with monkeypatch.context() as patched:
        patched.setattr("edda_sync.store.rocks.settling.settle", locked)
        for number in range(6):
            store.transact(write(number, state=bytes(1_300)))
        with pytest.raises(LockedStatesError):
            write_often(store)
        assert str(keeping.fault) == str(LockedStatesError("folder"))
        assert tries < 5  # it is tried again only when as much has been added
    settle(store)
    assert keeping.fault is None
    store.transact(write(9))
    store.close()


def write_often(store: SqliteStore) -> None:
    for number in range(10):
        store.transact(write(number, state=bytes(1_300)))


def test_a_store_whose_states_another_process_has_moved_is_to_be_opened_again(store: SqliteStore) -> None:
    store.transact(write(1))
    connection = store.connect()
    connection.execute("DELETE FROM _meta WHERE key = 'backend'")
    connection.close()
    with pytest.raises(MovedStatesError, match="are in sqlite now"), store.read():
        pass
    with pytest.raises(MovedStatesError, match="start again"):
        store.transact(write(2))

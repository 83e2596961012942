"""Writing: listeners hear of a durable change, and nothing that a listener does can make it look failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.changes.drafts import Put
from edda_sync.crdt import attachments, schema
from edda_sync.crdt.attachments import AttachmentRecord
from edda_sync.engine import writing
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.opened import READ_ANEW_KEY
from edda_sync.testing import devices, sync
from edda_sync.words import limits, values
from edda_sync.words.errors import CallbackError, ConflictError, LimitError, NotFoundError

NOWHERE = "0192f0c1-0000-7000-8000-00000000dead"
State = edda.TransactionState


class Panic(BaseException):
    """What native code with a bug raises: not an ``Exception``."""


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param) as (engine,):
        yield engine


class Listener:
    """Listens to commits, and raises something."""

    def __init__(self, raised: BaseException) -> None:
        self.calls = 0
        self._raised = raised

    def __call__(self) -> None:
        self.calls += 1
        raise self._raised


def test_listeners_hear_of_each_change_once_it_is_durable(store: StorageEngine) -> None:
    heard: list[int] = []
    store.writing.on_commit(lambda: heard.append(store.counts()["tasks"]))
    task_id = store.create_task(edda.Task(title="T"))
    store.update_task(edda.Task(id=task_id, title="T"))
    with pytest.raises(NotFoundError):
        store.delete_task(NOWHERE)
    task = store.get_task(task_id)
    assert task is not None
    store.update_task(task)  # nothing to write
    assert heard == [1, 1]


# a conflict is what makes `transact` run its work again, and so write it twice
@pytest.mark.parametrize("raised", [ZeroDivisionError("a bug"), ConflictError([("x" * 36, "title")]), Panic("x.rs:1")])
def test_a_listener_that_raises_fails_no_write_and_the_others_hear_of_it(
    store: StorageEngine, caplog: pytest.LogCaptureFixture, raised: BaseException
) -> None:
    broken, heard = Listener(raised), []
    store.writing.on_commit(broken)
    store.writing.on_commit(lambda: heard.append(store.counts()["tasks"]))
    store.create_task(edda.Task(title="first"))
    store.transact(lambda tx: tx.create_task(edda.Task(title="second")))
    assert heard == [1, 2]
    assert broken.calls == 1
    assert caplog.text.count("What is committed is not told any more") == 1
    assert type(raised).__name__ in caplog.text


def test_ctrl_c_inside_a_listener_goes_up_from_a_transaction_that_is_committed(store: StorageEngine) -> None:
    store.writing.on_commit(Listener(KeyboardInterrupt()))
    tx = store.begin_transaction()
    task_id = tx.create_task(edda.Task(title="first"))
    with pytest.raises(KeyboardInterrupt):
        tx.commit()
    assert tx.state is State.COMMITTED
    assert store.frontier() == dict([tx.dot] if tx.dot is not None else [])
    assert store.get_task(task_id) is not None


def test_a_new_workspace_is_founded_whatever_a_listener_raises() -> None:
    engine = StorageEngine(Path("nowhere"))
    engine.writing.on_commit(Listener(ZeroDivisionError("a bug")))
    engine.initialize(edda.StorageConfig(backend="memory"))
    assert len(engine.members()) == 1
    engine.close()


def test_a_program_that_asks_is_told_of_a_listener_that_raised(store: StorageEngine) -> None:
    told: list[CallbackError] = []
    store.writing.on_commit(Listener(ZeroDivisionError("a bug")))
    store.writing.on_broken = told.append
    store.create_task(edda.Task(title="first"))
    store.create_task(edda.Task(title="second"))
    assert [type(each.raised) for each in told] == [ZeroDivisionError]


def test_an_ended_listener_hears_nothing_more(store: StorageEngine) -> None:
    heard: list[int] = []
    end = store.writing.on_commit(lambda: heard.append(1))
    store.create_task(edda.Task(title="first"))
    end()
    store.create_task(edda.Task(title="second"))
    assert heard == [1]


def test_a_listener_that_ends_itself_does_not_keep_others_from_hearing(store: StorageEngine) -> None:
    heard: list[str] = []

    def once() -> None:
        heard.append("once")
        end()

    end = store.writing.on_commit(once)
    store.writing.on_commit(lambda: heard.append("always"))
    store.create_task(edda.Task(title="first"))
    store.create_task(edda.Task(title="second"))
    assert heard == ["once", "always", "always"]


# --- large changes ----------------------------------------------------------------------------------------------------


class Meanwhile:
    """A clock in which something happens when it is next looked at: when a large change is about to be composed."""

    def __init__(self) -> None:
        self.act: Callable[[], object] | None = None
        self._s = 1_700_000_000.0

    def __call__(self) -> float:
        act, self.act = self.act, None
        if act is not None:
            act()
        self._s += 1
        return self._s


@pytest.fixture(params=["memory", "sqlite"])
def two(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[StorageEngine, StorageEngine, Meanwhile]]:
    """Two devices, the first of which composes a change of more than four drafts before its transaction."""
    clock = Meanwhile()
    with devices(2, backend=request.param, now=clock) as (laptop, phone):
        laptop.create_task(edda.Task(title="the first change of a life is never prepared"))
        sync(laptop, phone)
        monkeypatch.setattr(writing, "MANY", 4)
        yield laptop, phone, clock


def many(tx: edda.Transaction) -> list[str]:
    """Draft a change of every kind of operation; return the ids of its tasks."""
    made = [tx.create_task(edda.Task(title=f"task {n}", description="words", tags={"many"})) for n in range(9)]
    note = tx.create_document(edda.Document(title="note", content="x" * 100))
    for child in made[1:]:
        tx.update_task(edda.Task(id=child, parent_id=made[0]))
    tx.link(made[0], note)
    tx.edit_text(note, "content", [(3, 2, "y")])
    tx.delete_task(made[8])
    return made


def test_a_large_change_is_composed_before_its_transaction_and_is_what_peers_fold(
    two: tuple[StorageEngine, StorageEngine, Meanwhile], monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone, _ = two
    for parts in (limits.PART_BYTES_MAX, 200):
        monkeypatch.setattr(limits, "PART_BYTES_MAX", parts)
        before = laptop.writing.prepared
        made = laptop.transact(many)
        assert laptop.writing.prepared == before + 1
        sync(laptop, phone)
        with laptop.begin_transaction() as tx:
            for task in made[:8]:
                tx.update_task(edda.Task(id=task, status="done", description="other words"))
                tx.add_tag(task, "again")
        assert laptop.writing.prepared == before + 2
        sync(laptop, phone)
        for store in (laptop, phone):
            assert store.reading.scrub() == ([], None)


def test_a_write_that_comes_while_a_large_change_is_composed_is_committed_before_it(
    two: tuple[StorageEngine, StorageEngine, Meanwhile],
) -> None:
    laptop, phone, clock = two
    meanwhile: list[str] = []
    tx = laptop.begin_transaction()
    many(tx)
    clock.act = lambda: meanwhile.append(laptop.create_task(edda.Task(title="meanwhile")))
    dot = tx.commit()
    assert laptop.get_task(meanwhile[0]) is not None
    assert dot is not None
    with laptop.store.read() as reader:
        last, before = (reader.log.read(reader.log.position() - back) for back in (0, 1))
    assert (last.actor, last.seq) == dot == (before.actor, before.seq + 1)
    assert laptop.writing.prepared == 1, "it was composed once more"
    sync(laptop, phone)


def test_a_large_change_is_composed_in_its_transaction_when_others_write_again_and_again(
    two: tuple[StorageEngine, StorageEngine, Meanwhile],
) -> None:
    laptop, phone, clock = two
    written: list[str] = []

    def write() -> None:
        written.append(laptop.create_task(edda.Task(title="meanwhile")))
        clock.act = write if len(written) < writing.TRIES else None

    tx = laptop.begin_transaction()
    many(tx)
    clock.act = write
    assert tx.commit() is not None
    assert laptop.writing.prepared == 0
    sync(laptop, phone)


def test_a_large_change_that_is_too_large_is_refused_before_its_transaction(
    two: tuple[StorageEngine, StorageEngine, Meanwhile], monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, _, _ = two
    monkeypatch.setattr(limits, "CHANGE_OPERATIONS_MAX", 7)
    before = laptop.digest()
    with pytest.raises(LimitError, match="write it in several transactions"):
        laptop.transact(many)
    assert laptop.digest() == before


def test_a_large_change_is_refused_only_if_it_still_is_too_large_in_its_transaction(
    two: tuple[StorageEngine, StorageEngine, Meanwhile], monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone, clock = two
    task = laptop.create_task(edda.Task(title="T", description="old words"))
    tx = laptop.begin_transaction()
    for number in range(7):
        tx.create_task(edda.Task(title=f"task {number}"))
    tx.update_task(edda.Task(id=task, description="new words"))
    monkeypatch.setattr(limits, "CHANGE_OPERATIONS_MAX", 7)
    clock.act = lambda: laptop.update_task(edda.Task(id=task, description="new words"))
    assert tx.commit() is not None, "the eighth operation is needless by now"
    assert laptop.counts()["tasks"] == 9
    sync(laptop, phone)


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_a_large_change_after_more_lives_than_one_header_names_follows_the_empty_changes_that_name_them(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with devices(4, backend=backend) as (laptop, *others):
        laptop.create_task(edda.Task(title="the first change of a life is never prepared"))
        for other in others:
            other.create_task(edda.Task(title="of another"))
            sync(laptop, other)
        monkeypatch.setattr(writing, "MANY", 4)
        monkeypatch.setattr(limits, "DEPS_MAX", 2)
        laptop.transact(many)
        assert laptop.writing.prepared == 0
        laptop.transact(many)
        assert laptop.writing.prepared == 1
        for other in others:
            sync(laptop, other)


def test_a_conflict_is_found_before_anything_else_is_said_of_a_large_change(
    two: tuple[StorageEngine, StorageEngine, Meanwhile],
) -> None:
    laptop, _, clock = two
    task = laptop.create_task(edda.Task(title="read"))
    tx = laptop.begin_transaction()
    many(tx)
    tx.update_task(edda.Task(id=task, title="written"))
    clock.act = lambda: laptop.delete_task(task)
    with pytest.raises(ConflictError):
        tx.commit()


# --- what older versions could not read -------------------------------------------------------------------------------


@contextmanager
def older(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the product a version that knows no attachments."""
    with patch.context() as known:
        known.delitem(schema._GROUPS["document"], "file")
        schema._check_in_group.cache_clear()
        yield
    schema._check_in_group.cache_clear()


def attach(store: StorageEngine, document: str) -> None:
    record = attachments.encode(AttachmentRecord("plan.pdf", "application/pdf", bytes(32), 5, 0))
    draft = Put.of("document", values.id_bytes("id", document), {f"file.{values.uuid7(0, bytes(10))}": record})
    store.store.transact(lambda tx: store.writing.commit(tx, [draft], None))


def test_what_waited_is_read_once_by_the_version_that_can_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with devices(2) as (laptop, phone):
        document = laptop.create_document(edda.Document(title="Plan"))
        attach(laptop, document)
        with older(monkeypatch), pytest.raises(AssertionError, match="not proved equal"):
            sync(laptop, phone)
        config = phone.config
        assert (phone.waiting(), laptop.waiting()) == (1, 0)
        phone.store.transact(lambda tx: tx.meta.set(READ_ANEW_KEY, b"\1"))  # as the migration to this version does
        phone.close()
        phone.open_store(config)
        assert phone.waiting() == 0
        assert phone.digest() == laptop.digest()
        sync(laptop, phone)
        with phone.store.read() as reader:
            assert reader.meta.get(READ_ANEW_KEY) is None
        assert phone.writing.read_anew() == 0

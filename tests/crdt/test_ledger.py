"""The ledger: dots are allocated in the commit, changes enter in causal order, log and view move together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync import limits, values
from edda_sync.crdt import change as changes
from edda_sync.crdt.change import EDIT, PUT, Birth, Change, Header
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.ledger import Admitted, Draft, EditText, Expect, Put, Rewrite, actor_of, workspace_of
from edda_sync.engine import StorageEngine
from edda_sync.errors import InvalidValueError, LimitError, NotFoundError, RemoteProtocolError
from edda_sync.protocols import Logged, StoreWriter
from edda_sync.testing import devices, sync


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    with edda.open(tmp_path / "home") as engine:
        yield engine


def logged(store: StorageEngine) -> list[tuple[Logged, Header]]:
    """Every change in the log."""
    with store.store.read() as reader:
        entries = [reader.logged(position) for position in range(1, reader.log_position() + 1)]
    return [(entry, changes.decode_header(entry.raw)) for entry in entries]


def operations(store: StorageEngine) -> list[list[object]]:
    """The operations of the newest change."""
    entry, _ = logged(store)[-1]
    found = [changes.decode_operation(piece) for piece in changes.cut_operations([entry.body])]
    return [operation for operation in found if operation is not None]


def test_dots_count_up_without_a_gap_and_each_hash_covers_the_one_before(store: StorageEngine) -> None:
    for number in range(5):
        store.create_task(edda.Task(title=f"Task {number}"))
    previous = changes.NO_HASH
    for at, (entry, header) in enumerate(logged(store), start=1):
        assert (entry.seq, header.seq) == (at, at)
        assert entry.hash == changes.hash_change(previous, changes.hash_content(entry.raw, entry.body))
        previous = entry.hash


def test_the_first_change_of_a_founder_says_how_its_actor_began(store: StorageEngine) -> None:
    _, header = logged(store)[0]
    assert header.birth is not None
    assert changes.actor_of(header.birth) == header.actor
    assert workspace_of(header.birth) == store.workspace
    assert all(later.birth is None for _, later in logged(store)[1:])


def test_a_transaction_that_does_nothing_makes_no_change(store: StorageEngine) -> None:
    before = store.counts()["changes"]
    with store.begin_transaction() as tx:
        pass
    assert tx.dot is None
    task = store.create_task(edda.Task(title="Task", description="text"))
    read = store.get_task(task)
    assert read is not None
    store.update_task(read)
    assert store.counts()["changes"] == before + 1


def test_a_failing_draft_leaves_neither_log_nor_view_behind(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="Task"))
    before, digest = store.counts(), store.digest()
    drafts: list[Draft] = [Put.of("task", values.id_bytes("id", task), {"title": "Other"}), Expect("task", bytes(16))]
    with pytest.raises(NotFoundError):
        store.commit_drafts(drafts, None, None, None)
    assert (store.counts(), store.digest()) == (before, digest)


def test_dependencies_travel_as_the_difference_to_the_change_before() -> None:
    with devices(2) as (laptop, phone):
        laptop.create_task(edda.Task(title="One"))
        sync(laptop, phone)
        phone.create_task(edda.Task(title="Two"))
        phone.create_task(edda.Task(title="Three"))
        own = [header for _, header in logged(phone) if header.actor == phone_actor(phone)]
        assert dict(own[0].deps) == {laptop_actor(laptop): 3}
        assert own[1].deps == ()


def phone_actor(engine: StorageEngine) -> int:
    """The actor under which an engine writes."""
    with engine.store.read() as reader:
        return actor_of(reader)


laptop_actor = phone_actor


def test_a_text_is_its_start_until_its_first_edit_which_travels_as_an_update(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="Task", description="Buy milk"))
    assert any(op[0] == PUT and "description" in op[3] for op in operations(store))  # type: ignore[operator]
    store.edit_text(task, "description", [(4, 0, "oat ")])
    (operation,) = operations(store)
    assert operation[0] == EDIT
    read = store.get_task(task)
    assert read is not None
    assert read.description == "Buy oat milk"


def test_a_rewrite_is_merged_as_edits_into_what_the_text_reads_now(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="Task", description="Buy milk"))
    entity = values.id_bytes("id", task)
    store.edit_text(task, "description", [(8, 0, " and eggs")])
    store.commit_drafts([Rewrite("task", entity, "Buy milk", "Buy oat milk")], None, None, None)
    read = store.get_task(task)
    assert read is not None
    assert read.description == "Buy oat milk and eggs"


def test_an_edit_outside_of_the_text_is_refused_and_nothing_is_written(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="Task", description="abc"))
    entity = values.id_bytes("id", task)
    digest = store.digest()
    with pytest.raises(InvalidValueError):
        store.commit_drafts([EditText("task", entity, ((9, 0, "x"),))], None, None, None)
    empty = store.create_task(edda.Task(title="Empty"))
    with pytest.raises(InvalidValueError):
        store.edit_text(empty, "description", [(1, 0, "x")])
    store.delete_task(empty)
    read = store.get_task(task)
    assert read is not None
    assert read.description == "abc"
    assert store.digest() != digest  # of the other task only


def test_too_many_operations_in_one_transaction_are_refused_whole(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHANGE_OPERATIONS_MAX", 10)
    before = store.counts()
    tx = store.begin_transaction()
    for number in range(11):
        tx.create_task(edda.Task(title=f"Task {number}"))
    with pytest.raises(LimitError):
        tx.commit()
    assert store.counts() == before


def test_a_long_body_is_kept_in_parts_whose_hashes_the_header_lists(store: StorageEngine) -> None:
    with store.begin_transaction() as tx:
        for number in range(20):
            tx.create_task(edda.Task(title=f"Task {number}", description=f"{number}" * 40_000))
    entry, header = logged(store)[-1]
    assert entry.body == b""
    with store.store.read() as reader:
        parts = list(reader.parts(entry.position))
    assert [changes.hash_part(part) for part in parts] == list(header.parts)
    assert sum(map(len, parts)) == header.body_bytes
    assert all(len(part) == limits.PART_BYTES_MAX for part in parts[:-1])
    found = [changes.decode_operation(piece) for piece in changes.cut_operations(parts)]
    assert len(found) == header.operations == 20


def admit(store: StorageEngine, header: Header, body: bytes = b"") -> Admitted:
    """Let the ledger take a change."""

    def work(tx: StoreWriter) -> Admitted:
        fold = store.ledger.fold(tx)
        outcome = store.ledger.admit(tx, fold, Change(header, changes.encode_header(header), body))
        fold.flush()
        return outcome

    return store.store.transact(work)


def made(actor: int, seq: int, deps: Frontier, title: str, birth: Birth | None = None) -> tuple[Header, bytes]:
    """A change that creates a task."""
    body = changes.encode_operation([PUT, "task", values.id_bytes("id", values.uuid8("test", title)), {"title": title}])
    return Header(1, actor, seq, 1, tuple(sorted(deps.items())), 1, len(body), birth=birth), body


def test_a_change_waits_for_what_it_depends_on_and_is_taken_once(store: StorageEngine) -> None:
    birth = Birth(store.identity.public_key, bytes(16))
    actor = changes.actor_of(birth)
    first, second = made(actor, 1, store.frontier(), "first", birth), made(actor, 2, {}, "second")
    assert admit(store, *second) is Admitted.EARLY
    assert admit(store, *first) is Admitted.APPLIED
    assert admit(store, *first) is Admitted.KNOWN
    assert admit(store, *second) is Admitted.APPLIED
    ahead = msgspec.structs.replace(made(actor, 3, {}, "third")[0], deps=((1, 7),))
    assert admit(store, ahead, made(actor, 3, {}, "third")[1]) is Admitted.EARLY
    assert {task.title for task in store.query_tasks(edda.TaskQuery())} == {"first", "second"}


def test_a_change_of_a_device_that_is_no_member_is_refused_and_leaves_no_trace(store: StorageEngine) -> None:
    birth = Birth(bytes(32), bytes(16))
    before, digest = store.frontier(), store.digest()
    with pytest.raises(RemoteProtocolError, match="not a member"):
        admit(store, *made(changes.actor_of(birth), 1, {}, "stranger", birth))
    assert (store.frontier(), store.digest()) == (before, digest)


def test_the_log_folded_anew_gives_the_same_tables(store: StorageEngine) -> None:
    parent = store.create_task(edda.Task(title="Parent", tags={"a", "b"}, description="text"))
    store.create_task(edda.Task(title="Child", parent_id=parent, metadata={"k": [1]}))
    store.edit_text(parent, "description", [(0, 0, "more ")])
    store.delete_task(parent)
    document = store.create_document(edda.Document(title="D", content="c", tags={"b"}))
    store.edit_text(document, "content", [(1, 0, "d")])
    names = ("tasks", "documents", "tags", "entity_tags", "task_documents")
    before, digest = {name: store.table(name) for name in names}, store.digest()
    assert store.rebuild() == store.counts()["changes"]
    assert {name: store.table(name) for name in names} == before
    assert store.digest() == digest

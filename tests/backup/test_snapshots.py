"""
Snapshots in the life of a workspace: whoever got one ends where whoever got every change does, whatever went on meanwhile.

The format has its own tests (``test_segment``), and so have lies (``tests/sync/test_hostile``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import limits
from edda_sync.crdt.ledger import actor_of
from edda_sync.engine import StorageEngine
from edda_sync.errors import ForkError
from edda_sync.sync.messages import Part, Snapshot
from edda_sync.testing import devices, pair, replica_of, sync
from tests.sync.network import Network

TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")


@pytest.fixture(autouse=True)
def _a_snapshot_is_the_answer_from_few_changes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES_MIN", 5)


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Newcomers:
    """Makes devices that join a member's workspace and hold nothing yet."""

    def __init__(self, folder: Path, backend: str) -> None:
        self._folder, self._backend = folder, backend
        self.made: list[StorageEngine] = []

    def __call__(self, host: StorageEngine) -> StorageEngine:
        engine = StorageEngine(self._folder / f"newcomer{len(self.made)}")
        memory = self._backend == "memory"
        engine.open_store(edda.StorageConfig(backend="memory" if memory else "sqlite", name=f"new {len(self.made)}"))
        self.made.append(engine)
        pair(host, engine)
        return engine


@pytest.fixture
def newcomer(tmp_path: Path, backend: str) -> Iterator[Newcomers]:
    newcomers = Newcomers(tmp_path, backend)
    yield newcomers
    for engine in newcomers.made:
        engine.close()


@pytest.fixture
def pairs(backend: str) -> Iterator[tuple[StorageEngine, StorageEngine]]:
    with devices(2, backend=backend) as (laptop, phone):
        for number in range(6):
            body = (
                random.Random(number).randbytes(1_000).hex()
            )  # compresses to half, so that a snapshot has some length
            laptop.create_task(edda.Task(title=f"task {number}", description=body, tags={"work"}))
        sync(laptop, phone)
        yield laptop, phone


def shown(engine: StorageEngine) -> dict[str, object]:
    """All that a person could see."""
    view: dict[str, object] = {name: engine.table(name) for name in TABLES}
    return view | {"conflicts": engine.conflicts(), "digest": engine.digest(), "waiting": engine.waiting()}


def assert_equal(*engines: StorageEngine) -> None:
    """All show the same, and so does the view that each folds anew from its log."""
    expected = shown(engines[0])
    for engine in engines:
        assert shown(engine) == expected
        engine.rebuild()
        assert shown(engine) == expected


def snapshots(network: Network) -> list[Snapshot]:
    return network.said(Snapshot)


def test_concurrent_edits_of_both_sides_stand_beside_a_snapshot(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers
) -> None:
    """The tablet has a snapshot and edits of its own, the phone edits that the snapshot lacks; none saw the other's."""
    laptop, phone = pairs
    task_id = laptop.create_task(edda.Task(title="Report", description="first draft", tags={"old"}))
    sync(laptop, phone)
    phone.update_task(edda.Task(id=task_id, title="Report of the phone", priority=0))
    phone.edit_text(task_id, "description", [(0, 0, "my ")])
    tablet = newcomer(laptop)
    sync(laptop, tablet)
    tablet.update_task(edda.Task(id=task_id, title="Report of the tablet", tags={"new"}))
    tablet.edit_text(task_id, "description", [(11, 0, "!")])
    tablet.delete_task(tablet.query_tasks(edda.TaskQuery(tags=("work",)))[0].id)
    sync(phone, tablet)
    sync(laptop, phone)
    assert_equal(laptop, phone, tablet)
    task = laptop.get_task(task_id)
    assert task is not None
    assert (task.description, task.priority) == ("my first draft!", 0)
    assert [conflict.field for conflict in laptop.conflicts()] == ["title"]


def test_a_snapshot_brings_each_of_the_things_that_one_id_names(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers
) -> None:
    laptop, phone = pairs
    one = laptop.create_task(edda.Task(title="task", description="words"))
    phone.create_document(edda.Document(id=one, title="document", content="words"))
    sync(laptop, phone)
    laptop.edit_text(one, "description", [(5, 0, " of the task")])
    phone.edit_text(one, "content", [(5, 0, " of the document")])
    sync(laptop, phone)
    tablet = newcomer(laptop)
    network = Network(laptop, tablet)
    network.connect(laptop, tablet)
    network.run()
    assert snapshots(network)
    sync(tablet, phone)
    assert_equal(laptop, phone, tablet)
    task, document = tablet.get_task(one), tablet.get_document(one)
    assert task is not None
    assert document is not None
    assert (task.description, document.content) == ("words of the task", "words of the document")


def test_a_snapshot_merges_into_a_store_with_edits_and_deletions_of_its_own(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers
) -> None:
    """The phone wrote offline, and what it lacks is in no log but the laptop's, which it does not meet."""
    laptop, phone = pairs
    both, here, there, texts, tagged, last = (task.id for task in laptop.query_tasks(edda.TaskQuery(order="title")))
    phone.delete_task(here)
    laptop.delete_task(there)
    for engine, word in ((laptop, "laptop"), (phone, "phone")):
        engine.delete_task(both)
        engine.edit_text(texts, "description", [(0, 0, f"{word} ")])
        engine.update_task(edda.Task(id=tagged, title=word, tags={word}, metadata={word: True}))
    laptop.delete_task(last)
    phone.update_task(edda.Task(id=last, priority=0))  # unseen by the deletion: it lives
    offline = phone.create_task(edda.Task(title="made offline", parent_id=last))
    tablet = newcomer(laptop)
    sync(laptop, tablet)
    network = Network(tablet, phone)
    network.connect(tablet, phone)
    network.run()
    assert snapshots(network)
    assert_equal(phone, tablet)
    sync(laptop, phone)
    assert_equal(laptop, phone, tablet)
    visible = {task.id for task in phone.query_tasks(edda.TaskQuery())}
    assert visible == {texts, tagged, last, offline}
    task = phone.get_task(tagged)
    assert task is not None
    assert (task.tags, task.metadata) == ({"work", "laptop", "phone"}, {"laptop": True, "phone": True})
    assert [conflict.field for conflict in phone.conflicts()] == ["title"]


@pytest.mark.parametrize("edited_before", [False, True])
def test_an_edit_of_a_text_that_was_replaced_before_the_snapshot_still_arrives(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers, edited_before: bool
) -> None:
    """The words are in no cell any more when the snapshot is made, and the phone's edit of them is still on its way."""
    laptop, phone = pairs
    note = laptop.create_document(edda.Document(title="Note", content="base"))
    sync(laptop, phone)
    if edited_before:
        laptop.edit_text(note, "content", [(4, 0, " words")])
    laptop.update_document(edda.Document(id=note, content=None))
    phone.edit_text(note, "content", [(0, 0, "the ")])
    tablet = newcomer(laptop)
    sync(laptop, tablet)
    sync(phone, tablet)
    sync(laptop, phone)
    assert_equal(laptop, phone, tablet)


def test_a_broken_transfer_goes_on_where_it_stopped_though_the_sender_moved_on(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counterexample 16."""
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_500)
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 3_000)
    laptop, _ = pairs
    tablet = newcomer(laptop)
    network = Network(laptop, tablet)
    network.connect(laptop, tablet)
    network.run_until_said(Snapshot, 2)
    network.cut(laptop, tablet)
    before = snapshots(network)
    assert before[0].parts > 3
    laptop.create_task(edda.Task(title="written meanwhile"))
    network.connect(laptop, tablet)
    network.run()
    after = snapshots(network)[len(before) :]
    assert {part.segment for part in after} == {before[0].segment}
    assert [part.number for part in before + after] == list(range(before[0].parts))
    assert_equal(laptop, tablet)


def test_two_members_may_send_a_newcomer_snapshots_at_once(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_500)
    laptop, phone = pairs
    laptop.create_task(edda.Task(title="only the laptop's"))
    tablet = newcomer(laptop)
    sync_members = Network(laptop, phone, tablet)
    sync_members.connect(laptop, tablet)
    sync_members.connect(phone, tablet)
    sync_members.connect(laptop, phone)
    sync_members.run()
    assert_equal(laptop, phone, tablet)
    with tablet.store.read() as reader:
        assert reader.kept_segments() == [], "what was half here is forgotten"


def test_what_is_left_of_a_snapshot_is_not_sent_to_whoever_got_all_from_another_meanwhile(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_500)
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 3_000)
    laptop, phone = pairs
    for number in range(10):
        laptop.create_task(edda.Task(title="more", description=random.Random(number).randbytes(1_000).hex()))
    tablet = newcomer(laptop)
    sync(laptop, phone)
    network = Network(laptop, tablet)
    network.connect(laptop, tablet)
    network.run_until_said(Snapshot, 1)
    sync(phone, tablet)
    network.run()
    assert 1 <= len(snapshots(network)) < snapshots(network)[0].parts - 1
    assert_equal(laptop, phone, tablet)


def test_a_large_change_that_was_half_here_is_forgotten_when_a_snapshot_brings_it(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, _ = pairs
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES_MIN", 1_000)
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 4_000)
    with laptop.begin_transaction() as tx:
        for number in range(200):
            tx.create_task(edda.Task(title=f"large {number}", description=f"{number}" * 50))
    tablet = newcomer(laptop)
    network = Network(laptop, tablet)
    network.connect(laptop, tablet)
    network.run_until_said(Part, 2)
    network.cut(laptop, tablet)
    with tablet.store.read() as reader:
        assert len(reader.incoming()) == 1
        held = {head.actor for head in reader.heads().values()}
    assert held  # it has begun, so only a log that does not reach back makes the laptop send a snapshot
    sender = newcomer(laptop)
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES_MIN", 1)
    sync(laptop, sender)
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES_MIN", 1_000)
    sync(laptop, sender)
    network = Network(sender, tablet)
    network.connect(sender, tablet)
    network.run()
    assert snapshots(network)
    with tablet.store.read() as reader:
        assert not reader.incoming()
    sync(laptop, tablet)
    assert_equal(laptop, sender, tablet)


def test_a_snapshot_that_would_not_close_the_gap_is_made_anew(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers
) -> None:
    """
    The tablet made a snapshot, then got another one; the phone lacks what only that one holds.

    Served by the first one's hash for ever, the phone would never get there.
    """
    laptop, phone = pairs
    tablet = newcomer(laptop)
    sync(laptop, tablet)
    for_another = newcomer(laptop)
    sync(laptop, tablet)
    sync(laptop, for_another)
    sync(tablet, newcomer(laptop))  # the tablet makes a snapshot
    late = newcomer(laptop)
    for number in range(8):
        laptop.create_task(edda.Task(title=f"later {number}"))
    sync(laptop, late)  # a snapshot, of which the tablet lacks the end
    sync(late, tablet)
    network = Network(tablet, phone)
    network.connect(tablet, phone)
    network.run()
    assert len(network.proved) == 2
    sync(laptop, phone)
    assert_equal(laptop, phone, tablet, late)


def test_a_segment_that_was_replaced_while_it_was_sent_is_followed_by_the_new_one(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_500)
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 3_000)
    laptop, _ = pairs
    tablet = newcomer(laptop)
    network = Network(laptop, tablet)
    network.connect(laptop, tablet)
    network.run_until_said(Snapshot, 1)
    laptop.create_task(edda.Task(title="written meanwhile"))
    monkeypatch.setattr(limits, "SNAPSHOT_KEPT_S_MAX", 0)  # as if a day had passed, and another peer asked
    replica_of(laptop).exchange.snapshots.made({})
    network.run()
    assert len({part.segment for part in snapshots(network)}) == 2
    assert_equal(laptop, tablet)


def test_who_cannot_make_a_snapshot_passes_on_the_one_it_got(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers
) -> None:
    laptop, _ = pairs
    tablet = newcomer(laptop)
    watch = newcomer(laptop)
    sync(laptop, tablet)
    laptop.create_task(edda.Task(title="later"))
    sync(laptop, tablet)
    tablet.store.transact(lambda tx: tx.add_unknown_operations(None, 1, 1))
    network = Network(tablet, watch)
    network.connect(tablet, watch)
    network.run()
    assert snapshots(network)
    assert [tablet.table(name) for name in TABLES] == [watch.table(name) for name in TABLES]


def test_a_fork_is_found_though_a_snapshot_brought_one_of_its_branches(tmp_path: Path, backend: str) -> None:
    """
    A machine is put back to before a snapshot of it was made, and writes again.

    Who got the snapshot never saw the change that the machine wrote first under the dot of its new one.
    """
    home, state = tmp_path / "laptop", tmp_path / "state"
    newcomers = Newcomers(tmp_path, backend)
    with edda.open(home) as laptop:
        for number in range(4):
            laptop.create_task(edda.Task(title=f"task {number}"))
        tablet, watch = newcomers(laptop), newcomers(laptop)
        image = {path: path.read_bytes() for path in (home / "edda.db", home / "edda.db-wal", *state.iterdir())}
        for number in range(4):
            laptop.create_task(edda.Task(title=f"one way {number}"))
        sync(laptop, tablet)
    sync(tablet, watch)  # a snapshot of a snapshot
    (home / "edda.db-shm").unlink(missing_ok=True)
    for path, content in image.items():
        path.write_bytes(content)
    with edda.open(home) as laptop:
        laptop.create_task(edda.Task(title="another way"))
        with laptop.store.read() as reader:
            actor = actor_of(reader)
            fork = (actor, reader.heads()[actor].seq)
        for holder in (tablet, watch):
            with pytest.raises(ForkError):
                sync(holder, laptop)
            assert forks_of(holder) == [fork]
        giver, taker = (replica_of(each).exchange.snapshots for each in (tablet, laptop))
        made = giver.made({})
        parts = [
            Snapshot(made.hash, made.parts, number, giver.part(made.hash, number) or b"")
            for number in range(made.parts)
        ]
        with pytest.raises(ForkError):
            list(map(taker.take, parts))
        assert forks_of(laptop) == [fork]
        assert taker.part(made.hash, 0) is None
    for each in newcomers.made:
        each.close()


def forks_of(engine: StorageEngine) -> list[tuple[int, int]]:
    """The dots of the forks that a device lists."""
    with engine.store.read() as reader:
        return [(actor, seq) for actor, seq, _, _ in reader.forks()]


def test_nobody_makes_a_snapshot_of_what_it_could_not_apply(
    pairs: tuple[StorageEngine, StorageEngine], newcomer: Newcomers
) -> None:
    laptop, _ = pairs
    maker = replica_of(laptop).exchange.snapshots
    assert maker.can_make()
    laptop.store.transact(lambda tx: tx.add_unknown_operations(None, 1, 1))
    assert not maker.can_make()
    tablet = newcomer(laptop)
    network = Network(laptop, tablet)
    network.connect(laptop, tablet)
    network.run()
    assert snapshots(network) == []
    assert [tablet.table(name) for name in TABLES] == [laptop.table(name) for name in TABLES]  # change by change

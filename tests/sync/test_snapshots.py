"""
Segments in the life of a workspace: a device that began with one ends equal to a device that got every change.

The format has its own tests (``test_segment``), and so have lies in segments (``test_merging``, ``test_behind``).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Behind, Changes, Earlier, Offer, Part, Snapshot
from edda_sync.testing import devices, replica_of, sync
from edda_sync.words import limits
from tests.sync.network import Network, name_of
from tests.sync.newcomers import (
    BY_LOG,
    BY_SEGMENT,
    Newcomers,
    begin_with_segment,
    declined,
    forged_by,
    is_provisional,
    met,
    newcomers,
    segments_taken,
)
from tests.sync.strange import write_change

TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")
Pair = tuple[StorageEngine, StorageEngine]


@pytest.fixture(autouse=True)
def _a_segment_is_the_answer_to_every_newcomer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def newcomer(tmp_path: Path, backend: str) -> Iterator[Newcomers]:
    with newcomers(tmp_path, backend) as made:
        yield made


@pytest.fixture
def pairs(backend: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_LOG)  # or the phone's segment is served next
    with devices(2, backend=backend) as (laptop, phone):
        for number in range(6):
            body = random.Random(number).randbytes(1_000).hex()  # compresses to half, so that a segment has some length
            laptop.create_task(edda.Task(title=f"task {number}", description=body, tags={"work"}))
        sync(laptop, phone)
        monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
        yield laptop, phone


def shown(engine: StorageEngine) -> dict[str, object]:
    """Everything that a person could see."""
    view: dict[str, object] = {name: engine.table(name) for name in TABLES}
    return view | {"conflicts": engine.conflicts(), "digest": engine.digest(), "waiting": engine.waiting()}


def assert_equal(*engines: StorageEngine) -> None:
    """Check that all show the same, as folding their logs again does, and that doctor finds nothing wrong."""
    expected = shown(engines[0])
    for engine in engines:
        assert shown(engine) == expected
        assert [finding for finding in doctor.check(engine) if not finding.sound] == []
        engine.rebuild()
        assert shown(engine) == expected


# --- how one begins ---------------------------------------------------------------------------------------------------


def test_an_empty_device_begins_with_a_segment_and_then_gets_the_log_behind_it(
    pairs: Pair, newcomer: Newcomers
) -> None:
    laptop, _ = pairs
    tablet = newcomer(laptop)
    network = met(tablet, laptop)
    assert len(segments_taken(network)) == 1
    assert network.said(Behind, tablet)
    assert sum(len(each.changes) for each in network.said(Earlier)) == laptop.counts()["changes"]
    assert network.said(Changes) == []
    assert len(network.proved) == 2
    assert is_provisional(tablet) is None
    assert forged_by(tablet) is None
    assert tablet.counts() == laptop.counts()
    assert_equal(laptop, tablet)


def test_what_a_segment_says_is_shown_before_its_log_is_here(pairs: Pair, newcomer: Newcomers) -> None:
    laptop, phone = pairs
    tablet = newcomer(laptop)
    sync(laptop, phone)
    begin_with_segment(laptop, tablet)
    assert tablet.digest() == laptop.digest()
    assert [tablet.table(name) for name in TABLES] == [laptop.table(name) for name in TABLES]
    before = tablet.digest()
    assert tablet.rebuild() == 0
    assert tablet.digest() == before
    found = is_provisional(tablet)
    assert found is not None
    assert found.maker == laptop.identity.public_key
    met(tablet, phone)
    assert is_provisional(tablet) is None
    assert_equal(laptop, phone, tablet)


def test_whoever_holds_anything_declines_a_segment_and_gets_the_log(pairs: Pair, newcomer: Newcomers) -> None:
    laptop, phone = pairs
    tablet = newcomer(laptop)
    tablet.create_task(edda.Task(title="written before it met anybody"))
    network = met(tablet, laptop)
    assert network.said(Snapshot) == []
    assert all(declined(network))
    sync(laptop, phone)
    assert_equal(laptop, phone, tablet)


def test_few_changes_are_sent_as_they_are(pairs: Pair, newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_LOG)
    laptop, _ = pairs
    tablet = newcomer(laptop)
    network = met(tablet, laptop)
    assert network.said(Offer) == []
    assert_equal(laptop, tablet)


def test_a_segment_brings_each_of_the_things_that_one_id_names(pairs: Pair, newcomer: Newcomers) -> None:
    laptop, phone = pairs
    one = laptop.create_task(edda.Task(title="task", description="words"))
    phone.create_document(edda.Document(id=one, title="document", content="words"))
    sync(laptop, phone)
    laptop.edit_text(one, "description", [(5, 0, " of the task")])
    phone.edit_text(one, "content", [(5, 0, " of the document")])
    sync(laptop, phone)
    tablet = newcomer(laptop)
    assert segments_taken(met(tablet, laptop))
    sync(laptop, phone)
    assert_equal(laptop, phone, tablet)
    task, document = tablet.get_task(one), tablet.get_document(one)
    assert task is not None
    assert document is not None
    assert (task.description, document.content) == ("words of the task", "words of the document")


def test_a_device_that_began_with_a_segment_writes_edits_and_serves_others(pairs: Pair, newcomer: Newcomers) -> None:
    laptop, _ = pairs
    tablet, last = newcomer(laptop), newcomer(laptop)
    sync(laptop, tablet)
    task = tablet.query_tasks(edda.TaskQuery(order="title"))[0]
    task.description = "Buy oat milk and eggs"
    tablet.update_task(task)
    laptop.edit_text(task.id, "description", [(0, 1, "Get")])
    sync(laptop, tablet)
    network = met(last, tablet)
    assert segments_taken(network)
    assert_equal(laptop, tablet, last)


# --- meanwhile --------------------------------------------------------------------------------------------------------


def test_concurrent_edits_of_both_sides_stand_beside_a_segment(pairs: Pair, newcomer: Newcomers) -> None:
    """The tablet has a segment and edits of its own, the phone edits that the segment lacks; none saw the other's."""
    laptop, phone = pairs
    task_id = laptop.create_task(edda.Task(title="Report", description="first draft", tags={"old"}))
    sync(laptop, phone)
    phone.update_task(edda.Task(id=task_id, title="Report of the phone", priority=0))
    phone.edit_text(task_id, "description", [(0, 0, "my ")])
    tablet = newcomer(laptop)
    begin_with_segment(laptop, tablet)
    tablet.update_task(edda.Task(id=task_id, title="Report of the tablet", tags={"new"}))
    tablet.edit_text(task_id, "description", [(11, 0, "!")])
    tablet.delete_task(tablet.query_tasks(edda.TaskQuery(tags=("work",)))[0].id)
    network = Network(tablet, phone)  # it does not have all of the log behind
    network.connect(tablet, phone)
    while network.on_its_way:  # before any time limit ends
        network.step()
    assert network.said(Earlier)
    assert is_provisional(tablet) is not None
    sync(laptop, tablet)
    sync(laptop, phone)
    sync(laptop, tablet)
    assert_equal(laptop, phone, tablet)
    task = laptop.get_task(task_id)
    assert task is not None
    assert (task.description, task.priority) == ("my first draft!", 0)
    assert [conflict.field for conflict in laptop.conflicts()] == ["title"]


@pytest.mark.parametrize("edited_before", [False, True])
def test_an_edit_of_a_text_that_was_replaced_before_the_segment_still_arrives(
    pairs: Pair, newcomer: Newcomers, edited_before: bool
) -> None:
    """When the segment is made, no cell contains the words any more, and the phone's edit of them is still under way."""
    laptop, phone = pairs
    note = laptop.create_document(edda.Document(title="Note", content="base"))
    sync(laptop, phone)
    if edited_before:
        laptop.edit_text(note, "content", [(4, 0, " words")])
    laptop.update_document(edda.Document(id=note, content=None))
    phone.edit_text(note, "content", [(0, 0, "the ")])
    tablet = newcomer(laptop)
    begin_with_segment(laptop, tablet)
    met(tablet, phone)
    sync(laptop, tablet)
    sync(laptop, phone)
    sync(laptop, tablet)
    assert_equal(laptop, phone, tablet)


def test_what_others_write_while_the_log_behind_comes_arrives_too(
    pairs: Pair, newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1_000)
    laptop, phone = pairs
    tablet = newcomer(laptop)
    network = Network(tablet, laptop, phone)
    network.connect(tablet, laptop)
    network.connect(laptop, phone)
    network.run_until_said(Earlier, 1)
    for engine in (laptop, phone, tablet):
        engine.create_task(edda.Task(title=f"of {engine.name} meanwhile"))
        network.committed(engine)
        assert network.step()
    network.run()
    assert is_provisional(tablet) is None
    assert len(network.proved) == 4
    assert_equal(laptop, phone, tablet)


def test_a_large_change_of_the_log_behind_comes_in_parts(
    pairs: Pair, newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 4_000)
    laptop, _ = pairs
    with laptop.begin_transaction() as tx:
        for number in range(100):
            tx.create_task(edda.Task(title=f"large {number}", description=f"{number}" * 50))
    laptop.create_task(edda.Task(title="after it"))
    tablet = newcomer(laptop)
    network = met(tablet, laptop)
    assert len(network.said(Part)) > 1
    assert is_provisional(tablet) is None
    assert_equal(laptop, tablet)


def test_the_log_behind_goes_on_where_a_link_was_cut(
    pairs: Pair, newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1_000)
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 4_000)
    laptop, phone = pairs
    with laptop.begin_transaction() as tx:
        for number in range(40):
            tx.create_task(edda.Task(title=f"large {number}", description=f"{number}" * 100))
    tablet = newcomer(laptop)
    sync(laptop, phone)
    network = Network(tablet, laptop, phone)
    network.connect(tablet, laptop)
    network.run_until_said(Earlier, 3)
    network.cut(tablet, laptop)
    network.connect(tablet, phone)
    network.run_until_said(Part, 1)
    network.cut(tablet, phone)
    network.connect(tablet, laptop)
    network.run()
    assert is_provisional(tablet) is None
    first = [behind.held for behind in network.said(Behind, tablet)]
    assert all(one != other for one, other in zip(first, first[2:], strict=False))
    sync(laptop, phone)
    assert_equal(laptop, phone, tablet)


def test_a_state_and_a_text_larger_than_a_block_cross(pairs: Pair, newcomer: Newcomers) -> None:
    laptop, _ = pairs
    words = random.Random(5).randbytes(400_000).hex()
    note = laptop.create_document(edda.Document(title="long", content=words))
    laptop.edit_text(note, "content", [(0, 0, "edited: "), (500_000, 1, "")])
    metadata = {f"key {number}": random.Random(number).randbytes(3_000).hex() for number in range(150)}
    task = laptop.create_task(edda.Task(title="much metadata", metadata=metadata))
    tablet = newcomer(laptop)
    network = met(tablet, laptop)
    assert len(network.said(Snapshot)) >= 2
    assert forged_by(tablet) is None
    found, read = tablet.get_task(task), tablet.get_document(note)
    assert found is not None
    assert read is not None
    assert found.metadata == metadata
    assert len(read.content or "") == len(words) + len("edited: ") - 1
    assert_equal(laptop, tablet)


# --- transfers that break ---------------------------------------------------------------------------------------------


def test_a_broken_transfer_goes_on_where_it_stopped_though_the_sender_moved_on(
    pairs: Pair, newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
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
    before = network.said(Snapshot)
    assert before[0].parts > 3
    laptop.create_task(edda.Task(title="written meanwhile"))
    network.connect(laptop, tablet)
    network.run()
    after = network.said(Snapshot)[len(before) :]
    assert {part.segment for part in after} == {before[0].segment}
    assert [part.number for part in before + after] == list(range(before[0].parts))
    assert_equal(laptop, tablet)


def test_two_members_may_send_a_newcomer_segments_at_once(
    pairs: Pair, newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_500)
    laptop, phone = pairs
    laptop.create_task(edda.Task(title="only the laptop's"))
    tablet = newcomer(laptop)
    network = Network(laptop, phone, tablet)
    network.connect(laptop, tablet)
    network.connect(phone, tablet)
    network.connect(laptop, phone)
    network.run()
    assert_equal(laptop, phone, tablet)
    with tablet.store.read() as reader:
        assert reader.blobs.unreferenced() == [], "what was half here is forgotten"


def test_a_segment_that_was_replaced_while_it_was_sent_is_followed_by_the_new_one(
    pairs: Pair, newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
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
    replica_of(laptop).exchange.making.made({})
    network.run()
    assert len(segments_taken(network)) == 2
    assert_equal(laptop, tablet)


def test_a_large_change_that_was_half_here_stays_so_when_a_segment_is_taken(
    pairs: Pair, newcomer: Newcomers, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, _ = pairs
    tablet = newcomer(laptop)
    with laptop.store.read() as reader:
        raw = reader.log.read(reader.log.position()).raw
    tablet.store.transact(lambda tx: tx.incoming.expect(b"h" * 16, 5, raw))
    begin_with_segment(laptop, tablet)
    with tablet.store.read() as reader:
        (half,) = reader.incoming.all()
    assert (half.actor, half.seq) == (b"h" * 16, 5), "peers were told which parts of it are here"
    sync(laptop, tablet)
    assert_equal(laptop, tablet)


# --- many hands -------------------------------------------------------------------------------------------------------


def test_a_peer_that_does_not_have_the_log_behind_says_so_and_another_is_asked(
    pairs: Pair, newcomer: Newcomers
) -> None:
    laptop, phone = pairs
    tablet, watch = newcomer(laptop), newcomer(laptop)
    sync(laptop, phone)
    begin_with_segment(laptop, tablet)
    network = met(watch, tablet)
    assert segments_taken(network)
    assert network.said(Earlier, tablet)
    assert all(not each.changes for each in network.said(Earlier, tablet))
    assert is_provisional(watch) is not None
    assert network.errors == []
    met(watch, phone)
    assert is_provisional(watch) is None
    met(tablet, watch)
    assert is_provisional(tablet) is None
    sync(laptop, tablet)
    assert_equal(laptop, phone, tablet, watch)


def test_a_peer_that_was_asked_in_vain_gives_the_log_behind_as_soon_as_it_has_it(
    pairs: Pair, newcomer: Newcomers
) -> None:
    laptop, phone = pairs
    tablet, watch = newcomer(laptop), newcomer(laptop)
    sync(laptop, phone)
    begin_with_segment(laptop, tablet)
    begin_with_segment(laptop, watch)
    network = Network(watch, tablet, phone)
    network.connect(watch, tablet)
    for _ in range(50):
        network.step()
    assert network.said(Earlier, tablet)
    network.connect(tablet, phone)
    network.run()
    assert is_provisional(tablet) is is_provisional(watch) is None
    assert watch.digest() == phone.digest()


def test_a_provisional_store_passes_on_the_segment_it_began_with_and_makes_none(
    pairs: Pair, newcomer: Newcomers
) -> None:
    laptop, _ = pairs
    tablet, watch = newcomer(laptop), newcomer(laptop)
    begin_with_segment(laptop, tablet)
    for number in range(6):
        tablet.create_task(edda.Task(title=f"of the tablet {number}"))
    original = is_provisional(tablet)
    assert original is not None
    making = replica_of(tablet).exchange.making
    given = making.given({})
    assert given is not None
    assert given.hash == original.segment
    network = met(watch, tablet)
    assert segments_taken(network) == {original.segment}
    passed_on = is_provisional(watch)
    assert passed_on is not None
    assert (passed_on.segment, passed_on.maker) == (original.segment, laptop.identity.public_key)
    assert len(watch.query_tasks(edda.TaskQuery())) == 6, "and none of the drafts that were written on it"
    assert not network.proved
    sync(laptop, watch)
    sync(laptop, tablet)
    sync(tablet, watch)
    assert len(watch.query_tasks(edda.TaskQuery())) == 12
    assert is_provisional(watch) is is_provisional(tablet) is None
    assert len(laptop.query_tasks(edda.TaskQuery())) == 12
    sync(laptop, watch)
    assert_equal(laptop, tablet, watch)


def test_a_segment_goes_through_many_hands_and_is_confirmed_by_whoever_has_the_log(
    pairs: Pair, newcomer: Newcomers
) -> None:
    laptop, phone = pairs
    chain = [newcomer(laptop) for _ in range(4)]
    sync(laptop, phone)
    begin_with_segment(laptop, chain[0])
    for giver, taker in itertools.pairwise(chain):
        met(taker, giver)
        assert is_provisional(taker) is not None
    met(chain[-1], phone)
    for giver, taker in zip(reversed(chain), list(reversed(chain))[1:], strict=False):
        met(taker, giver)
        assert is_provisional(taker) is None
    for each in chain:
        sync(laptop, each)
    assert_equal(laptop, phone, *chain)


def test_nobody_makes_a_segment_of_what_waits_for_a_newer_version(pairs: Pair, newcomer: Newcomers) -> None:
    laptop, _ = pairs
    write_change(laptop, b"\x94\x63\xa4task\xc4\x10" + bytes(16) + b"\xc0")  # [99, "task", id, nil]
    assert laptop.waiting() == 1
    assert replica_of(laptop).exchange.making.given({}) is None
    tablet = newcomer(laptop)
    network = met(tablet, laptop)
    assert network.said(Snapshot) == []
    assert len(network.proved) == 2
    assert [tablet.table(name) for name in TABLES] == [laptop.table(name) for name in TABLES]  # change by change


def test_refused_operations_are_in_a_segment(pairs: Pair, newcomer: Newcomers) -> None:
    laptop, _ = pairs
    write_change(laptop, b"\x94\x02\xa4task\xc4\x10" + bytes(16) + b"\xc0")
    laptop.create_task(edda.Task(title="after"))
    assert laptop.refused() == 1
    tablet = newcomer(laptop)
    network = met(tablet, laptop)
    assert segments_taken(network)
    assert is_provisional(tablet) is None
    assert forged_by(tablet) is None
    assert tablet.refused() == 1
    assert_equal(laptop, tablet)
    assert (name_of(tablet), name_of(laptop)) in network.proved

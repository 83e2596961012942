"""Replicas: three and more devices that talk at once, relay for each other, and prove that they are equal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import limits, values
from edda_sync.crdt.entity import bucket_of
from edda_sync.crdt.scrub import scrub_entities
from edda_sync.engine import StorageEngine
from edda_sync.store.sqlite import SqliteStore
from edda_sync.sync.effects import Close
from edda_sync.sync.messages import Ack, Buckets, Changes, Goodbye
from edda_sync.testing import devices, pair, replica_of, sync
from tests.sync.network import Network, name_of

Trio = tuple[StorageEngine, StorageEngine, StorageEngine]


@pytest.fixture(params=["memory", "sqlite"])
def trio(request: pytest.FixtureRequest) -> Iterator[Trio]:
    with devices(3, backend=request.param) as (laptop, phone, tablet):
        yield laptop, phone, tablet


def line(laptop: StorageEngine, phone: StorageEngine, tablet: StorageEngine) -> Network:
    """Link laptop and phone, phone and tablet; the ends hear of each other through the phone alone."""
    network = Network(laptop, phone, tablet)
    network.connect(laptop, phone)
    network.connect(phone, tablet)
    network.run()
    network.heard.clear()
    return network


def triangle(*engines: StorageEngine) -> Network:
    """Link each with each."""
    network = Network(*engines)
    for number, engine in enumerate(engines):
        for other in engines[:number]:
            network.connect(engine, other)
    network.run()
    network.heard.clear()
    return network


def write(network: Network, engine: StorageEngine, title: str) -> str:
    """Make a task and let the network know."""
    task_id = engine.create_task(edda.Task(title=title))
    network.committed(engine)
    return task_id


def titles(engine: StorageEngine) -> set[str]:
    return {task.title for task in engine.query_tasks(edda.TaskQuery())}


# --- relaying ---------------------------------------------------------------------------------------------------------


def test_a_device_in_the_middle_passes_on_what_it_gets_in_both_directions(trio: Trio) -> None:
    laptop, phone, tablet = trio
    network = line(*trio)
    write(network, laptop, "from the left")
    write(network, tablet, "from the right")
    network.run()
    assert titles(laptop) == titles(phone) == titles(tablet) == {"from the left", "from the right"}
    assert laptop.digest() == phone.digest() == tablet.digest()
    assert {(name_of(laptop), name_of(phone)), (name_of(tablet), name_of(phone))} <= network.proved


def test_what_was_relayed_is_believed_on_its_authors_word_though_batches_are_cut_elsewhere(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The laptop signs the end of each of its batches; the phone cuts smaller ones, and proves the way to that end."""
    laptop, phone, tablet = trio
    for number in range(30):
        laptop.create_task(edda.Task(title=f"task {number}"))
    first = Network(laptop, phone)
    first.connect(laptop, phone)
    first.run()
    assert len(first.said(Changes, laptop)) == 1
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 600)
    second = Network(phone, tablet)
    second.connect(phone, tablet)
    second.run()
    relayed = second.said(Changes, phone)
    assert len(relayed) > 5
    proofs = [bool(head.proof) for batch in relayed for head in batch.heads]
    assert proofs == [True] * (len(relayed) - 1) + [False]
    assert titles(tablet) == titles(laptop)


def test_of_a_batch_that_could_be_applied_in_part_that_part_can_be_relayed_at_once() -> None:
    """The laptop passes on what the desktop wrote, and its own change, which depends on what the phone does not have."""
    with devices(4, backend="memory") as (laptop, phone, tablet, desktop):
        tablet.create_task(edda.Task(title="of the tablet"))
        sync(laptop, tablet)
        desktop.create_task(edda.Task(title="of the desktop"))
        sync(laptop, desktop)
        laptop.create_task(edda.Task(title="after the tablet's"))
        giving, taking = replica_of(laptop).exchange, replica_of(phone).exchange
        positions = giving.missing(phone.frontier()) or []
        assert len(positions) == 3
        del positions[0]  # the tablet's
        given = giving.batch(positions, phone.frontier())
        assert given is not None
        taken = taking.take(given.message)
        assert (taken.applied, taken.early) == (1, True)
        network = Network(phone, tablet)
        network.connect(phone, tablet)
        network.run()
        assert titles(tablet) == titles(phone) == {"of the desktop", "of the tablet"}


def test_newcomers_that_wrote_before_they_heard_of_anything_understand_each_other(tmp_path: Path) -> None:
    """Who is a member stands in a log that neither has yet: each believes what it was told when it joined."""
    with devices(1) as (laptop,), ExitStack() as stack:
        newcomers = []
        for name in ("first", "second"):
            engine = stack.enter_context(StorageEngine(tmp_path / name))
            engine.open_store(edda.StorageConfig(name=name))
            pair(laptop, engine)
            engine.create_task(edda.Task(title=f"of the {name}"))
            newcomers.append(engine)
        first, second = newcomers
        sync(laptop, first)  # whose log now starts with its own change, and goes on with who is a member
        sync(first, second)
        sync(laptop, second)
        assert titles(laptop) == titles(first) == titles(second) == {"of the first", "of the second"}


# --- no more than is needed -------------------------------------------------------------------------------------------


def test_a_change_crosses_each_link_once_and_never_comes_back(trio: Trio) -> None:
    laptop, phone, tablet = trio
    network = line(*trio)
    write(network, laptop, "news")
    network.run()
    ways = [(said.sender, said.receiver) for said in network.heard if isinstance(said.message, Changes)]
    assert ways == [(name_of(laptop), name_of(phone)), (name_of(phone), name_of(tablet))]


def test_where_everybody_is_linked_the_author_alone_sends_its_change(trio: Trio) -> None:
    laptop, phone, tablet = trio
    network = triangle(*trio)
    write(network, laptop, "news")
    network.run()
    senders = [said.sender for said in network.heard if isinstance(said.message, Changes)]
    assert senders == [name_of(laptop)] * 2
    assert titles(laptop) == titles(phone) == titles(tablet) == {"news"}


def test_a_new_link_between_equal_devices_carries_no_changes_and_few_bytes(trio: Trio) -> None:
    laptop, phone, _ = trio
    for number in range(200):
        laptop.create_task(edda.Task(title=f"task {number}", description="d" * 200))
    line(*trio)
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    assert network.said(Changes) == []
    assert sum(said.size for said in network.heard) < 2_000
    assert len(network.proved) == 2


def test_a_peer_that_left_and_comes_back_gets_only_what_it_lacks(trio: Trio) -> None:
    laptop, phone, tablet = trio
    network = line(*trio)
    for number in range(5):
        write(network, laptop, f"before {number}")
    network.run()
    network.cut(phone, tablet)
    for number in range(3):
        write(network, laptop, f"meanwhile {number}")
    network.run()
    network.heard.clear()
    network.connect(phone, tablet)
    network.run()
    assert sum(len(batch.changes) for batch in network.said(Changes)) == 3
    assert titles(tablet) == titles(laptop)


def test_what_is_lost_with_a_link_is_sent_again_over_the_next(trio: Trio) -> None:
    laptop, phone, tablet = trio
    network = line(*trio)
    write(network, laptop, "lost on the way")
    network.cut(laptop, phone)
    assert titles(phone) == set()
    network.connect(laptop, phone)
    network.run()
    assert titles(phone) == titles(tablet) == {"lost on the way"}


def test_many_small_changes_that_a_relay_gets_at_once_go_on_in_few_frames(trio: Trio) -> None:
    laptop, phone, tablet = trio
    network = line(*trio)
    for number in range(40):
        write(network, laptop, f"keystroke {number}")
    network.run()
    assert len(network.said(Changes, laptop)) == 40
    assert len(network.said(Changes, phone)) == 1  # what came within the delay of a relay
    assert titles(tablet) == titles(laptop)


# --- proved equality --------------------------------------------------------------------------------------------------


def test_equality_is_proved_again_after_each_change_and_not_before_the_peer_has_it(trio: Trio) -> None:
    laptop, phone, _ = trio
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()

    def progress() -> tuple[bool, int, int]:
        with_phone = network.replicas[name_of(laptop)].progress()[name_of(phone)]
        return with_phone.proved, with_phone.behind, with_phone.ahead

    assert progress() == (True, 0, 0)
    write(network, laptop, "news")
    assert progress() == (False, 0, 1)
    network.run()
    assert progress() == (True, 0, 0)


def test_typing_is_not_proved_letter_by_letter(trio: Trio) -> None:
    laptop, phone, _ = trio
    note = laptop.create_document(edda.Document(title="Note", content=""))
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    network.heard.clear()
    for at, letter in enumerate("hello world"):
        laptop.edit_text(note, "content", [(at, 0, letter)])
        network.committed(laptop)
    network.run()
    assert sum(bool(ack.digest) for ack in network.said(Ack)) <= 4
    read = phone.get_document(note)
    assert read is not None
    assert read.content == "hello world"


def flip_a_bit(engine: StorageEngine, statement: str) -> None:
    """Damage a row as a disk would: behind the store's back."""
    store = engine.store
    assert isinstance(store, SqliteStore)
    connection = store.connect()
    try:
        assert connection.execute(statement).rowcount == 1
    finally:
        connection.close()


@pytest.mark.parametrize("trio", ["sqlite"], indirect=True)
def test_counterexample_13_a_bit_that_flips_in_a_stored_state_is_found_by_the_scrub_alone(trio: Trio) -> None:
    laptop, phone, _ = trio
    task_id = laptop.create_task(edda.Task(title="Buy milk"))
    raw = values.id_bytes("id", task_id).hex()
    network = line(*trio)
    flip_a_bit(
        phone,
        "UPDATE entities SET state = CAST(replace(state, CAST('Buy milk' AS BLOB), CAST('Buy mule' AS BLOB)) AS BLOB)"
        f" WHERE hex(key) LIKE '%{raw.upper()}'",
    )
    assert phone.digest() == laptop.digest(), "the digest that commits keep up to date cannot know"
    found, _ = phone.store.transact(lambda tx: scrub_entities(tx, phone.ledger.fold(tx), b"", 1_000))
    assert [damage.bucket for damage in found] == [bucket_of(bytes.fromhex(raw))]
    phone.rebuild()
    network.rebuilt(phone)
    network.run()
    found, _ = phone.store.transact(lambda tx: scrub_entities(tx, phone.ledger.fold(tx), b"", 1_000))
    assert found == []
    assert phone.table("tasks") == laptop.table("tasks")


@pytest.mark.parametrize("trio", ["sqlite"], indirect=True)
def test_another_digest_at_an_equal_frontier_names_its_bucket_and_is_mended_by_folding_the_log_anew(trio: Trio) -> None:
    laptop, phone, _ = trio
    task_id = laptop.create_task(edda.Task(title="Buy milk"))
    line(*trio)
    raw = values.id_bytes("id", task_id)
    phone.store.transact(lambda tx: tx.add_to_buckets({bucket_of(raw): 1}))
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    assert network.proved == set()
    assert network.said(Buckets)
    assert {effect.buckets for _, effect in network.differs} == {(bucket_of(raw),)}
    assert {name for name, _ in network.differs} == {name_of(laptop), name_of(phone)}
    for engine in (laptop, phone):
        engine.rebuild()
        network.rebuilt(engine)
    network.run()
    assert len(network.proved) == 2


# --- sessions come and go ---------------------------------------------------------------------------------------------


def test_a_second_link_to_the_same_peer_replaces_the_first(trio: Trio) -> None:
    laptop, phone, _ = trio
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.step()
    network.cut(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    assert len(network.proved) == 2
    assert set(network.replicas[name_of(laptop)].progress()) == {name_of(phone)}


def test_a_frame_of_a_peer_without_a_session_does_nothing(trio: Trio) -> None:
    laptop, phone, _ = trio
    replica = replica_of(laptop)
    hello = replica_of(phone).connected(name_of(laptop))
    assert replica.frame_received(name_of(phone), getattr(hello[0], "frame"), 0.0) == []  # noqa: B009
    assert replica.next_deadline() is None


def test_goodbye_is_said_to_everyone_and_ends_every_talk(trio: Trio) -> None:
    laptop, phone, tablet = trio
    network = line(*trio)
    effects = network.replicas[name_of(phone)].close("shutting down")
    assert sorted(e.peer for e in effects if isinstance(e, Close)) == sorted((name_of(laptop), name_of(tablet)))
    assert network.replicas[name_of(phone)].progress() == {}
    network._do(name_of(phone), effects)
    network.run()
    assert {message.reason for message in network.said(Goodbye)} == {"shutting down"}
    assert network.replicas[name_of(laptop)].progress() == {}


@pytest.mark.parametrize("trio", ["sqlite"], indirect=True)
def test_a_difference_is_said_once_until_the_two_are_equal_again(trio: Trio) -> None:
    """A rebuild that changed nothing says that the damage is the peer's: another one would not help, and costs a pass."""
    laptop, phone, _ = trio
    line(*trio)
    network = Network(laptop, phone)
    for told in (1, 2):
        phone.store.transact(lambda tx: tx.add_to_buckets({7: 1}))
        for _ in range(2):
            network.connect(laptop, phone)
            network.run()
        assert [name for name, _ in network.differs].count(name_of(laptop)) == told
        phone.rebuild()
        network.rebuilt(phone)
        network.run()
        assert (name_of(laptop), name_of(phone)) in network.proved
        assert [name for name, _ in network.differs].count(name_of(laptop)) == told
        network.proved.clear()

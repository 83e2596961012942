"""Replicas: three and more devices that have sessions at once, relay for each other, and prove that they are equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.crdt import digests, pages
from edda_sync.crdt.digests import Item
from edda_sync.crdt.keys import key_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold.scrub import scrub_entities
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.sync.effects import Close, Effect, Send
from edda_sync.sync.exchange import Proof
from edda_sync.sync.messages import Ack, Cells, Changes, Fetch, Found, Goodbye, Listed
from edda_sync.sync.session import EVENT_OF
from edda_sync.sync.states import Event
from edda_sync.sync.wire import Codec
from edda_sync.testing import devices, pair, replica_of, sync
from edda_sync.words import limits, values
from edda_sync.words.reasons import Reason
from tests.sync.network import Network, name_of
from tests.sync.newcomers import alter

Trio = tuple[StorageEngine, StorageEngine, StorageEngine]


@pytest.fixture(params=["memory", "sqlite"])
def trio(request: pytest.FixtureRequest) -> Iterator[Trio]:
    with devices(3, backend=request.param) as (laptop, phone, tablet):
        yield laptop, phone, tablet


def line(laptop: StorageEngine, phone: StorageEngine, tablet: StorageEngine) -> Network:
    """Link laptop and phone, and phone and tablet; laptop and tablet reach each other only through the phone."""
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
    """Create a task, and tell the network."""
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
    proofs = [any(head.proof for head in batch.heads) for batch in relayed]
    assert proofs == [True] * (len(relayed) - 1) + [False]
    assert titles(tablet) == titles(laptop)


def test_of_a_batch_that_could_be_applied_in_part_that_part_can_be_relayed_at_once() -> None:
    """The laptop relays what the desktop wrote, and its own change, which depends on something that the phone lacks."""
    with devices(4, backend="memory") as (laptop, phone, tablet, desktop):
        tablet.create_task(edda.Task(title="of the tablet"))
        sync(laptop, tablet)
        desktop.create_task(edda.Task(title="of the desktop"))
        sync(laptop, desktop)
        laptop.create_task(edda.Task(title="after the tablet's"))
        giving, taking = replica_of(laptop).exchange.giving, replica_of(phone).exchange.taking
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
    """The members are in a log that neither has yet: each believes what it was told when it joined."""
    with devices(1) as (laptop,), ExitStack() as stack:
        newcomers = []
        for name in ("first", "second"):
            engine = stack.enter_context(StorageEngine(tmp_path / name))
            engine.open_store(edda.StorageConfig(name=name))
            pair(laptop, engine)
            engine.create_task(edda.Task(title=f"of the {name}"))
            newcomers.append(engine)
        first, second = newcomers
        sync(laptop, first)  # its log now starts with its own change, and goes on with the members
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
    assert sum(bool(ack.proof) for ack in network.said(Ack)) <= 4
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
        "UPDATE _entities SET state = CAST(replace(state, CAST('Buy milk' AS BLOB), CAST('Buy mule' AS BLOB)) AS BLOB)"
        f" WHERE hex(key) LIKE '%{raw.upper()}'",
    )
    assert phone.digest() == laptop.digest(), "the digest that commits keep up to date cannot know"
    found, _ = phone.store.transact(lambda tx: scrub_entities(tx, b"", 1_000))
    key = key_of("task", bytes.fromhex(raw))
    assert [damage.key for damage in found] == [key]
    phone.refold([key])
    network.rebuilt(phone)
    network.run()
    found, _ = phone.store.transact(lambda tx: scrub_entities(tx, b"", 1_000))
    assert found == []
    assert phone.table("tasks") == laptop.table("tasks")


def test_nobody_is_called_equal_while_something_here_is_known_to_be_damaged(trio: Trio) -> None:
    laptop, phone, _ = trio
    laptop.create_task(edda.Task(title="Buy milk"))
    network = line(*trio)
    everybody, replica = set(network.proved), network.replicas[name_of(phone)]
    assert len(everybody) == 4
    replica.damaged(network.now)
    assert not any(progress.proved for progress in replica.progress().values())
    network.proved.clear()
    laptop.create_task(edda.Task(title="Buy eggs"))
    network.committed(laptop)
    network.run()
    assert phone.frontier() == laptop.frontier(), "changes travel all the same"
    assert network.proved == set()
    network.rebuilt(phone)
    network.run()
    assert network.proved == everybody


def skew(engine: StorageEngine, task_id: str) -> bytes:
    """Give a stored entity another hash than its state has, and the digest too; return its key."""
    key = key_of("task", values.id_bytes("id", task_id))

    def work(tx: StoreWriter) -> None:
        record = tx.states.get([key])[key]
        other = blake2b(record.hash, digest_size=32).digest()  # so that several do not cancel each other out in the sum
        tx.states.put([record._replace(hash=other)], {key: False})
        tx.index.add_to_digest(digests.add(digests.sub(0, record.hash), other))

    engine.store.transact(work)
    return key


def test_one_entity_that_differs_is_found_by_coded_cells_and_only_that_is_folded_anew(trio: Trio) -> None:
    laptop, phone, _ = trio
    tasks = [laptop.create_task(edda.Task(title=f"task {number}")) for number in range(50)]
    line(*trio)
    key = skew(phone, tasks[7])
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    assert network.proved == set()
    assert network.said(Cells)
    assert network.said(Listed) == []
    assert {effect.keys for _, effect in network.differs} == {(key,)}
    assert {name for name, _ in network.differs} == {name_of(laptop), name_of(phone)}
    folded = {engine.name: engine.refold([key]) for engine in (laptop, phone)}
    assert folded == {laptop.name: 1, phone.name: 1}, "of one change"
    for engine in (laptop, phone):
        network.rebuilt(engine)
    network.run()
    assert len(network.proved) == 2
    assert phone.digest() == laptop.digest()


def test_a_state_that_became_another_one_with_its_hash_is_found_and_folded_anew(trio: Trio) -> None:
    """No scrub finds it, because it fits its own hash; but the peer does."""
    laptop, phone, _ = trio
    task = laptop.create_task(edda.Task(title="Buy milk"))
    line(*trio)
    alter(phone, "task", task, title="Buy mule")
    assert phone.digest() != laptop.digest()
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    key = key_of("task", values.id_bytes("id", task))
    assert {effect.keys for _, effect in network.differs} == {(key,)}
    phone.refold([key])
    network.rebuilt(phone)
    network.run()
    assert len(network.proved) == 2
    found = phone.get_task(task)
    assert found is not None
    assert found.title == "Buy milk"


def test_where_too_much_differs_for_coded_cells_the_items_are_listed_page_by_page(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CODED_CELLS_FIRST", 2)
    monkeypatch.setattr(limits, "CODED_CELLS_MAX", 8)
    monkeypatch.setattr(limits, "LISTED_ITEMS_MAX", 10)
    monkeypatch.setattr(pages.pages, "__defaults__", (10,))
    laptop, phone, _ = trio
    tasks = [laptop.create_task(edda.Task(title=f"task {number}")) for number in range(40)]
    line(*trio)
    keys = {skew(phone, task) for task in tasks[::2]}
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    assert network.proved == set()
    assert len(network.said(Listed)) > 2
    for name in (name_of(laptop), name_of(phone)):
        assert {key for who, effect in network.differs if who == name for key in effect.keys} == keys
    for engine in (laptop, phone):
        engine.refold(sorted(keys))
        network.rebuilt(engine)
    network.run()
    assert len(network.proved) == 2


def test_of_entities_that_one_lacks_both_hear(trio: Trio) -> None:
    laptop, phone, _ = trio
    task = laptop.create_task(edda.Task(title="task"))
    line(*trio)
    key = key_of("task", values.id_bytes("id", task))

    phone.store.transact(lambda tx: tx.forget([key]))
    assert phone.digest() != laptop.digest()
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    assert {(who, effect.keys) for who, effect in network.differs} == {
        (name_of(laptop), (key,)), (name_of(phone), (key,)),
    }  # fmt: skip
    phone.refold([key])
    assert phone.digest() == laptop.digest()


# --- lies about equality ----------------------------------------------------------------------------------------------


class Liar:
    """A peer that can send a false digest at any time, and backs it with cells of its own making."""

    def __init__(self, network: Network, engine: StorageEngine) -> None:
        self.lies = False
        exchange = network.replicas[name_of(engine)].exchange
        honest, items = exchange.proof, exchange.items

        def proof() -> Proof:
            found = honest()
            content = bytes([found.content[0] ^ 1]) + found.content[1:]
            return replace(found, content=content) if self.lies else found

        def lying_items(after: bytes = b"") -> Iterator[Item]:
            for key, digest in items(after):
                yield key, blake2b(digest, digest_size=32).digest() if self.lies else digest

        exchange.proof = exchange.settled_proof = proof  # type: ignore[method-assign]
        exchange.items = lying_items  # type: ignore[method-assign]


def test_lie_truth_lie_has_no_more_folded_anew_than_is_allowed_and_the_truth_is_believed(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MENDED_ENTITIES_MAX", 25)
    laptop, phone, _ = trio
    for number in range(20):
        laptop.create_task(edda.Task(title=f"task {number}"))
    line(*trio)
    network = Network(laptop, phone)
    liar = Liar(network, phone)
    named = []
    for turn in range(12):
        liar.lies = turn % 2 == 0
        network.differs.clear()
        network.proved.clear()
        network.connect(laptop, phone)
        network.run()
        mine = [effect for who, effect in network.differs if who == name_of(laptop)]
        named += [key for effect in mine for key in effect.keys]
        assert ((name_of(laptop), name_of(phone)) in network.proved) == (not liar.lies)
        for effect in mine:
            laptop.refold(effect.keys)
            network.rebuilt(laptop)
    assert 20 <= len(named) == limits.MENDED_ENTITIES_MAX
    assert laptop.digest() == phone.digest()


def test_after_an_hour_a_peer_may_have_something_folded_anew_again(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MENDED_ENTITIES_MAX", 5)
    laptop, phone, _ = trio
    for number in range(20):
        laptop.create_task(edda.Task(title=f"task {number}"))
    line(*trio)
    network = Network(laptop, phone)
    Liar(network, phone).lies = True
    for expected in (5, 5, 10):
        if expected == 10:
            network.now += limits.MENDED_WINDOW_S
        network.connect(laptop, phone)
        network.run()
        assert sum(len(effect.keys) for who, effect in network.differs if who == name_of(laptop)) == expected


def test_the_budget_of_one_peer_is_not_another_s(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MENDED_ENTITIES_MAX", 1)
    laptop, phone, tablet = trio
    task = laptop.create_task(edda.Task(title="task"))
    line(*trio)
    network = Network(laptop, phone, tablet)
    Liar(network, phone).lies = True
    network.connect(laptop, phone)
    network.run()
    key = skew(tablet, task)
    network.connect(laptop, tablet)
    network.run()
    mine = [effect for who, effect in network.differs if who == name_of(laptop)]
    assert [len(effect.keys) for effect in mine] == [1, 1]
    assert mine[1].keys == (key,)


def test_whoever_drops_and_comes_back_has_no_new_budget(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MENDED_ENTITIES_MAX", 3)
    laptop, phone, _ = trio
    for number in range(9):
        laptop.create_task(edda.Task(title=f"task {number}"))
    line(*trio)
    network = Network(laptop, phone)
    Liar(network, phone).lies = True
    for _ in range(4):
        network.connect(laptop, phone)
        network.run()
        network.cut(laptop, phone)
    assert sum(len(effect.keys) for who, effect in network.differs if who == name_of(laptop)) == 3


# --- rotten changes ---------------------------------------------------------------------------------------------------


def test_whoever_asks_for_rotten_changes_asks_every_peer_and_is_told_by_each(trio: Trio) -> None:
    laptop, phone, tablet = trio
    laptop.create_task(edda.Task(title="Buy milk"))
    network = line(*trio)
    assert network.replicas[name_of(phone)].fetch(network.now) == [], "nothing rotted"
    phone.store.transact(rot_newest)
    network._do(name_of(phone), network.replicas[name_of(phone)].fetch(network.now))
    network.run()
    assert len(network.said(Fetch, phone)) == 2
    assert network.said(Found)[0].changes == network.said(Found)[1].changes
    assert phone.rebuild() > 0
    assert phone.digest() == laptop.digest() == tablet.digest()


def rot_newest(tx: StoreWriter) -> None:
    """Let the newest change of the log rot."""
    rot_newest_of(b"milk")(tx)


def rot_newest_of(word: bytes) -> Callable[[StoreWriter], None]:
    """Return a function that makes a word of the log's newest change rot."""

    def rot(tx: StoreWriter) -> None:
        logged = tx.log.read(tx.log.position())
        tx.log.replace(logged._replace(body=logged.body.replace(word, word[:1] + word[:-1])))

    return rot


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


def frames_over(effects: list[Effect], link: int) -> list[bytes]:
    """Return the frames of effects, which must all be for one link."""
    found = [effect for effect in effects if isinstance(effect, Send | Close)]
    assert {effect.link for effect in found} <= {link}
    return [effect.frame for effect in found if isinstance(effect, Send)]


def test_what_goes_over_a_link_carries_its_number_whatever_event_it_follows(trio: Trio) -> None:
    laptop, phone, _ = trio
    laptop.create_task(edda.Task(title="Buy milk"))
    replica, other, peer = replica_of(laptop), replica_of(phone), name_of(phone)
    assert frames_over(replica.connected(peer, 5), 5)
    (hello,) = frames_over(other.connected(name_of(laptop), 9), 9)
    assert frames_over(replica.frame_received(peer, hello, 0.0, 5), 5)
    laptop.create_task(edda.Task(title="Buy bread"))
    assert frames_over(replica.committed(0.0), 5)
    due = replica.next_deadline()
    while due is not None:
        frames_over(replica.tick(due), 5)
        due = replica.next_deadline()
    laptop.store.transact(rot_newest_of(b"bread"))
    assert frames_over(replica.fetch(9.0), 5)
    *_, end = replica.close()
    assert isinstance(end, Close)
    assert end.link == 5


def test_what_comes_over_a_former_link_is_dropped_and_its_end_ends_nothing(trio: Trio) -> None:
    laptop, phone, _ = trio
    replica, other, peer = replica_of(laptop), replica_of(phone), name_of(phone)
    replica.connected(peer, 1)
    (former,) = frames_over(other.connected(name_of(laptop), 1), 1)
    assert frames_over(replica.connected(peer, 2), 2)
    for frame in (former, b"garbage"):
        assert replica.frame_received(peer, frame, 0.0, 1) == []
    replica.disconnected(peer, 0.0, 1)
    assert peer not in replica.progress(), "the talk has not begun"
    replica.frame_received(peer, former, 0.0, 2)
    assert peer in replica.progress(), "over the link that there is, it is heard"
    replica.disconnected(peer, 0.0, 2)
    assert replica.progress() == {}
    assert replica.frame_received(peer, former, 0.0, 2) == []


@pytest.mark.parametrize("frame", [b"garbage", b""])
def test_the_end_of_a_talk_over_an_error_names_its_link_and_no_other(trio: Trio, frame: bytes) -> None:
    laptop, phone, tablet = trio
    replica = replica_of(laptop)
    replica.connected(name_of(phone), 1)
    replica.connected(name_of(tablet), 2)
    *_, end = replica.frame_received(name_of(phone), frame, 0.0, 1)
    assert isinstance(end, Close)
    assert (end.peer, end.link) == (name_of(phone), 1)


def test_a_frame_of_a_peer_without_a_session_does_nothing(trio: Trio) -> None:
    laptop, phone, _ = trio
    replica = replica_of(laptop)
    hello = replica_of(phone).connected(name_of(laptop))
    assert replica.frame_received(name_of(phone), getattr(hello[0], "frame"), 0.0) == []  # noqa: B009
    assert replica.next_deadline() is None


def test_goodbye_is_said_to_everyone_and_ends_every_talk(trio: Trio) -> None:
    laptop, phone, tablet = trio
    network = line(*trio)
    effects = network.replicas[name_of(phone)].close(Reason.CLOSING)
    assert sorted(e.peer for e in effects if isinstance(e, Close)) == sorted((name_of(laptop), name_of(tablet)))
    assert network.replicas[name_of(phone)].progress() == {}
    network._do(name_of(phone), effects)
    network.run()
    assert {message.reason for message in network.said(Goodbye)} == {"closing"}
    assert network.replicas[name_of(laptop)].progress() == {}


def test_what_differs_though_both_hold_the_same_changes_is_told_until_it_does_not(trio: Trio) -> None:
    """If folding again does not make the two equal, it is a fault of the software, and a person must be told."""
    laptop, phone, _ = trio
    tasks = [laptop.create_task(edda.Task(title=f"task {number}")) for number in range(3)]
    line(*trio)
    keys = [skew(phone, task) for task in tasks[:2]]
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()

    def told() -> list[int]:
        talks = [each.progress() for each in network.replicas.values()]
        found = [talk.differing for each in talks for talk in each.values()]
        assert all(ours.ours == theirs.theirs != ours.theirs for ours, theirs in zip(*found, strict=True))
        return list(map(len, found))

    assert told() == [2, 2]
    laptop.refold(keys)  # the phone is at fault: this does not help
    network.rebuilt(laptop)
    network.run()
    assert told() == [2, 2]
    phone.refold(keys)
    network.rebuilt(phone)
    network.run()
    assert told() == [0, 0]


def test_a_difference_is_said_once_until_the_two_are_equal_again(trio: Trio) -> None:
    """A fold that changed nothing shows that the damage is the peer's; another one would not help, and costs a pass."""
    laptop, phone, _ = trio
    task = laptop.create_task(edda.Task(title="task"))
    line(*trio)
    network = Network(laptop, phone)
    for told in (1, 2):
        key = skew(phone, task)
        network.connect(laptop, phone)
        network.run()
        network.committed(laptop)
        network.run()
        assert [name for name, _ in network.differs].count(name_of(laptop)) == told
        phone.refold([key])
        network.rebuilt(phone)
        network.run()
        assert (name_of(laptop), name_of(phone)) in network.proved
        assert [name for name, _ in network.differs].count(name_of(laptop)) == told
        network.proved.clear()


def test_between_two_slices_of_what_one_peer_sends_another_one_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    with devices(3, backend="memory") as (laptop, phone, tablet):
        network = Network(laptop, phone, tablet)
        network.connect(laptop, phone)
        network.connect(laptop, tablet)
        network.run()
        for number in range(10):
            phone.create_task(edda.Task(title=f"task {number}"))
        tablet.create_task(edda.Task(title="of the tablet"))
        replica, now = network.replicas[name_of(laptop)], network.now
        before = laptop.counts()["tasks"]

        def frames(engine: StorageEngine) -> list[bytes]:
            effects = network.replicas[name_of(engine)].committed(now)
            return [each.frame for each in effects if isinstance(each, Send) and each.peer == name_of(laptop)]

        (lot,), (one,) = frames(phone), frames(tablet)
        monkeypatch.setattr(limits, "SLICE_US_MAX", 3 * (limits.TAKE_CHANGE_US + limits.TAKE_OPERATION_US))
        said = replica.frame_received(name_of(phone), lot, now)
        assert laptop.counts()["tasks"] == before + 3
        assert acks_to(said, phone) == [], "it is not dealt with yet"
        assert replica.next_deadline() == now
        assert acks_to(replica.frame_received(name_of(tablet), one, now), tablet) != []
        assert laptop.counts()["tasks"] == before + 4
        for _ in range(3):
            said = replica.tick(now)
        assert laptop.counts()["tasks"] == before + 11
        sent = [each for each in network.heard if (each.sender, each.receiver) == (name_of(phone), name_of(laptop))]
        data = sum(EVENT_OF[type(each.message)] is Event.DATA for each in sent)
        assert acks_to(said, phone)[-1].frames == data + 1, "it is one frame, in however many slices it was taken"


def acks_to(effects: list[Effect], engine: StorageEngine) -> list[Ack]:
    said = [Codec().decode(each.frame) for each in effects if isinstance(each, Send) and each.peer == name_of(engine)]
    return [each for each in said if isinstance(each, Ack)]

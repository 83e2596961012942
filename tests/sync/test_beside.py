"""Long work is done beside the turns: meanwhile others are served, and nothing is lost, whatever happens."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Close, Effect, Send, Work
from edda_sync.sync.messages import Ack, Changes, Earlier, Hello, Message, Part, Pull, Snapshot
from edda_sync.sync.wire import Codec
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import BugError, RemoteProtocolError, StorageError
from tests.sync.network import Network, name_of
from tests.sync.newcomers import BY_SEGMENT, is_provisional, newcomers

CODEC = Codec()


class Bench:
    """A laptop that does long work beside its turns, and what phone and tablet tell it."""

    def __init__(self, laptop: StorageEngine, phone: StorageEngine, tablet: StorageEngine) -> None:
        self.laptop, self.phone, self.tablet = laptop, phone, tablet
        self.network = Network(laptop, phone, tablet, defers=True)
        self.network.connect(laptop, phone)
        self.network.connect(laptop, tablet)
        self.run()
        self.replica = self.network.replicas[name_of(laptop)]

    def run(self) -> None:
        """Deliver frames and run long work until nothing is left."""
        self.network.run()
        while self.network.works:
            self.network.work()
            self.network.run()

    def frames(self, engine: StorageEngine) -> list[bytes]:
        """Return the frames that a device sends the laptop after a commit; a part is answered at once."""
        effects = self.network.replicas[name_of(engine)].committed(self.network.now)
        return [each.frame for each in effects if isinstance(each, Send) and each.peer == name_of(self.laptop)]

    def receive(self, engine: StorageEngine, frame: bytes) -> list[Effect]:
        """Let the laptop take one frame of a device's."""
        return self.replica.frame_received(name_of(engine), frame, self.network.now)

    def worked(self, work: Work) -> list[Effect]:
        """Tell the laptop that a work was run, and run what is due then."""
        now = self.network.now
        said = self.replica.worked(work, now)
        while (due := self.replica.next_deadline()) is not None and due <= now:
            said += self.replica.tick(now)
        return said

    def is_equal(self, *engines: StorageEngine) -> bool:
        """Whether all hold the same."""
        return len({(each.digest(), tuple(sorted(each.frontier().items()))) for each in (self.laptop, *engines)}) == 1


@pytest.fixture(params=["memory", "sqlite"])
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with devices(3, backend=request.param) as engines:
        made = Bench(*engines)
        monkeypatch.setattr(limits, "SLICE_US_MAX", 5 * (limits.TAKE_CHANGE_US + limits.TAKE_OPERATION_US))
        yield made


def write(engine: StorageEngine, count: int, text: str | None = None) -> None:
    """Create so many tasks in one change."""
    with engine.begin_transaction() as tx:
        for number in range(count):
            tx.create_task(edda.Task(title=f"task {number}", description=text))


def said_to(effects: list[Effect], engine: StorageEngine) -> list[Message]:
    return [CODEC.decode(each.frame) for each in effects if isinstance(each, Send) and each.peer == name_of(engine)]


def begun(effects: list[Effect]) -> Work:
    (work,) = [each for each in effects if isinstance(each, Work)]
    return work


def test_while_one_large_change_is_taken_others_are_answered_and_their_changes_come_right_after_it(
    bench: Bench,
) -> None:
    laptop, phone, tablet = bench.laptop, bench.phone, bench.tablet
    write(phone, 30)
    tablet.create_task(edda.Task(title="of the tablet"))
    before = laptop.counts()
    (lot,), (one,) = bench.frames(phone), bench.frames(tablet)
    said = bench.receive(phone, lot)
    work = begun(said)
    assert said_to(said, phone) == [], "it is not dealt with yet"
    laptop.create_task(edda.Task(title="of the laptop"))
    pushed = bench.replica.committed(bench.network.now)
    assert [type(each) for each in said_to(pushed, tablet)] == [Changes], "others are sent what is new"
    assert said_to(bench.receive(tablet, one), tablet) == []
    assert laptop.counts()["tasks"] == before["tasks"] + 1, "no turn has written"

    work.run()
    assert laptop.counts()["tasks"] == before["tasks"] + 31, "all of it at once"
    said = bench.worked(work)
    assert laptop.counts()["tasks"] == before["tasks"] + 32
    for engine in (phone, tablet):
        assert any(isinstance(each, Ack) for each in said_to(said, engine))


def test_what_a_peer_says_after_its_large_change_is_heard_after_it(bench: Bench) -> None:
    write(bench.phone, 30)
    (lot,) = bench.frames(bench.phone)
    bench.phone.create_task(edda.Task(title="after it"))
    work = begun(bench.receive(bench.phone, lot))
    (after,) = bench.frames(bench.phone)
    before = bench.laptop.counts()["tasks"]
    assert bench.receive(bench.phone, after) == []
    assert bench.receive(bench.phone, CODEC.encode(Pull())) == []
    work.run()
    bench.worked(work)
    assert bench.laptop.counts()["tasks"] == before + 31


def test_of_what_waited_each_turn_takes_the_data_of_one_talk(bench: Bench) -> None:
    write(bench.phone, 30)
    (lot,) = bench.frames(bench.phone)
    work = begun(bench.receive(bench.phone, lot))
    for engine in (bench.phone, bench.tablet):
        engine.create_task(edda.Task(title="while that is taken"))
        (frame,) = bench.frames(engine)
        assert bench.receive(engine, frame) == []
    work.run()
    said, now = bench.replica.worked(work, bench.network.now), bench.network.now
    assert said_to(said, bench.phone)
    told = []
    for count in (31, 32):
        assert bench.replica.next_deadline() == now
        said = bench.replica.tick(now)
        assert bench.laptop.counts()["tasks"] == count
        told += [
            engine for engine in (bench.phone, bench.tablet) if any(isinstance(m, Ack) for m in said_to(said, engine))
        ]
    assert sorted(map(name_of, told)) == sorted(map(name_of, (bench.phone, bench.tablet)))


def test_a_change_that_is_no_larger_than_a_slice_even_if_it_rewrites_what_is_here_is_taken_at_once(
    bench: Bench,
) -> None:
    write(bench.phone, 2)
    (lot,) = bench.frames(bench.phone)
    assert not any(isinstance(each, Work) for each in bench.receive(bench.phone, lot))
    assert bench.is_equal(bench.phone)


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_each_thing_that_takes_long_is_done_beside(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A change in parts, by its last one; a segment, when a hello asks for one and when its last part comes; and the log behind
    it, when that is whole. The segment that was made is kept for the next newcomer.
    """
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_000)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1_000)
    with devices(1, backend=backend) as (laptop,), newcomers(tmp_path, backend) as newcomer:
        for number in range(20):
            laptop.create_task(edda.Task(title=f"task {number}", description=random.Random(number).randbytes(80).hex()))
        tablet = newcomer(laptop)
        network = Network(laptop, tablet, defers=True)
        network.connect(laptop, tablet)
        came: list[type[Message]] = []

        def run() -> None:
            while network.step():
                if network.works:
                    came.append(type(network.heard[-1].message))
                    network.work()

        run()
        assert came == [Hello, Snapshot, Earlier]
        assert len(network.said(Snapshot)) > 1
        assert len(network.said(Earlier)) > 1
        assert is_provisional(tablet) is None
        assert network.replicas[name_of(tablet)].exchange.behind.ended == 1, "turns know of it"
        came.clear()
        write(laptop, 20, "words " * 50)
        network.committed(laptop)
        run()
        assert came == [Part]
        assert len(network.said(Part)) > 1
        assert tablet.digest() == laptop.digest()
        assert (name_of(laptop), name_of(tablet)) in network.proved

        came.clear()
        phone = newcomer(laptop)
        network = Network(laptop, phone, defers=True)
        network.connect(laptop, phone)
        run()
        assert came == [Snapshot, Earlier, Part]
        assert phone.digest() == laptop.digest()


def test_of_what_is_done_beside_one_thing_is_under_way_at_a_time(bench: Bench) -> None:
    write(bench.phone, 30)
    write(bench.tablet, 30)
    (lot,), (other,) = bench.frames(bench.phone), bench.frames(bench.tablet)
    work = begun(bench.receive(bench.phone, lot))
    assert bench.receive(bench.tablet, other) == []
    work.run()
    following = begun(bench.worked(work))
    assert following.peer == name_of(bench.tablet)
    following.run()
    bench.worked(following)
    assert bench.laptop.counts()["tasks"] == 60


def test_who_comes_back_meanwhile_waits_and_is_sent_nothing_twice(bench: Bench) -> None:
    write(bench.phone, 30)
    (lot,) = bench.frames(bench.phone)
    work = begun(bench.receive(bench.phone, lot))
    bench.network.cut(bench.laptop, bench.phone)
    bench.network.connect(bench.laptop, bench.phone)
    bench.network.run()
    assert bench.laptop.counts()["tasks"] == 0
    work.run()
    said = bench.worked(work)
    assert bench.laptop.counts()["tasks"] == 30
    bench.network._do(name_of(bench.laptop), said)
    bench.run()
    assert bench.is_equal(bench.phone)


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StorageError("the disk is full"), StorageError),
        (ZeroDivisionError("a bug"), BugError),
        (RemoteProtocolError("it lied"), None),
    ],
)
def test_a_fault_that_is_met_once_the_talk_is_over_is_told_unless_it_is_the_peers(
    bench: Bench, error: BaseException, told: type | None
) -> None:
    write(bench.phone, 30)
    (lot,) = bench.frames(bench.phone)
    work = begun(bench.receive(bench.phone, lot))
    work.do = failing(error)  # type: ignore[assignment]
    bench.network.cut(bench.laptop, bench.phone)
    work.run()
    ends = [each for each in bench.worked(work) if isinstance(each, Close)]
    assert [type(each.error) for each in ends] == ([told] if told else [])
    assert all((each.peer, each.link) == (work.peer, work.link) for each in ends)


def test_a_fault_in_a_talk_ends_it_and_the_others_go_on(bench: Bench) -> None:
    write(bench.phone, 30)
    bench.tablet.create_task(edda.Task(title="of the tablet"))
    (lot,), (one,) = bench.frames(bench.phone), bench.frames(bench.tablet)
    work = begun(bench.receive(bench.phone, lot))
    bench.receive(bench.tablet, one)
    work.do = failing(StorageError("the disk is full"))  # type: ignore[assignment]
    work.run()
    said = bench.worked(work)
    (end,) = [each for each in said if isinstance(each, Close)]
    assert (end.peer, type(end.error)) == (name_of(bench.phone), StorageError)
    assert bench.laptop.counts()["tasks"] == 1
    assert any(isinstance(each, Ack) for each in said_to(said, bench.tablet))


def test_who_wants_the_process_to_end_is_heard_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        Work("peer", failing(KeyboardInterrupt())).run()  # type: ignore[arg-type]


def test_who_says_hello_meanwhile_is_answered(bench: Bench) -> None:
    write(bench.phone, 30)
    (lot,) = bench.frames(bench.phone)
    begun(bench.receive(bench.phone, lot))
    bench.network.cut(bench.laptop, bench.tablet)
    bench.tablet.create_task(edda.Task(title="of the tablet"))
    bench.laptop.create_task(edda.Task(title="of the laptop"))
    bench.network.heard.clear()
    bench.network.connect(bench.laptop, bench.tablet)
    bench.network.run()
    assert bench.network.said(Hello, bench.laptop)
    assert any(task.title == "of the laptop" for task in bench.tablet.query_tasks(edda.TaskQuery()))
    assert bench.laptop.counts()["tasks"] == 1, "data waits"


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_what_is_written_while_a_segment_is_taken_beside_the_turns_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    with devices(1, backend=backend) as (laptop,), newcomers(tmp_path, backend) as newcomer:
        laptop.create_task(edda.Task(title="of the laptop"))
        tablet = newcomer(laptop)
        network = Network(laptop, tablet, defers=True)
        network.connect(laptop, tablet)
        while not (network.works and network.said(Snapshot)):
            if network.works:
                network.work()
            network.step()
        tablet.create_task(edda.Task(title="meanwhile"))
        network.committed(tablet)
        network.run()
        while network.works:
            network.work()
            network.run()
        titles = [sorted(task.title for task in each.query_tasks(edda.TaskQuery())) for each in (laptop, tablet)]
        assert titles == [["meanwhile", "of the laptop"]] * 2
        assert tablet.digest() == laptop.digest()

"""Births: many lives of a device are taken late and never refused, and many actors block nobody."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth, Change, Header, decode_header
from edda_sync.engine.engine import StorageEngine
from edda_sync.ledger.admission import Admitted
from edda_sync.store.seams import StoreWriter
from edda_sync.sync.messages import Ack, Changes, Heads, Hello
from edda_sync.sync.vouchers import Vouched
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import DiskFullError
from edda_sync.workspace.actor import new_life
from tests.sync.network import Network, name_of
from tests.sync.newcomers import BY_LOG, BY_SEGMENT, is_provisional, met, newcomers, segments_taken

KEY, OTHER = b"k" * 32, b"o" * 32


# --- how many, how fast -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def three(request: pytest.FixtureRequest) -> Iterator[tuple[StorageEngine, ...]]:
    with devices(3, backend=request.param) as engines:
        yield engines


def live(engine: StorageEngine, count: int) -> None:
    """Let a device begin so many lives, and write one change in each."""
    for number in range(count):
        engine.store.transact(lambda tx: new_life(tx, engine.writing.random(16)))
        engine.store.transact(lambda tx, number=number: write(engine, tx, f"in life {number}"))  # type: ignore[misc]


def write(engine: StorageEngine, tx: StoreWriter, title: str) -> None:
    from edda_sync.changes.drafts import Put
    from edda_sync.crdt.entity import OWN_TIME

    draft = Put.of("task", engine.writing.random(16), {"title": title, "created_at": OWN_TIME})
    engine.ledger.commit(tx, [draft], 1)


def test_lives_beyond_the_rate_come_late_and_are_not_refused(
    three: tuple[StorageEngine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BIRTHS_MAX", 3)
    laptop, phone, tablet = three
    live(laptop, 10)
    tablet.create_task(edda.Task(title="of the tablet"))
    network = Network(laptop, phone, tablet)
    network.connect(laptop, phone)
    network.connect(tablet, phone)
    while not network.said(Changes, laptop):
        assert network.step()
    assert network.step()
    held = [len(phone.frontier())]
    while network.step():
        if len(phone.frontier()) != held[-1]:
            held.append(len(phone.frontier()))
    assert network.errors == []
    assert network.now >= 3 * limits.BIRTHS_WINDOW_S, "ten lives take four windows"
    assert max(later - earlier for earlier, later in itertools.pairwise(held)) <= 3 + 1
    assert phone.frontier() == laptop.frontier() | tablet.frontier()
    assert (name_of(phone), name_of(laptop)) in network.proved


def test_whoever_drops_and_comes_back_brings_no_more_lives_than_before(
    three: tuple[StorageEngine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BIRTHS_MAX", 2)
    laptop, phone, _ = three
    before = len(phone.frontier())
    live(laptop, 9)
    network = Network(laptop, phone)
    for _ in range(4):
        network.connect(laptop, phone)
        network.run_until_said(Ack, len(network.said(Ack)) + 1)
        network.cut(laptop, phone)
    assert len(phone.frontier()) == before + 2
    network.connect(laptop, phone)
    network.run()
    assert phone.frontier() == laptop.frontier()


def test_lives_that_the_disk_refused_count_for_nothing_and_come_again(
    three: tuple[StorageEngine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BIRTHS_MAX", 5)
    laptop, phone, _ = three
    live(laptop, 4)
    network = Network(laptop, phone)
    with monkeypatch.context() as full:
        full.setattr(Vouched, "keep", no_room)
        for _ in range(3):
            network.connect(laptop, phone)
            while not network.errors:
                assert network.step()
            assert isinstance(network.errors.pop(), DiskFullError)
            network.cut(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    assert phone.frontier() == laptop.frontier()
    assert network.now < limits.BIRTHS_WINDOW_S


def no_room(*_: object) -> None:
    raise DiskFullError("no room")


def test_a_peer_that_brought_too_many_lives_is_asked_again_once_and_as_soon_as_there_is_room(
    three: tuple[StorageEngine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BIRTHS_MAX", 3)
    laptop, phone, _ = three
    live(laptop, 8)
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run()
    assert phone.frontier() == laptop.frontier()
    assert [each.again for each in network.said(Ack, phone)].count(True) == 2, "eight lives, of which three at a time"
    assert 2 * limits.BIRTHS_WINDOW_S <= network.now < 3 * limits.BIRTHS_WINDOW_S


def test_what_was_not_taken_since_lives_come_too_fast_is_not_sent_back(
    three: tuple[StorageEngine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another peer may bring it meanwhile; the one that sent it still counts as holding it."""
    monkeypatch.setattr(limits, "BIRTHS_MAX", 2)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1)
    laptop, phone, tablet = three
    network = Network(laptop, phone, tablet)
    network.connect(laptop, phone)
    network.run()
    live(laptop, 5)
    own = laptop.frontier().keys() - phone.frontier().keys()
    sync(laptop, tablet)
    network.committed(laptop)
    while network.on_its_way:
        assert network.step()
    network.connect(phone, tablet)
    network.run()
    assert phone.frontier() == laptop.frontier()
    given = [each for each in network.heard if each.sender == name_of(phone) and isinstance(each.message, Changes)]
    back = {decode_header(raw).actor for each in given for raw, _ in each.message.changes}  # type: ignore[union-attr]
    assert len(own) == 5
    assert back.isdisjoint(own), "both others had them before"


def test_while_lives_come_late_all_else_of_other_devices_goes_on(
    three: tuple[StorageEngine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BIRTHS_MAX", 2)
    laptop, phone, tablet = three
    live(laptop, 9)
    network = Network(laptop, phone, tablet)
    network.connect(laptop, phone)
    network.run_until_said(Changes, 1)
    assert network.step()
    network.connect(tablet, phone)
    tablet.create_task(edda.Task(title="of the tablet"))
    network.committed(tablet)
    while "of the tablet" not in {task.title for task in phone.query_tasks(edda.TaskQuery())}:
        assert network.step()
    assert network.now < limits.BIRTHS_WINDOW_S
    network.run()
    assert phone.frontier() == laptop.frontier() | tablet.frontier()


# --- many actors ------------------------------------------------------------------------------------------------------

MANY, PAGE = 1_500, 300


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StorageEngine, StorageEngine, Path]]:
    """A laptop with many lives, and a phone that knew it before."""
    with devices(2, backend="memory") as (laptop, phone):
        laptop.store.transact(lambda tx: many_lives(laptop, tx, MANY))
        yield laptop, phone, tmp_path_factory.mktemp("crowd")


def many_lives(engine: StorageEngine, tx: StoreWriter, count: int) -> None:
    """Write the first, empty change of many lives, each of which continues the founder's."""
    fold = engine.ledger.fold(tx)
    (head,) = tx.log.heads().values()
    for number in range(count):
        birth = Birth(engine.identity.public_key, number.to_bytes(16, "big"), head.actor, head.seq, head.hash)
        actor = changes.actor_of(changes.encode_birth(birth))
        ext = changes.header_ext(1, birth=birth)
        header = Header(1, actor, 1, (), 0, 0, changes.hash_part(b""), changes.NO_HASH, ext)
        change = Change(header, changes.encode_header(header), b"")
        assert engine.ledger.admit(tx, fold, change) is Admitted.APPLIED
    fold.flush()


def test_a_thousand_actors_and_more_say_hello_in_pages_and_sync(
    crowd: tuple[StorageEngine, StorageEngine, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone, _ = crowd
    monkeypatch.setattr(limits, "HEADS_MAX", PAGE)
    monkeypatch.setattr(limits, "BIRTHS_MAX", MANY)
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run(steps_max=100_000)
    assert len(network.said(Hello)) == 2
    assert len(network.said(Heads, laptop)) == MANY // PAGE
    assert len(network.proved) == 2
    assert len(phone.frontier()) > MANY
    phone.create_task(edda.Task(title="by one who knows them all"))
    laptop.create_task(edda.Task(title="by one of them"))
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.run(steps_max=100_000)
    assert len(network.said(Heads)) >= 2 * (MANY // PAGE)
    assert network.said(Changes)
    assert len(network.proved) == 2
    assert laptop.digest() == phone.digest()


@pytest.mark.parametrize("segment", [True, False])
def test_a_thousand_actors_and_more_are_brought_to_a_newcomer_by_log_and_by_segment(
    crowd: tuple[StorageEngine, StorageEngine, Path], monkeypatch: pytest.MonkeyPatch, segment: bool
) -> None:
    laptop, _, folder = crowd
    monkeypatch.setattr(limits, "BIRTHS_MAX", 2 * MANY)
    monkeypatch.setattr(limits, "HEADS_MAX", PAGE)
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT if segment else BY_LOG)
    with newcomers(folder, "memory") as newcomer:
        tablet = newcomer(laptop)
        network = met(tablet, laptop)
        assert bool(segments_taken(network)) == segment
        assert is_provisional(tablet) is None
        assert len(network.proved) == 2
        assert tablet.frontier() == laptop.frontier()
        tablet.create_task(edda.Task(title="by the newcomer"))
        sync(laptop, tablet)
        assert tablet.digest() == laptop.digest()

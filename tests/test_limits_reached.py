"""
Every limit of the wire is kept by the writer: a store that reaches one says hello, serves a newcomer, and goes on.

Each case writes as much as it may, and then more: the writer refuses that, and a reader never has to. Limits that no test
can reach are made smaller.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.crdt.operation import Touch
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Ack, Behind, Changes, Heads, SignedHead
from edda_sync.testing import devices, sync
from edda_sync.transport.identity import Identity
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError, LimitError
from edda_sync.workspace.actor import new_life
from edda_sync.workspace.welcome import DeviceCard
from tests.attacks.liar import Liar, Line
from tests.sync.network import Network
from tests.sync.newcomers import BY_LOG, BY_SEGMENT, begin_with_segment, is_provisional, met, newcomers, segments_taken
from tests.sync.test_births import many_lives

Pair = tuple[StorageEngine, StorageEngine]
Write = Callable[[StorageEngine], object]


@pytest.fixture
def two() -> Iterator[Pair]:
    with devices(2, backend="memory") as (laptop, phone):
        yield laptop, phone


def goes_on(
    laptop: StorageEngine, phone: StorageEngine, folder: Path, patch: pytest.MonkeyPatch, *, segment: bool = True
) -> None:
    """Let a store at a limit sync, serve a newcomer with a segment and one with the log, and let all write again."""
    sync(laptop, phone)
    assert (laptop.refused(), phone.refused(), phone.waiting()) == (0, 0, 0)
    with newcomers(folder, "memory") as newcomer:
        for saves_min in (BY_SEGMENT, BY_LOG):
            patch.setattr(limits, "SEGMENT_SAVES_US_MIN", saves_min)
            tablet = newcomer(laptop)
            network = met(tablet, laptop)
            assert bool(segments_taken(network)) == (segment and saves_min == BY_SEGMENT)
            assert is_provisional(tablet) is None
            assert len(network.proved) == 2
            for engine in (tablet, phone, laptop):
                engine.create_task(edda.Task(title="goes on"))
            for engine in (tablet, phone, tablet):
                sync(engine, laptop)
            assert laptop.digest() == phone.digest() == tablet.digest()
            assert (tablet.refused(), laptop.refused()) == (0, 0)


# --- what a transaction writes ----------------------------------------------------------------------------------------


class Case(NamedTuple):
    """Limits that are made smaller, what reaches them, and what exceeds them."""

    smaller: dict[str, int]
    most: Write
    more: Write


def task(**fields: object) -> Write:
    """Make a task with these fields."""
    return lambda engine: engine.create_task(edda.Task(**{"title": "at a limit", **fields}))  # type: ignore[arg-type]


def document(content: str) -> Write:
    """Make a document."""
    return lambda engine: engine.create_document(edda.Document(title="at a limit", content=content))


def many(count: int) -> Write:
    """Make a number of tasks in one transaction, each with one operation."""

    def work(engine: StorageEngine) -> None:
        with engine.begin_transaction() as tx:
            for number in range(count):
                tx.create_task(edda.Task(title=f"task {number}"))

    return work


def by(agent: str, reason: str) -> Write:
    """Write as an agent, and say why."""

    def work(engine: StorageEngine) -> None:
        with engine.begin_transaction(agent=agent, reason=reason) as tx:
            tx.create_task(edda.Task(title="at a limit"))

    return work


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def typed(count: int) -> Write:
    """Type a number of units of this device into a text, of which few stay."""

    def work(engine: StorageEngine) -> None:
        document_id = engine.create_document(edda.Document(title="at a limit", content="start"))
        for at in range(0, count, 25):
            engine.edit_text(document_id, "content", [(5, 0 if at == 0 else 25, "y" * min(25, count - at))])

    return work


METADATA = "x" * (1024 * 1024 - 2)  # in quotes, the largest value
CASES = {
    "a title": Case({}, task(title="t" * limits.TITLE_CODE_POINTS_MAX), task(title="t" * 501)),
    "a text": Case({}, document("x" * limits.TEXT_BYTES_MAX), document("x" * (limits.TEXT_BYTES_MAX + 1))),
    "a name": Case({}, task(tags={"t" * limits.NAME_CODE_POINTS_MAX}), task(tags={"t" * 201})),
    "a key": Case({}, task(metadata={"k" * limits.KEY_CODE_POINTS_MAX: 1}), task(metadata={"k" * 257: 1})),
    "a value": Case({}, task(metadata={"k": METADATA}), task(metadata={"k": METADATA + "x"})),
    "the nesting of a value": Case(
        {}, task(metadata={"k": nested(limits.JSON_DEPTH_MAX)}), task(metadata={"k": nested(limits.JSON_DEPTH_MAX + 1)})
    ),
    "the digits of a number": Case(
        {}, task(metadata={"k": 10 ** (limits.JSON_DIGITS_MAX - 1)}), task(metadata={"k": 10**limits.JSON_DIGITS_MAX})
    ),
    "a reason": Case({}, by("a" * 200, "\U0001f642" * limits.REASON_CODE_POINTS_MAX), by("a", "r" * 2_001)),
    "the cells of an entity": Case(
        {"ENTITY_CHANGE_CELLS_MAX": 40},
        task(metadata={f"k{number}": number for number in range(36)}),  # beside title, status, priority and time
        task(metadata={f"k{number}": number for number in range(41)}),
    ),
    "the bytes of an entity": Case(
        {},
        task(metadata={f"k{number}": METADATA[:-200] for number in range(4)}),
        task(metadata={f"k{number}": METADATA for number in range(4)}),
    ),
    "an operation": Case(
        {"OPERATION_BYTES_MAX": 5_000},
        task(description="d" * 4_000),
        task(description="d" * 5_000),
    ),
    "the operations of a change": Case({"CHANGE_OPERATIONS_MAX": 50}, many(50), many(51)),
    "the bytes of a change": Case(
        {"CHANGE_BYTES_MAX": 40_000, "PART_BYTES_MAX": 8_000},
        task(description="d" * 39_000),
        task(description="d" * 40_001),
    ),
    "the units of a life in a text": Case({"TEXT_CLOCK_MAX": 100}, typed(100), typed(101)),
    "the edit of a text": Case(
        {"TEXT_UPDATE_BYTES_MAX": 4_000}, typed(3_000), lambda engine: replaced(engine, "z" * 4_001)
    ),
}


def replaced(engine: StorageEngine, content: str) -> None:
    """Rewrite a text as a whole."""
    document_id = engine.create_document(edda.Document(title="at a limit", content="start"))
    found = engine.get_document(document_id)
    assert found is not None
    found.content = content
    engine.update_document(found)


@pytest.mark.parametrize("name", CASES)
def test_writes_at_a_limit_reach_everybody_and_larger_ones_are_refused_by_the_writer(
    two: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    laptop, phone = two
    for limit, value in CASES[name].smaller.items():
        monkeypatch.setattr(limits, limit, value)
    CASES[name].most(laptop)
    before = laptop.digest()
    with pytest.raises((LimitError, InvalidValueError)):
        CASES[name].more(laptop)
    if name != "the units of a life in a text" and name != "the edit of a text":  # those wrote before they went too far
        assert laptop.digest() == before, "the refused write left no trace"
    goes_on(laptop, phone, tmp_path, monkeypatch)


# --- who there is -----------------------------------------------------------------------------------------------------


def small_frames(patch: pytest.MonkeyPatch) -> None:
    """Let few heads fill a frame."""
    for name, value in {
        "FRAME_BYTES_MAX": 16 * 1024, "PART_BYTES_MAX": 6 * 1024, "BATCH_BYTES_MAX": 6 * 1024, "HEADS_MAX": 130,
        "BIRTHS_MAX": 1 << 30, "DEPS_MAX": 30,
    }.items():  # fmt: skip
        patch.setattr(limits, name, value)


@pytest.mark.parametrize("segment", [True, False])
def test_more_actors_than_any_message_could_name_sync_and_serve_a_newcomer(
    two: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segment: bool
) -> None:
    laptop, phone = two
    small_frames(monkeypatch)
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT if segment else BY_LOG)
    count = 800  # each takes 22 bytes in an acknowledgement: no frame holds them
    laptop.store.transact(lambda tx: many_lives(laptop, tx, count))
    with newcomers(tmp_path, "memory") as newcomer:
        tablet = newcomer(laptop)
        network = met(tablet, laptop)
        assert bool(segments_taken(network)) == segment
        assert len(network.proved) == 2
        assert is_provisional(tablet) is None
        assert len(network.said(Heads)) >= count // limits.HEADS_MAX
        assert sum(len(each.moved) == limits.HEADS_MAX for each in network.said(Ack)) >= (5 if segment else 0)
        assert (len(network.said(Behind)) > count // limits.HEADS_MAX) == segment
        tablet.create_task(edda.Task(title="by the newcomer"))
        sync(laptop, tablet)
        sync(laptop, phone)
        assert laptop.digest() == tablet.digest() == phone.digest()


def test_the_largest_workspace_admits_no_more_devices_and_goes_on(
    two: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone = two
    monkeypatch.setattr(limits, "MEMBERS_MAX", 4)  # with the two that will join
    guests = [Identity.create() for _ in range(3)]
    cards = [DeviceCard(guest.certificate, f"device {at}", guest.sealing_keys) for at, guest in enumerate(guests)]
    for card in cards[:2]:
        laptop.welcome(card)
    with pytest.raises(LimitError, match="the number of devices"):
        laptop.welcome(cards[2])
    assert len(laptop.members()) == 4
    monkeypatch.setattr(limits, "MEMBERS_MAX", 6)
    goes_on(laptop, phone, tmp_path, monkeypatch)


def test_a_workspace_goes_on_with_one_device_too_many_after_two_members_let_in_the_last_one_at_once(
    two: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone = two
    monkeypatch.setattr(limits, "MEMBERS_MAX", 3)
    with newcomers(tmp_path, "memory") as newcomer:
        guests = [newcomer(laptop), newcomer(phone)]
        for _ in range(2):
            for host, guest in ((laptop, guests[0]), (laptop, phone), (phone, guests[1])):
                guest.create_task(edda.Task(title="by each of them"))
                sync(host, guest)
        sync(guests[0], guests[1])
        for engine in (laptop, phone, *guests):
            if engine is not laptop:
                sync(engine, laptop)
            assert len(engine.members()) == 4
            assert len(engine.reading.certificates()) == 4
            assert (engine.refused(), engine.digest()) == (0, laptop.digest())
        for host in (laptop, phone):
            with pytest.raises(LimitError, match="the number of devices"):
                newcomer(host)


@pytest.mark.parametrize(
    "sealing_keys", [((1, b"k" * 31),), ((1, b"k" * 2_049),), ((0, b"k" * 32),), ((1, b"k" * 32),) * 9]
)
def test_a_device_with_a_record_that_nobody_would_take_is_not_made_a_member(
    two: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sealing_keys: tuple[tuple[int, bytes], ...]
) -> None:
    laptop, phone = two
    identity = Identity.create()
    with pytest.raises(InvalidValueError):
        laptop.welcome(DeviceCard(identity.certificate, "guest", sealing_keys))
    assert len(laptop.members()) == 2
    most = tuple((suite, b"k" * limits.SEALING_KEY_BYTES_MAX) for suite in range(65_528, 65_536))
    laptop.welcome(DeviceCard(identity.certificate, "guest", most))
    sync(laptop, phone)
    assert (laptop.refused(), phone.refused()) == (0, 0)
    assert len(phone.members()) == 3


def test_a_life_that_depends_on_more_than_a_header_names_serves_a_newcomer(
    two: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone = two
    monkeypatch.setattr(limits, "DEPS_MAX", 3)
    for number in range(10):
        laptop.store.transact(lambda tx: new_life(tx, laptop.writing.random(16)))
        laptop.create_task(edda.Task(title=f"in life {number}"))
    phone.create_task(edda.Task(title="apart"))
    goes_on(laptop, phone, tmp_path, monkeypatch)


def test_the_first_change_on_a_segment_of_more_lives_than_a_header_names_reaches_everybody(
    two: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone = two
    monkeypatch.setattr(limits, "BIRTHS_MAX", 1 << 30)
    monkeypatch.setattr(limits, "HEADER_BYTES_MAX", 16 * 1024)
    monkeypatch.setattr(limits, "DEPS_MAX", 256)
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    with newcomers(tmp_path, "memory") as newcomer:
        tablet, watch = newcomer(laptop), newcomer(laptop)
        laptop.store.transact(lambda tx: many_lives(laptop, tx, 460))  # all named at once: 17 KB
        begin_with_segment(laptop, tablet)
        tablet.create_task(edda.Task(title="on a segment", tags={"work"}))
        with tablet.store.read() as reader:
            assert all(len(reader.log.read(at).raw) < limits.HEADER_BYTES_MAX for at in reader.log.positions_after({}))
        network = met(tablet, laptop)
        assert len(network.proved) == 2
        assert is_provisional(tablet) is None
        assert len(tablet.query_tasks(edda.TaskQuery(tags=["work"]))) == 1
        assert len(met(watch, tablet).proved) == 2
        watch.create_task(edda.Task(title="by who began with its segment"))
        for engine in (watch, phone, watch):
            sync(engine, laptop)
        assert laptop.digest() == phone.digest() == watch.digest()


# --- what travels -----------------------------------------------------------------------------------------------------


def test_a_store_too_large_for_a_segment_gives_its_log(
    two: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, _ = two
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 2_000)
    monkeypatch.setattr(limits, "SEGMENT_PARTS_MAX", 4)
    for number in range(8):
        laptop.create_task(edda.Task(title=f"task {number}", description=os.urandom(700).hex()))
    with newcomers(tmp_path, "memory") as newcomer:
        for _ in range(2):
            tablet = newcomer(laptop)
            network = met(tablet, laptop)
            assert segments_taken(network) == set()
            assert len(network.proved) == 2
    with laptop.store.read() as reader:
        assert reader.blobs.unreferenced() == [], "nothing is left of the one that was too large"


def ahead(liar: Liar, count: int) -> Changes:
    """A change, and a signature over a later one, which is never sent, the given number of changes further on."""
    first = liar.change([Touch("task", os.urandom(16))], deps=liar.deps_but_parent() if liar.seq == 0 else ())
    seq, digest, way = liar.seq, liar.hash, [os.urandom(32) for _ in range(count)]
    for header_hash in way:
        digest = changes.hash_change(digest, header_hash)
    signed = liar.identity.sign(changes.signed_message(liar.workspace, liar.actor, seq + count, digest))
    return Changes((first,), (SignedHead(liar.actor, seq + count, signed, b"".join(way)),))


def test_signatures_at_the_largest_distance_from_what_they_vouch_for_are_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with devices(3, backend="memory") as (laptop, phone, tablet):
        line = Line(Liar(tablet), laptop)
        for _ in range(5):  # 256 KiB each, so one frame cannot hold all of them
            line.send(ahead(Liar(tablet), forkproof.UNSIGNED_MAX - 1))
        assert line.error is None
        network = Network(laptop, phone)
        network.connect(laptop, phone)
        network.run()
        assert len(network.proved) == 2
        assert all(
            len(head.proof) <= 32 * forkproof.UNSIGNED_MAX for batch in network.said(Changes) for head in batch.heads
        )
        assert (
            phone.counts()["hidden"] + phone.counts()["tasks"] == laptop.counts()["hidden"] + laptop.counts()["tasks"]
        )
        sync(phone, tablet)
        sync(laptop, tablet)
        goes_on(laptop, phone, tmp_path, monkeypatch, segment=False)  # nobody signed the heads themselves


def test_a_signature_at_a_larger_distance_than_any_device_makes_vouches_for_nothing(two: Pair) -> None:
    laptop, phone = two
    line = Line(Liar(phone), laptop)
    line.send(ahead(Liar(phone), forkproof.UNSIGNED_MAX))
    assert line.error is not None
    assert "without a signature between" in str(line.error)
    sync(laptop, phone)


# --- what a fork proof must carry -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [limits.BIRTH_BYTES_MAX, limits.BIRTH_BYTES_MAX + 1])
def test_a_life_with_a_birth_too_large_for_a_fork_proof_is_refused_and_the_largest_allowed_one_is_proved_to_fork(
    size: int,
) -> None:
    with devices(3, backend="memory") as (laptop, phone, tablet):
        liar = Liar(tablet)
        room = size - len(changes.encode_birth(msgspec.structs.replace(liar.birth, ext=((4, bytes(3_000)),))))
        liar.be_born(ext=((4, bytes(3_000 + room)),))
        assert len(changes.encode_birth(liar.birth)) == size
        begun = liar.seq, liar.hash
        for victim in (laptop, phone):  # to each it tells another first change
            liar.seq, liar.hash = begun
            line = Line(Liar(tablet), victim)
            line.send(liar.batch(liar.change([Touch("task", os.urandom(16))], deps=liar.deps_but_parent())))
            assert (line.error is None) == (size == limits.BIRTH_BYTES_MAX)
        sync(laptop, phone)
        sync(laptop, phone)
        assert laptop.digest() == phone.digest()
        assert bool(laptop.reading.forked()) == (size == limits.BIRTH_BYTES_MAX)

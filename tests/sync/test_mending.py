"""Mending: what rotted in the log is fetched by its hash from any peer that has it, and checked by nothing but that hash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import Logged, StoreWriter
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.sync.effects import Effect, Mended
from edda_sync.sync.messages import Ack, Fetch, Found, Part
from edda_sync.testing import devices, replica_of, sync
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError
from tests.sync.copies import add, copier, meet_all
from tests.sync.network import Network, name_of

Trio = tuple[StorageEngine, StorageEngine, StorageEngine]


@pytest.fixture(params=["memory", "sqlite"])
def trio(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trio]:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 4_000)
    with devices(3, backend=request.param) as (laptop, phone, tablet):
        laptop.create_task(edda.Task(title="Buy milk", description="and eggs"))
        with laptop.begin_transaction() as tx:
            for number in range(60):
                tx.create_task(edda.Task(title=f"large {number}", description=f"{number}" * 100))
        phone.create_task(edda.Task(title="of the phone"))
        laptop.create_task(edda.Task(title="after it"))
        meet_all([laptop, phone, tablet])
        yield laptop, phone, tablet


def position(engine: StorageEngine, *, large: bool) -> int:
    """The position of the change that created a task with a known title."""
    with engine.store.read() as reader:
        for at in reader.log.positions_after({}):
            logged = reader.log.read(at)
            if (not logged.body and next(iter(reader.log.parts(at)), b"")) if large else b"Buy milk" in logged.body:
                return at
    raise AssertionError("no such change")


def log_of(engine: StorageEngine) -> list[tuple[Logged, list[bytes]]]:
    """Everything that a store has of its log, rotten or not."""
    with engine.store.read() as reader:
        return [(reader.log.read(at), list(reader.log.parts(at))) for at in reader.log.positions_after({})]


def rot_body(engine: StorageEngine) -> None:
    change_log(engine, False, lambda logged: logged._replace(body=logged.body.replace(b"milk", b"mule")))


def rot_header(engine: StorageEngine) -> None:
    change_log(engine, False, lambda logged: logged._replace(raw=flipped(logged.raw, 30)))


def rot_header_beyond_reading(engine: StorageEngine) -> None:
    change_log(engine, False, lambda logged: logged._replace(raw=b"\xc1" + logged.raw[1:]))


def rot_hash(engine: StorageEngine) -> None:
    change_log(engine, False, lambda logged: logged._replace(hash=flipped(logged.hash, 3)))


def rot_large_header(engine: StorageEngine) -> None:
    change_log(engine, True, lambda logged: logged._replace(raw=flipped(logged.raw, 60)))


def rot_part(engine: StorageEngine) -> None:
    at = position(engine, large=True)

    def work(tx: StoreWriter) -> None:
        part = tx.log.part(at, 1)
        assert part is not None
        tx.log.replace_part(at, 1, flipped(part, 7))

    engine.store.transact(work)


def rot_much(engine: StorageEngine) -> None:
    for rot in (rot_part, rot_body):
        rot(engine)


def rot_types(engine: StorageEngine) -> None:
    """Make text of bytes, which is no text, and a number of others, as a bit in the head of a row does."""
    small = position(engine, large=False)
    if not isinstance(engine.store, SqliteStore):  # in memory, nothing has a type in its head
        rot_body(engine)
        return
    with closing(engine.store.connect()) as connection:
        connection.execute("UPDATE _log SET body = CAST(body || x'ff' AS TEXT) WHERE position = ?", (small,))
        connection.execute("UPDATE _log SET raw = 5 WHERE position = ?", (small,))


ROTS: list[Callable[[StorageEngine], None]] = [
    rot_body, rot_header, rot_header_beyond_reading, rot_hash, rot_large_header, rot_part, rot_much,
    rot_types,
]  # fmt: skip


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def change_log(engine: StorageEngine, large: bool, changed: Callable[[Logged], Logged]) -> None:
    at = position(engine, large=large)
    engine.store.transact(lambda tx: tx.log.replace(changed(tx.log.read(at))))


class Told(Network):
    """A network that notes what was mended."""

    def __init__(self, *engines: StorageEngine) -> None:
        self.mended: list[Mended] = []
        super().__init__(*engines)

    def _do(self, here: str, effects: list[Effect]) -> None:
        self.mended += [effect for effect in effects if isinstance(effect, Mended)]
        super()._do(here, effects)

    def fetch(self, engine: StorageEngine) -> None:
        """Let a device ask peers for what rotted."""
        self._do(name_of(engine), self.replicas[name_of(engine)].fetch(self.now))
        self.run()


@pytest.mark.parametrize("rot", ROTS)
def test_what_rotted_is_fetched_from_a_peer_and_mended(trio: Trio, rot: Callable[[StorageEngine], None]) -> None:
    laptop, phone, tablet = trio
    rot(phone)
    assert not all(finding.sound for finding in doctor.check(phone))
    network = Told(phone, tablet)
    network.connect(phone, tablet)
    network.run()
    network.fetch(phone)
    assert sum(effect.changes for effect in network.mended) == (2 if rot is rot_much else 1)
    assert network.errors == []
    assert replica_of(phone).exchange.mending.wanted() is None
    phone.rebuild()
    assert [finding for finding in doctor.check(phone) if not finding.sound] == []
    assert phone.digest() == laptop.digest()
    add("life goes on")(phone)
    sync(phone, tablet)


@pytest.mark.parametrize("rot", ROTS)
def test_a_log_that_rotted_is_never_folded(trio: Trio, rot: Callable[[StorageEngine], None]) -> None:
    _, phone, _ = trio
    with phone.store.read() as reader:
        keys = [record.key for record in reader.states.scan()]
    before = phone.digest(), phone.table("tasks")
    rot(phone)
    with pytest.raises(CorruptError):
        phone.rebuild()
    with pytest.raises(CorruptError):
        phone.refold(keys)
    assert (phone.digest(), phone.table("tasks")) == before


def test_nothing_is_asked_for_while_nothing_rotted(trio: Trio) -> None:
    for engine in trio:
        assert replica_of(engine).exchange.mending.wanted() is None
        assert replica_of(engine).fetch(0.0) == []


def test_what_rotted_is_named_by_the_hash_that_it_must_have(trio: Trio) -> None:
    laptop, phone, _ = trio
    at = position(phone, large=False)
    with phone.store.read() as reader:
        sound = reader.log.read(at)
    for rot in (rot_body, rot_header, rot_hash):
        rot(phone)
        wanted = replica_of(phone).exchange.mending.wanted()
        assert wanted == Fetch(((sound.actor, sound.seq, sound.hash),))
        phone.store.transact(lambda tx: tx.log.replace(sound))
    assert laptop.digest() == phone.digest()


def test_a_peer_whose_own_copy_rotted_gives_none_and_another_one_does(trio: Trio) -> None:
    laptop, phone, tablet = trio
    rot_body(phone)
    rot_body(tablet)
    network = Told(phone, tablet)
    network.connect(phone, tablet)
    network.run()
    network.fetch(phone)
    assert network.mended == []
    assert network.said(Found) == []
    network = Told(phone, tablet, laptop)
    network.connect(phone, tablet)
    network.connect(phone, laptop)
    network.run()
    network.fetch(phone)
    assert [effect.changes for effect in network.mended] == [1]
    phone.rebuild()
    assert phone.digest() == laptop.digest()


def test_what_is_not_what_was_asked_for_is_not_taken(trio: Trio) -> None:
    laptop, phone, _ = trio
    rot_body(phone)
    mending = replica_of(phone).exchange.mending
    with laptop.store.read() as reader:
        sound = reader.log.read(position(laptop, large=False))
        other = reader.log.read(reader.log.position())
    before, held = mending.wanted(), log_of(phone)
    for raw, body in (
        (sound.raw, sound.body.replace(b"milk", b"silk")),
        (flipped(sound.raw, 30), sound.body),
        (other.raw, other.body),
        (sound.raw, b""),
    ):
        assert mending.take(Found(((raw, body),))) == 0
        assert mending.wanted() == before
        assert log_of(phone) == held, "what is left of it may be all that anybody has"
    assert mending.take(Found(((other.raw, other.body), (sound.raw, sound.body)))) == 1
    assert mending.wanted() is None
    assert mending.take(Found(((sound.raw, sound.body),))) == 0, "again is nothing"


def test_a_part_that_is_not_what_was_asked_for_is_not_taken(trio: Trio) -> None:
    laptop, phone, _ = trio
    at = position(phone, large=True)
    rot_part(phone)
    mending = replica_of(phone).exchange.mending
    with laptop.store.read() as reader:
        logged = reader.log.read(position(laptop, large=True))
        parts = list(reader.log.parts(logged.position))
    held = log_of(phone)
    for number, data in ((1, flipped(parts[1], 9)), (0, parts[1]), (99, parts[1]), (1, parts[0])):
        assert mending.take_part(Part(logged.actor, logged.seq, number, data)) == 0
        assert log_of(phone) == held, "the parts that are sound stay so"
    assert mending.take_part(Part(logged.actor, logged.seq, 0, parts[0])) == 0, "that one is sound, and the other not"
    assert mending.take_part(Part(logged.actor, logged.seq, 1, parts[1])) == 1
    with phone.store.read() as reader:
        assert list(reader.log.parts(at)) == parts


def test_a_large_change_that_rotted_comes_a_frame_at_a_time_within_the_window(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, phone, tablet = trio
    rot_part(phone)
    network = Told(phone, tablet)
    network.connect(phone, tablet)
    network.run()
    network.heard.clear()
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 1)
    wanted = replica_of(phone).exchange.mending.wanted()
    assert wanted is not None
    network._do(name_of(phone), network.replicas[name_of(phone)].fetch(network.now))
    while network.step():
        assert sum(isinstance(said.message, Part) for said in network.heard) <= 1 + len(network.said(Ack, phone))
    assert len(network.said(Part)) > 2
    assert [effect.changes for effect in network.mended] == [1]


def test_no_more_is_asked_for_at_once_than_a_message_may(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FETCHED_MAX", 1)
    laptop, phone, _ = trio
    rot_much(phone)
    network = Told(phone, laptop)
    network.connect(phone, laptop)
    network.run()
    for left in (1, 0):
        network.fetch(phone)
        wanted = replica_of(phone).exchange.mending.wanted()
        assert (wanted is not None) == bool(left)
    phone.rebuild()
    assert phone.digest() == laptop.digest()


def test_what_rotted_of_a_branch_is_mended_as_any_other_change(trio: Trio, tmp_path: Path) -> None:
    laptop, phone, tablet = trio
    with copier(tmp_path) as copy:
        twin = copy(laptop)
        add("Buy one")(laptop)
        with twin.begin_transaction() as tx:
            for number in range(60):
                tx.create_task(edda.Task(title=f"branch {number}", description=f"{number}" * 100))
        sync(laptop, phone)
        sync(twin, tablet)
        meet_all([laptop, twin, phone, tablet])
        with phone.store.read() as reader:
            ats = reader.log.positions_after({})
            one = next(at for at in ats if b"Buy one" in reader.log.read(at).body)
            large = next(
                at for at in ats if not reader.log.read(at).body and b"branch" in next(iter(reader.log.parts(at)), b"")
            )

        def rot(tx: StoreWriter) -> None:
            logged = tx.log.read(one)
            tx.log.replace(logged._replace(body=logged.body.replace(b"one", b"own")))
            tx.log.replace_part(large, 0, b"rotten")

        phone.store.transact(rot)
        network = Told(phone, tablet)
        network.connect(phone, tablet)
        network.run()
        network.fetch(phone)
        assert sum(effect.changes for effect in network.mended) == 2
        phone.rebuild()
        assert phone.digest() == tablet.digest()

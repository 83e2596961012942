"""Unpacking: a run brings what it holds, in any order and any number of times, and a false one brings nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import run as runs
from edda_sync.sync.messages import Pull
from edda_sync.sync.packing import Packed
from edda_sync.sync.wire import Codec
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import RemoteMismatchError, RemoteProtocolError
from tests.sync.copies import copier
from tests.sync.newcomers import newcomers
from tests.sync.packed import pack, unpack

Pair = tuple[StorageEngine, StorageEngine]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with devices(2, backend="memory") as (laptop, phone):
        yield laptop, phone


def increments(engine: StorageEngine, count: int) -> list[Packed]:
    """So many runs, each with one task more than the one before."""
    packed = [pack(engine)[-1]]
    for number in range(count):
        engine.create_task(edda.Task(title=f"Task {number}"))
        packed += pack(engine, packed[-1].header.heads)
    return packed[1:]


def test_both_directions_by_stick_make_two_devices_equal(pair: Pair) -> None:
    laptop, phone = pair
    laptop.create_task(edda.Task(title="From the laptop"))
    phone.create_task(edda.Task(title="From the phone"))
    unpack(phone, pack(laptop))
    unpack(laptop, pack(phone))
    assert phone.digest() == laptop.digest()


@given(order=st.lists(st.integers(0, 3), min_size=4, max_size=14))
@settings(max_examples=25, deadline=None)
def test_runs_may_come_in_any_order_and_any_number_of_times(order: list[int]) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        packed = increments(laptop, 4)
        reached = 0
        for number in order:
            (came,) = unpack(phone, [packed[number]])
            assert came.is_early == (number > reached)
            assert came.applied == (number == reached)
            reached += number == reached
        unpack(phone, packed)
        assert phone.digest() == laptop.digest()


def test_a_fork_is_proved_by_the_runs_that_show_it(pair: Pair, tmp_path: Path) -> None:
    """A copy of the laptop wrote as the laptop does; whoever takes both their runs keeps both, as if they had talked."""
    laptop, phone = pair
    with copier(tmp_path) as copy:
        twin = copy(laptop)
        laptop.create_task(edda.Task(title="From the laptop"))
        twin.create_task(edda.Task(title="From the copy"))
        for one, other in ((phone, laptop), (phone, twin), (laptop, phone), (twin, phone), (phone, laptop)):
            unpack(one, pack(other))
        assert {task.title for task in phone.query_tasks(edda.TaskQuery())} == {"From the laptop", "From the copy"}
        assert laptop.digest() == phone.digest() == twin.digest()


def test_a_store_with_forks_of_forks_gives_all_of_them_in_one_run(tmp_path: Path) -> None:
    """Each fork is proved once its chain is here, and another chain, which forks as well, comes only then."""
    with devices(3, backend="memory") as (laptop, phone, tablet), copier(tmp_path) as copy:
        first, second = copy(laptop), copy(phone)
        for number, each in enumerate((laptop, first, phone, second)):
            each.create_task(edda.Task(title=f"Task {number}"))
        for each in (laptop, phone, first, second) * 3:
            sync(tablet, each)
        third = copy(tablet)
        for number, each in enumerate((tablet, third), 4):
            each.create_task(edda.Task(title=f"Task {number}"))
        for each in (laptop, third) * 3:
            sync(phone, each)
            sync(phone, tablet)
        assert {task.title for task in phone.query_tasks(edda.TaskQuery())} == {f"Task {number}" for number in range(6)}
        with newcomers(tmp_path, "memory") as new:
            watch = new(phone)
            unpack(watch, pack(phone))
            assert watch.digest() == phone.digest()


def test_a_run_of_another_workspace_is_refused(pair: Pair) -> None:
    with devices(1, backend="memory") as (stranger,), pytest.raises(RemoteMismatchError, match="another workspace"):
        unpack(pair[0], pack(stranger))


def resigned(engine: StorageEngine, packed: Packed, frames: list[bytes]) -> Packed:
    """A run with other frames, signed by a device that lies."""
    changed = msgspec.structs.replace(packed.header, frames=len(frames), hash=runs.hash_frames(frames), signature=b"")
    header = msgspec.structs.replace(changed, signature=engine.identity.sign(runs.signed_header(changed)))
    return Packed(header, runs.write(header, frames))


def test_a_header_that_its_maker_did_not_sign_is_refused_before_anything_is_taken(pair: Pair) -> None:
    laptop, phone = pair
    laptop.create_task(edda.Task(title="Buy milk"))
    (packed,) = pack(laptop)
    frames = list(runs.read([packed.data]).frames)
    false = msgspec.structs.replace(packed.header, made_ms=0)
    before = phone.frontier()
    with pytest.raises(RemoteProtocolError, match="did not sign"):
        unpack(phone, [Packed(false, runs.write(false, frames))])
    assert phone.frontier() == before


def test_a_maker_that_lies_can_do_no_more_than_a_peer_that_lies(pair: Pair) -> None:
    laptop, phone = pair
    laptop.create_task(edda.Task(title="Buy milk"))
    (packed,) = pack(laptop)
    frames = list(runs.read([packed.data]).frames)
    before = phone.frontier()
    for false in ([Codec().encode(Pull())], [b"\0nonsense"], [frames[-1][:-1]], [frames[-1].replace(b"milk", b"wine")]):
        with pytest.raises(RemoteProtocolError):
            unpack(phone, [resigned(laptop, packed, false)])
        assert phone.frontier() == before


def test_a_device_that_hears_of_another_by_a_run_takes_what_that_one_wrote(pair: Pair, tmp_path: Path) -> None:
    laptop, phone = pair
    with newcomers(tmp_path, "memory") as join:
        tablet = join(laptop)
        sync(laptop, tablet)
        tablet.create_task(edda.Task(title="From the tablet"))
        (came,) = unpack(phone, pack(tablet))
        assert came.members
        assert phone.digest() == tablet.digest()


def test_a_half_received_large_change_is_completed_by_the_next_run(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, phone = pair
    monkeypatch.setattr(limits, "RUN_BYTES_MAX", 600_000)
    laptop.create_document(edda.Document(title="Large", content="".join(chr(33 + n % 89) for n in range(1_700_000))))
    packed = pack(laptop)
    assert len(packed) > 2
    for each in packed:
        unpack(phone, [each])
        unpack(phone, [each])
    assert phone.digest() == laptop.digest()

"""Bundles: changes by stick, in both directions, safe to repeat, in any order; a damaged one brings nothing."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.backup import bundle
from edda_sync.backup.bundle import Contents
from edda_sync.backup.source import Source
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments.run import Heads
from edda_sync.sync.unpacking import Unpacked
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import BackupError, BackupKeyError, DamagedBackupError, EddaError, NewerBackupError

Pair = tuple[StorageEngine, StorageEngine]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with devices(2, backend="memory") as (laptop, phone):
        laptop.create_task(edda.Task(title="From the laptop"))
        phone.create_task(edda.Task(title="From the phone"))
        yield laptop, phone


def made(engine: StorageEngine, since: Heads = ()) -> bytes:
    file = io.BytesIO()
    source = Source(engine)
    bundle.write(file, source.packing, source.objects, since)
    return file.getvalue()


def contents(engine: StorageEngine, data: bytes) -> Contents:
    source = Source(engine)
    return bundle.contents(io.BytesIO(data), source.objects, source.unpacking, "x.edda")


def take(engine: StorageEngine, data: bytes) -> Unpacked:
    contents(engine, data)
    source = Source(engine)
    return bundle.take(io.BytesIO(data), source.objects, source.unpacking, "x.edda")


def test_a_function_that_is_told_and_raises_ends_no_bundle(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    def tell(_what: object) -> None:
        raise RuntimeError("of the program")

    laptop, phone = pair
    file, source = io.BytesIO(), Source(laptop)
    bundle.write(file, source.packing, source.objects, (), tell)
    file.seek(0)
    source = Source(phone)
    assert bundle.take(file, source.objects, source.unpacking, "x.edda", tell).applied == 1
    assert len(caplog.records) == 2


def test_two_sticks_make_two_devices_equal_and_twice_does_no_harm(pair: Pair) -> None:
    laptop, phone = pair
    there = made(laptop)
    assert take(phone, there).applied == 1
    assert take(phone, there).applied == 0
    back = made(phone, contents(phone, there).heads)
    assert contents(laptop, back).changes == 1
    assert take(laptop, back).applied == 1
    assert laptop.digest() == phone.digest()


def test_it_says_what_it_holds_before_it_is_taken(pair: Pair) -> None:
    laptop, phone = pair
    before = phone.frontier()
    held = contents(phone, made(laptop))
    assert held.maker == laptop.identity.public_key
    assert {name: seq for name, seq, _ in held.heads} == laptop.frontier()
    assert held.changes == laptop.counts()["changes"]
    assert phone.frontier() == before


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_in_whatever_order_and_however_often_bundles_come_both_hold_everything_in_the_end(data: st.DataObject) -> None:
    with devices(2, backend="memory") as both:
        sticks: list[tuple[int, bytes]] = []  # whose they are, and the bundles
        for number in range(data.draw(st.integers(2, 5))):
            who = data.draw(st.integers(0, 1))
            both[who].create_task(edda.Task(title=f"Task {number}"))
            of_other = [stick for other, stick in sticks if other != who]
            since = data.draw(st.sampled_from([None, *of_other]))
            sticks.append((who, made(both[who], () if since is None else contents(both[who], since).heads)))
        sticks += [(who, made(engine)) for who, engine in enumerate(both)]  # at last, one of everything by each
        for who, stick in data.draw(st.permutations(sticks + sticks[:3])):
            before = both[1 - who].counts()["changes"]
            with contextlib.suppress(BackupError):  # it continues what is not here yet
                take(both[1 - who], stick)
            assert both[1 - who].counts()["changes"] >= before
        assert both[0].digest() == both[1].digest()


def test_one_that_continues_another_waits_for_it(pair: Pair) -> None:
    laptop, phone = pair
    first = made(laptop)
    laptop.create_task(edda.Task(title="Later"))
    second = made(laptop, contents(laptop, first).heads)
    with pytest.raises(BackupError, match="import an earlier bundle first"):
        take(phone, second)
    take(phone, first)
    assert take(phone, second).applied == 1


def test_a_large_store_goes_in_several_parts(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RUN_BYTES_MAX", 1_000)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 300)
    laptop, phone = pair
    for number in range(20):
        laptop.create_task(edda.Task(title=f"Task {number} with a long title"))
    assert take(phone, made(laptop)).applied == 21


def test_what_a_device_held_when_it_was_proved_equal_is_left_out(pair: Pair) -> None:
    laptop, phone = pair
    sync(laptop, phone)
    count = standing.count(laptop.frontier())
    laptop.create_task(edda.Task(title="Later"))
    data = made(laptop, bundle.heads_when_equal(laptop, count))
    assert contents(laptop, data).changes == 1
    take(phone, data)
    assert laptop.digest() == phone.digest()


def test_each_damaged_byte_and_each_cut_is_found_before_anything_is_taken(pair: Pair) -> None:
    laptop, phone = pair
    data = made(laptop)
    before = phone.frontier()
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 4
        for spoilt in (bytes(changed), data[:at]):
            advice = "is no bundle" if at < len(bundle.MAGIC) - 1 else "copy it again"
            with pytest.raises(EddaError, match="another format" if at == len(bundle.MAGIC) - 1 else advice):
                contents(phone, spoilt)
    with pytest.raises(DamagedBackupError):
        contents(phone, data + b"x")
    assert phone.frontier() == before


def test_what_is_no_bundle_of_this_workspace_or_format_is_told_apart(pair: Pair) -> None:
    laptop, _ = pair
    data = made(laptop)
    with devices(1, backend="memory") as (stranger,), pytest.raises(BackupKeyError, match="another workspace"):
        contents(stranger, data)
    with pytest.raises(BackupError, match="is no bundle"):
        contents(laptop, b"hello world")
    with pytest.raises(NewerBackupError):
        contents(laptop, data[:8] + b"\x02" + data[9:])
    with pytest.raises(DamagedBackupError, match="holds nothing"):
        contents(laptop, _empty())


def _empty() -> bytes:
    from hashlib import blake2b

    data = bundle.MAGIC + bytes(4)
    return data + blake2b(data, digest_size=32).digest()

"""Packing: what is packed is all that somebody lacks, and nothing that may not be given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import run as runs
from edda_sync.testing import devices, sync
from edda_sync.transport.identity import verify
from edda_sync.words import limits
from edda_sync.words.errors import UsageError
from tests.sync.newcomers import begin_with_segment, newcomers
from tests.sync.packed import pack, unpack

Pair = tuple[StorageEngine, StorageEngine]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with devices(2, backend="memory") as (laptop, phone):
        yield laptop, phone


def test_a_run_says_what_it_holds_and_its_maker_signs_that(pair: Pair) -> None:
    laptop, _ = pair
    laptop.create_task(edda.Task(title="Buy milk"))
    (packed,) = pack(laptop)
    header = packed.header
    assert header.workspace == laptop.workspace
    assert header.maker == laptop.identity.public_key
    assert verify(header.maker, header.signature, runs.signed_header(header))
    assert {name: seq for name, seq, _ in header.heads} == laptop.frontier()
    assert header.content.hex() == laptop.digest()
    assert header.since == ()
    assert header.changes == laptop.counts()["changes"]


def test_of_what_somebody_holds_already_nothing_is_packed(pair: Pair) -> None:
    laptop, _ = pair
    for number in range(100):
        laptop.create_task(edda.Task(title=f"Task {number}"))
    (first,) = pack(laptop)
    laptop.create_task(edda.Task(title="Buy milk"))
    (second,) = pack(laptop, first.header.heads)
    assert second.header.since == first.header.heads
    assert second.header.changes == 1
    assert len(second.data) < 1_000
    (third,) = pack(laptop, second.header.heads)
    assert third.header.changes == 0
    assert third.header.heads == second.header.heads


def test_runs_are_cut_and_each_continues_the_one_before(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, phone = pair
    monkeypatch.setattr(limits, "RUN_BYTES_MAX", 2_000)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 500)
    for number in range(40):
        laptop.create_task(edda.Task(title=f"Task {number} with a long title"))
    packed = pack(laptop)
    assert len(packed) > 3
    assert [each.header.since for each in packed] == [(), *(each.header.heads for each in packed[:-1])]
    assert [bool(each.header.content) for each in packed] == [False] * (len(packed) - 1) + [True]
    assert sum(each.applied for each in unpack(phone, packed)) == 40
    assert phone.digest() == laptop.digest()


def test_a_large_change_goes_along_in_several_runs(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, phone = pair
    monkeypatch.setattr(limits, "RUN_BYTES_MAX", 600_000)
    laptop.create_task(edda.Task(title="Before"))
    laptop.create_document(edda.Document(title="Large", content="".join(chr(33 + n % 89) for n in range(1_700_000))))
    laptop.create_task(edda.Task(title="After"))
    packed = pack(laptop)
    assert len(packed) > 2
    unpack(phone, packed)
    assert phone.digest() == laptop.digest()


def test_what_others_wrote_is_packed_with_what_vouches_for_it(pair: Pair) -> None:
    laptop, phone = pair
    phone.create_task(edda.Task(title="From the phone"))
    sync(laptop, phone)
    (packed,) = pack(laptop)
    assert packed.header.content.hex() == phone.digest()


def test_nothing_is_packed_before_the_log_behind_a_segment_is_here(pair: Pair, tmp_path: Path) -> None:
    laptop, _ = pair
    laptop.create_task(edda.Task(title="Buy milk"))
    with newcomers(tmp_path, "memory") as join:
        newcomer = join(laptop)
        begin_with_segment(laptop, newcomer)
        with pytest.raises(UsageError, match="still fetching"):
            pack(newcomer)


def test_what_a_newcomer_wrote_before_it_met_anybody_is_not_packed_and_this_is_said(pair: Pair, tmp_path: Path) -> None:
    """It rests on the change that let the newcomer in, so an empty run would pass for a backup of it."""
    laptop, _ = pair
    with newcomers(tmp_path, "memory") as newcomer:
        early = newcomer(laptop)
        early.create_task(edda.Task(title="Before it met anybody"))
        with pytest.raises(UsageError, match="sync with another device first"):
            pack(early)
        sync(early, laptop)
        assert sum(each.header.changes for each in pack(early)) == early.counts()["changes"]

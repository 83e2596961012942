"""The chunks of attached files on a simulated disk."""

from __future__ import annotations

import pytest

from edda_sync.files.chunks import name_of
from edda_sync.simulations.chunks import SimulatedChunks
from edda_sync.simulations.tape import Draws, Tape
from edda_sync.words.errors import DiskFullError

NAMES = 12


def losing() -> Draws:
    return Tape(1).source("power")


def added(chunks: SimulatedChunks, *, settles: bool) -> list[bytes]:
    with chunks.adding() as adding:
        names = [adding.add(b"chunk %d" % number) for number in range(NAMES)]
        if settles:
            adding.settle()
    return names


def test_a_name_that_was_settled_outlives_a_power_failure_and_others_may_not() -> None:
    safe, loose = SimulatedChunks(lambda: 0.0), SimulatedChunks(lambda: 0.0)
    for chunks in (safe, loose):
        names = added(chunks, settles=chunks is safe)
        chunks.lose_power(losing())
        assert all(chunks.is_sound(name) or not chunks.has(name) for name in names)
    assert len(safe.packed) == NAMES
    assert 0 < len(loose.packed) < NAMES
    before = dict(loose.packed)
    loose.lose_power(losing())  # what has outlived one is safe
    assert loose.packed == before


def test_whoever_keeps_a_chunk_settles_it_too() -> None:
    chunks = SimulatedChunks(lambda: 0.0)
    names = added(chunks, settles=False)
    with chunks.adding() as adding:
        assert all(adding.keep(name) for name in names)
        assert not adding.keep(bytes(32))
        adding.settle()
    chunks.lose_power(losing())
    assert len(chunks.packed) == NAMES


def test_power_fails_before_and_after_a_chunk_has_its_name_and_before_and_after_it_is_safe() -> None:
    chunks, points = SimulatedChunks(lambda: 0.0), list[int]()
    chunks.point = lambda: points.append(len(chunks.packed))
    with chunks.adding() as adding:
        adding.add(b"one")
        adding.settle()
    assert points == [0, 1, 1, 1]


def test_a_full_disk_takes_no_chunk() -> None:
    chunks = SimulatedChunks(lambda: 0.0)
    chunks.is_full = lambda: True
    with chunks.adding() as adding, pytest.raises(DiskFullError):
        adding.add(b"one")
    assert not chunks.packed


def test_what_rotted_or_vanished_is_spoiled_until_it_is_added_again_and_safe() -> None:
    chunks = SimulatedChunks(lambda: 0.0)
    one, other, *_ = added(chunks, settles=True)
    chunks.rot(one)
    chunks.vanish(other)
    assert chunks.spoiled == {one, other}
    assert not chunks.is_sound(one)
    assert not chunks.has(other)
    for seed in range(20):
        added(chunks, settles=False)
        assert not chunks.spoiled
        chunks.lose_power(Tape(seed).source("power"))  # which takes some names, and what was before is back
        assert {name for name in (one, other) if not chunks.is_sound(name)} == chunks.spoiled
        if chunks.spoiled:
            break
        chunks.rot(one)
        chunks.vanish(other)
    assert chunks.spoiled
    added(chunks, settles=True)
    chunks.lose_power(losing())
    assert not chunks.spoiled
    assert chunks.is_sound(one)


def test_a_copy_has_the_same_and_goes_its_own_way() -> None:
    first, second = SimulatedChunks(lambda: 7.0), SimulatedChunks(lambda: 9.0)
    names = added(first, settles=True)
    second.copy(first)
    first.vanish(names[0])
    assert second.is_sound(names[0])
    assert second.kept(name_of(b"chunk 0")) is not None

"""What waits keeps what comes after it from being refused: alike whenever, and with whatever else, it is folded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edda_sync import doctor
from edda_sync.crdt.entity import key_of
from edda_sync.engine import StorageEngine
from edda_sync.testing import devices, replica_of, sync
from tests.attacks.liar import Liar, Line

TASK, THING = b"t" * 16, b"x" * 16
BAD: list[Any] = [1, "task", TASK, {"title": 5}]
UNHEARD: list[Any] = [1, "gadget", THING, {}]
MALFORMED: list[Any] = [4, "gadget"]  # about nothing that can be read
NEWER_CELL: list[Any] = [1, "task", TASK, {"unheard": 1}]
SOUND: list[Any] = [1, "task", TASK, {"title": "T"}]


@pytest.fixture
def engines() -> Iterator[tuple[StorageEngine, StorageEngine]]:
    with devices(2, backend="memory") as (a, liar):
        yield a, liar


@pytest.mark.parametrize(
    ("operations", "refused", "waiting"),
    [
        ([BAD, UNHEARD], 1, 1),
        ([UNHEARD, BAD], 0, 2),
        ([BAD, UNHEARD, BAD], 1, 2),
        ([SOUND, BAD, NEWER_CELL, BAD, UNHEARD, BAD], 1, 4),
        ([MALFORMED, UNHEARD, MALFORMED, BAD], 1, 3),
        ([BAD, MALFORMED, UNHEARD], 2, 1),
    ],
)
def test_of_one_change_only_what_comes_before_an_operation_lets_it_wait(
    engines: tuple[StorageEngine, StorageEngine], operations: list[Any], refused: int, waiting: int
) -> None:
    a, member = engines
    liar = Liar(member)
    line = Line(liar, a)
    line.send(liar.batch(liar.change(operations)))
    assert line.error is None
    assert (a.refused(), a.waiting()) == (refused, waiting)
    before = a.digest()
    for keys in (
        [key_of("task", TASK)],
        [key_of("workspace", bytes(16))],
        [key_of("task", TASK), key_of("workspace", bytes(16))],
    ):
        a.refold(keys)
        assert (a.digest(), a.refused(), a.waiting()) == (before, refused, waiting)
    a.rebuild()
    assert (a.digest(), a.refused(), a.waiting()) == (before, refused, waiting)
    assert not [finding for finding in doctor.check(a) if not finding.sound]


def test_a_later_change_waits_with_what_its_past_says_and_a_concurrent_one_does_not(
    engines: tuple[StorageEngine, StorageEngine],
) -> None:
    a, member = engines
    one, other = Liar(member), Liar(member)
    Line(one, a).send(one.batch(one.change([SOUND]), one.change([BAD, UNHEARD]), one.change([BAD])))
    Line(other, a).send(other.batch(other.change([BAD])))
    assert (a.refused(), a.waiting()) == (2, 2)
    before = a.digest()
    a.refold([key_of("task", TASK)])
    assert (a.digest(), a.refused(), a.waiting()) == (before, 2, 2)
    sync(a, member)
    assert replica_of(a).exchange.proof() == replica_of(member).exchange.proof()


def test_a_proof_reads_what_waits_once_a_change_and_not_once_an_operation(
    engines: tuple[StorageEngine, StorageEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, member = engines
    liar = Liar(member)
    Line(liar, a).send(liar.batch(liar.change([UNHEARD] * 500), liar.change([UNHEARD] * 500)))
    assert a.waiting() == 1_000
    read = list[int]()
    with a.store.read() as reader:
        whole = type(reader).logged

    def logged(self: Any, position: int) -> Any:
        read.append(position)
        return whole(self, position)

    monkeypatch.setattr(type(reader), "logged", logged)
    replica_of(a).exchange.proof()
    assert len(read) <= 2

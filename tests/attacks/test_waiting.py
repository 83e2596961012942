"""An operation that waits keeps later ones from being refused, no matter when and with what else they are folded."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.crdt import records
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Put, Touch
from edda_sync.crdt.records import DeviceRecord, device_entity
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import Head
from edda_sync.sync.messages import Changes
from edda_sync.testing import devices, replica_of, sync
from edda_sync.transport.identity import Identity
from tests.attacks.liar import Liar, Line

TASK, THING = b"t" * 16, b"x" * 16
BAD: list[Any] = [1, "task", TASK, {"title": 5}]
UNHEARD: list[Any] = [1, "gadget", THING, {}]
MALFORMED: list[Any] = [4, "gadget"]  # nobody can read which entity it is about
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
def test_within_a_change_only_earlier_operations_make_an_operation_wait(
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


def test_a_later_change_waits_if_something_in_its_past_waits_and_a_concurrent_change_does_not(
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


def test_a_proof_reads_what_waits_once_for_each_change_and_not_for_each_operation(
    engines: tuple[StorageEngine, StorageEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, member = engines
    liar = Liar(member)
    Line(liar, a).send(liar.batch(liar.change([UNHEARD] * 500), liar.change([UNHEARD] * 500)))
    assert a.waiting() == 1_000
    read = list[int]()
    with a.store.read() as reader:
        kind = type(reader.log)
    whole = kind.read

    def counted(self: Any, position: int) -> Any:
        read.append(position)
        return whole(self, position)

    monkeypatch.setattr(kind, "read", counted)
    replica_of(a).exchange.proof()
    assert len(read) <= 2


# --- a device that only a newer version can tell is a member ----------------------------------------------------------


def newcomer_of(liar: Liar, ext: dict[int, bytes] | None) -> tuple[tuple[bytes, bytes], Liar]:
    """Let a liar add a device in a change that may contain more; return the change, and the device's first life."""
    newcomer = copy.copy(liar)
    newcomer.identity = Identity.create()
    added = DeviceRecord(
        newcomer.identity.public_key, newcomer.identity.certificate, (), "member", liar.identity.public_key
    )  # fmt: skip
    device = device_entity(newcomer.identity.public_key)
    made = liar.change([Put("device", device, {"name": "new", "record": records.encode(added)})], ext=ext)
    newcomer._parent = Head(liar.actor, liar.seq, liar.hash, b"", b"", 0, b"")
    newcomer.be_born()
    newcomer.seq, newcomer.hash = 0, changes.NO_HASH
    return made, newcomer


@pytest.mark.parametrize("at_once", [True, False])
def test_a_device_added_by_a_change_that_only_a_newer_version_reads_is_passed_over_until_that_version(
    engines: tuple[StorageEngine, StorageEngine], monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    a, member = engines
    liar, other = Liar(member), Liar(member)
    first = liar.change([Touch("document", TASK)])
    adding, newcomer = newcomer_of(liar, {7: b"of a newer version"})
    told = [liar.batch(first, adding)]
    for operation in (Put("task", TASK, {"title": "by the newcomer"}), Touch("task", TASK)):
        told.append(newcomer.batch(newcomer.change([operation], deps=[])))
    told.append(other.batch(other.change([Put("task", THING, {"title": "by somebody else"})])))
    if at_once:
        told = [
            Changes(
                tuple(one for each in told for one in each.changes), tuple(one for each in told for one in each.heads)
            )
        ]
    line = Line(other, a)
    for batch in told:
        line.send(batch)
    assert line.error is None
    assert [task.title for task in a.query_tasks(edda.TaskQuery())] == ["by somebody else"]
    assert a.waiting() == 1
    monkeypatch.setattr(changes, "_UNDERSTOOD", changes._UNDERSTOOD | {7})
    a.rebuild()
    again = Line(other, a)
    for batch in told:
        again.send(batch)
    assert again.error is None
    assert {task.title for task in a.query_tasks(edda.TaskQuery())} == {"by somebody else", "by the newcomer"}
    assert a.waiting() == 0


def test_a_stranger_is_refused_even_if_something_outside_its_past_waits(
    engines: tuple[StorageEngine, StorageEngine],
) -> None:
    a, member = engines
    waits, liar = Liar(member), Liar(member)
    Line(waits, a).send(waits.batch(waits.change([UNHEARD])))
    stranger = copy.copy(liar)
    stranger.identity = Identity.create()
    stranger.be_born()
    line = Line(liar, a)
    line.send(stranger.batch(stranger.change([Touch("task", TASK)])))
    assert line.error is not None
    assert "not a member" in str(line.error)

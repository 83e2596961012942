"""What a member writes under its own name never ends anybody's listings, talks or proofs of equality."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.crdt.records import device_entity
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words import values
from tests.attacks.liar import Liar, Line

Engines = tuple[StorageEngine, StorageEngine, StorageEngine]


@pytest.fixture
def engines() -> Iterator[Engines]:
    with devices(3) as (a, b, c):
        yield a, b, c


def dot_of(engine: StorageEngine) -> tuple[bytes, int]:
    return max(engine.frontier().items())


def strange(task: bytes, device: bytes, dot: tuple[bytes, int]) -> dict[str, list[Any]]:
    """Operations that fit no type, by the fault of each."""
    actor, seq = dot
    return {
        "a float for a seq": [3, "device", device, [[actor, float(seq)]]],
        "a bool for a seq": [3, "task", task, [[actor, True]]],
        "an infinite seq": [3, "task", task, [[actor, math.inf]]],
        "a seq of zero": [3, "task", task, [[actor, 0]]],
        "a negative seq": [3, "task", task, [[actor, -1]]],
        "a seq beyond all": [3, "task", task, [[actor, 1 << 63]]],
        "an int for an actor": [3, "task", task, [[7, 1]]],
        "a text for an actor": [3, "task", task, [["a" * 16, 1]]],
        "a short actor": [3, "task", task, [[b"a" * 15, 1]]],
        "a pair of three": [3, "task", task, [[actor, seq, seq]]],
        "pairs twice": [3, "task", task, [[actor, seq], [actor, seq]]],
        "a map for pairs": [3, "task", task, {actor: seq}],
        "a bool for a code": [True, "task", task, {"title": "x"}],
        "a float for a code": [1.0, "task", task, {"title": "x"}],
        "a number for a title": [1, "task", task, {"title": 5}],
        "bytes for a title": [1, "task", task, {"title": b"x"}],
        "a bool for a priority": [1, "task", task, {"priority": True}],
        "a float for a priority": [1, "task", task, {"priority": 2.0}],
        "False for a time": [1, "task", task, {"created_at": False}],
        "a float for a time": [1, "task", task, {"created_at": 0.0}],
        "a status of three": [1, "task", task, {"status": ["done", "2026-01-01T00:00:00.000Z", 1]}],
        "a status of nothing": [1, "task", task, {"status": []}],
        "a parent of 15 bytes": [1, "task", task, {"parent_id": b"p" * 15}],
        "one for a tag": [1, "task", task, {"tag." + values.id_text(task): 1}],
        "a cell named by bytes": [1, "task", task, {b"title": "x"}],
        "a field too many": [4, "task", task, 1],
        "a field too few": [1, "task", task],
        "an id of 15 bytes": [4, "task", task[:15]],
        "an id of text": [4, "task", "a" * 16],
        "an edit of a field that is no text": [2, "task", task, "title", b"g" * 16, b""],
        "an edit with a number for its genesis": [2, "task", task, "description", 1, b""],
        "an edit with text for its bytes": [2, "task", task, "description", b"g" * 16, "x"],
        "a device that is deleted": [3, "device", device, [[actor, seq]]],
        "a workspace that is deleted": [3, "workspace", bytes(16), [[actor, seq]]],
    }


NAMES = sorted(strange(b"t" * 16, b"d" * 16, (b"a" * 16, 1)))


@pytest.mark.parametrize("name", NAMES)
def test_an_operation_that_fits_no_type_is_refused_everywhere_and_ends_nothing(engines: Engines, name: str) -> None:
    a, b, c = engines
    task = a.create_task(edda.Task(title="Buy milk", tags={"home"}))
    sync(a, c)
    sync(a, b)
    liar = Liar(c)
    wrong = strange(values.id_bytes("id", task), device_entity(b.identity.public_key), dot_of(a))[name]
    line = Line(liar, a)
    line.send(liar.batch(liar.change([wrong])))
    assert line.error is None
    sync(a, b)  # an honest device passes it on, and both are proved equal all the same
    assert a.refused() == b.refused() == 1
    assert a.waiting() == b.waiting() == 0
    for engine in (a, b):
        assert [each.title for each in engine.query_tasks(edda.TaskQuery())] == ["Buy milk"]
        assert len(engine.members()) == len(engine.reading.certificates()) == 3
        assert engine.trash("task") == []
        assert engine.conflicts() == []
        assert engine.reading.scrub(limit=10_000) == ([], None)
        assert [each for each in doctor.check(engine) if not each.sound] == []
    before = a.digest()
    a.rebuild()
    assert a.digest() == before
    found = a.get_task(task)
    assert found is not None
    found.title = "Buy oat milk"
    a.update_task(found)  # and the task can be written on
    sync(a, b)
    assert a.digest() == b.digest()


def test_bytes_that_are_no_operation_at_all_are_refused_and_belong_to_the_workspace(engines: Engines) -> None:
    a, b, c = engines
    liar = Liar(c)
    line = Line(liar, a)
    pieces = [b"\x00\x00\x00\x01\xc1", b"\x00\x00\x00\x02\x92\x01", b"\x00\x00\x00\x03\xa2ab"]
    line.send(liar.batch(liar.change(pieces)))
    assert line.error is None
    sync(a, b)
    assert a.refused() == b.refused() == len(pieces)
    assert a.digest() == b.digest()


@pytest.mark.parametrize(
    "newer",
    [
        [9, "task", b"t" * 16, "what a newer version says"],
        [1, "folder", b"f" * 16, {"title": "x"}],
        [1, "task", b"t" * 16, {"mood": "x"}],
    ],
)
def test_what_a_newer_version_writes_waits_and_is_not_refused(engines: Engines, newer: list[Any]) -> None:
    a, _, c = engines
    liar = Liar(c)
    line = Line(liar, a)
    line.send(liar.batch(liar.change([newer])))
    assert line.error is None
    assert (a.waiting(), a.refused()) == (1, 0)


def test_a_header_with_an_odd_number_that_nobody_knows_waits_and_one_with_an_even_number_does_not(
    engines: Engines,
) -> None:
    a, _, c = engines
    liar = Liar(c)
    line = Line(liar, a)
    put = [1, "task", b"t" * 16, {"title": "x"}]
    line.send(liar.batch(liar.change([put], ext={100: b"may be passed over"})))
    assert a.waiting() == 0
    assert [each.title for each in a.query_tasks(edda.TaskQuery())] == ["x"]
    line.send(liar.batch(liar.change([[1, "task", b"u" * 16, {"title": "y"}]], ext={101: b"must be understood"})))
    assert line.error is None
    assert a.waiting() == 1
    assert [each.title for each in a.query_tasks(edda.TaskQuery())] == ["x"]

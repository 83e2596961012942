"""Entities too large for one piece of a store, told in halves: devices stay equal, and all see them as overfull (H5)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Put, Touch
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Changes
from edda_sync.testing import devices, pair, sync
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import LimitError
from edda_sync.words.values import id_bytes
from tests.attacks.liar import Liar, Line
from tests.sync.copies import assert_equal, shown
from tests.sync.newcomers import BY_SEGMENT, begin_with_segment, is_provisional, met, newcomers

ROOM = 20_000
Engines = tuple[StorageEngine, ...]
NEWER: list[Any] = [9, "task", b"t" * 16, "what only a newer version reads"]
MALFORMED: list[Any] = [1, "task", b"t" * 16, {"title": 5}]


@pytest.fixture(params=["memory", "sqlite"])
def engines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engines]:
    monkeypatch.setattr(limits, "ENTITY_BYTES_MAX", ROOM)
    monkeypatch.setattr(limits, "ENTITY_LIFE_BYTES_MAX", ROOM * 2 // 3)
    with devices(3, backend=str(request.param)) as made:
        yield made


def life(member: StorageEngine, task: str, number: int) -> tuple[Liar, Changes]:
    """A life of a member that fills a third of an entity, and adds operations that nobody can read."""
    liar, entity = Liar(member), id_bytes("id", task)
    half = '"' + "x" * (ROOM // 3) + '"'
    made = liar.change([Put("task", entity, {f"metadata.k{number}": half}), Touch("task", entity)])
    newer = [NEWER[0], "task", entity, NEWER[3]]
    return liar, liar.batch(made, liar.change([newer, [1, "task", entity, {"title": 5}]]))


def tell(told: tuple[Liar, Changes], *victims: StorageEngine) -> None:
    for victim in victims:
        line = Line(told[0], victim)
        line.send(told[1])
        assert line.error is None


def write_without_end(engine: StorageEngine, note: str) -> None:
    for number in itertools.count():
        engine.edit_text(note, "content", [(0, 0, f"{number} " * 200)])
        engine.update_document(edda.Document(id=note, title=f"Note {number}"))


def test_two_halves_by_four_lives_told_to_two_devices_leave_all_devices_equal(engines: Engines) -> None:
    a, b, c = engines
    task = a.create_task(edda.Task(title="a task", description="words"))
    beside = a.create_task(edda.Task(title="beside", parent_id=task))
    sync(a, b)
    sync(a, c)
    lives = [life(c, task, number) for number in range(4)]
    for number, told in enumerate(lives):
        tell(told, (a, b)[number // 2])
    for engine in (a, b):
        assert engine.reading.overfull() == []
        assert engine.get_task(task) is not None
        assert engine.waiting() == 4
    sync(a, b)  # raises what would close a link
    for engine in (a, b):
        assert engine.reading.overfull() == [("task", task)]
        assert engine.get_task(task) is None
        assert (engine.refused(), engine.waiting()) == (0, 0)
    a.update_task(edda.Task(id=beside, title="goes on"))
    b.create_task(edda.Task(title="new"))
    sync(a, b)
    sync(b, c)
    sync(a, c)
    assert_equal([a, b, c])
    found = c.get_task(beside)
    assert found is not None
    assert (found.title, found.parent_id) == ("goes on", None)
    later = life(c, task, 5)
    tell(later, a)
    sync(a, b)
    sync(b, c)
    assert_equal([a, b, c])


def test_a_newcomer_with_a_segment_and_one_with_the_log_hold_it_as_all_others_do(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = engines
    task = a.create_task(edda.Task(title="a task"))
    for number in range(4):
        tell(life(c, task, number), a)
    sync(a, b)
    with newcomers(tmp_path, "memory") as newcomer:
        by_log, by_segment = newcomer(a), newcomer(a)
        sync(a, b)
        met(by_log, b)
        monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
        begin_with_segment(a, by_segment)
        for each in (by_log, by_segment):
            assert each.reading.overfull() == [("task", task)]
            assert each.digest() == a.digest()
        with pytest.raises(LimitError, match="go on in a new one"):
            by_segment.create_task(edda.Task(id=task, title="once more"))
        met(by_segment, b)
        assert is_provisional(by_segment) is None
        assert_equal([a, b, by_log, by_segment])


def test_it_stays_the_same_after_a_restart_and_a_rebuild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ENTITY_BYTES_MAX", ROOM)
    with devices(1) as (c,):
        a = StorageEngine(tmp_path / "a")
        a.open_store(StorageConfig(name="a", state_path=tmp_path / "state"))
        pair(c, a)
        sync(c, a)
        task = a.create_task(edda.Task(title="a task", description="words"))
        a.edit_text(task, "description", [(0, 0, "more ")])
        sync(c, a)
        for number in range(4):
            tell(life(c, task, number), a)
        expected = shown(a)
        a.close()
        with StorageEngine(tmp_path / "a") as again:
            again.open_store(StorageConfig(state_path=tmp_path / "state"))
            assert again.reading.overfull() == [("task", task)]
            again.refold([key_of("task", id_bytes("id", task))])
            assert shown(again) == expected
            sync(again, c)
            assert_equal([again, c])


def test_an_author_who_writes_alone_is_told_beforehand_and_goes_on_in_a_new_entity(engines: Engines) -> None:
    a, b, _ = engines
    note = a.create_document(edda.Document(title="Note", content="words"))
    sync(a, b)
    for engine in (a, b, a):
        with pytest.raises(LimitError, match="go on in a new one"):
            write_without_end(engine, note)
        sync(a, b)
    found = b.get_document(note)
    assert found is not None
    assert (found.content or "").endswith("words")
    assert (a.reading.overfull(), a.refused()) == ([], 0)
    a.delete_document(note)  # it is no larger for that
    a.create_document(edda.Document(title="a new one", content="goes on"))
    sync(a, b)
    assert_equal([a, b])


def test_two_authors_who_together_wrote_more_than_it_may_hold_are_both_told_so(engines: Engines) -> None:
    a, b, _ = engines
    note = a.create_document(edda.Document(title="Note", content="words"))
    sync(a, b)
    for engine in (a, b):
        engine.edit_text(note, "content", [(0, 0, "words " * (ROOM // 11))])
    sync(a, b)
    for engine in (a, b):
        assert engine.reading.overfull() == [("document", note)]
        assert engine.trash("document") == []
        with pytest.raises(LimitError, match="what all devices wrote into one document"):
            engine.update_document(edda.Document(id=note, title="once more"))
        with pytest.raises(LimitError, match="go on in a new one"):
            engine.edit_text(note, "content", [(0, 0, "more")])
        findings = {each.check: each for each in doctor.check(engine)}
        assert f"document {note}" in findings["size"].detail
        assert all(each.sound for each in findings.values())
    assert_equal([a, b])

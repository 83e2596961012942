"""A point in time: what is restored is what the workspace had by then, and nothing that depends on later work."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.backup.proof import ProofStore
from edda_sync.backup.verifying import Verifying
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words.errors import BackupError
from tests.backup.places import Place, back_up, repository_of
from tests.sync.copies import copier, titles

BEGIN_S = 1_700_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now_s = BEGIN_S

    def __call__(self) -> float:
        return self.now_s


def restored(engine: StorageEngine, place: Place, folder: Path, at_s: float) -> list[str]:
    """The titles in the newest backup at a time, once the doctor has found that store sound."""
    repository = repository_of(engine, place)
    newest = repository.own()[-1].manifest
    assert newest is not None
    with ProofStore(folder, engine.workspace) as proof:
        proof.begin_anew()
        Verifying(repository, proof).restore(newest, int(at_s * 1_000))
        assert [finding for finding in doctor.check(proof.engine) if not finding.sound] == []
        return titles(proof.engine)


def test_each_moment_gives_what_was_there_by_then(tmp_path: Path) -> None:
    clock, place = Clock(), Place()
    with devices(1, backend="memory", now=clock) as (laptop,):
        for number in range(4):
            clock.now_s += 10
            laptop.create_task(edda.Task(title=f"Task {number}"))
        back_up(laptop, place, tmp_path / "proof")
        clock.now_s += 10
        laptop.create_document(
            edda.Document(title="Large", content="".join(chr(33 + n % 89) for n in range(1_300_000)))
        )
        laptop.create_task(edda.Task(title="Task 4"))
        back_up(laptop, place, tmp_path / "proof")
        for count in range(6):
            found = restored(laptop, place, tmp_path / "at", BEGIN_S + 10 * count + 5)
            assert found == [f"Task {number}" for number in range(count)]


@given(
    clocks=st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(-30, 60)), min_size=4, max_size=12),
    at=st.integers(0, 60),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_with_clocks_that_differ_it_is_closed_and_holds_nothing_later(
    tmp_path: Path, clocks: list[tuple[bool, bool, int]], at: int
) -> None:
    clock, place = Clock(), Place()
    with devices(2, backend="memory", now=clock) as (laptop, phone):
        made = list[tuple[str, float]]()
        for number, (whose, meets, ahead) in enumerate(clocks):
            clock.now_s = BEGIN_S + ahead
            title = f"Task {number:02}"
            (laptop if whose else phone).create_task(edda.Task(title=title))
            made.append((title, clock.now_s))
            if meets:
                sync(laptop, phone)
        sync(laptop, phone)
        back_up(laptop, place, tmp_path / "proof")
        found = restored(laptop, place, tmp_path / "at", BEGIN_S + at)
        assert set(found) <= {title for title, when in made if when <= BEGIN_S + at}
        assert restored(laptop, place, tmp_path / "at", BEGIN_S + 1_000) == titles(laptop)


def test_a_fork_at_that_time_is_told(tmp_path: Path) -> None:
    clock, place = Clock(), Place()
    with devices(2, backend="memory", now=clock) as (laptop, phone), copier(tmp_path) as copy:
        twin = copy(laptop)
        clock.now_s += 10
        laptop.create_task(edda.Task(title="From the laptop"))
        twin.create_task(edda.Task(title="From the copy"))
        for each in (laptop, twin):
            sync(each, phone)
        sync(laptop, phone)
        back_up(phone, place, tmp_path / "proof")
        assert restored(phone, place, tmp_path / "at", clock.now_s + 1) == ["From the copy", "From the laptop"]
        with pytest.raises(BackupError, match="forks at that time"):
            restored(phone, place, tmp_path / "at", clock.now_s - 5)

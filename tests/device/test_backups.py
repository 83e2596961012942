"""A running device takes its backups: when they are due, once each, at every target, and again after one failed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.device.backups import Backups, has_schedule
from edda_sync.device.happening import Happening
from edda_sync.engine import backed_up, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import pair
from edda_sync.words import limits
from edda_sync.words.errors import DiskFaultError
from tests.backup.places import Place
from tests.faulty import FaultyEngine


class Scene:
    """A store whose backups are due every hour, and a clock."""

    def __init__(self, engine: StorageEngine, now: list[float]) -> None:
        self.engine, self._now = engine, now
        self.places = [Place(), Place()]
        self.places[1].name = "elsewhere"
        self.heard: list[Happening] = []
        self.backups = Backups(
            engine, self.heard.append, lambda _store: self.places, lambda: datetime.fromtimestamp(now[0], UTC)
        )

    def after(self, minutes: float) -> list[str]:
        """What was told when the device looked so many minutes later."""
        self._now[0] += 60 * minutes
        self.heard.clear()
        asyncio.run(self.backups.look())
        return [f"{each.what}: {each.text}" for each in self.heard]

    def prove(self) -> None:
        """Note that every other device was proved equal just now."""
        changes = standing.count(self.engine.frontier())
        others = {member.device for member in self.engine.members()} - {self.engine.identity.device}
        standing.save(self.engine, {each: standing.Remembered(self._now[0], changes) for each in others})


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    now = [1_700_000_000.0]
    config = edda.StorageConfig(
        state_path=tmp_path / "state", backup_config=edda.BackupConfig(frequency=timedelta(hours=1))
    )
    engine = StorageEngine(tmp_path / "home", now=lambda: now[0])
    with engine:
        engine.open_store(config)
        engine.found()
        engine.create_task(edda.Task(title="Buy milk"))
        yield Scene(engine, now)


def test_a_backup_is_made_at_each_target_soon_after_the_start_and_then_once_an_hour(scene: Scene) -> None:
    assert has_schedule(scene.engine)
    assert scene.after(6) == [f"backup: Backup 1 at {name} is made and proved." for name in ("place", "elsewhere")]
    assert scene.after(1) == []
    scene.engine.create_task(edda.Task(title="One more"))
    assert scene.after(61) == [f"backup: Backup 2 at {name} is made and proved." for name in ("place", "elsewhere")]
    assert scene.after(300) == [], "nothing is new, so nothing is written and nothing is told"
    with scene.engine.store.read() as reader:
        assert [each.number for each in backed_up.load(reader)] == [2, 2]


def test_one_that_fails_is_told_and_tried_again_and_stops_no_other(scene: Scene) -> None:
    scene.places[0].allows = 0
    first, second = scene.after(6)
    assert first.startswith("trouble: No backup at place: The backup target 'place' cannot be used")
    assert second == "backup: Backup 1 at elsewhere is made and proved."
    with scene.engine.store.read() as reader:
        assert "no space is left" in backed_up.of(reader, "place").failed
    scene.places[0].allows = 1 << 60
    assert scene.after(1) == []
    assert scene.after(limits.BACKUP_AGAIN_S / 60) == ["backup: Backup 1 at place is made and proved."]
    with scene.engine.store.read() as reader:
        assert backed_up.of(reader, "place").failed == ""


def test_a_disk_that_cannot_be_read_for_a_while_does_not_end_all_backups(tmp_path: Path) -> None:
    config = edda.StorageConfig(
        state_path=tmp_path / "state", backup_config=edda.BackupConfig(frequency=timedelta(hours=1))
    )
    now = [1_700_000_000.0]
    with FaultyEngine(tmp_path / "home", now=lambda: now[0]) as engine:
        engine.open_store(config)
        engine.found()
        scene = Scene(engine, now)
        engine.faulty.fail("meta.get", DiskFaultError("/home/a/notes", "disk I/O error"))
        first, second = scene.after(6)
        assert first.startswith("trouble: No backup at place: ")
        assert "disk I/O error" in first
        assert second == "backup: Backup 1 at elsewhere is made and proved."
        assert scene.after(limits.BACKUP_AGAIN_S / 60) == ["backup: Backup 1 at place is made and proved."]


def test_a_device_that_ends_ends_the_backup_that_it_was_making(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backup's thread is stopped at its next step, so the process does not wait for all of a large backup."""
    monkeypatch.setattr(limits, "RUN_BYTES_MAX", 500)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 200)
    for number in range(50):
        scene.engine.create_task(edda.Task(title=f"Task {number}"))
    place = scene.places[0]
    put = place.put

    async def run() -> None:
        loop, started = asyncio.get_running_loop(), asyncio.Event()

        def slow(key: str, data: bytes) -> None:
            loop.call_soon_threadsafe(started.set)
            put(key, data)

        place.put = slow  # type: ignore[method-assign]
        looking = asyncio.ensure_future(scene.backups.look())
        await started.wait()
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking

    scene._now[0] += 360
    asyncio.run(run())  # its end waits for the thread
    assert 0 < len(place.puts) < 50


def test_a_backup_that_is_due_waits_for_the_others_for_as_long_as_is_set(waiting: Scene) -> None:
    assert waiting.after(6) == []
    assert waiting.after(59) == []
    first, second = waiting.after(2)
    assert first == (
        "backup: Backup 1 at place is made and proved. It may lack the latest of phone; another one follows once they are "
        "proved equal."
    )
    assert second.startswith("backup: Backup 1 at elsewhere")
    assert waiting.after(61) == [], "the next one is due, and waits again"
    waiting.prove()
    assert waiting.after(1) == [f"backup: Backup 2 at {name} is made and proved." for name in ("place", "elsewhere")]
    assert waiting.after(30) == []


@pytest.mark.parametrize("waiting", [edda.BackupFrequency.WEEKLY], indirect=True)  # so that no other one is due
def test_one_that_was_not_enough_is_followed_by_another_once_the_others_are_proved_equal(waiting: Scene) -> None:
    waiting.after(6)
    assert len(waiting.after(61)) == 2
    waiting.prove()
    assert waiting.after(limits.BACKUP_AGAIN_S / 60 - 1) == []
    assert len(waiting.after(2)) == 2
    with waiting.engine.store.read() as reader:
        noted = backed_up.of(reader, "place")
    assert (noted.number, noted.outstanding, noted.converged_ms) == (2, (), noted.made_ms)
    waiting.engine.create_task(edda.Task(title="One more"))
    assert waiting.after(30) == [], "the next one is not due yet"


@pytest.fixture
def waiting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A store whose backups wait an hour for another device, and are only enough with it; hourly, unless it is said."""
    now = [1_700_000_000.0]  # a Tuesday
    policy = edda.BackupConfig(
        frequency=getattr(request, "param", timedelta(hours=1)),
        wait_converged=timedelta(hours=1),
        require_converged=True,
    )
    with (
        StorageEngine(tmp_path / "home", now=lambda: now[0]) as engine,
        StorageEngine(tmp_path / "phone", now=lambda: now[0]) as phone,
    ):
        engine.open_store(edda.StorageConfig(state_path=tmp_path / "state", backup_config=policy))
        engine.found()
        phone.open_store(edda.StorageConfig(name="phone", state_path=tmp_path / "state"))
        pair(engine, phone)
        yield Scene(engine, now)


def test_without_a_frequency_nothing_runs(tmp_path: Path) -> None:
    with edda.open(tmp_path) as engine:
        assert not has_schedule(engine)

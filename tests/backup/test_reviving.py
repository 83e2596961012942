"""Reviving: a device whose store is lost goes on from a backup, and nobody loses anything, later changes included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.reviving import WHY, revive
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words.errors import BackupError
from edda_sync.workspace.members import Ring, ring
from tests.backup.places import Place, back_up, repository_of
from tests.sync.copies import titles


class Scene:
    """A laptop with a backup that then writes on, and whose store is lost; and a phone that met it in between."""

    def __init__(self, laptop: StorageEngine, phone: StorageEngine, folder: Path) -> None:
        self.laptop, self.phone, self._folder = laptop, phone, folder
        laptop.create_task(edda.Task(title="Before"))
        sync(laptop, phone)
        place = Place()
        self.backup: Manifest = back_up(laptop, place, folder / "proof").manifest
        laptop.create_task(edda.Task(title="After, and seen"))
        sync(laptop, phone)
        laptop.create_task(edda.Task(title="After, and lost"))
        self.repository = repository_of(laptop, place)
        with laptop.store.read() as reader:
            self.ring: Ring = ring(reader)
        self.made: list[StorageEngine] = []

    def revived(self, engine: StorageEngine | None = None) -> StorageEngine:
        """A new store of a device, from the laptop's backup; of the laptop by default."""
        identity = (engine or self.laptop).identity
        new = StorageEngine(self._folder / f"new{len(self.made)}")
        self.made.append(new)
        new.open_store(edda.StorageConfig(state_path=self._folder / "state"))
        new.own.use(identity)
        revive(new, self.repository, self.backup, self.ring)
        return new


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with devices(2) as (laptop, phone):
        made = Scene(laptop, phone, tmp_path)
        try:
            yield made
        finally:
            for each in made.made:
                each.close()


def sound(engine: StorageEngine) -> bool:
    return [finding for finding in doctor.check(engine) if not finding.sound] == []


def test_it_holds_what_the_backup_holds_and_gets_its_own_later_changes_from_peers(scene: Scene) -> None:
    new = scene.revived()
    assert titles(new) == ["Before"]
    assert [life["why"] for life in _lives(new)][-1:] != [WHY]  # it has not written yet
    new.create_task(edda.Task(title="In the new life"))
    scene.phone.create_task(edda.Task(title="From the phone"))
    sync(new, scene.phone)
    assert titles(new) == titles(scene.phone) == ["After, and seen", "Before", "From the phone", "In the new life"]
    assert sound(new)
    assert sound(scene.phone)


def test_the_old_store_that_turns_up_again_loses_nothing_either(scene: Scene) -> None:
    new = scene.revived()
    new.create_task(edda.Task(title="In the new life"))
    sync(new, scene.phone)
    sync(scene.laptop, scene.phone)
    sync(new, scene.phone)
    assert titles(new) == titles(scene.laptop) == ["After, and lost", "After, and seen", "Before", "In the new life"]
    assert new.digest() == scene.laptop.digest() == scene.phone.digest()


def test_a_device_that_has_never_written_goes_on_from_the_change_that_added_it(scene: Scene) -> None:
    new = scene.revived(scene.phone)
    new.create_task(edda.Task(title="From the new phone"))
    sync(new, scene.laptop)
    assert "From the new phone" in titles(scene.laptop)
    assert sound(new)


def test_a_stranger_is_told_that_it_is_no_member(scene: Scene) -> None:
    with devices(1, backend="memory") as (stranger,), pytest.raises(BackupError, match="no member of the workspace"):
        scene.revived(stranger)


def test_it_can_let_others_in(scene: Scene, tmp_path: Path) -> None:
    from tests.sync.newcomers import newcomers

    new = scene.revived()
    with newcomers(tmp_path / "newcomers", "memory") as join:
        tablet = join(new)
        sync(new, tablet)
        sync(tablet, scene.phone)
        assert tablet.digest() == scene.phone.digest()


def _lives(engine: StorageEngine) -> list[dict[str, str]]:
    from edda_sync.workspace import lives

    with engine.store.read() as reader:
        return [{"why": life.why} for life in lives.lives(reader)]

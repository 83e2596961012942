"""Verifying: a backup that holds is told from one that does not, and one that is damaged spoils no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.proof import ProofStore
from edda_sync.backup.verifying import Verifying
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices
from edda_sync.words.errors import DamagedBackupError, NoObjectError, TargetError
from tests.backup.places import Place, back_up, repository_of


class Scene:
    """Three backups, each with one task more."""

    def __init__(self, laptop: StorageEngine, folder: Path) -> None:
        self.laptop, self._folder, self.place = laptop, folder, Place()
        self.made: list[Manifest] = []
        for number in range(3):
            laptop.create_task(edda.Task(title=f"Task {number}"))
            self.made.append(back_up(laptop, self.place, folder / "proof").manifest)

    def verify(self) -> list[Exception | None]:
        with ProofStore(self._folder / "fresh", self.laptop.workspace) as proof:
            proof.begin_anew()
            found = list(Verifying(repository_of(self.laptop, self.place), proof).verify(self.made))
        assert [each.manifest for each in found] == self.made
        return [each.error for each in found]

    def key_of(self, backup: int) -> str:
        return next(key for key in self.place.held if key.endswith(self.made[backup].runs[-1].object.hex()))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with devices(1, backend="memory") as (laptop,):
        yield Scene(laptop, tmp_path)


def test_backups_that_hold_are_told_to_hold(scene: Scene) -> None:
    assert scene.verify() == [None, None, None]


def test_a_missing_part_is_told_of_the_backups_that_need_it(scene: Scene) -> None:
    del scene.place.held[scene.key_of(1)]
    first, *others = scene.verify()
    assert first is None
    assert [type(each) for each in others] == [NoObjectError, NoObjectError]


def test_each_flipped_bit_of_a_part_is_found(scene: Scene) -> None:
    key = scene.key_of(2)
    whole = scene.place.held[key]
    for bit in range(0, 8 * len(whole), len(whole) // 3):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        scene.place.held[key] = bytes(changed)
        *others, last = scene.verify()
        assert others == [None, None]
        assert isinstance(last, DamagedBackupError)


def test_parts_of_another_order_are_found(scene: Scene) -> None:
    import msgspec

    scene.made[2] = msgspec.structs.replace(scene.made[2], runs=scene.made[2].runs[::-1])
    assert scene.verify()[2] is not None


def test_a_manifest_that_says_another_content_is_found(scene: Scene) -> None:
    import msgspec

    scene.made[1] = msgspec.structs.replace(scene.made[1], content=bytes(16))
    assert [each is None for each in scene.verify()] == [True, False, True]


def test_a_place_that_does_not_answer_is_not_taken_for_a_damaged_backup(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(_key: str) -> bytes:
        raise TargetError("place", "it does not answer", "try again")

    monkeypatch.setattr(scene.place, "get", get)
    with pytest.raises(TargetError, match="does not answer"):
        scene.verify()

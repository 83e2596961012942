"""Comparing a store with a backup: each task and document that is shown differently is told, with how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup.comparing import How, differences
from tests.backup.scenes import Scene, backed_up, spoil


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with backed_up(tmp_path) as made:
        yield made


def test_what_is_different_is_told_with_its_fields(scene: Scene) -> None:
    newer = spoil(scene)
    with scene.restored() as proof:
        found = {each.id: (each.how, each.fields) for each in scene.found(proof)}
    assert found == {
        scene.milk: (How.DELETED, ()),
        scene.report: (How.CHANGED, ("title", "status", "metadata", "tags", "completed_at", "links")),
        scene.plan: (How.CHANGED, ("content",)),
        newer: (How.ONLY_HERE, ()),
    }


def test_nothing_is_different_right_after_a_backup(scene: Scene) -> None:
    with scene.restored() as proof:
        assert scene.found(proof) == []


def test_what_a_store_has_lost_is_told_from_what_it_deleted(scene: Scene) -> None:
    """Two stores of one workspace, of which one has never seen what the other wrote, and has deleted something."""
    newer = scene.laptop.create_task(edda.Task(title="The phone never heard of it"))
    scene.phone.delete_task(scene.milk)
    found = {each.id: each.how for each in differences(scene.laptop, scene.phone)}
    assert found == {newer: How.MISSING, scene.milk: How.DELETED}


def test_what_only_the_trash_or_the_history_tells_apart_is_no_difference(scene: Scene) -> None:
    scene.laptop.update_task(edda.Task(id=scene.report, title="Something else"))
    scene.laptop.update_task(edda.Task(id=scene.report, title="Write the report"))
    scene.laptop.delete_task(scene.laptop.create_task(edda.Task(title="Made and deleted")))
    with scene.restored() as proof:
        assert scene.found(proof) == []

"""Restoring into a store that lives on: by new changes, which merge with what others do meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.restoring import bring_back, make_true
from edda_sync.testing import sync
from tests.backup.places import Place
from tests.backup.scenes import Scene, backed_up, shown, spoil


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with backed_up(tmp_path) as made:
        yield made


def test_bringing_back_takes_from_the_trash_and_leaves_the_rest(scene: Scene) -> None:
    newer = spoil(scene)
    with scene.restored() as proof:
        assert bring_back(proof.engine, scene.laptop, scene.found(proof), "restored") == 1
    assert scene.laptop.get_task(scene.milk) is not None
    assert scene.laptop.get_task(newer) is not None
    report = scene.laptop.get_task(scene.report)
    assert report is not None
    assert report.title == "Something else"


def test_making_it_the_truth_gives_everything_its_values_of_then(scene: Scene) -> None:
    newer = spoil(scene)
    with scene.restored() as proof:
        assert make_true(proof.engine, scene.laptop, lambda: scene.found(proof), "restored") == 4
        assert scene.found(proof) == []
    assert shown(scene.laptop) == scene.then
    assert [task.id for task in scene.laptop.trash("task")] == [newer]


def test_a_device_that_was_away_merges_with_a_restore_as_with_any_changes(scene: Scene) -> None:
    spoil(scene)
    scene.phone.update_task(edda.Task(id=scene.report, priority=0))
    away = scene.phone.create_task(edda.Task(title="Written while away"))
    with scene.restored() as proof:
        make_true(proof.engine, scene.laptop, lambda: scene.found(proof), "restored")
    sync(scene.laptop, scene.phone)
    report = scene.phone.get_task(scene.report)
    assert report is not None
    assert (report.title, report.priority) == ("Write the report", 0)
    assert scene.laptop.get_task(away) is not None


def test_many_are_restored_in_several_changes(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from edda_sync.backup import restoring

    monkeypatch.setattr(restoring, "_AT_ONCE", 2)
    spoil(scene)
    for number in range(5):
        scene.laptop.create_task(edda.Task(title=f"Newer {number}"))
    with scene.restored() as proof:
        make_true(proof.engine, scene.laptop, lambda: scene.found(proof), "restored")
    assert shown(scene.laptop) == scene.then


def test_parents_that_have_changed_places_are_as_they_were(scene: Scene) -> None:
    """In no order of single updates is there a ring."""
    laptop = scene.laptop
    laptop.update_task(edda.Task(id=scene.milk, parent_id=scene.report))
    manager, backup = backed_up_now(scene)
    laptop.update_task(edda.Task(id=scene.milk, parent_id=None))
    laptop.update_task(edda.Task(id=scene.report, parent_id=scene.milk))
    with manager.restored(backup) as restored:
        manager.make_true(backup, restored)
    tasks = {task.id: task.parent_id for task in laptop.query_tasks(edda.TaskQuery())}
    assert tasks == {scene.milk: scene.report, scene.report: None}


def test_what_was_put_under_or_linked_to_something_that_comes_from_the_trash_is_as_it_was(scene: Scene) -> None:
    """Neither the parent nor the link is shown as long as what they lead to is in the trash, so nothing seems different."""
    laptop = scene.laptop
    note = laptop.create_document(edda.Document(title="A note"))
    bread = laptop.create_task(edda.Task(title="Bread"))
    manager, backup = backed_up_now(scene)
    then = shown(laptop)
    with laptop.begin_transaction() as tx:
        tx.update_task(edda.Task(id=bread, parent_id=scene.milk))
        tx.link(bread, note)
        tx.delete_task(scene.milk)
        tx.delete_document(note)
    with manager.restored(backup) as restored:
        assert {each.id for each in manager.compare(restored)} == {scene.milk, note}
        assert manager.make_true(backup, restored).items == 3
        assert manager.compare(restored) == []
    assert shown(laptop) == then


@pytest.mark.parametrize("exactly", [True, False])
def test_one_item_of_another_devices_backup_comes_alone_and_merges_with_its_own_changes(
    scene: Scene, exactly: bool
) -> None:
    """No change of the phone comes to the laptop, since none comes without its past; the item is written anew."""
    laptop, phone = scene.laptop, scene.phone
    with phone.begin_transaction() as tx:
        parent = tx.create_task(edda.Task(title="A parent"))
        child = tx.create_task(
            edda.Task(title="A child", parent_id=parent, description="Some words", tags={"x"}, metadata={"a": 1})
        )
        note = tx.create_document(edda.Document(title="A note", content="Written there"))
        tx.attach(note, BytesIO(b"content"), name="film")
        tx.link(child, note)
    phone.edit_text(note, "content", [(0, 0, "Edited, and ")])
    place = Place()
    BackupManager(phone, place).back_up()
    manager = BackupManager(laptop, place)
    backup, frontier = manager.find(device=phone.identity.device), laptop.frontier()

    def restore(*only: str) -> None:
        with manager.restored(backup) as restored:
            if exactly:
                manager.make_true(backup, restored, only)
            else:
                manager.bring_back(backup, restored, manager.compare(restored, only), only)

    restore(child)
    task = laptop.get_task(child)
    assert task is not None
    assert (task.title, task.description, task.tags, task.parent_id) == ("A child", "Some words", {"x"}, None)
    assert laptop.get_task(parent) is None
    assert laptop.get_document(note) is None
    restore(note, parent, child)
    document = laptop.get_document(note)
    assert document is not None
    assert document.content == "Edited, and Written there"
    assert [(each.name, each.here) for each in laptop.attachments(note)] == [("film", True)]
    if exactly:
        assert laptop.get_task(child).parent_id == parent  # type: ignore[union-attr]
        assert [link.document_id for link in laptop.links(task_id=child)] == [note]
    assert laptop.frontier().keys() == frontier.keys(), "nothing of the phone came"
    sync(laptop, phone)
    assert shown(laptop) == shown(phone)
    assert [each.name for each in phone.attachments(note)] == ["film"]
    kept = [(each.field, {value.value for value in (each.shown, *each.kept)}) for each in laptop.conflicts()]
    assert kept == [("content", {"Edited, and Written there"})], "both texts were edited, and they are equal"


def test_what_was_detached_comes_back_and_what_was_attached_later_goes_only_with_the_truth(scene: Scene) -> None:
    laptop = scene.laptop
    with laptop.begin_transaction() as tx:
        tx.attach(scene.plan, BytesIO(b"first"), name="first")
    manager, backup = backed_up_now(scene)
    with laptop.begin_transaction() as tx:
        tx.detach(scene.plan, "first")
        tx.attach(scene.plan, BytesIO(b"later"), name="later")
    laptop.update_document(edda.Document(id=scene.plan, title="Changed"))
    with manager.restored(backup) as restored:
        (found,) = manager.compare(restored)
        assert found.fields == ("title", "files")
        assert manager.bring_back(backup, restored, [found], files=True) == (1, 0)
        assert [each.name for each in laptop.attachments(scene.plan)] == ["later", "first"]
        assert laptop.get_document(scene.plan).title == "Changed"  # type: ignore[union-attr]
        manager.make_true(backup, restored)
    assert [each.name for each in laptop.attachments(scene.plan)] == ["first"]
    assert laptop.get_document(scene.plan).title == "Plan"  # type: ignore[union-attr]


def test_with_a_time_no_later_change_of_the_backup_comes(scene: Scene) -> None:
    phone, place = scene.phone, Place()
    early = phone.create_task(edda.Task(title="Early"))
    moment_ms = int(phone.writing.now() * 1_000)
    while int(phone.writing.now() * 1_000) == moment_ms:
        pass
    later = phone.create_task(edda.Task(title="Later"))
    BackupManager(phone, place).back_up()
    manager = BackupManager(scene.laptop, place)
    backup = manager.find(device=phone.identity.device)
    with manager.restored(backup, until_ms=moment_ms) as restored:
        manager.bring_back(backup, restored, manager.preview(restored), until_ms=moment_ms)
    assert scene.laptop.get_task(early) is not None
    assert scene.laptop.get_task(later) is None
    sync(scene.laptop, phone)
    assert shown(scene.laptop) == shown(phone)


def backed_up_now(scene: Scene) -> tuple[BackupManager, Manifest]:
    """The backups of the laptop, and one that is made now."""
    manager = BackupManager(scene.laptop, Place())
    return manager, manager.back_up().manifest


def test_tags_have_their_names_colours_and_descriptions_again(scene: Scene) -> None:
    laptop = scene.laptop
    with laptop.begin_transaction() as tx:
        tx.create_tag("home", "red", "At home")
        tx.create_tag("unused")
    manager, backup = backed_up_now(scene)
    with laptop.begin_transaction() as tx:
        tx.rename_tag("home", "house")
        tx.create_tag("house", "blue")
        tx.delete_tag("unused")
    with manager.restored(backup) as restored:
        assert [each.name for each in manager.tags_lacking(restored)] == ["home", "unused"]
        assert manager.make_true(backup, restored).items == 3
        assert manager.tags_lacking(restored) == []
    assert shown(laptop) == scene.then
    tags = {each.name: (each.color, each.description) for each in laptop.tags()}
    assert (tags["home"], tags["unused"]) == (("red", "At home"), (None, None))

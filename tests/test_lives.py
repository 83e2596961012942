"""Copied, restored and rolled-back stores: each goes on under an actor of its own, and nothing acknowledged is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.crdt.ledger import actor_of
from edda_sync.engine import StorageEngine
from edda_sync.errors import ForkError
from edda_sync.testing import pair, sync

TASKS = edda.TaskQuery(order="title")


def actor(store: StorageEngine) -> int:
    """The actor under which a store writes."""
    with store.store.read() as reader:
        return actor_of(reader)


def titles(store: StorageEngine) -> list[str]:
    """All titles, in order."""
    return [task.title for task in store.query_tasks(TASKS)]


@contextmanager
def member(tmp_path: Path, of: StorageEngine, name: str) -> Iterator[StorageEngine]:
    """Another device of an engine's workspace."""
    with StorageEngine(tmp_path / name) as engine:
        engine.open_store(edda.StorageConfig(name=name))
        pair(of, engine)
        sync(of, engine)
        yield engine


def test_opening_a_store_again_takes_no_new_actor(tmp_path: Path) -> None:
    actors = set()
    for number in range(3):
        with edda.open(tmp_path / "home") as store:
            store.create_task(edda.Task(title=f"Task {number}"))
            actors.add(actor(store))
    assert len(actors) == 1


def test_a_copied_folder_writes_under_a_new_actor_and_both_copies_sync(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        store.create_task(edda.Task(title="before"))
        first = actor(store)
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    with edda.open(tmp_path / "home") as original, edda.open(tmp_path / "copy") as copy:
        original.create_task(edda.Task(title="in the original"))
        copy.create_task(edda.Task(title="in the copy"))
        assert actor(original) == first
        assert actor(copy) != first
        with member(tmp_path, original, "phone") as phone:
            sync(phone, copy)
            sync(phone, original)
            assert titles(phone) == ["before", "in the copy", "in the original"] == titles(original)


def test_a_backup_that_is_put_back_writes_under_a_new_actor_and_gets_back_what_it_had_lost(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with edda.open(home) as store:
        store.create_task(edda.Task(title="kept"))
    shutil.copytree(home, tmp_path / "backup")
    with edda.open(home) as store:
        store.create_task(edda.Task(title="synced, then lost here"))
        before = actor(store)
        with member(tmp_path, store, "phone"):
            pass
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "backup", home)
    with edda.open(home) as restored, StorageEngine(tmp_path / "phone") as phone:
        phone.open_store(edda.StorageConfig(name="phone"))
        restored.create_task(edda.Task(title="written after the restore"))
        assert actor(restored) != before
        with restored.store.read() as reader:
            assert not reader.forks()
        # The restored store does not know the phone yet: the phone, which knows both, brings it all back.
        sync(restored, phone)
        assert titles(restored) == titles(phone) == ["kept", "synced, then lost here", "written after the restore"]


def test_a_backup_from_before_the_first_write_writes_under_a_new_actor(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        with member(tmp_path, store, "phone"):
            pass
        shutil.copytree(tmp_path / "phone", tmp_path / "backup")
        with StorageEngine(tmp_path / "phone") as phone:
            phone.open_store(edda.StorageConfig(name="phone"))
            phone.create_task(edda.Task(title="synced, then lost on the phone"))
            sync(store, phone)
        shutil.rmtree(tmp_path / "phone")
        shutil.copytree(tmp_path / "backup", tmp_path / "phone")
        with StorageEngine(tmp_path / "phone") as phone:
            phone.open_store(edda.StorageConfig(name="phone"))
            phone.create_task(edda.Task(title="written after the restore"))
            sync(store, phone)
            assert titles(store) == titles(phone) == ["synced, then lost on the phone", "written after the restore"]


def test_two_copies_from_before_the_first_write_take_an_actor_each(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        with member(tmp_path, store, "phone"):
            pass
        shutil.copytree(tmp_path / "phone", tmp_path / "copy")
        for name in ("phone", "copy"):
            with StorageEngine(tmp_path / name) as each:
                each.open_store(edda.StorageConfig(name=name))
                each.create_task(edda.Task(title=f"on the {name}"))
                sync(store, each)
        assert titles(store) == ["on the copy", "on the phone"]


def test_a_store_without_its_sidecar_takes_a_new_actor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with edda.open(tmp_path / "home") as store:
        before = actor(store)
    monkeypatch.setenv("EDDA_STATE", str(tmp_path / "another machine"))
    with edda.open(tmp_path / "home") as store:
        store.create_task(edda.Task(title="elsewhere"))
        assert actor(store) != before


def test_a_machine_rolled_back_with_its_sidecar_forks_which_is_found_listed_and_ends_that_actor(tmp_path: Path) -> None:
    home, state = tmp_path / "home", tmp_path / "state"
    with edda.open(home) as store:
        store.create_task(edda.Task(title="before"))
        inode = (home / "edda.db").stat().st_ino
        with member(tmp_path, store, "phone") as phone:
            saved = {path: path.read_bytes() for path in (home / "edda.db", home / "edda.db-wal", *state.iterdir())}
            store.create_task(edda.Task(title="synced"))
            sync(store, phone)
    # What a rolled-back virtual machine does: the same files, in the same place, as they were.
    (home / "edda.db-shm").unlink(missing_ok=True)
    for path, content in saved.items():
        path.write_bytes(content)
    assert (home / "edda.db").stat().st_ino == inode
    with edda.open(home) as store, StorageEngine(tmp_path / "phone") as phone:
        phone.open_store(edda.StorageConfig(name="phone"))
        forked = actor(store)
        store.create_task(edda.Task(title="written twice under one name"))
        assert actor(store) == forked
        digests = store.digest(), phone.digest()
        with pytest.raises(ForkError):
            sync(store, phone)
        assert (store.digest(), phone.digest()) == digests  # neither branch replaced the other
        for device in (store, phone):
            with device.store.read() as reader:
                assert [entry[0] for entry in reader.forks()] == [forked]
        store.create_task(edda.Task(title="afterwards"))
        assert actor(store) != forked
        assert "written twice under one name" in titles(store)
